package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"

	"github.com/pgdbm/pgdbm/internal/pathsql"
	"github.com/pgdbm/pgdbm/internal/schemactx"
	"github.com/pgdbm/pgdbm/internal/stmtcache"
	"github.com/pgdbm/pgdbm/internal/template"
)

// transaction is what is known about a transaction of the server, until it is over.
type transaction struct {
	last         *pathsql.Switch         // the path that was set last, or nil if it is the session's
	settings     bool                    // it has changed settings, so that what was known before may not hold
	leaves       bool                    // it may have changed those of the session
	altered      bool                    // it has changed tables, which others see when it is over
	descriptions *stmtcache.Descriptions // what holds in it only, or nil
}

// transaction returns the one that the server is in, or nil.
func (c *conn) transaction() *transaction {
	c.settle()
	if c.tx == nil && c.inTx() {
		c.tx = &transaction{}
	}
	return c.tx
}

// settle forgets what was true in a transaction that is over. What it has changed, others see only now.
func (c *conn) settle() {
	if c.tx == nil || c.inTx() {
		return
	}
	if c.tx.altered {
		c.session.Changes.Add(1)
	}
	if c.tx.leaves {
		c.session.doubt()
	}
	c.tx = nil
}

// known returns the transaction's own descriptions.
func (t *transaction) known() *stmtcache.Descriptions {
	const most = 512
	if t.descriptions == nil {
		t.descriptions = stmtcache.NewDescriptions(most)
	}
	return t.descriptions
}

// note notes what a statement has done in the transaction.
func (t *transaction) note(st *statement) {
	info := &st.info
	t.settings = t.settings || info.Semantics || info.Temp
	t.leaves = t.leaves || info.SessionState && (info.Semantics || info.Temp)
	t.altered = t.altered || info.DDL
	if info.DDL || t.settings || info.TransactionControl && t.altered { // what was described since may have been rolled back
		t.descriptions = nil
	}
	if info.TransactionControl && t.last != nil {
		t.last = unknownPath
	}
}

// private reports whether what is known outside of the transaction may not hold in it.
func (t *transaction) private() bool { return t.settings || t.altered }

// unknownPath is that of a transaction which may have gone back to a savepoint.
var unknownPath = &pathsql.Switch{Schema: "\x00"} // no schema has this name

var errNestedBegin = errors.New("pgdbm: BeginTx: the connection is in a transaction already, and its statements could not " +
	"be told from this one's, which may belong to another schema; use a savepoint")

// BeginTx begins a transaction whose statements run in the schema of ctx, if ctx names one.
func (c *conn) BeginTx(ctx context.Context, opts sqldriver.TxOptions) (sqldriver.Tx, error) {
	if (c.bound != nil || schemactx.Of(ctx) != nil) && c.inTx() {
		return nil, errNestedBegin
	}
	c.bound = nil // a statement's own context decides first, so this must not be an earlier transaction's
	_, bound, err := c.effective(ctx)
	if err != nil {
		return nil, err
	}
	inner, err := c.stdlibConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	c.bound = schemactx.Of(ctx)
	if c.bound != nil && c.bound.Taken != nil {
		c.bound.Taken.Store(true)
	}
	c.borrower = c.borrower || bound
	return &tx{Tx: inner, conn: c, ctx: ctx}, nil
}

// tx is a transaction that was begun with BeginTx.
type tx struct {
	sqldriver.Tx
	conn *conn
	ctx  context.Context //nolint:containedctx // of BeginTx, as in stdlib
}

// Commit commits, under the path of the context of BeginTx: deferred triggers run now.
func (t *tx) Commit() error {
	defer t.end()
	if err := t.conn.restorePath(t.ctx); err != nil {
		return errors.Join(err, t.Tx.Rollback())
	}
	return t.Tx.Commit()
}

// Rollback rolls back, and forgets the transaction's schema.
func (t *tx) Rollback() error {
	defer t.end()
	return t.Tx.Rollback()
}

func (t *tx) end() {
	t.conn.bound = nil
	t.conn.settle()
	if t.conn.path != nil {
		t.conn.afterTransaction()
	}
}

// restorePath sets the path of the schema of BeginTx, if the last statement had another. A failed transaction takes no more
// statements.
func (c *conn) restorePath(ctx context.Context) error {
	if !c.connector.settings.SearchPath || c.tx == nil || c.tx.last == nil || c.pg().TxStatus() != 'T' {
		return nil
	}
	schema, _, err := c.schemaOf(c.bound)
	if err != nil {
		return err
	}
	w := c.switchTo(schema, &template.Info{})
	if w.Schema == c.tx.last.Schema {
		return nil
	}
	_, err = c.pg().Exec(ctx, w.Command()).ReadAll()
	return err
}
