package schemadb_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pgdbm/pgdbm/schemadb"
)

// mustOpenPool opens a pool until the test ends. Without MinConns it has one connection, as the server is shared.
func mustOpenPool(t testing.TB, c schemadb.Config) *sql.DB {
	t.Helper()
	if c.MinConns == 0 {
		c.MinConns = -1
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	pool, err := schemadb.OpenPool(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

// failOpenPool returns the error of a pool that cannot be opened.
func failOpenPool(t testing.TB, c schemadb.Config) error {
	t.Helper()
	if c.RetryDelay == 0 {
		c.RetryDelay = -1
	}
	pool, err := schemadb.OpenPool(t.Context(), c)
	if err == nil {
		_ = pool.Close()
		t.Fatal("the pool was opened")
	}
	return err
}

// wantConfigError fails the test unless err holds a *ConfigError for field, and its text all of texts.
func wantConfigError(t testing.TB, err error, field string, texts ...string) {
	t.Helper()
	for _, text := range append(texts, "config: "+field+": ") {
		if err == nil || !strings.HasPrefix(err.Error(), "pgdbm: ") || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want an error with %q", err, text)
		}
	}
	var configErr *schemadb.ConfigError
	if !errors.As(err, &configErr) {
		t.Errorf("got %v, want a *ConfigError", err)
	}
}

// wantOpenError fails the test unless err is an *OpenError after this many attempts with an SQLSTATE, or none if "".
func wantOpenError(t testing.TB, err error, attempts int, state string) {
	t.Helper()
	var openErr *schemadb.OpenError
	if !errors.As(err, &openErr) || openErr.Attempts != attempts {
		t.Fatalf("got %v, want an *OpenError after %d attempts", err, attempts)
	}
	var server *pgconn.PgError
	if state != "" && (!errors.As(err, &server) || server.Code != state) {
		t.Errorf("got %v, want SQLSTATE %s", err, state)
	}
}

// queryText returns the only value of the only row of a query.
func queryText(t testing.TB, db interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, query string, args ...any) string {
	t.Helper()
	var value string
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// pgxConfig is what pgx makes of a DSN.
func pgxConfig(t testing.TB, dsn string) *pgx.ConnConfig {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// untilTrue waits for what happens on its own time.
func untilTrue(t testing.TB, what string, done func() bool) {
	t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	limit := time.After(30 * time.Second)
	for !done() {
		select {
		case <-poll.C:
		case <-limit:
			t.Fatalf("still not: %s", what)
		}
	}
}

// logBuffer is the text of a logger.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), text)
}

func (b *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// rehearsal is a server that answers its first clients with errors, and connects the others to a real one.
type rehearsal struct {
	target *pgx.ConnConfig
	port   int

	mu     sync.Mutex
	states []string // SQLSTATEs of the errors; "" for cutting the connection
	count  int      // connections so far
}

func newRehearsal(t testing.TB, dsn string, states ...string) *rehearsal {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rehearsal{target: pgxConfig(t, dsn), port: listener.Addr().(*net.TCPAddr).Port, states: states}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { r.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		wg.Wait()
	})
	return r
}

// config connects to the rehearsal.
func (r *rehearsal) config() schemadb.Config {
	return schemadb.Config{Host: "127.0.0.1", Port: r.port, Database: r.target.Database, User: r.target.User,
		Password: r.target.Password, SSLMode: "disable", MinConns: -1, RetryDelay: -1}
}

func (r *rehearsal) connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// next counts a connection and returns the SQLSTATE to answer with, if it is one of those to fail.
func (r *rehearsal) next() (state string, fail bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	if len(r.states) == 0 {
		return "", false
	}
	state, r.states = r.states[0], r.states[1:]
	return state, true
}

func (r *rehearsal) serve(client net.Conn) {
	defer client.Close()
	backend := pgproto3.NewBackend(client, client)
	message, err := backend.ReceiveStartupMessage()
	startup, ok := message.(*pgproto3.StartupMessage)
	if err != nil || !ok { // pgx sends a CancelRequest after a connection that was cut
		return
	}
	if state, fail := r.next(); fail {
		if state != "" {
			backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: state, Message: "rehearsed"})
			_ = backend.Flush()
		}
		return
	}
	first, err := startup.Encode(nil)
	if err != nil {
		return
	}
	network, address := pgconn.NetworkAddress(r.target.Host, r.target.Port)
	server, err := net.Dial(network, address)
	if err != nil {
		return
	}
	defer server.Close()
	if _, err := server.Write(first); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, server)
}
