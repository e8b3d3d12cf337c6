// Package native is how package schemadb reaches pgx behind the connections of package driver.
//
// driver.Raw hands out the pgx.Conn too, but to whom it does not know, so it gives the connection up afterwards. Through
// this package the driver still sees every statement, and knows what it does to the session.
package native

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Conn is a connection that statements are sent on through pgx itself. Like the connection of database/sql behind it,
// it is used by one goroutine at a time, in (*sql.Conn).Raw.
//
// An error that means that nothing was sent, because the connection was broken before, is [driver.ErrBadConn], on which
// database/sql throws it away.
//
// [driver.ErrBadConn]: https://pkg.go.dev/database/sql/driver#pkg-variables
type Conn interface {
	// Query expands query for the effective schema of ctx and sends it. The rows must be closed; then their Err is the
	// statement's error.
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)

	// Do calls fn with query, expanded for the effective schema of ctx, and with that schema, or "" for none. In fn
	// nothing may be sent but sql, and COPY if query is "".
	Do(ctx context.Context, query string, fn func(conn *pgx.Conn, sql, schema string) error) error

	// Fixed returns query as a text that runs in the schema of ctx under whatever context it is executed. The error
	// says why that cannot be.
	Fixed(ctx context.Context, query string) (sql string, err error)

	// Schema returns the effective schema of ctx, or "" for none.
	Schema(ctx context.Context) (string, error)

	// Enter gives the session, until it is given back, the search_path of the schema of ctx in schema_mode=search_path, and returns the
	// one that it has while the schema exists; else "". Moved says that it was another. It must not be in a transaction.
	Enter(ctx context.Context) (path string, moved bool, err error)

	// Altered says that something else than these methods has changed tables, which statements are not to be surprised by.
	Altered()

	// Pgx returns the connection of pgx, to look at.
	Pgx() *pgx.Conn
}

// Connection is what the connections of package driver have.
type Connection interface {
	Native() Conn
}

type probeKey struct{}

// Probe asks whether a database that a wrapper has opened is one of package driver.
type Probe struct{ Seen bool }

// WithProbe returns a context that makes the driver set p.Seen when it opens a connection or hands one out.
func WithProbe(ctx context.Context, p *Probe) context.Context {
	return context.WithValue(ctx, probeKey{}, p)
}

// Answer sets the Probe in ctx, if there is one.
func Answer(ctx context.Context) {
	if p, ok := ctx.Value(probeKey{}).(*Probe); ok {
		p.Seen = true
	}
}
