package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/internal/native"
	"github.com/pgdbm/pgdbm/internal/rowscan"
	"github.com/pgdbm/pgdbm/internal/schemactx"
)

// stdlibConn is embedded under another name than Conn, which would hide the method Conn.
type stdlibConn = stdlib.Conn

// conn is a *stdlib.Conn whose statements are expanded for their effective schema. It has the optional interfaces that
// *stdlib.Conn has, and Validator; every method that takes SQL text, or that starts or ends what a schema is
// remembered for, is overridden here. Like every connection of database/sql, it is used by one goroutine at a time.
//
// Each statement goes one way: newStatement says what it is, [execution.run] sends it. What belongs to one statement is in these,
// what belongs to the transaction in transaction, what belongs to the physical connection in session.
type conn struct {
	*stdlibConn
	connector *Connector
	session   *session

	bound    *schemactx.Binding // what the context of BeginTx says, until Commit or Rollback
	tx       *transaction       // the server's transaction, or nil outside of one
	path     *searchPath        // nil unless the session follows the DSN's schema in schema_mode=search_path
	left     leftover           // what statements have left in the session
	borrower bool               // the context under which it was borrowed names a schema, or is not known
}

var (
	_ sqldriver.Conn               = (*conn)(nil)
	_ sqldriver.Pinger             = (*conn)(nil)
	_ sqldriver.ExecerContext      = (*conn)(nil)
	_ sqldriver.QueryerContext     = (*conn)(nil)
	_ sqldriver.ConnPrepareContext = (*conn)(nil)
	_ sqldriver.ConnBeginTx        = (*conn)(nil)
	_ sqldriver.SessionResetter    = (*conn)(nil)
	_ sqldriver.NamedValueChecker  = (*conn)(nil)
	_ sqldriver.Validator          = (*conn)(nil)
)

// leftover says whether a connection has session state (temporary tables, settings, prepared statements ...), and who
// may see it.
type leftover uint8

const (
	leftNothing leftover = iota
	leftByDSN            // by statements in the DSN's schema: those that follow the DSN too may see it, as with pgx
	leftByBound          // by statements bound to a schema by their context or transaction: nobody else may see it
)

// newConn wraps a connection that was just opened, or borrowed from a pgxpool. Its borrower is not known for sure:
// database/sql may open it in the background for one that waits, without that one's context.
func newConn(ctx context.Context, c *Connector, inner *stdlib.Conn) (*conn, error) {
	s, err := sessionOf(ctx, inner.Conn())
	if err != nil {
		return nil, err
	}
	s.borrows++
	c.counters.count(s)
	return &conn{stdlibConn: inner, connector: c, session: s, borrower: schemactx.Of(ctx) != nil || c.bound.Load()}, nil
}

// Conn returns the underlying connection of pgx, for (*sql.Conn).Raw. What happens to it there is unknown, so the
// connection counts as having session state from then on.
func (c *conn) Conn() *pgx.Conn {
	c.leave(c.borrower || c.bound != nil)
	c.session.doubt()
	c.session.Changes.Add(1)
	if c.path != nil {
		c.path.known = false
	}
	return c.session.pgx
}

// pg returns the connection of pgconn.
func (c *conn) pg() *pgconn.PgConn { return c.session.pgx.PgConn() }

// inTx reports whether the server is in a transaction, whoever began it.
func (c *conn) inTx() bool { return c.pg().TxStatus() != 'I' }

// leave records that a statement, or whoever has the pgx.Conn, leaves something in the session.
func (c *conn) leave(bound bool) {
	if bound || c.connector.pooled {
		c.left = leftByBound
	} else {
		c.left = max(c.left, leftByDSN)
	}
}

// checkLiterals refuses to rewrite SQL whose literals are not what they seem.
func (c *conn) checkLiterals() error {
	if c.pg().ParameterStatus("standard_conforming_strings") == "off" {
		return errors.New("pgdbm: the session has standard_conforming_strings=off, under which a backslash can hide the " +
			"end of a literal; set it to on (PostgreSQL's default) for the role, the database or in the DSN")
	}
	return nil
}

