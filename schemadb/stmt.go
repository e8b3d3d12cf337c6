package schemadb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jmoiron/sqlx"
)

// Stmt is a prepared statement. It runs in the schema of the facade that prepared it; if that follows the context, so does the
// statement. Package database/sql prepares it on each connection that executes it. It must be closed, and is safe for
// concurrent use, except on a Tx or a Conn, where statements run one after the other.
type Stmt struct {
	q      *queries
	query  string
	text   string // as it was prepared
	x      *sqlx.Stmt
	raw    bool // x comes from elsewhere, and its text is not known
	err    error
	closed *atomic.Bool
	parent *atomic.Bool // closed of the statement that it was made from for a transaction, or nil
}

var errStmtClosed = errors.New("pgdbm: the statement is closed")

// PreparexContext prepares a statement for repeated use. Errors in its SQL come now.
func (q *queries) PreparexContext(ctx context.Context, query string) (*Stmt, error) {
	ctx, text, err := q.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	x, err := q.runner.PreparexContext(ctx, text)
	if err != nil {
		return nil, err
	}
	x.Mapper = q.mapper // sqlx forgets it on a Conn, and Unsafe too
	if q.unsafe {
		x = x.Unsafe()
	}
	return &Stmt{q: q, query: query, text: text, x: x, closed: new(atomic.Bool)}, nil
}

// Close closes the statement on all connections.
func (s *Stmt) Close() error {
	s.closed.Store(true)
	if s.x == nil {
		return nil
	}
	return s.x.Close()
}

// Unsafe returns a view of the statement that ignores columns without a field.
func (s *Stmt) Unsafe() *Stmt {
	view := *s
	q := *s.q
	q.unsafe = true
	view.q = &q
	if s.x != nil {
		view.x = s.x.Unsafe()
	}
	return &view
}

// Stmtx returns a statement for use in the transaction: a *Stmt, which runs in the transaction's schema, or a *sql.Stmt
// or *sqlx.Stmt, which stays in the schema that it was prepared for. With anything else, every use of it fails.
func (tx *Tx) Stmtx(stmt any) *Stmt { return tx.StmtxContext(context.Background(), stmt) }

// StmtxContext is Stmtx with a context, under which the statement is prepared on the transaction's connection.
func (tx *Tx) StmtxContext(ctx context.Context, stmt any) *Stmt {
	var inner *sql.Stmt
	inTx := &Stmt{q: &tx.queries, raw: true, closed: new(atomic.Bool)}
	switch v := stmt.(type) {
	case *Stmt:
		if v != nil && !v.raw {
			return tx.rebound(ctx, v)
		}
		if v != nil && v.x != nil {
			inner, inTx.parent = v.x.Stmt, v.closed
		}
	case *sqlx.Stmt:
		if v != nil {
			inner = v.Stmt
		}
	case *sql.Stmt:
		inner = v
	}
	if inner == nil {
		inTx.err = fmt.Errorf("pgdbm: Stmtx: %T is no statement; pass a *schemadb.Stmt, *sqlx.Stmt or *sql.Stmt", stmt)
		return inTx
	}
	inTx.x = tx.stmtx(tx.scope.context(ctx), inner)
	return inTx
}

// rebound returns a statement of ours for use in the transaction, in its schema.
func (tx *Tx) rebound(ctx context.Context, stmt *Stmt) *Stmt {
	inTx := &Stmt{q: &tx.queries, query: stmt.query, err: stmt.err, closed: new(atomic.Bool), parent: stmt.closed}
	ctx, text, err := tx.statement(ctx, stmt.query)
	if err == nil && text == stmt.text && stmt.x != nil {
		inTx.text, inTx.x = text, tx.stmtx(ctx, stmt.x.Stmt)
	}
	return inTx
}

func (tx *Tx) stmtx(ctx context.Context, stmt *sql.Stmt) *sqlx.Stmt {
	x := &sqlx.Stmt{Stmt: tx.tx.x.StmtContext(ctx, stmt), Mapper: tx.mapper}
	if tx.unsafe {
		x = x.Unsafe()
	}
	return x
}

// enter returns the context to execute the prepared statement under, and whether it can be: under a context with
// another schema than that of its text it is executed as an ordinary statement.
func (s *Stmt) enter(ctx context.Context) (_ context.Context, prepared bool, err error) {
	if err := s.check(); err != nil {
		return nil, false, err
	}
	ctx, text, err := s.q.statement(ctx, s.query)
	return ctx, s.x != nil && text == s.text, err
}

func (s *Stmt) check() error {
	if s.closed.Load() || s.parent != nil && s.parent.Load() {
		return errStmtClosed
	}
	return s.err
}

