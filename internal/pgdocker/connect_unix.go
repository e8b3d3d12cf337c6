//go:build unix

package pgdocker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/ory/dockertest/v3/docker"
)

// publish returns the address to publish a port on, and the host that it is reached at.
func publish(endpoint string) (bind, host string) {
	const here = "127.0.0.1"
	engine, err := url.Parse(endpoint)
	if err != nil || engine.Hostname() == "" || engine.Scheme == "unix" {
		return here, here
	}
	host = engine.Hostname()
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return here, here
	}
	return "0.0.0.0", host
}

// address is a way to connect to the server.
type address struct {
	host, port string
	sslmode    string
}

// addresses returns the published port and, for those who are in a container of the same engine, the container's own one.
func (c *container) addresses(network *docker.NetworkSettings) []address {
	full, ca := "disable", "disable"
	if c.rootCert != "" {
		full, ca = "verify-full", "verify-ca" // its own address was not known when the certificate was made
	}
	var list []address
	if bindings := network.Ports[serverPort]; len(bindings) > 0 {
		list = append(list, address{c.host, bindings[0].HostPort, full})
	}
	if engine := c.client.Endpoint(); strings.HasPrefix(engine, "unix:") && network.IPAddress != "" {
		list = append(list, address{network.IPAddress, serverPort.Port(), ca})
	}
	return list
}

func (c *container) dsn(a address) string {
	query := "sslmode=" + a.sslmode
	if c.rootCert != "" {
		// In a connection URL '+' is no space.
		query += "&sslrootcert=" + strings.ReplaceAll(url.QueryEscape(c.rootCert), "+", "%20")
	}
	dsn := url.URL{Scheme: "postgres", User: url.UserPassword("postgres", c.password), Host: net.JoinHostPort(a.host, a.port),
		Path: "/postgres", RawQuery: query}
	return dsn.String()
}

// connect tries the addresses until one works, and returns its DSN. The image's entrypoint does not let TCP in before all is
// ready.
func (c *container) connect(ctx context.Context, addresses []address) (string, error) {
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		dsn, version, err := c.reach(ctx, addresses)
		switch {
		case err == nil && c.version != "" && version != c.version:
			return "", fmt.Errorf("it is PostgreSQL %s, not %s", version, c.version)
		case err == nil:
			return dsn, nil
		}
		select {
		case <-c.gone:
			return "", err
		case <-ctx.Done():
			return "", fmt.Errorf("it cannot be connected to: %w (%w)", ctx.Err(), err)
		case <-poll.C:
		}
	}
}

// reach returns the DSN with the first address that works.
func (c *container) reach(ctx context.Context, addresses []address) (dsn, version string, err error) {
	err = errors.New("its port is not published")
	for i, a := range addresses {
		dsn = c.dsn(a)
		if version, err = ask(ctx, dsn); err != nil {
			continue
		}
		if i > 0 { // the server may have become ready after the first was tried
			first := c.dsn(addresses[0])
			if _, err := ask(ctx, first); err == nil {
				dsn = first
			}
		}
		return dsn, version, nil
	}
	return "", "", err
}

// ask returns the server's major version.
func ask(ctx context.Context, dsn string) (string, error) {
	const limit = 3 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var number int
	err = conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int / 10000").Scan(&number)
	return strconv.Itoa(number), err
}
