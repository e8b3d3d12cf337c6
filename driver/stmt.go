package driver

import (
	"context"
	"crypto/rand"
	sqldriver "database/sql/driver"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/pgerr"
	"github.com/pgdbm/pgdbm/internal/schemactx"
	"github.com/pgdbm/pgdbm/internal/stmtcache"
)

// maxPinned is for how many schemas at once a statement is kept prepared on a connection. An application that uses one *sql.Stmt for
// all its tenants would otherwise fill the server's memory. In further schemas it is executed like a statement that nobody has prepared.
const maxPinned = 16

// stmt is a prepared statement: a text with a pin, which keeps it prepared in the schemas that it is executed in.
type stmt struct {
	conn     *conn
	fixed    *schemactx.Binding // of a text that stays in its schema, or nil
	query    string             // with its templates
	inputs   int                // the number of parameters, or -1 if it is not known yet
	prepared []*stmtcache.Prepared
}

var (
	_ sqldriver.Stmt             = (*stmt)(nil)
	_ sqldriver.StmtExecContext  = (*stmt)(nil)
	_ sqldriver.StmtQueryContext = (*stmt)(nil)
)

// fixedMark begins a text that stays in a schema, whose name follows in hexadecimal digits. Nobody else can write one.
var fixedMark = "--pgdbm:" + rand.Text() + ":"

// fix takes the mark off a text that nativeConn.Fixed has made.
func (s *stmt) fix() {
	rest, marked := strings.CutPrefix(s.query, fixedMark)
	if !marked {
		return
	}
	name, query, _ := strings.Cut(rest, "\n")
	schema, err := hex.DecodeString(name)
	s.query, s.fixed = query, &schemactx.Binding{Schema: string(schema), Err: err}
}

// PrepareContext prepares query for the effective schema. The statement follows the contexts it is executed under. Where no schema is
// named yet, what it needs may not exist: then it is prepared when it is executed.
func (c *conn) PrepareContext(ctx context.Context, query string) (sqldriver.Stmt, error) {
	if c.session.pgx.IsClosed() {
		return nil, sqldriver.ErrBadConn
	}
	s := &stmt{conn: c, query: query, inputs: -1}
	s.fix()
	e := execution{conn: c, ctx: ctx}
	if err := s.statement(ctx, &e.statement, nil); err != nil {
		return nil, err
	}
	inTx := c.inTx()
	err := s.prepare(&e)
	if err = c.after(&e.statement, e.alone, err); err == nil || s.isEarly(&e.statement, inTx, err) {
		return s, nil
	}
	return nil, err
}

// isEarly reports whether an error can be due to a schema that was not named yet.
func (s *stmt) isEarly(st *statement, inTx bool, err error) bool {
	follows := st.many || s.conn.connector.settings.SearchPath
	return st.schema == "" && s.fixed == nil && follows && !inTx && pgerr.IsUndefined(err)
}

// prepare asks for the statement's parameters, and so whether it is right, and prepares it on the server if that can be, as pgx does.
func (s *stmt) prepare(e *execution) error {
	p, err := e.plan(true)
	if err != nil {
		return err
	}
	g := s.conn.newGroup(e.ctx, e.path)
	sd, err := g.describe(&e.statement)
	if err == nil {
		s.inputs = len(sd.ParamOIDs)
		if e.decide(&p, sd); p.name != "" {
			err = e.prepareAs(&p, g)
		}
	}
	e.alone = g.alone
	if closeErr := g.Close(); err == nil {
		err = closeErr
	}
	return err
}

// prepareAs prepares the statement under its name, in the group in which it was described if that goes on.
func (e *execution) prepareAs(p *plan, g *group) error {
	if g.synced {
		g = e.conn.newGroup(e.ctx, e.path)
	}
	g.prepareAnew(p.name, e.sql, p.types.ParamOIDs)
	err := g.sync()
	if err == nil {
		err = g.begin()
	}
	if err == nil {
		err = e.receivePrepared(g, p)
	}
	if closeErr := g.Close(); err == nil {
		err = closeErr
	}
	return err
}

// statement makes st the statement as it is to be executed under ctx.
func (s *stmt) statement(ctx context.Context, st *statement, args []any) error {
	b := s.fixed
	if b == nil {
		b = schemactx.Choose(schemactx.Of(ctx), s.conn.bound)
	}
	err := s.conn.statementFor(ctx, st, b, s.query, args)
	st.mode, st.pin = pgx.QueryExecModeCacheStatement, s // as in pgx, whatever the DSN's mode is
	return err
}

// add keeps a statement prepared until s is closed. S may be nil.
func (s *stmt) add(p *stmtcache.Prepared) {
	if s != nil && len(s.prepared) < maxPinned && !slices.Contains(s.prepared, p) {
		p.Pins++
		s.prepared = append(s.prepared, p)
	}
}

// Close closes the statement for every schema.
func (s *stmt) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // as pgx does it
	defer cancel()
	for _, p := range s.prepared {
		if p.Pins--; p.Pins == 0 {
			s.conn.session.drop(p)
		}
	}
	s.prepared = nil
	if len(s.conn.session.unwanted) == 0 || s.conn.session.pgx.IsClosed() {
		return nil
	}
	return s.conn.newGroup(ctx, nil).Close()
}

// NumInput returns the number of parameters, or -1 if it is not known yet.
func (s *stmt) NumInput() int { return s.inputs }

// ExecContext executes the statement in the effective schema.
func (s *stmt) ExecContext(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	e := execution{conn: s.conn}
	if err := s.statement(ctx, &e.statement, values(args)); err != nil {
		return nil, err
	}
	return e.exec(ctx)
}

// QueryContext executes the statement in the effective schema.
func (s *stmt) QueryContext(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	r := &rows{execution: execution{conn: s.conn, rows: true}}
	if err := s.statement(ctx, &r.statement, values(args)); err != nil {
		return nil, err
	}
	return r.query(ctx)
}

var errNoContext = errors.New("pgdbm: a statement is executed with ExecContext or QueryContext only, as in pgx/v5/stdlib")

// Exec and Query are required by the interface and never called by database/sql.
func (s *stmt) Exec([]sqldriver.Value) (sqldriver.Result, error) { return nil, errNoContext }

// Query is required like Exec.
func (s *stmt) Query([]sqldriver.Value) (sqldriver.Rows, error) { return nil, errNoContext }
