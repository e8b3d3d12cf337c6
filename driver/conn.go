package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/internal/guard"
	"github.com/pgdbm/pgdbm/internal/native"
	"github.com/pgdbm/pgdbm/internal/schemactx"
	"github.com/pgdbm/pgdbm/internal/template"
)

// stdlibConn is embedded under another name than Conn, which would hide the method Conn.
type stdlibConn = stdlib.Conn

// conn is a *stdlib.Conn whose statements are expanded for their effective schema. It has the optional interfaces that
// *stdlib.Conn has, and Validator; every method that takes SQL text, or that starts or ends what a schema is
// remembered for, is overridden here. Like every connection of database/sql, it is used by one goroutine at a time.
type conn struct {
	*stdlibConn
	connector *Connector

	tx       *schemactx.Binding // what the context of BeginTx says, while its transaction lasts
	fixed    *schemactx.Binding // what the Stmt that is executed says, or nil
	left     leftover           // what statements have left in the session
	borrower bool               // the context under which it was borrowed says something about the schema, or is not known
	path     *searchPath        // nil unless the connection follows the DSN's schema in schema_mode=search_path

	followers  string      // what follows the schema in the search_path, as the DSN has it, or ""
	lastSwitch *pathSwitch // of the path, or nil
	switched   bool        // its transaction has had a switch
	displaced  bool        // the session's path is not the DSN's, so that each statement needs a switch
	under      bool        // the statement has a switch
	forgets    bool        // the statement makes the server forget what is prepared
	lost       string      // the schema that it did not find, or ""

	link      *link          // the physical connection's
	changing  *atomic.Uint32 // what to count up when the statement that is running has changed tables, or nil
	unsettled *atomic.Uint32 // what to count up when its transaction, which has changed tables, is over, or nil
	peculiar  bool           // its transaction has changed settings
	own       *descriptions  // what holds for this session only, or nil
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

// newConn wraps a new connection. Its borrower is not known for sure: database/sql may open it in the background for
// one that waits, without that one's context.
func newConn(c *Connector, inner *stdlib.Conn, bound bool) *conn {
	return &conn{stdlibConn: inner, connector: c, borrower: bound || c.bound.Load(), link: linkOf(inner.Conn())}
}

// Conn returns the underlying connection of pgx, for (*sql.Conn).Raw. What happens to it there is unknown, so the
// connection counts as having session state from then on.
func (c *conn) Conn() *pgx.Conn {
	c.leave(c.borrower || c.tx != nil)
	if c.path != nil {
		c.path.known = false
	}
	return c.stdlibConn.Conn()
}

// effective returns the schema of a statement: its context's, else its transaction's, else the DSN's. A pinned
// transaction's counts before its context's. Bound is true unless the DSN decided.
func (c *conn) effective(ctx context.Context) (schema string, bound bool, err error) {
	b := schemactx.Choose(schemactx.Of(ctx), c.tx)
	if c.fixed != nil {
		b = c.fixed
	}
	if b == nil {
		return c.connector.settings.schema, false, nil
	}
	if !c.connector.bound.Load() {
		c.connector.bound.Store(true)
	}
	return b.Schema, true, b.Err
}

// statement returns query as it is to be sent, and records what it does to the session.
func (c *conn) statement(ctx context.Context, query string) (order, error) {
	schema, bound, err := c.effective(ctx)
	if err != nil {
		return order{}, err
	}
	e, err := c.connector.cache.Get(query, schema)
	if err != nil {
		return order{}, err
	}
	info := e.Info
	need := c.connector.settings.required
	if need != requireNothing && !info.TransactionControl {
		if need == requireContext && !bound {
			return order{}, fmt.Errorf("%w (schema_required=context: the DSN's does not count)", ErrSchemaRequired)
		}
		if schema == "" {
			return order{}, ErrSchemaRequired
		}
	}
	o := order{query: query, sql: e.SQL, schema: schema, hash: e.Hash, info: info, templated: e.SQL != query}
	if o.templated {
		if err := c.checkLiterals(); err != nil {
			return order{}, err
		}
	}
	if info.SessionState {
		c.leave(bound)
	}
	c.borrower = c.borrower || bound
	if c.connector.settings.searchPath && !schemactx.IsQualified(ctx) {
		o.path = c.switchTo(schema, &o.info)
	}
	c.under, c.lost = o.path != nil, ""
	o.qualified = o.templated
	if c.under {
		if err := c.checkLiterals(); err != nil {
			return order{}, err
		}
		o.templated = true
		o.hash ^= bits.RotateLeft64(template.Hash(schema), 1)
	}
	if c.path != nil {
		if err := c.beforeStatement(ctx, &o); err != nil {
			return order{}, err
		}
	}
	c.forgets = info.Forgets
	c.beforeChange(&o, schema)
	return o, nil
}

// leave records that a statement, or whoever has the pgx.Conn, leaves something in the session.
func (c *conn) leave(bound bool) {
	if !guard.Session {
		return
	}
	if bound || c.connector.pooled {
		c.left = leftByBound
	} else {
		c.left = max(c.left, leftByDSN)
	}
}

// checkLiterals refuses to rewrite SQL whose literals are not what they seem.
func (c *conn) checkLiterals() error {
	if c.stdlibConn.Conn().PgConn().ParameterStatus("standard_conforming_strings") == "off" {
		return errors.New("pgdbm: the session has standard_conforming_strings=off, under which a backslash can hide the " +
			"end of a literal; set it to on (PostgreSQL's default) for the role, the database or in the DSN")
	}
	return nil
}

// ExecContext expands query and executes it.
func (c *conn) ExecContext(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	o, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := c.exec(ctx, &o, c.namedSchemaArgs(&o, args))
	return result, c.afterStatement(err)
}

func (c *conn) exec(ctx context.Context, o *order, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	if o.path != nil {
		return c.execUnder(ctx, o, args)
	}
	if len(args) == 0 || isOption(args[0].Value) { // without arguments pgx uses the simple protocol
		return c.stdlibConn.ExecContext(ctx, o.sql, args)
	}
	if o.way = c.route(o); o.way == wayPgx {
		return c.stdlibConn.ExecContext(ctx, o.sql, args)
	}
	return c.execHere(ctx, o, values(args))
}

// QueryContext expands query and executes it. The rows are the driver's own, or pgx's where that has sent the statement.
func (c *conn) QueryContext(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	o, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := c.query(ctx, &o, c.namedSchemaArgs(&o, args))
	return rows, c.afterStatement(err)
}

func (c *conn) query(ctx context.Context, o *order, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	if o.path != nil {
		return c.queryUnder(ctx, o, args)
	}
	if o.sql == "" || len(args) > 0 && isOption(args[0].Value) {
		return c.stdlibConn.QueryContext(ctx, o.sql, args)
	}
	if o.way = c.route(o); o.way == wayPgx {
		return c.stdlibConn.QueryContext(ctx, o.sql, args)
	}
	return c.queryHere(ctx, o, values(args))
}

// Prepare is PrepareContext without a context.
func (c *conn) Prepare(query string) (sqldriver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext prepares query for the effective schema. The statement follows the contexts it is executed under.
func (c *conn) PrepareContext(ctx context.Context, query string) (sqldriver.Stmt, error) {
	s := &stmt{conn: c, query: query}
	s.fix()
	if _, err := s.prepare(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Begin is BeginTx without a context.
func (c *conn) Begin() (sqldriver.Tx, error) {
	return c.BeginTx(context.Background(), sqldriver.TxOptions{})
}

var errNestedBegin = errors.New("pgdbm: BeginTx: the connection is in a transaction already, and its statements could not " +
	"be told from this one's, which may belong to another schema; use a savepoint")

// BeginTx begins a transaction whose statements run in the schema of ctx, if ctx names one.
func (c *conn) BeginTx(ctx context.Context, opts sqldriver.TxOptions) (sqldriver.Tx, error) {
	if (c.tx != nil || schemactx.Of(ctx) != nil) && c.stdlibConn.Conn().PgConn().TxStatus() != 'I' {
		return nil, errNestedBegin
	}
	c.tx = nil // a statement's own context decides first, so this must not be an earlier transaction's
	_, bound, err := c.effective(ctx)
	if err != nil {
		return nil, err
	}
	inner, err := c.stdlibConn.BeginTx(ctx, opts)
	if err != nil || !bound && c.path == nil {
		return inner, err
	}
	c.tx = schemactx.Of(ctx)
	if c.tx != nil && c.tx.Taken != nil {
		c.tx.Taken.Store(true)
	}
	c.borrower = c.borrower || bound
	return &tx{Tx: inner, conn: c}, nil
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
	c.tx, c.borrower = nil, bound
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
	return !c.stdlibConn.Conn().IsClosed()
}

// Close closes the connection, or gives it back to its pgxpool, unless it has something in its session that the next
// borrower must not see: then it is closed there too.
func (c *conn) Close() error {
	if c.connector.pooled && c.left != leftNothing {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return errors.Join(c.stdlibConn.Conn().Close(ctx), c.stdlibConn.Close())
	}
	return c.stdlibConn.Close()
}
