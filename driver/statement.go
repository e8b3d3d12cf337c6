package driver

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/bits"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/dsn"
	"github.com/pgdbm/pgdbm/internal/pathsql"
	"github.com/pgdbm/pgdbm/internal/rowscan"
	"github.com/pgdbm/pgdbm/internal/schemaargs"
	"github.com/pgdbm/pgdbm/internal/schemactx"
	"github.com/pgdbm/pgdbm/internal/stmtcache"
	"github.com/pgdbm/pgdbm/internal/template"
)

// statement is a text that is to be sent once, for one schema.
type statement struct {
	query  string // as it was written
	sql    string // as it is sent
	schema string // the effective one
	bound  bool   // unless the DSN decided about it
	info   template.Info
	hash   uint64 // of what decides its meaning: sql, the path's schema, the session's settings
	many   bool   // there is one text of it, or one path, for each schema
	path   *pathsql.Switch
	args   []any
	traced []any // all arguments, as they were given
	mode   pgx.QueryExecMode
	pin    *stmt // the prepared statement that it is an execution of, or nil

	formats     pgx.QueryResultFormats      // for each column, if the caller named them
	formatOf    pgx.QueryResultFormatsByOID // for each type
	ownFormatOf bool                        // the caller named these
}

// pathKey tells the paths apart that a text can be prepared under.
func (st *statement) pathKey() string {
	const none = "\x00" // no schema has this name
	switch {
	case st.path == nil:
		return ""
	case st.path.Schema == "":
		return none
	}
	return st.path.Schema
}

// key is what a prepared statement is found by.
func (st *statement) key() stmtcache.Key {
	return stmtcache.Key{SQL: st.sql, Path: st.pathKey(), Hash: st.hash}
}

// effective returns the schema of a statement: its context's, else its transaction's, else the DSN's. A pinned
// transaction's counts before its context's. Bound is true unless the DSN decided.
func (c *conn) effective(ctx context.Context) (schema string, bound bool, err error) {
	return c.schemaOf(schemactx.Choose(schemactx.Of(ctx), c.bound))
}

func (c *conn) schemaOf(b *schemactx.Binding) (schema string, bound bool, err error) {
	if b == nil {
		return c.connector.settings.Schema, false, nil
	}
	if !c.connector.bound.Load() {
		c.connector.bound.Store(true)
	}
	return b.Schema, true, b.Err
}

// newStatement makes st what query is to be sent as under ctx.
func (c *conn) newStatement(ctx context.Context, st *statement, query string, args []any) error {
	return c.statementFor(ctx, st, schemactx.Choose(schemactx.Of(ctx), c.bound), query, args)
}

// statementFor is newStatement for a binding that was chosen.
func (c *conn) statementFor(ctx context.Context, st *statement, b *schemactx.Binding, query string, args []any) error {
	schema, bound, err := c.schemaOf(b)
	if err != nil {
		return err
	}
	e, err := c.connector.cache.Get(query, schema)
	if err != nil {
		return err
	}
	*st = statement{query: query, sql: e.SQL, schema: schema, hash: e.Hash, info: e.Info, many: e.SQL != query, args: args, traced: args}
	if err := c.checkRequired(st, bound); err != nil {
		return err
	}
	c.transaction()
	if c.connector.settings.SearchPath && !schemactx.IsQualified(ctx) {
		st.path = c.switchTo(schema, &st.info)
	}
	if st.many || st.path != nil {
		if err := c.checkLiterals(); err != nil {
			return err
		}
	}
	if st.path != nil {
		st.many = true
		st.hash ^= bits.RotateLeft64(template.Hash(st.pathKey()), 1)
	}
	st.hash ^= c.session.identity.Hash
	if err := c.takeOptions(ctx, st); err != nil {
		return err
	}
	st.bound = bound
	c.borrower = c.borrower || bound
	if c.path != nil {
		return c.beforeStatement(ctx, st)
	}
	return nil
}

// checkRequired refuses a statement without a schema, if the DSN asks for that.
func (c *conn) checkRequired(st *statement, bound bool) error {
	need := c.connector.settings.Required
	switch {
	case need == dsn.RequireNothing || st.info.TransactionControl:
		return nil
	case need == dsn.RequireContext && !bound:
		return fmt.Errorf("%w (schema_required=context: the DSN's does not count)", ErrSchemaRequired)
	case st.schema == "":
		return ErrSchemaRequired
	}
	return nil
}

// leaves reports whether the statement leaves something in the session.
func (st *statement) leaves() bool {
	if st.info.SessionState {
		return true
	}
	for i := 0; i < 64 && st.info.LocalParams>>i != 0; i++ { // set_config(name, value, $n)
		if st.info.LocalParams>>i&1 == 1 && (i >= len(st.args) || st.args[i] != any(true)) {
			return true
		}
	}
	return false
}

// takeOptions takes pgx's first arguments off the others, as pgx does.
func (c *conn) takeOptions(ctx context.Context, st *statement) error {
	st.mode, st.formatOf = c.session.mode, rowscan.ResultFormats()
	var rewriter pgx.QueryRewriter
options:
	for len(st.args) > 0 {
		switch option := st.args[0].(type) {
		case pgx.QueryExecMode:
			st.mode = option
		case pgx.QueryResultFormats:
			st.formats = option
		case pgx.QueryResultFormatsByOID:
			st.formatOf, st.ownFormatOf = option, true
		case pgx.QueryRewriter:
			rewriter = option
		default:
			break options
		}
		st.args = st.args[1:]
	}
	if rewriter != nil {
		sql, args, err := rewriter.RewriteQuery(ctx, c.session.pgx, st.sql, st.args)
		if err != nil {
			return fmt.Errorf("rewrite query failed: %w", err) // pgx's words
		}
		st.hash ^= template.Hash(st.sql) ^ template.Hash(sql)
		st.sql, st.args = sql, args
		st.info.Params = -1 // the text is not known
	}
	if c.connector.schemaArgs {
		st.args = schemaargs.Replace(st.args, st.schema, c.connector.settings.Syntax)
	}
	if st.sql == "" {
		st.mode = pgx.QueryExecModeSimpleProtocol // as pgx does it
	}
	return nil
}

// settingText returns what the session's settings are remembered by, after the statement has changed them.
func (st *statement) settingText(err error) string {
	if err != nil || len(st.args) > 0 || !st.info.NoNames && !st.info.Temp {
		return rand.Text() // nobody knows
	}
	return st.sql
}