// ExecContext executes the statement. See [DB.ExecContext].
func (s *Stmt) ExecContext(ctx context.Context, args ...any) (sql.Result, error) {
	run, prepared, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	if !prepared {
		return s.q.ExecContext(ctx, s.query, args...)
	}
	run, cancel := s.q.scope.limit(run)
	defer cancel()
	result, err := s.x.ExecContext(run, args...)
	return result, s.q.explain(err, args)
}

// QueryContext executes the statement. The rows must be closed. See [DB.QueryContext].
func (s *Stmt) QueryContext(ctx context.Context, args ...any) (*sql.Rows, error) {
	run, prepared, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	if !prepared {
		return s.q.QueryContext(ctx, s.query, args...)
	}
	rows, err := s.x.QueryContext(run, args...)
	return rows, s.q.explain(err, args)
}

// QueryRowContext executes the statement. See [DB.QueryRowContext].
func (s *Stmt) QueryRowContext(ctx context.Context, args ...any) *sql.Row {
	run, prepared, err := s.enter(ctx)
	switch {
	case err != nil:
		return failedRow(err)
	case !prepared:
		return s.q.QueryRowContext(ctx, s.query, args...)
	}
	return explainRow(s.q, s.x.QueryRowContext(run, args...), args, failedRow)
}

// QueryxContext executes the statement. The rows must be closed. See [DB.QueryxContext].
func (s *Stmt) QueryxContext(ctx context.Context, args ...any) (*sqlx.Rows, error) {
	run, prepared, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	if !prepared {
		return s.q.QueryxContext(ctx, s.query, args...)
	}
	rows, err := s.x.QueryxContext(run, args...)
	return rows, s.q.explain(err, args)
}

// QueryRowxContext executes the statement. See [DB.QueryRowxContext].
func (s *Stmt) QueryRowxContext(ctx context.Context, args ...any) *sqlx.Row {
	run, prepared, err := s.enter(ctx)
	switch {
	case err != nil:
		return failedRowx(err)
	case !prepared:
		return s.q.QueryRowxContext(ctx, s.query, args...)
	}
	return explainRow(s.q, s.x.QueryRowxContext(run, args...), args, failedRowx)
}

// MustExecContext is ExecContext that panics on an error, as in sqlx.
func (s *Stmt) MustExecContext(ctx context.Context, args ...any) sql.Result {
	result, err := s.ExecContext(ctx, args...)
	if err != nil {
		panic(err)
	}
	return result
}

// GetContext reads the first row into dest. See [DB.GetContext]. It goes through pgx, which keeps the text prepared too.
func (s *Stmt) GetContext(ctx context.Context, dest any, args ...any) error {
	if err := s.check(); err != nil {
		return err
	}
	if s.raw {
		run, _, err := s.enter(ctx)
		if err != nil {
			return err
		}
		return explain(s.x.GetContext(run, dest, args...), args)
	}
	return s.q.get(ctx, dest, s.query, args)
}

// SelectContext reads all rows into dest. See [DB.SelectContext]. It goes through pgx, which keeps the text prepared too.
func (s *Stmt) SelectContext(ctx context.Context, dest any, args ...any) error {
	if err := s.check(); err != nil {
		return err
	}
	if s.raw {
		run, _, err := s.enter(ctx)
		if err != nil {
			return err
		}
		return explain(s.x.SelectContext(run, dest, args...), args)
	}
	return s.q.selectAll(ctx, dest, s.query, args)
}

// Exec is ExecContext without a context.
func (s *Stmt) Exec(args ...any) (sql.Result, error) {
	return s.ExecContext(context.Background(), args...)
}

// MustExec is MustExecContext without a context.
func (s *Stmt) MustExec(args ...any) sql.Result {
	return s.MustExecContext(context.Background(), args...)
}

// Query is QueryContext without a context.
func (s *Stmt) Query(args ...any) (*sql.Rows, error) {
	return s.QueryContext(context.Background(), args...)
}

// QueryRow is QueryRowContext without a context.
func (s *Stmt) QueryRow(args ...any) *sql.Row {
	return s.QueryRowContext(context.Background(), args...)
}

// Queryx is QueryxContext without a context.
func (s *Stmt) Queryx(args ...any) (*sqlx.Rows, error) {
	return s.QueryxContext(context.Background(), args...)
}

// QueryRowx is QueryRowxContext without a context.
func (s *Stmt) QueryRowx(args ...any) *sqlx.Row {
	return s.QueryRowxContext(context.Background(), args...)
}

// Get is GetContext without a context.
func (s *Stmt) Get(dest any, args ...any) error {
	return s.GetContext(context.Background(), dest, args...)
}

// Select is SelectContext without a context.
func (s *Stmt) Select(dest any, args ...any) error {
	return s.SelectContext(context.Background(), dest, args...)
}
