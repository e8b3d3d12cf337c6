package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/dsn"
	"github.com/pgdbm/pgdbm/internal/native"
	"github.com/pgdbm/pgdbm/internal/pathsql"
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
func (n nativeConn) Pgx() *pgx.Conn { return n.session.pgx }

// Altered makes all connections ask again for what they know about tables.
func (n nativeConn) Altered() { n.session.Changes.Add(1) }

// Schema returns the effective schema.
func (n nativeConn) Schema(ctx context.Context) (string, error) {
	var st statement
	err := n.newStatement(ctx, &st, "", nil) // which may be refused
	return st.schema, err
}

// Enter gives the session the path of the effective schema. It is closed when it is given back, if it had another.
func (n nativeConn) Enter(ctx context.Context) (path string, moved bool, err error) {
	schema, _, err := n.effective(ctx)
	if err != nil {
		return "", false, err
	}
	if w := n.switchTo(schema, &template.Info{SchemaDDL: true}); w != nil { // which may be created on the way
		return w.Full, true, n.setPath(ctx, w)
	}
	if n.path == nil || !n.path.follows {
		return "", false, nil
	}
	return n.path.full, false, nil
}

// Query expands query and sends it.
func (n nativeConn) Query(ctx context.Context, query string, args ...any) (pgx.Rows, error) {
	if n.session.pgx.IsClosed() {
		return nil, sqldriver.ErrBadConn
	}
	r := &nativeRows{execution{conn: n.conn, rows: true}}
	if err := n.newStatement(ctx, &r.statement, query, args); err != nil {
		return nil, err
	}
	if err := r.run(ctx); err != nil {
		return nil, badConn(err)
	}
	return r, nil
}

// badConn returns ErrBadConn for an error of what provably was not sent.
func badConn(err error) error {
	if err != nil && pgconn.SafeToRetry(err) {
		return sqldriver.ErrBadConn
	}
	return err
}

// Do calls fn with query as it is to be sent.
func (n nativeConn) Do(ctx context.Context, query string, fn func(*pgx.Conn, string, string) error) error {
	if n.session.pgx.IsClosed() {
		return sqldriver.ErrBadConn
	}
	var st statement
	if err := n.newStatement(ctx, &st, query, nil); err != nil {
		return err
	}
	if st.leaves() {
		n.leave(st.bound)
	}
	call := func() error { return fn(n.Pgx(), st.sql, st.schema) }
	var err error
	if st.path != nil {
		err = n.inTransaction(ctx, st.path, call)
	} else {
		err = call()
	}
	return badConn(n.after(&st, false, err))
}

// inTransaction calls fn under a path: in the transaction that there is, or in one of its own.
func (c *conn) inTransaction(ctx context.Context, w *pathsql.Switch, fn func() error) error {
	if c.inTx() {
		if err := c.setPath(ctx, w); err != nil {
			return err
		}
		return c.checked(ctx, w, "", fn)
	}
	if err := c.checkLiterals(); err != nil {
		return err
	}
	pg := c.pg()
	if _, err := pg.Exec(ctx, "BEGIN; "+w.Text(pathsql.SetSQL(w.Value, true))).ReadAll(); err != nil {
		return errors.Join(missing(w, err), c.rollback(ctx))
	}
	c.transaction().last = w
	if err := c.checked(ctx, w, "COMMIT", fn); err != nil {
		return errors.Join(err, c.rollback(ctx))
	}
	return nil
}

// rollback ends the transaction, if there is one.
func (c *conn) rollback(ctx context.Context) error {
	if !c.inTx() || c.session.pgx.IsClosed() {
		return nil
	}
	_, err := c.pg().Exec(context.WithoutCancel(ctx), "ROLLBACK").ReadAll()
	return err
}

// checked calls fn, and then looks for the schema before the transaction goes on or, with a COMMIT, ends.
func (c *conn) checked(ctx context.Context, w *pathsql.Switch, end string, fn func() error) error {
	if err := fn(); err != nil {
		return err
	}
	if w.Checks() {
		end = w.Text(pathsql.CheckText) + "; " + end
	}
	if end == "" {
		return nil
	}
	_, err := c.pg().Exec(ctx, end).ReadAll()
	return gone(w, err)
}

// Fixed expands query. database/sql prepares the text of a *sql.Stmt again on any connection and under any context. In
// schema_mode=search_path the names in it would follow that context, so the text says where it stays.
func (n nativeConn) Fixed(ctx context.Context, query string) (string, error) {
	schema, _, err := n.effective(ctx)
	if err != nil {
		return "", err
	}
	if n.connector.settings.SearchPath {
		return fixedMark + hex.EncodeToString([]byte(schema)) + "\n" + query, nil
	}
	e, err := n.connector.cache.Get(query, schema)
	if err != nil {
		return "", err
	}
	settings := n.connector.settings
	if settings.Required != dsn.RequireNothing && !e.Info.TransactionControl &&
		(settings.Schema == "" || settings.Required == dsn.RequireContext) {
		return "", fmt.Errorf("%w: the statement would be executed without one", ErrSchemaRequired)
	}
	if e.SQL != query {
		return e.SQL, n.checkLiterals()
	}
	return e.SQL, nil
}
