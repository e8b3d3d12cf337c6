package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/native"
	"github.com/pgdbm/pgdbm/internal/template"
)

// Native is for package schemadb: its statements go to pgx directly, and still through this connection's rules.
func (c *conn) Native() native.Conn { return nativeConn{c} }

// nativeConn sends statements through pgx without database/sql's values between.
type nativeConn struct{ *conn }

var (
	_ native.Conn       = nativeConn{}
	_ native.Connection = (*conn)(nil)
)

// Pgx returns the connection without counting the session as changed.
func (n nativeConn) Pgx() *pgx.Conn { return n.stdlibConn.Conn() }

// Schema returns the effective schema.
func (n nativeConn) Schema(ctx context.Context) (string, error) {
	o, err := n.statement(ctx, "") // which may be refused
	return o.schema, err
}

// Enter gives the session the path of the effective schema. It is closed when it is given back, if it had another.
func (n nativeConn) Enter(ctx context.Context) (path string, moved bool, err error) {
	schema, _, err := n.effective(ctx)
	if err != nil {
		return "", false, err
	}
	if w := n.switchTo(schema, &template.Info{}); w != nil {
		return w.full, true, n.setPath(ctx, w)
	}
	if n.path == nil {
		return "", false, nil
	}
	return n.path.full, false, nil
}

// Query expands query and sends it.
func (n nativeConn) Query(ctx context.Context, query string, args ...any) (pgx.Rows, error) {
	if n.Pgx().IsClosed() {
		return nil, sqldriver.ErrBadConn
	}
	o, err := n.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	args = n.schemaArgs(&o, args)
	if o.path != nil {
		return n.queryUnder(ctx, &o, args)
	}
	formats, rest := resultFormats(args)
	if o.sql == "" || len(rest) > 0 && isOption(rest[0]) {
		return n.viaPgx(ctx, &o, args)
	}
	if o.way = n.route(&o); o.way == wayPgx {
		return n.viaPgx(ctx, &o, args)
	}
	r := &onceRows{}
	if err := r.query(ctx, n.conn, &o, rest, formats); err != nil {
		return nil, n.afterNative(err)
	}
	return r, nil
}

// resultFormats takes the formats off the arguments, if they come first.
func resultFormats(args []any) (pgx.QueryResultFormatsByOID, []any) {
	if len(args) > 0 {
		if formats, ok := args[0].(pgx.QueryResultFormatsByOID); ok {
			return formats, args[1:]
		}
	}
	return nil, args
}

// viaPgx sends a statement on pgx's own path. It waits for the first row, in case the statement has to be sent again.
func (n nativeConn) viaPgx(ctx context.Context, o *order, args []any) (pgx.Rows, error) {
	rows, more, err := n.start(ctx, o, args)
	if err != nil {
		return nil, n.afterNative(err)
	}
	return &nativeRows{Rows: rows, conn: n.conn, more: more, first: true}, nil
}

func (n nativeConn) start(ctx context.Context, o *order, args []any) (rows pgx.Rows, more bool, err error) {
	rows, err = n.Pgx().Query(ctx, o.sql, args...)
	if err != nil {
		return nil, false, err
	}
	more = rows.Next()
	return rows, more, rows.Err()
}

// queryUnder sends a query under its path.
func (n nativeConn) queryUnder(ctx context.Context, o *order, args []any) (pgx.Rows, error) {
	written := *o
	formats, rest, err := n.options(ctx, o, args)
	if err != nil {
		return nil, n.afterNative(err)
	}
	idle := n.txStatus() == 'I'
	if !o.needsSession() {
		o.way = n.route(o)
		r := &onceRows{}
		err := r.query(ctx, n.conn, o, rest, formats)
		if err == nil {
			return r, nil
		}
		if !idle || !refusesGroup(err) {
			return nil, n.afterNative(err)
		}
	}
	var rows pgx.Rows
	err = n.apart(ctx, o, func() (err error) {
		rows, err = n.viaPgx(ctx, &written, args)
		return err
	})
	return rows, err
}

