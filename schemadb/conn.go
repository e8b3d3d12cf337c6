package schemadb

import (
	"context"
	"database/sql"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx"

	"github.com/pgdbm/pgdbm/driver"
)

// Conn is one connection of the pool, for statements that have to share it. It has the methods of [DB] that run
// statements, bound to the same schema. Like a *sql.Conn it is safe for concurrent use; its statements run one after
// the other.
type Conn struct {
	queries
	lax *sqlx.Conn // the same connection, which ignores columns without a field
}

// Connx borrows a connection, which must be closed.
func (db *DB) Connx(ctx context.Context) (*Conn, error) {
	if err := db.scope.check(ctx); err != nil {
		return nil, err
	}
	if _, err := db.pool.driver(ctx); err != nil {
		return nil, err
	}
	lax, err := db.x.Unsafe().Connx(db.scope.context(ctx))
	if err != nil {
		return nil, err
	}
	c := &Conn{queries: db.queries, lax: lax}
	c.held, c.copies, c.reading, c.runner = lax.Conn, new(atomic.Bool), new(openRows), lax
	if !db.unsafe {
		c.runner = &sqlx.Conn{Conn: lax.Conn, Mapper: lax.Mapper}
	}
	return c, nil
}

// Close gives the connection back to the pool. Afterwards every use fails with sql.ErrConnDone.
func (c *Conn) Close() error {
	c.reading.close(sql.ErrConnDone) // or the next borrower would get a connection that is busy for ever
	return c.held.Close()
}

// PingContext asks whether the server answers on this connection.
func (c *Conn) PingContext(ctx context.Context) error {
	if err := c.scope.check(ctx); err != nil {
		return err
	}
	return c.held.PingContext(ctx)
}

// Unsafe returns a view of the same connection that ignores columns without a field.
func (c *Conn) Unsafe() *Conn {
	view := *c
	view.unsafe, view.runner = true, c.lax
	return &view
}

// Raw calls fn with the connection of pgx: for LISTEN, batches, large objects. Templates are not expanded in what fn
// sends; [DB.Expand] does it. If the statements of the Conn are bound to a schema, package driver closes the connection
// afterwards instead of using it again, because fn may have changed its session.
func (c *Conn) Raw(ctx context.Context, fn func(*pgx.Conn) error) error {
	if err := c.scope.check(ctx); err != nil {
		return err
	}
	if kind(c.scope.pool.kind.Load()) == kindPgdbm {
		ctx = c.scope.context(ctx)
	}
	return driver.Raw(ctx, c.held, fn)
}

// BeginTxx begins a transaction on the connection. See [DB.BeginTxx].
func (c *Conn) BeginTxx(ctx context.Context, opts *sql.TxOptions) (*Tx, error) {
	if err := c.scope.check(ctx); err != nil {
		return nil, err
	}
	return c.begin(ctx, opts)
}

// Beginx is BeginTxx without a context and options.
func (c *Conn) Beginx() (*Tx, error) { return c.BeginTxx(context.Background(), nil) }

// begin begins a transaction, which does not close the connection.
func (c *Conn) begin(ctx context.Context, opts *sql.TxOptions) (*Tx, error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	x, err := c.lax.BeginTxx(c.scope.context(ctx), opts)
	if err != nil {
		return nil, err
	}
	return newTx(ctx, c, x), nil
}