// ExecContext expands query and executes it.
func (c *conn) ExecContext(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	e := execution{conn: c}
	if err := c.newStatement(ctx, &e.statement, query, values(args)); err != nil {
		return nil, err
	}
	return e.exec(ctx)
}

// exec runs a statement whose rows nobody wants.
func (e *execution) exec(ctx context.Context) (sqldriver.Result, error) {
	if len(e.args) == 0 && e.pin == nil && !e.conn.session.pinned(&e.statement) {
		e.mode = pgx.QueryExecModeSimpleProtocol // as pgx does it: the text may be several statements
	}
	err := e.run(ctx)
	if err != nil && pgconn.SafeToRetry(err) {
		return nil, sqldriver.ErrBadConn
	}
	return sqldriver.RowsAffected(e.tag.RowsAffected()), err
}

// QueryContext expands query and executes it.
func (c *conn) QueryContext(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	r := &rows{execution: execution{conn: c, rows: true}}
	if err := c.newStatement(ctx, &r.statement, query, values(args)); err != nil {
		return nil, err
	}
	return r.query(ctx)
}

// query runs a statement and returns its rows.
func (r *rows) query(ctx context.Context) (sqldriver.Rows, error) {
	if r.conn.session.tracer != nil {
		r.traced = append([]any{rowscan.ResultFormats()}, r.traced...) // as pgx's driver does it
	}
	err := r.run(ctx)
	switch {
	case err == nil:
		return r, nil
	case !r.sent && pgconn.SafeToRetry(err): // as of pgx's Query; errors of its Rows are handed on as they are
		return nil, sqldriver.ErrBadConn
	}
	return nil, err
}

// values returns what pgx gets from database/sql.
func values(args []sqldriver.NamedValue) []any {
	if len(args) == 0 {
		return nil
	}
	all := make([]any, len(args))
	for i := range args {
		all[i] = args[i].Value
	}
	return all
}

// Prepare is PrepareContext without a context.
func (c *conn) Prepare(query string) (sqldriver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// Begin is BeginTx without a context.
func (c *conn) Begin() (sqldriver.Tx, error) {
	return c.BeginTx(context.Background(), sqldriver.TxOptions{})
}

// ResetSession is called before the connection is borrowed again. It gives the connection up if the last borrower
// left something in the session that the next one must not see.
func (c *conn) ResetSession(ctx context.Context) error {
	native.Answer(ctx)
	bound := schemactx.Of(ctx) != nil
	if bound {
		c.connector.bound.Store(true)
	}
	if c.left == leftByDSN && bound {
		c.connector.clashed.Store(true)
		return sqldriver.ErrBadConn
	}
	if c.left == leftByBound { // somebody between database/sql and us has lost IsValid
		return sqldriver.ErrBadConn
	}
	c.bound, c.borrower = nil, bound
	if err := c.stdlibConn.ResetSession(ctx); err != nil {
		return err
	}
	if c.path != nil && (c.path.doubtful(c.connector.schemaChanges.Load()) || c.path.old()) {
		if err := c.checkPath(ctx); err != nil {
			return sqldriver.ErrBadConn
		}
	}
	return nil
}

// IsValid is asked when a borrower gives the connection back; if false, it is closed. ResetSession alone would not do:
// it comes when the next borrower has the connection, and database/sql lets a borrower try three only. What statements
// in the DSN's schema have left may stay for others in that schema, until a borrower bound to another comes across it.
func (c *conn) IsValid() bool {
	c.settle()
	if c.left == leftByBound || c.left == leftByDSN && c.connector.clashed.Load() {
		return false
	}
	return !c.session.pgx.IsClosed()
}

// Close closes the connection, or gives it back to its pgxpool, unless it has something in its session that the next
// borrower must not see: then it is closed there too.
func (c *conn) Close() error {
	if c.connector.pooled && c.left != leftNothing {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return errors.Join(c.session.pgx.Close(ctx), c.stdlibConn.Close())
	}
	return c.stdlibConn.Close()
}
