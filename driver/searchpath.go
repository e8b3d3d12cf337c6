package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/pathsql"
	"github.com/pgdbm/pgdbm/internal/pgerr"
	"github.com/pgdbm/pgdbm/internal/template"
)

// searchPath is what a connection knows about its search_path in schema_mode=search_path.
//
// With a schema in the DSN, the session's path begins with that. PostgreSQL skips a schema of the path that does not exist, and
// would go on to public. So while the schema is missing, the session's path is nothing but it: then bare names are not found, and the
// server refuses CREATE TABLE, while CREATE SCHEMA and all that needs no table works.
type searchPath struct {
	followers string          // what follows a schema, as the DSN, its options, the role or the database have it, or ""
	last      *pathsql.Switch // the last one that was needed, or nil
	displaced bool            // the session's path is not the DSN's, so that each statement needs a switch

	follows bool   // the session's path is the DSN's schema, and has to be looked after
	schema  string // that schema
	started string // the path that the session began with, when less was known about what follows
	full    string // the path with the schema's followers
	alone   string // without them, while the schema is missing; no pg_temp, or CREATE TABLE would use that

	known   bool      // missing is what the server said last
	missing bool      // the schema cannot be used
	checked time.Time // when the server said so
	changes uint64    // Connector.schemaChanges at that time
	inTx    bool      // the path was set, or schemas may have changed, in a transaction that may yet roll back
}

// recheck is the age at which a connection asks again, before a statement outside of a transaction, whether its schema
// still exists. Others may drop it. It is as old as an idle connection gets until stdlib pings it.
const recheck = time.Second

// doubtful reports whether there is a reason to ask the server about the schema again, besides the time that passed.
func (p *searchPath) doubtful(changes uint64) bool {
	return p.follows && (!p.known || p.missing || p.changes != changes)
}

func (p *searchPath) old() bool { return p.follows && time.Since(p.checked) > recheck }

var errPath = errors.New("pgdbm: schema_mode=search_path: the session does not have its search_path")

// startPath checks that the session has the path that it was asked to start with. Behind a pooler it may have, now; but the next
// transaction may be in another session. So there, and where the path was dropped, each statement gets a switch.
func (c *conn) startPath(ctx context.Context, start startPath) error {
	c.path = &searchPath{followers: start.followers}
	if !start.given {
		followers, err := c.configuredPath(ctx)
		if err != nil {
			return err
		}
		c.path.followers = followers
	}
	schema := c.connector.settings.Schema
	if schema == "" || c.session.pooled {
		c.path.displaced = schema != ""
		return nil
	}
	p := c.path
	p.follows, p.schema, p.full, p.alone = true, schema, pathsql.Full(schema, p.followers), template.QuoteIdent(schema)
	p.started = start.full
	err := c.checkPath(ctx)
	if errors.Is(err, errPath) {
		p.follows, p.displaced, err = false, true, nil
	}
	return err
}

// configuredPath returns the search_path that was set for the role or the database, or "".
func (c *conn) configuredPath(ctx context.Context) (string, error) {
	result := c.pg().ExecParams(ctx, pathsql.Configured, nil, nil, nil, nil).Read()
	if result.Err != nil || len(result.Rows) == 0 {
		return "", result.Err
	}
	return pathsql.OrNone(string(result.Rows[0][0])), nil
}

// checkPath asks the server whether the path took effect and whether its first schema can be used, and sets the path
// that fits.
func (c *conn) checkPath(ctx context.Context) error {
	p := c.path
	changes := c.connector.schemaChanges.Load()
	pg := c.pg()
	const ask = "SELECT current_setting('search_path'), (current_schemas(false))[1] IS NOT DISTINCT FROM $1::name"
	result := pg.ExecParams(ctx, ask, [][]byte{[]byte(p.schema)}, nil, nil, nil).Read()
	if result.Err != nil {
		return result.Err
	}
	current, usable := string(result.Rows[0][0]), string(result.Rows[0][1]) == "t"
	if current != p.full && current != p.alone && current != p.started {
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
func (c *conn) beforeStatement(ctx context.Context, st *statement) error {
	p, info := c.path, &st.info
	if info.SessionState || info.Settings { // SET ROLE, SET search_path, DO: what is known may not be true afterwards
		defer func() { p.known = false }()
	}
	if info.TransactionControl {
		p.known = p.known && !p.inTx
		return nil
	}
	if st.path != nil || !p.follows { // the session's does not matter
		return nil
	}
	ask := p.doubtful(c.connector.schemaChanges.Load())
	switch c.pg().TxStatus() {
	case 'I':
		ask = ask || p.old()
	case 'E':
		ask = false // the server refuses everything
	}
	if ask && info.NoSnapshot && p.known && !p.missing && c.inTx() {
		ask = false // a question would take the snapshot
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

// noteSchemas notes what a statement did to the schemas.
func (c *conn) noteSchemas(st *statement) {
	if !st.info.SchemaDDL {
		return
	}
	c.connector.schemaChanges.Add(1)
	if c.path != nil && c.inTx() {
		c.path.inTx = true
	}
}

// afterTransaction forgets what may have been rolled back, and tells the other connections what may have been
// committed.
func (c *conn) afterTransaction() {
	if c.path != nil && c.path.inTx && !c.inTx() {
		c.path.inTx, c.path.known = false, false
		c.connector.schemaChanges.Add(1)
	}
}

// explain explains an error that is due to a missing schema.
func (c *conn) explain(st *statement, alone bool, err error) error {
	if err == nil {
		return nil
	}
	var known *MissingSchemaError
	switch {
	case !pgerr.IsUndefined(err) || errors.As(err, &known):
		return err
	case alone:
		return &MissingSchemaError{Schema: st.path.Schema, Err: err}
	case st.path == nil && c.path != nil && c.path.follows && c.path.missing:
		return &MissingSchemaError{Schema: c.path.schema, Err: err}
	}
	return err
}
