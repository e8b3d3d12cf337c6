//go:build unix

package pgdocker

import (
	"context"
	"crypto/rand"
	_ "embed" // for the entrypoint
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/ory/dockertest/v3/docker"

	"github.com/pgdbm/pgdbm/internal/pgserver"
)

//go:embed entrypoint.sh
var entrypoint string

const serverPort = docker.Port("5432/tcp")

// container is a server in a container.
type container struct {
	client   *docker.Client
	id       string
	host     string // where its port is published
	password string
	version  string // that it has to have, or ""
	rootCert string // file with the certificate, if connections are TLS; else ""
	log      tail
	gone     chan struct{} // closed when it has ended
}

// newContainer makes a container that has not been started.
func newContainer(client *docker.Client, image string, o pgserver.Order) (*container, error) {
	bind, host := publish(client.Endpoint())
	c := &container{client: client, host: host, password: rand.Text(), version: o.Version, gone: make(chan struct{})}
	env := []string{
		"POSTGRES_PASSWORD=" + c.password,
		"POSTGRES_INITDB_ARGS=" + pgserver.FastInitdb,
		"PGDATA=/pgdbm/data", // not in the volume of the image, whose path depends on its version
	}
	command := append([]string{"postgres"}, pgserver.FastOptions()...)
	if o.TLS {
		cert, key, err := newCertificate("localhost", "127.0.0.1", "::1", host)
		if err != nil {
			return nil, err
		}
		c.rootCert = filepath.Join(o.Home, "root.crt")
		if err := os.WriteFile(c.rootCert, cert, 0o600); err != nil {
			return nil, err
		}
		env = append(env, "PGDBM_CERTIFICATE="+string(cert), "PGDBM_KEY="+string(key))
		command = append(command, "-c", "ssl=on", "-c", "ssl_cert_file=/pgdbm/server.crt", "-c", "ssl_key_file=/pgdbm/server.key")
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit) // not the caller's: nobody would know its id
	defer cancel()
	made, err := client.CreateContainer(docker.CreateContainerOptions{
		Context: ctx,
		Config: &docker.Config{
			Image:        image,
			Entrypoint:   []string{"sh", "-c", entrypoint, "pgdbm"},
			Cmd:          command,
			Env:          env,
			ExposedPorts: map[docker.Port]struct{}{serverPort: {}},
			Labels:       map[string]string{hostLabel: thisHost(), keeperLabel: o.Socket()},
			OpenStdin:    true,
			StdinOnce:    true, // it ends with us
			AttachStdin:  true,
			AttachStdout: true,
			AttachStderr: true,
		},
		HostConfig: &docker.HostConfig{
			AutoRemove:   true,
			Tmpfs:        map[string]string{"/pgdbm": "mode=1777"},
			PortBindings: map[docker.Port][]docker.PortBinding{serverPort: {{HostIP: bind}}},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("making a container of the image %s: %w", image, err)
	}
	c.id = made.ID
	return c, nil
}

// start starts the server, and returns its DSN when it accepts connections.
func (c *container) start(ctx context.Context) (dsn string, err error) {
	if err := c.attach(); err != nil {
		return "", fmt.Errorf("attaching to its container: %w", err)
	}
	if err := c.client.StartContainerWithContext(c.id, nil, ctx); err != nil {
		return "", fmt.Errorf("starting its container: %w", err)
	}
	state, err := c.client.InspectContainerWithContext(c.id, ctx)
	if err != nil {
		return "", c.explain(fmt.Errorf("looking at its container: %w", err))
	}
	dsn, err = c.connect(ctx, c.addresses(state.NetworkSettings))
	if err != nil {
		return "", c.explain(err)
	}
	return dsn, nil
}

// attach connects to the container's output, which is kept for messages, and to its input, which keeps it alive.
func (c *container) attach() error {
	input, _ := io.Pipe() // nobody writes to it
	attached := make(chan struct{})
	connection, err := c.client.AttachToContainerNonBlocking(docker.AttachToContainerOptions{
		Container: c.id, InputStream: input, OutputStream: &c.log, ErrorStream: &c.log,
		Stdin: true, Stdout: true, Stderr: true, Stream: true, Success: attached,
	})
	if err != nil {
		return err
	}
	<-attached
	attached <- struct{}{}
	go func() {
		defer close(c.gone)
		_ = connection.Wait() // until it ends in whatever way
	}()
	return nil
}

// explain adds what the container has said, after waiting for its end if it is about to.
func (c *container) explain(err error) error {
	const moment = time.Second
	select {
	case <-c.gone:
		return fmt.Errorf("its container has ended; its log:\n%v", &c.log)
	case <-time.After(moment):
		return fmt.Errorf("%w; the container's log:\n%v", err, &c.log)
	}
}

// remove removes the container, which may have begun to remove itself, and returns when it is gone.
func (c *container) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	return remove(ctx, c.client, c.id)
}

func remove(ctx context.Context, client *docker.Client, id string) error {
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		err := client.RemoveContainer(docker.RemoveContainerOptions{ID: id, Force: true, RemoveVolumes: true, Context: ctx})
		if missing := (*docker.NoSuchContainer)(nil); errors.As(err, &missing) {
			return nil
		}
		// Nil may mean that it is being removed, and the conflict is with somebody else who removes it.
		if refused := (*docker.Error)(nil); err != nil && (!errors.As(err, &refused) || refused.Status != http.StatusConflict) {
			return fmt.Errorf("removing the container %s: %w", id, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("removing the container %s: %w", id, ctx.Err())
		case <-poll.C:
		}
	}
}
