//go:build unix

package pgserver

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"

	"github.com/jackc/pgx/v5"
)

// loopbackRules are the pg_hba.conf of a server that listens on 127.0.0.1, where every user of the machine can connect to it.
const loopbackRules = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256"

// loopbackOptions are on top of the others. The memory is taken only when it is used.
func loopbackOptions(port int) []string {
	return []string{"-c", "listen_addresses=127.0.0.1", "-c", fmt.Sprintf("port=%d", port), "-c", "shared_buffers=1GB"}
}

// freePort finds a port. Somebody else may take it before the server does; then the server does not start.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

// openLoopback sets a password, through the socket, and returns the connection string for TCP.
func openLoopback(ctx context.Context, dir string, port int) (dsn string, err error) {
	conn, err := pgx.Connect(ctx, fmt.Sprintf("postgres://postgres@/postgres?host=%s&port=%d", escapeQuery(dir), port))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }() // an error in closing changes nothing
	password := rand.Text()
	if _, err := conn.Exec(ctx, "ALTER ROLE postgres PASSWORD '"+password+"'"); err != nil {
		return "", err
	}
	return fmt.Sprintf("postgres://postgres:%s@127.0.0.1:%d/postgres?sslmode=disable", password, port), nil
}
