package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/template"
)

// order is a statement as it is to be sent.
type order struct {
	query      string // as it was written
	sql        string
	info       template.Info
	templated  bool   // each schema has its own text of it
	hash       uint64 // of sql
	generation uint32 // of the schema's tables
}

// generations count the changes of tables that this process has made, by schema. Schemas share a counter if their hashes
// say so, which costs a question too many to the server.
type generations struct {
	everywhere atomic.Uint32 // by statements without a template
	schemas    [1 << 10]atomic.Uint32
}

func (g *generations) of(schema string) uint32 { return g.everywhere.Load() + g.slot(schema).Load() }

func (g *generations) slot(schema string) *atomic.Uint32 {
	return &g.schemas[template.Hash(schema)%uint64(len(g.schemas))]
}

// route decides how a statement is sent: in one go, or by pgx, which prepares it and keeps it prepared. The latter is
// faster for what comes again; but pgx keeps statement_cache_capacity texts, and each schema's text is its own. What it
// would throw away again before it comes back had better not be prepared.
func (c *conn) route(o *order) (oneShot bool) {
	l, n := c.link, &c.connector.counters
	hot := l.hot
	if !l.chooses() {
		return false
	}
	inTx := c.txStatus() != 'I'
	switch {
	case c.unsettled != nil && inTx:
		return true
	case hot == nil:
		return o.templated
	}
	known, before := hot.use(o.sql, o.hash)
	switch {
	case known != nil && inTx && known.generation != o.generation:
		return true // it may not fit the table any more, which here would abort the transaction
	case known != nil:
		known.generation = o.generation
		n.hits.Add(1)
		return false
	case o.templated && !hot.worthy(o.hash, before):
		return true
	}
	n.prepares.Add(1)
	if hot.put(o.sql, o.hash, o.generation) {
		n.evictions.Add(1)
	}
	return false
}

func (c *conn) txStatus() byte { return c.stdlibConn.Conn().PgConn().TxStatus() }

// failed notes that pgx has dropped a statement, as it does after any error.
func (c *conn) failed(o *order) {
	if c.link.hot != nil {
		c.link.hot.remove(o.sql, o.hash)
	}
}

// outdated reports whether err says that a prepared statement does not fit its table any more, and nothing has happened
// yet, so that it can be sent again: pgx then prepares it anew. The server finds out before it executes anything, unless the
// statement stands in a function (then the error says Where) or in a procedure that has committed something before.
func (c *conn) outdated(ctx context.Context, err error, o *order) bool {
	if err == nil {
		return false
	}
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "0A000" || pgErr.Routine != "RevalidateCachedQuery" || pgErr.Where != "" ||
		o.info.Procedural || c.txStatus() != 'I' {
		return false
	}
	c.connector.counters.retries.Add(1)
	// Pgx has dropped what it keeps by itself, but not what a Stmt has prepared; if that is gone, it prepares by itself.
	return c.stdlibConn.Conn().Deallocate(ctx, o.sql) == nil
}

// isOption reports whether a first argument is one of pgx's that say how to execute the statement.
func isOption(arg any) bool {
	switch arg.(type) {
	case pgx.QueryExecMode, pgx.QueryResultFormats, pgx.QueryResultFormatsByOID, pgx.QueryRewriter:
		return true
	}
	return false
}

// values returns what pgx gets from database/sql.
func values(args []sqldriver.NamedValue) []any {
	all := make([]any, len(args))
	for i := range args {
		all[i] = args[i].Value
	}
	return all
}

// beforeChange looks at what a statement may do to what is known about others.
func (c *conn) beforeChange(o *order, schema string) {
	c.settle()
	info, all := &o.info, &c.connector.generations
	if info.DDL || info.Settings || info.TransactionControl {
		c.own = nil
	}
	inTx := c.txStatus() != 'I'
	if info.DDL {
		c.changing = &all.everywhere
		if o.templated {
			c.changing = all.slot(schema)
		}
		switch {
		case !inTx:
		case c.unsettled == nil:
			c.unsettled = c.changing
		case c.unsettled != c.changing:
			c.unsettled = &all.everywhere
		}
	}
	c.peculiar = c.peculiar || inTx && info.Settings
	o.generation = all.of(schema)
}

// afterChange tells all connections that a statement has changed tables.
func (c *conn) afterChange() {
	if c.changing != nil {
		c.changing.Add(1)
		c.changing = nil
	}
	c.settle()
}

// settle forgets what was true in a transaction that is over. What it has changed, others see only now.
func (c *conn) settle() {
	if c.unsettled == nil && !c.peculiar || c.txStatus() != 'I' {
		return
	}
	if c.unsettled != nil {
		c.unsettled.Add(1)
	}
	c.unsettled, c.peculiar, c.own = nil, false, nil
}

// descriptions returns where the types of this statement are remembered. In a transaction that has changed tables, and in
// a session whose settings (search_path, role) may be its own, what the server says holds for this connection only.
func (c *conn) descriptions() *descriptions {
	if c.unsettled == nil && !c.peculiar && c.left == leftNothing {
		return c.connector.descriptions
	}
	if c.own == nil {
		c.own = newDescriptions(maxOwnDescriptions)
	}
	return c.own
}

// maxOwnDescriptions is for how many texts a connection remembers their types by itself, at most twice.
const maxOwnDescriptions = 512
