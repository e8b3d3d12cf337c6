package schemadb

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/native"
)

// errNotNative says that pgx cannot be reached, because the driver is another one or is wrapped.
var errNotNative = errors.New("pgdbm: the driver is neither pgdbm nor pgx/v5/stdlib, or something wraps it, " +
	"so pgx cannot be reached")

// native calls fn with a connection that statements can be sent on through pgx: the one of the Tx or the Conn, else one
// from the pool. It returns errNotNative if there is none. Fn may be called again with another connection if it returns
// driver.ErrBadConn, which means that nothing was sent.
func (q *queries) native(ctx context.Context, fn func(native.Conn) error) error {
	k, err := q.enter(ctx)
	if err != nil {
		return err
	}
	if k == kindOther {
		return errNotNative
	}
	if q.held != nil {
		return cancelled(ctx, q.raw(q.held, false, fn))
	}
	err = q.scope.pool.retry(func() error {
		conn, err := q.scope.pool.db.Conn(q.scope.context(ctx))
		if err != nil {
			return err
		}
		defer conn.Close()
		return q.raw(conn, true, fn)
	})
	return cancelled(ctx, err)
}

// cancelled returns the error of ctx, as database/sql does, instead of what pgx and database/sql make of a context that
// has ended: a connection that is broken, a transaction that is over.
func cancelled(ctx context.Context, err error) error {
	if errors.Is(err, sqldriver.ErrBadConn) || errors.Is(err, sql.ErrTxDone) {
		if ctxErr := ctx.Err(); ctxErr != nil {
			return ctxErr
		}
	}
	return err
}

// enter returns the kind of the driver, or why no statement can run.
func (q *queries) enter(ctx context.Context) (kind, error) {
	if err := q.tx.check(); err != nil {
		return kindUnknown, err
	}
	if err := q.scope.check(ctx); err != nil {
		return kindUnknown, err
	}
	if err := ctx.Err(); err != nil { // as database/sql does; pgx's would look like a broken connection
		return kindUnknown, err
	}
	return q.scope.pool.driver(ctx)
}

// errBusy is what pgx's "conn busy" means here.
var errBusy = errors.New("pgdbm: the connection is busy with rows that are still being read, or with CopyFrom; close " +
	"them, or leave the loop over them, before the next statement of the same transaction or Conn")

// checkBusy returns errBusy if rows of the held connection are open. Pgx would refuse the statement too, but cut those
// rows off, and its driver would say driver.ErrBadConn, on which database/sql closes a Conn, or waits for its rows.
func (q *queries) checkBusy() error {
	if q.held == nil || kind(q.scope.pool.kind.Load()) == kindOther {
		return nil
	}
	err := q.raw(q.held, false, func(native.Conn) error { return nil })
	if err == errBusy { //nolint:errorlint // it is ours, and never wrapped
		return err
	}
	return nil // database/sql finds out the rest
}

// raw calls fn with the connection behind conn, while nobody else can use it. Own says that conn is ours alone, so that
// database/sql may close a broken one.
func (q *queries) raw(conn *sql.Conn, own bool, fn func(native.Conn) error) error {
	if q.held != nil && q.copies.Load() {
		return errBusy // rather than to wait for the end of CopyFrom, in its own rows
	}
	var result error
	err := rawConn(conn, func(driverConn any) error {
		var c native.Conn
		switch dc := driverConn.(type) {
		case native.Connection:
			c = dc.Native()
		case interface{ Conn() *pgx.Conn }:
			c = plainConn{conn: dc.Conn(), scope: q.scope}
		default:
			result = errNotNative
			return nil
		}
		result = q.use(c, own, fn)
		if own && errors.Is(result, sqldriver.ErrBadConn) {
			return result
		}
		return nil // database/sql would wait for the end of the transaction before it closes the connection: for ever
	})
	switch {
	case q.tx != nil && errors.Is(err, sql.ErrConnDone):
		return sql.ErrTxDone
	case err != nil:
		return err
	}
	return result
}

// rawConn is conn.Raw, which panics if the connection is closed at the same moment, as when a transaction's context is
// cancelled: database/sql looks at what Close has just set to nil. It hands on what fn panics with.
func rawConn(conn *sql.Conn, fn func(driverConn any) error) (err error) {
	entered := false
	var panicked any // what the caller's code has panicked with: a Scanner, a Valuer
	defer func() {
		switch {
		case !entered && recover() != nil:
			err = sql.ErrConnDone
		case panicked != nil:
			panic(panicked)
		}
	}()
	return conn.Raw(func(driverConn any) error {
		entered = true
		defer func() { panicked = recover() }() // or database/sql would wait for the end of the transaction: for ever
		return fn(driverConn)
	})
}

// use calls fn, unless the connection cannot take a statement now.
func (q *queries) use(c native.Conn, own bool, fn func(native.Conn) error) error {
	if err := q.tx.check(); err != nil { // it may have ended while we waited for the connection
		return err
	}
	pg := c.Pgx().PgConn()
	switch {
	case pg.IsBusy() && own: // somebody has given it back with open rows
		return sqldriver.ErrBadConn
	case pg.IsBusy():
		return errBusy
	case q.tx != nil && !pg.IsClosed() && pg.TxStatus() == 'I':
		// database/sql rolls back when the transaction's context is cancelled. What is sent after that would commit.
		return sql.ErrTxDone
	}
	return fn(c)
}

// plainConn is a connection of pgx/v5/stdlib.
type plainConn struct {
	conn  *pgx.Conn
	scope scope
}

var _ native.Conn = plainConn{}

// Schema returns the schema that is known.
func (c plainConn) Schema(ctx context.Context) (string, error) { return c.scope.schema(ctx) }

// Enter does nothing: pgx knows nothing about schemas.
func (plainConn) Enter(context.Context) (string, bool, error) { return "", false, nil }

// Altered does nothing: pgx finds out when a statement fails.
func (plainConn) Altered() {}

// Pgx returns the connection.
func (c plainConn) Pgx() *pgx.Conn { return c.conn }

// Query expands query and sends it.
func (c plainConn) Query(ctx context.Context, query string, args ...any) (pgx.Rows, error) {
	if c.conn.IsClosed() {
		return nil, sqldriver.ErrBadConn
	}
	text, err := c.scope.expand(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := c.conn.Query(ctx, text, args...)
	if err != nil {
		return nil, unsent(err)
	}
	return rows, nil
}

// Do calls fn with query, expanded.
func (c plainConn) Do(ctx context.Context, query string, fn func(*pgx.Conn, string, string) error) error {
	if c.conn.IsClosed() {
		return sqldriver.ErrBadConn
	}
	schema, err := c.scope.schema(ctx)
	if err != nil {
		return err
	}
	text, err := c.scope.expand(ctx, query)
	if err != nil {
		return err
	}
	return unsent(fn(c.conn, text, schema))
}

// Fixed expands query: on this driver every text is fixed.
func (c plainConn) Fixed(ctx context.Context, query string) (string, error) {
	return c.scope.expand(ctx, query)
}

// unsent turns the error of a statement that was not sent into the one on which database/sql tries another connection.
func unsent(err error) error {
	if err != nil && pgconn.SafeToRetry(err) {
		return fmt.Errorf("%w: %w", sqldriver.ErrBadConn, err)
	}
	return err
}
