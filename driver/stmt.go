package driver

import (
	"context"
	"crypto/rand"
	sqldriver "database/sql/driver"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/guard"
	"github.com/pgdbm/pgdbm/internal/schemactx"
)

// maxPrepared is for how many schemas at once a statement is kept prepared on a connection. An application that uses
// one *sql.Stmt for all its tenants would otherwise fill the server's memory. In further schemas it is executed like a
// statement that nobody has prepared; where pgx's mode does not allow that, the one that was used longest ago is closed.
const maxPrepared = 16

// stmt is a prepared statement. What is prepared on the server is its expansion, so it is prepared again for each
// schema that it is executed in.
type stmt struct {
	conn      *conn
	fixed     *schemactx.Binding // of a text that stays in its schema, or nil
	query     string             // with its templates
	last      order              // as it was executed last
	inputs    int                // the number of parameters
	described bool               // the server has said so
	prepared  []prepared         // the one that was used last comes last
}

type prepared struct {
	sql  string
	stmt sqldriver.Stmt // a *stdlib.Stmt
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

// prepare returns the statement that is prepared for the effective schema, or nil if it is to be executed without.
func (s *stmt) prepare(ctx context.Context) (sqldriver.Stmt, error) {
	s.conn.fixed = s.fixed
	defer func() { s.conn.fixed = nil }()
	o, err := s.conn.statement(ctx, s.query)
	if err != nil {
		return nil, err
	}
	s.last = o
	if o.path != nil || s.conn.link.mode == pgx.QueryExecModeCacheDescribe { // executed like a statement that nobody has prepared
		return nil, s.describe(ctx)
	}
	sql := o.sql
	last := len(s.prepared) - 1
	for i := last; i >= 0; i-- {
		if p := s.prepared[i]; p.sql == sql || !guard.Statement {
			if i < last {
				copy(s.prepared[i:], s.prepared[i+1:])
				s.prepared[last] = p
			}
			return p.stmt, nil
		}
	}
	if len(s.prepared) == maxPrepared && s.conn.link.chooses() {
		return nil, nil
	}
	inner, err := s.conn.stdlibConn.PrepareContext(ctx, sql)
	if err != nil {
		return nil, s.conn.afterStatement(err)
	}
	if len(s.prepared) == maxPrepared {
		oldest := s.prepared[0].stmt
		s.prepared = append(s.prepared[:0], s.prepared[1:]...)
		if err := oldest.Close(); err != nil {
			return nil, errors.Join(err, inner.Close())
		}
	}
	s.prepared = append(s.prepared, prepared{sql, inner})
	s.inputs, s.described = inner.NumInput(), true
	return inner, nil
}

// describe asks how many parameters the statement has, when it is prepared, and so whether it is right.
func (s *stmt) describe(ctx context.Context) error {
	if s.described {
		return nil
	}
	sd, err := s.conn.prepare(ctx, &s.last, "")
	if err != nil {
		return s.conn.afterStatement(err)
	}
	s.described, s.inputs = true, len(sd.ParamOIDs)
	return nil
}

// Close closes the statement for every schema.
func (s *stmt) Close() error {
	var errs []error
	for _, p := range s.prepared {
		errs = append(errs, p.stmt.Close())
	}
	s.prepared = nil
	return errors.Join(errs...)
}

// NumInput returns the number of parameters.
func (s *stmt) NumInput() int { return s.inputs }

// ExecContext executes the statement in the effective schema.
func (s *stmt) ExecContext(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	inner, err := s.prepare(ctx)
	if err != nil {
		return nil, err
	}
	args = s.conn.namedSchemaArgs(&s.last, args)
	if inner == nil || hasTableArg(args) {
		result, err := s.conn.exec(ctx, &s.last, args)
		return result, s.conn.afterStatement(err)
	}
	result, err := inner.(sqldriver.StmtExecContext).ExecContext(ctx, args)
	if s.conn.outdatedStmt(ctx, err, &s.last) {
		result, err = inner.(sqldriver.StmtExecContext).ExecContext(ctx, args)
	}
	return result, s.conn.afterStatement(err)
}

// QueryContext executes the statement in the effective schema.
func (s *stmt) QueryContext(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	inner, err := s.prepare(ctx)
	if err != nil {
		return nil, err
	}
	args = s.conn.namedSchemaArgs(&s.last, args)
	if inner == nil || hasTableArg(args) {
		rows, err := s.conn.query(ctx, &s.last, args)
		return rows, s.conn.afterStatement(err)
	}
	rows, err := inner.(sqldriver.StmtQueryContext).QueryContext(ctx, args)
	if s.conn.outdatedStmt(ctx, err, &s.last) {
		rows, err = inner.(sqldriver.StmtQueryContext).QueryContext(ctx, args)
	}
	return rows, s.conn.afterStatement(err)
}

var errNoContext = errors.New("pgdbm: a statement is executed with ExecContext or QueryContext only, as in pgx/v5/stdlib")

// Exec is required by the interface and never called by database/sql.
func (s *stmt) Exec([]sqldriver.Value) (sqldriver.Result, error) { return nil, errNoContext }

// Query is required by the interface and never called by database/sql.
func (s *stmt) Query([]sqldriver.Value) (sqldriver.Rows, error) { return nil, errNoContext }
