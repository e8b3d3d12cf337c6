package schemadb

import (
	"context"
	"database/sql"

	"github.com/jmoiron/sqlx"

	"github.com/pgdbm/pgdbm/internal/named"
)

const nameBytes = 4 << 20 // bounds the memory in which a pool remembers where the parameters of a text are

// NamedExecContext executes a statement with parameters such as :email, which it takes from arg: a struct, a map with
// string keys, or a slice of those. With a slice, the tuple behind VALUES is repeated for each element. A name that
// arg does not have, and a key of a map that the statement does not use, are a *[NamedError].
func (q *queries) NamedExecContext(ctx context.Context, query string, arg any) (sql.Result, error) {
	text, args, err := q.BindNamed(query, arg)
	if err != nil {
		return nil, err
	}
	return q.ExecContext(ctx, text, args...)
}

// NamedQueryContext is [DB.NamedExecContext] for a statement that returns rows. They must be closed.
func (q *queries) NamedQueryContext(ctx context.Context, query string, arg any) (*sqlx.Rows, error) {
	text, args, err := q.BindNamed(query, arg)
	if err != nil {
		return nil, err
	}
	return q.QueryxContext(ctx, text, args...)
}

// BindNamed returns query with $1, $2 ... in place of its :names, and their values from arg; see
// [DB.NamedExecContext]. Templates stay as they are.
func (q *queries) BindNamed(query string, arg any) (string, []any, error) {
	parsed, err := q.scope.pool.names.Get(query)
	if err != nil {
		return "", nil, err
	}
	return parsed.Bind(q.mapper, arg)
}

// Rebind returns query with $1, $2 ... in place of its question marks. A ? that is an operator, as in j ? 'key', stays;
// where that cannot be told, ?? stands for the operator.
func (q *queries) Rebind(query string) string { return named.Rebind(query) }

// In is the function [In], as a method.
func (q *queries) In(query string, args ...any) (string, []any, error) { return In(query, args...) }

// In repeats a question mark for each element of the slice that stands for it in args, and returns the elements in
// place of the slice. [DB.Rebind] turns the result into PostgreSQL's parameters. With PostgreSQL, id = ANY($1) and a
// slice need neither. A slice without elements, and another number of arguments than question marks, are errors.
func In(query string, args ...any) (string, []any, error) { return named.In(query, args...) }
