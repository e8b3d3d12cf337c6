package schemadb

import (
	"context"
	"database/sql"
	"sync/atomic"

	"github.com/jmoiron/sqlx"
	"github.com/jmoiron/sqlx/reflectx"
)

// runner is what *sqlx.DB, *sqlx.Tx and *sqlx.Conn have in common.
type runner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryxContext(ctx context.Context, query string, args ...any) (*sqlx.Rows, error)
	QueryRowxContext(ctx context.Context, query string, args ...any) *sqlx.Row
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	PreparexContext(ctx context.Context, query string) (*sqlx.Stmt, error)
}

// queries has the methods that DB, Tx and Conn share.
type queries struct {
	scope   scope
	runner  runner
	held    *sql.Conn    // the connection of a Tx or a Conn
	reading *openRows    // those of Each on a Conn
	copies  *atomic.Bool // CopyFrom calls the caller's code while it uses held
	tx      *txState     // of a Tx
	mapper  *reflectx.Mapper
	unsafe  bool
	value   bool // rows may be one value
	keep    bool // fields without a column
}

// Querier is what *[DB], *[Tx] and *[Conn] have in common, for code that runs in a transaction or outside of one. The
// functions [One], [Collect], [Value] and [Each] take it.
type Querier interface {
	sqlx.ExtContext
	GetContext(ctx context.Context, dest any, query string, args ...any) error
	SelectContext(ctx context.Context, dest any, query string, args ...any) error
	NamedExecContext(ctx context.Context, query string, arg any) (sql.Result, error)
	NamedQueryContext(ctx context.Context, query string, arg any) (*sqlx.Rows, error)
	PreparexContext(ctx context.Context, query string) (*Stmt, error)
	PrepareNamedContext(ctx context.Context, query string) (*NamedStmt, error)
	InTx(ctx context.Context, fn func(*Tx) error, opts ...TxOption) error
	InsertID(ctx context.Context, query string, args ...any) (int64, error)
	ExecMany(ctx context.Context, query string, rows any) (int64, error)
	CopyFrom(ctx context.Context, table string, columns []string, rows any) (int64, error)
	Expand(query string) (string, error)
	Schema() string

	base() *queries
}

func (q *queries) base() *queries { return q }

// statement returns the context and the SQL to give to the runner.
func (q *queries) statement(ctx context.Context, query string) (context.Context, string, error) {
	if err := q.tx.check(); err != nil {
		return nil, "", err
	}
	if err := q.ready(ctx); err != nil {
		return nil, "", err
	}
	return q.scope.statement(ctx, query)
}

// ready returns why a held connection cannot take a statement now. Database/sql asks about ctx itself, except on a
// *sql.Conn, which it closes then, because pgx makes a broken connection of it.
func (q *queries) ready(ctx context.Context) error {
	if q.held == nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return q.checkBusy()
}

// Schema returns the name of the schema that the facade is bound to, or "" if it follows the context.
func (q *queries) Schema() string {
	if q.scope.bound == nil {
		return ""
	}
	return q.scope.bound.Schema
}

// ExecContext executes a statement that returns no rows. Errors are PostgreSQL's, a *pgconn.PgError, or say why the
// statement was not sent: see the predicates of this package, such as [IsUniqueViolation].
func (q *queries) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx, text, err := q.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	ctx, cancel := q.scope.limit(ctx)
	defer cancel()
	result, err := q.runner.ExecContext(ctx, text, args...)
	return result, q.explain(err, args)
}

// QueryContext executes a query. The rows must be closed. They are those of database/sql; [Each] and
// [DB.SelectContext] read faster.
func (q *queries) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	ctx, text, err := q.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := q.runner.QueryContext(ctx, text, args...)
	return rows, q.explain(err, args)
}

// QueryRowContext executes a query of which the first row counts. Errors, sql.ErrNoRows among them, come from the
// row's Scan.
func (q *queries) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	ctx, text, err := q.statement(ctx, query)
	if err != nil {
		return failedRow(err)
	}
	return explainRow(q, q.runner.QueryRowContext(ctx, text, args...), args, failedRow)
}

// QueryxContext is QueryContext with rows that scan into structs and maps. They must be closed.
func (q *queries) QueryxContext(ctx context.Context, query string, args ...any) (*sqlx.Rows, error) {
	ctx, text, err := q.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := q.runner.QueryxContext(ctx, text, args...)
	return rows, q.explain(err, args)
}

// QueryRowxContext is QueryRowContext with a row that scans into structs and maps.
func (q *queries) QueryRowxContext(ctx context.Context, query string, args ...any) *sqlx.Row {
	ctx, text, err := q.statement(ctx, query)
	if err != nil {
		return failedRowx(err)
	}
	return explainRow(q, q.runner.QueryRowxContext(ctx, text, args...), args, failedRowx)
}

// MustExecContext is ExecContext that panics on an error, as in sqlx. It is for tests and programs' beginnings.
func (q *queries) MustExecContext(ctx context.Context, query string, args ...any) sql.Result {
	result, err := q.ExecContext(ctx, query, args...)
	if err != nil {
		panic(err)
	}
	return result
}

// GetContext reads the first row into dest, a pointer to a struct, whose fields are found by their db tags, to a
// map[string]any, or to the value of the only column. Fields without a column keep what they hold. Without a row it
// returns sql.ErrNoRows. Dest stays as it is if there is an error. A column without a field, NULL into a field that
// cannot be NULL, and two columns for one field are a *[ScanError]. Outside of a transaction, a statement that writes
// has written then.
func (q *queries) GetContext(ctx context.Context, dest any, query string, args ...any) error {
	return q.get(ctx, dest, query, args)
}

// SelectContext reads all rows into dest, a pointer to a slice of what [DB.GetContext] takes, in place of what the slice
// held. It stays as it is if there is an error. Errors are those of GetContext, without sql.ErrNoRows.
func (q *queries) SelectContext(ctx context.Context, dest any, query string, args ...any) error {
	return q.selectAll(ctx, dest, query, args)
}

// DriverName returns the name by which sqlx knows how the driver writes parameters.
func (q *queries) DriverName() string { return driverName }

// Mapper returns what maps columns to the fields of structs: db tags, and else names in lower case, unless
// [DB.MapperFunc] has changed it.
func (q *queries) Mapper() *reflectx.Mapper { return q.mapper }
