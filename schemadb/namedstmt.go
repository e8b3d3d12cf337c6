package schemadb

import (
	"context"
	"database/sql"

	"github.com/jmoiron/sqlx"

	"github.com/pgdbm/pgdbm/internal/named"
)

// NamedStmt is a prepared statement with parameters such as :email, which each execution takes from a struct or a map.
// What is said of [Stmt] is true of it too.
type NamedStmt struct {
	stmt  *Stmt
	query *named.Query
}

// PrepareNamedContext prepares a statement with parameters such as :email.
func (q *queries) PrepareNamedContext(ctx context.Context, query string) (*NamedStmt, error) {
	parsed, err := q.scope.pool.names.Get(query)
	if err != nil {
		return nil, err
	}
	stmt, err := q.PreparexContext(ctx, parsed.SQL())
	if err != nil {
		return nil, err
	}
	return &NamedStmt{stmt: stmt, query: parsed}, nil
}

// NamedStmt returns the statement for use in the transaction, and in the transaction's schema.
func (tx *Tx) NamedStmt(stmt *NamedStmt) *NamedStmt {
	return tx.NamedStmtContext(context.Background(), stmt)
}

// NamedStmtContext is NamedStmt with a context, under which the statement is prepared on the transaction's connection.
func (tx *Tx) NamedStmtContext(ctx context.Context, stmt *NamedStmt) *NamedStmt {
	return &NamedStmt{stmt: tx.StmtxContext(ctx, stmt.stmt), query: stmt.query}
}

// Close closes the statement on all connections.
func (n *NamedStmt) Close() error { return n.stmt.Close() }

// Unsafe returns a view of the statement that ignores columns without a field.
func (n *NamedStmt) Unsafe() *NamedStmt { return &NamedStmt{stmt: n.stmt.Unsafe(), query: n.query} }

func (n *NamedStmt) args(arg any) ([]any, error) { return n.query.Args(n.stmt.q.mapper, arg) }

// ExecContext executes the statement with the values in arg. See [DB.NamedExecContext].
func (n *NamedStmt) ExecContext(ctx context.Context, arg any) (sql.Result, error) {
	args, err := n.args(arg)
	if err != nil {
		return nil, err
	}
	return n.stmt.ExecContext(ctx, args...)
}

// QueryContext executes the statement with the values in arg. The rows must be closed.
func (n *NamedStmt) QueryContext(ctx context.Context, arg any) (*sql.Rows, error) {
	args, err := n.args(arg)
	if err != nil {
		return nil, err
	}
	return n.stmt.QueryContext(ctx, args...)
}

// QueryRowContext executes the statement with the values in arg, for the first row.
func (n *NamedStmt) QueryRowContext(ctx context.Context, arg any) *sqlx.Row {
	return n.QueryRowxContext(ctx, arg)
}

// QueryxContext executes the statement with the values in arg. The rows must be closed.
func (n *NamedStmt) QueryxContext(ctx context.Context, arg any) (*sqlx.Rows, error) {
	args, err := n.args(arg)
	if err != nil {
		return nil, err
	}
	return n.stmt.QueryxContext(ctx, args...)
}

// QueryRowxContext executes the statement with the values in arg, for the first row.
func (n *NamedStmt) QueryRowxContext(ctx context.Context, arg any) *sqlx.Row {
	args, err := n.args(arg)
	if err != nil {
		return failedRowx(err)
	}
	return n.stmt.QueryRowxContext(ctx, args...)
}

// MustExecContext is ExecContext that panics on an error, as in sqlx.
func (n *NamedStmt) MustExecContext(ctx context.Context, arg any) sql.Result {
	result, err := n.ExecContext(ctx, arg)
	if err != nil {
		panic(err)
	}
	return result
}

// GetContext reads the first row into dest. See [DB.GetContext].
func (n *NamedStmt) GetContext(ctx context.Context, dest, arg any) error {
	args, err := n.args(arg)
	if err != nil {
		return err
	}
	return n.stmt.GetContext(ctx, dest, args...)
}

// SelectContext reads all rows into dest. See [DB.SelectContext].
func (n *NamedStmt) SelectContext(ctx context.Context, dest, arg any) error {
	args, err := n.args(arg)
	if err != nil {
		return err
	}
	return n.stmt.SelectContext(ctx, dest, args...)
}

// Exec is ExecContext without a context.
func (n *NamedStmt) Exec(arg any) (sql.Result, error) {
	return n.ExecContext(context.Background(), arg)
}

// MustExec is MustExecContext without a context.
func (n *NamedStmt) MustExec(arg any) sql.Result { return n.MustExecContext(context.Background(), arg) }

// Query is QueryContext without a context.
func (n *NamedStmt) Query(arg any) (*sql.Rows, error) {
	return n.QueryContext(context.Background(), arg)
}

// QueryRow is QueryRowContext without a context.
func (n *NamedStmt) QueryRow(arg any) *sqlx.Row { return n.QueryRowContext(context.Background(), arg) }

// Queryx is QueryxContext without a context.
func (n *NamedStmt) Queryx(arg any) (*sqlx.Rows, error) {
	return n.QueryxContext(context.Background(), arg)
}

// QueryRowx is QueryRowxContext without a context.
func (n *NamedStmt) QueryRowx(arg any) *sqlx.Row {
	return n.QueryRowxContext(context.Background(), arg)
}

// Get is GetContext without a context.
func (n *NamedStmt) Get(dest, arg any) error { return n.GetContext(context.Background(), dest, arg) }

// Select is SelectContext without a context.
func (n *NamedStmt) Select(dest, arg any) error {
	return n.SelectContext(context.Background(), dest, arg)
}
