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
	schema     string // the effective one
	info       template.Info
	qualified  bool        // the text has templates
	templated  bool        // each schema has its own text of it
	hash       uint64      // of sql, and of the path's schema
	generation uint32      // of the schema's tables
	path       *pathSwitch // to the search_path that it runs under, if it is not the session's
	way        way
}

// pathSchema tells the paths apart that a text can be prepared under.
func (o *order) pathSchema() string {
	const none = "\x00" // no schema has this name
	switch {
	case o.path == nil:
		return ""
	case o.path.schema == "":
		return none
	}
	return o.path.schema
}

// rewrite replaces the text by the one of a pgx.QueryRewriter.
func (o *order) rewrite(sql string) {
	o.hash ^= template.Hash(o.sql) ^ template.Hash(sql)
	o.sql = sql
}

// way is how a statement is sent.
type way uint8

const (
	wayPgx      way = iota // by pgx itself
	wayOneGo               // by this driver, unprepared
	wayPrepared            // by this driver, prepared, or to be prepared
)

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

// route decides how a statement is sent: prepared, which is faster for what comes again, or in one go. A connection keeps
// statement_cache_capacity statements prepared; with many schemas, whose texts are their own, most would be thrown away again
// before they come back, and had better not be prepared.
func (c *conn) route(o *order) way {
	l, n := c.link, &c.connector.counters
	inTx := c.txStatus() != 'I'
	switch {
	case !l.chooses() && o.path == nil:
		return wayPgx
	case c.unsettled != nil && inTx:
		return wayOneGo
	case l.hot == nil && !o.templated:
		return wayPgx
	case l.hot == nil:
		return wayOneGo
	}
	known, before := l.hot.use(o)
	switch {
	case known == nil && l.givenFor(o) != nil:
		n.hits.Add(1)
	case known != nil && inTx && (known.generation != o.generation || known.counted != &c.connector.generations):
		return wayOneGo // it may not fit the table any more, which here would abort the transaction
	case known != nil:
		known.generation, known.counted = o.generation, &c.connector.generations
		n.hits.Add(1)
	case o.templated && !l.hot.worthy(o, before):
		return wayOneGo
	}
	return wayPrepared
}

func (c *conn) txStatus() byte { return c.stdlibConn.Conn().PgConn().TxStatus() }

// outdated reports whether err says that a prepared statement does not fit its table any more, or is gone, and nothing has
// happened yet, so that it can be sent again once it is prepared anew. The server finds out before it executes anything, unless
// the statement stands in a function (then the error says Where) or in a procedure that has committed something before.
func (c *conn) outdated(err error, o *order) bool {
	pgErr := c.harmless(err, o)
	switch {
	case pgErr == nil:
		return false
	case isGone(pgErr) && c.link.sent(o, pgErr.Message):
		c.link.forgetPrepared()
	case !hasChanged(pgErr):
		return false
	}
	c.connector.counters.retries.Add(1)
	return true
}

// outdatedStmt is outdated for what pgx has prepared for an sql.Stmt, and prepares again by itself once it is gone.
func (c *conn) outdatedStmt(ctx context.Context, err error, o *order) bool {
	pgErr := c.harmless(err, o)
	if pgErr == nil || !isGone(pgErr) && !hasChanged(pgErr) {
		return false
	}
	c.connector.counters.retries.Add(1)
	return c.stdlibConn.Conn().Deallocate(ctx, o.sql) == nil
}

// harmless returns the server's error if it may have come before anything was executed, or nil.
func (c *conn) harmless(err error, o *order) *pgconn.PgError {
	var pgErr *pgconn.PgError
	if err == nil || !errors.As(err, &pgErr) || pgErr.Where != "" || o.info.Procedural || c.txStatus() != 'I' {
		return nil
	}
	return pgErr
}

// isGone reports whether a prepared statement does not exist, after a DISCARD ALL for example.
func isGone(err *pgconn.PgError) bool { return err.Code == "26000" }

// hasChanged reports whether a prepared statement would return other columns than it did.
func hasChanged(err *pgconn.PgError) bool {
	return err.Code == "0A000" && err.Routine == "RevalidateCachedQuery"
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
		if o.qualified { // a bare name may be that of a table which others see too
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
	if c.unsettled == nil && !c.peculiar && !c.switched || c.txStatus() != 'I' {
		return
	}
	if c.unsettled != nil {
		c.unsettled.Add(1)
	}
	if c.unsettled != nil || c.peculiar {
		c.own = nil
	}
	c.unsettled, c.peculiar, c.switched = nil, false, false
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
