package schemadb

import (
	"context"
	"database/sql"

	"github.com/jmoiron/sqlx"
)

// Exec is ExecContext without a context.
func (q *queries) Exec(query string, args ...any) (sql.Result, error) {
	return q.ExecContext(context.Background(), query, args...)
}

// MustExec is MustExecContext without a context.
func (q *queries) MustExec(query string, args ...any) sql.Result {
	return q.MustExecContext(context.Background(), query, args...)
}

// Query is QueryContext without a context.
func (q *queries) Query(query string, args ...any) (*sql.Rows, error) {
	return q.QueryContext(context.Background(), query, args...)
}

// QueryRow is QueryRowContext without a context.
func (q *queries) QueryRow(query string, args ...any) *sql.Row {
	return q.QueryRowContext(context.Background(), query, args...)
}

// Queryx is QueryxContext without a context.
func (q *queries) Queryx(query string, args ...any) (*sqlx.Rows, error) {
	return q.QueryxContext(context.Background(), query, args...)
}

// QueryRowx is QueryRowxContext without a context.
func (q *queries) QueryRowx(query string, args ...any) *sqlx.Row {
	return q.QueryRowxContext(context.Background(), query, args...)
}

// Get is GetContext without a context.
func (q *queries) Get(dest any, query string, args ...any) error {
	return q.GetContext(context.Background(), dest, query, args...)
}

// Select is SelectContext without a context.
func (q *queries) Select(dest any, query string, args ...any) error {
	return q.SelectContext(context.Background(), dest, query, args...)
}

// NamedExec is NamedExecContext without a context.
func (q *queries) NamedExec(query string, arg any) (sql.Result, error) {
	return q.NamedExecContext(context.Background(), query, arg)
}

// NamedQuery is NamedQueryContext without a context.
func (q *queries) NamedQuery(query string, arg any) (*sqlx.Rows, error) {
	return q.NamedQueryContext(context.Background(), query, arg)
}

// Prepare is PrepareContext without a context.
func (q *queries) Prepare(query string) (*sql.Stmt, error) {
	return q.PrepareContext(context.Background(), query)
}

// Preparex is PreparexContext without a context.
func (q *queries) Preparex(query string) (*Stmt, error) {
	return q.PreparexContext(context.Background(), query)
}

// PrepareNamed is PrepareNamedContext without a context.
func (q *queries) PrepareNamed(query string) (*NamedStmt, error) {
	return q.PrepareNamedContext(context.Background(), query)
}
