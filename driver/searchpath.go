package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/template"
)

// searchPath is what a connection knows about its search_path in schema_mode=search_path.
//
// The path begins with the DSN's schema. PostgreSQL skips a schema of the path that does not exist, and would go on to
// public. So while the schema is missing, the session's path is nothing but it: then bare names are not found, and the
// server refuses CREATE TABLE, while CREATE SCHEMA and all that needs no table works.
type searchPath struct {
	schema string
	full   string // with the schema's followers
	alone  string // without them, while the schema is missing; no pg_temp, or CREATE TABLE would use that

	pooled  bool      // the session is not the connection's own
	known   bool      // missing is what the server said last
	missing bool      // the schema cannot be used
	checked time.Time // when the server said so
	changes uint64    // Connector.schemaChanges at that time
	ddl     bool      // the statement that is running may change schemas
	inTx    bool      // the path was set, or schemas may have changed, in a transaction that may yet roll back
}

// recheck is the age at which a connection asks again, before a statement outside of a transaction, whether its schema
// still exists. Others may drop it. It is as old as an idle connection gets until stdlib pings it.
const recheck = time.Second

func newSearchPath(schema, full string) *searchPath {
	return &searchPath{schema: schema, full: full, alone: template.QuoteIdent(schema)}
}

// fullPath puts schema before the DSN's own search_path, or public if it has none. pg_temp comes last, so that a
// temporary table that somebody left shadows nothing: unless named, it would come first.
func fullPath(schema, own string) string {
	return template.QuoteIdent(schema) + ", " + pathWithout(own)
}

// pathWithout is fullPath for no schema.
func pathWithout(own string) string {
	if own == "" {
		own = "public"
	}
	return own + ", pg_temp"
}

// doubtful reports whether there is a reason to ask the server about the schema again, besides the time that passed.
func (p *searchPath) doubtful(changes uint64) bool {
	return !p.known || p.missing || p.changes != changes
}

func (p *searchPath) old() bool { return time.Since(p.checked) > recheck }

var errPath = errors.New("pgdbm: schema_mode=search_path: the session does not have its search_path")

// startPath checks that the session has the path that it was asked to start with. Behind a pooler it may have, now; but the next
// transaction may be in another session. So there, and where the path was dropped, each statement gets a switch.
func (c *conn) startPath(ctx context.Context, full string) error {
	c.path = newSearchPath(c.connector.settings.schema, full)
	err := c.checkPath(ctx)
	switch {
	case errors.Is(err, errPath), err == nil && c.path.pooled:
		c.path, c.displaced = nil, true
		return nil
	}
	return err
}

// checkPath asks the server whether the path took effect and whether its first schema can be used, and sets the path
// that fits.
func (c *conn) checkPath(ctx context.Context) error {
	p := c.path
	changes := c.connector.schemaChanges.Load()
	pg := c.stdlibConn.Conn().PgConn()
	const ask = "SELECT current_setting('search_path'), (current_schemas(false))[1] IS NOT DISTINCT FROM $1::name, " +
		"pg_backend_pid()::text"
	result := pg.ExecParams(ctx, ask, [][]byte{[]byte(p.schema)}, nil, nil, nil).Read()
	if result.Err != nil {
		return result.Err
	}
	current, usable := string(result.Rows[0][0]), string(result.Rows[0][1]) == "t"
	p.pooled = string(result.Rows[0][2]) != strconv.FormatUint(uint64(pg.PID()), 10)
	if p.pooled {
		return nil
	}
	if current != p.full && current != p.alone {
		return fmt.Errorf("%w: it is %s instead of %s; a pooler such as PgBouncer dropped the startup parameter, or the "+
			"session was changed; connect directly, or use templates with schema_mode=template", errPath, current, p.full)
	}
	want := p.full
	if !usable {
		want = p.alone
	}
	if current != want {
		const set = "SELECT set_config('search_path', $1, false)"
		if err := pg.ExecParams(ctx, set, [][]byte{[]byte(want)}, nil, nil, nil).Read().Err; err != nil {
			return err
		}
	}
	p.inTx = p.inTx || current != want && pg.TxStatus() != 'I'
	p.missing, p.known, p.checked, p.changes = !usable, true, time.Now(), changes
	return nil
}

// beforeStatement asks again, if there is a reason to, before a statement is sent.
func (c *conn) beforeStatement(ctx context.Context, o *order) error {
	p, info := c.path, &o.info
	p.ddl = info.SchemaDDL
	if info.SessionState || info.Settings { // SET ROLE, SET search_path, DO: what is known may not be true afterwards
		defer func() { p.known = false }()
	}
	if info.TransactionControl {
		p.known = p.known && !p.inTx
		return nil
	}
	if o.path != nil { // the session's does not matter
		return nil
	}
	ask := p.doubtful(c.connector.schemaChanges.Load())
	switch c.stdlibConn.Conn().PgConn().TxStatus() {
	case 'I':
		ask = ask || p.old()
	case 'E':
		ask = false // the server refuses everything
	}
	if !ask {
		return nil
	}
	err := c.checkPath(ctx)
	switch {
	case errors.Is(err, errPath): // by the user's own SET: who names a path gets it
		return nil
	case pgconn.SafeToRetry(err):
		return sqldriver.ErrBadConn
	}
	return err
}

// afterStatement notes what a statement did to the schemas, and explains its error if it is due to a missing one.
func (c *conn) afterStatement(err error) error {
	c.afterChange()
	c.noteSchemas()
	if c.forgets && err == nil {
		c.link.forgetPrepared()
	}
	c.forgets = false
	var known *MissingSchemaError
	if err == nil || !isUndefined(err) || errors.As(err, &known) {
		return err
	}
	switch {
	case c.lost != "":
		return &MissingSchemaError{Schema: c.lost, Err: err}
	case !c.under && c.path != nil && c.path.missing:
		return &MissingSchemaError{Schema: c.path.schema, Err: err}
	}
	return err
}

// noteSchemas notes what a statement did to the schemas.
func (c *conn) noteSchemas() {
	p := c.path
	if p == nil {
		return
	}
	idle := c.stdlibConn.Conn().PgConn().TxStatus() == 'I'
	if p.ddl {
		p.ddl = false
		p.inTx = p.inTx || !idle
		c.connector.schemaChanges.Add(1)
	}
	if idle {
		c.afterTransaction()
	}
}

// isUndefined reports whether a table, a type, a function or a schema was not found.
func isUndefined(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && slices.Contains([]string{"42P01", "42704", "42883", "3F000"}, pgErr.Code)
}

// afterTransaction forgets what may have been rolled back, and tells the other connections what may have been
// committed.
func (c *conn) afterTransaction() {
	if c.path.inTx {
		c.path.inTx, c.path.known = false, false
		c.connector.schemaChanges.Add(1)
	}
}
