package schemadb_test

import (
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// slow returns config for a proxy on TCP that gives each direction's bytes on after delay.
func slow(b *testing.B, config *pgx.ConnConfig, delay time.Duration) *pgx.ConnConfig {
	b.Helper()
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				client.Close()
				continue
			}
			go forward(server, client, delay)
			go forward(client, server, delay)
		}
	}()
	port := uint16(listener.Addr().(*net.TCPAddr).Port) //nolint:gosec // it is a port
	slowed := config.Copy()
	slowed.Host, slowed.Port = "127.0.0.1", port
	for _, fallback := range slowed.Fallbacks { // the same server without TLS, perhaps
		fallback.Host, fallback.Port = "127.0.0.1", port
	}
	return slowed
}

// chunk is bytes that are on their way.
type chunk struct {
	data    []byte
	arrives time.Time
}

// forward copies with a delay, which does not limit how much is on its way, until one side closes.
func forward(to, from net.Conn, delay time.Duration) {
	wire := make(chan chunk, 1<<14)
	go func() {
		defer close(wire)
		for buf := make([]byte, 64<<10); ; {
			n, err := from.Read(buf)
			if err != nil {
				return
			}
			wire <- chunk{append([]byte(nil), buf[:n]...), time.Now().Add(delay)}
		}
	}()
	defer to.Close()
	defer from.Close()
	for c := range wire {
		waitUntil(c.arrives)
		if _, err := to.Write(c.data); err != nil {
			from.Close() // ends the other goroutine
		}
	}
}

// waitUntil does not sleep, which takes a whole millisecond at least: Go's poller waits in those.
func waitUntil(t time.Time) {
	for time.Now().Before(t) {
		runtime.Gosched()
	}
}