// Do calls fn with query as it is to be sent.
func (n nativeConn) Do(ctx context.Context, query string, fn func(*pgx.Conn, string, string) error) error {
	if n.Pgx().IsClosed() {
		return sqldriver.ErrBadConn
	}
	o, err := n.statement(ctx, query)
	if err != nil {
		return err
	}
	call := func() error { return fn(n.Pgx(), o.sql, o.schema) }
	if o.path != nil {
		return n.afterNative(n.inTransaction(ctx, o.path, call))
	}
	return n.afterNative(call())
}

// inTransaction calls fn under a path: in the transaction that there is, or in one of its own.
func (c *conn) inTransaction(ctx context.Context, w *pathSwitch, fn func() error) error {
	if c.txStatus() != 'I' {
		if err := c.setPath(ctx, w); err != nil {
			return err
		}
		return c.checked(ctx, w, "", fn)
	}
	if err := c.checkLiterals(); err != nil {
		return err
	}
	pg := c.stdlibConn.Conn().PgConn()
	c.switched = true
	results, err := pg.Exec(ctx, "BEGIN; "+w.text(setPathSQL(w.value, true))).ReadAll()
	if err != nil {
		return err
	}
	if w.full != "" && string(results[1].Rows[0][0]) != w.full {
		c.lost = w.schema
	}
	err = c.checked(ctx, w, "COMMIT", fn)
	if err != nil && pg.TxStatus() != 'I' && !pg.IsClosed() {
		_, rollbackErr := pg.Exec(context.WithoutCancel(ctx), "ROLLBACK").ReadAll()
		return errors.Join(err, rollbackErr)
	}
	return err
}

// checked calls fn, and then looks for the schema before the transaction goes on or, with a COMMIT, ends.
func (c *conn) checked(ctx context.Context, w *pathSwitch, end string, fn func() error) error {
	if err := fn(); err != nil {
		return err
	}
	if w.value == valueOfSchema {
		end = w.text(checkText) + "; " + end
	}
	if end == "" {
		return nil
	}
	_, err := c.stdlibConn.Conn().PgConn().Exec(ctx, end).ReadAll()
	return w.gone(err)
}

// Fixed expands query. database/sql prepares the text of a *sql.Stmt again on any connection and under any context. In
// schema_mode=search_path the names in it would follow that context, so the text says where it stays.
func (n nativeConn) Fixed(ctx context.Context, query string) (string, error) {
	schema, _, err := n.effective(ctx)
	if err != nil {
		return "", err
	}
	if n.connector.settings.searchPath {
		return fixedMark + hex.EncodeToString([]byte(schema)) + "\n" + query, nil
	}
	e, err := n.connector.cache.Get(query, schema)
	if err != nil {
		return "", err
	}
	settings := n.connector.settings
	if settings.required != requireNothing && !e.Info.TransactionControl &&
		(settings.schema == "" || settings.required == requireContext) {
		return "", fmt.Errorf("%w: the statement would be executed without one", ErrSchemaRequired)
	}
	if e.SQL != query {
		return e.SQL, n.checkLiterals()
	}
	return e.SQL, nil
}

func (n nativeConn) afterNative(err error) error {
	err = n.afterStatement(err)
	if err != nil && pgconn.SafeToRetry(err) {
		return sqldriver.ErrBadConn
	}
	return err
}

// nativeRows tells its connection when the statement is finished.
type nativeRows struct {
	pgx.Rows
	conn     *conn
	first    bool // Next was not called yet; more is what pgx said
	more     bool
	finished bool
	err      error
}

// Next closes the rows after the last one, as pgx does.
func (r *nativeRows) Next() bool {
	if r.first {
		r.first = false
	} else {
		r.more = r.Rows.Next()
	}
	if r.more {
		return true
	}
	r.Close()
	return false
}

// Close closes the rows.
func (r *nativeRows) Close() {
	r.Rows.Close()
	if !r.finished {
		r.finished = true
		r.err = r.conn.afterStatement(r.Rows.Err())
	}
}

// Err returns the statement's error, with an explanation if its schema is missing.
func (r *nativeRows) Err() error {
	if r.finished {
		return r.err
	}
	return r.Rows.Err()
}
