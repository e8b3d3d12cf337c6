package schemadb

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/native"
	"github.com/pgdbm/pgdbm/internal/rowscan"
)

// get reads the first row into dest.
func (q *queries) get(ctx context.Context, dest any, query string, args []any) error {
	to := reflect.ValueOf(dest)
	if to.Kind() != reflect.Pointer || to.IsNil() {
		return fmt.Errorf("pgdbm: Get: the destination is %T; pass a pointer that is not nil", dest)
	}
	row := reflect.New(to.Type().Elem()) // dest keeps its value if the row cannot be read
	row.Elem().Set(to.Elem())
	keeping := *q
	keeping.keep = true
	found := false
	err := keeping.read(ctx, row.Interface(), query, args, func() bool {
		found = true
		return false
	})
	if err == nil && !found {
		err = sql.ErrNoRows
	}
	if err == nil {
		to.Elem().Set(row.Elem())
	}
	return err
}

// selectAll replaces the slice that dest points to by all rows. Like sqlx, it leaves a nil slice nil if there are none.
func (q *queries) selectAll(ctx context.Context, dest any, query string, args []any) error {
	to := reflect.ValueOf(dest)
	if to.Kind() != reflect.Pointer || to.IsNil() || to.Elem().Kind() != reflect.Slice {
		return fmt.Errorf("pgdbm: Select: the destination is %T; pass a pointer to a slice", dest)
	}
	all := reflect.New(to.Type().Elem()).Elem()
	if !to.Elem().IsNil() {
		all.Set(reflect.MakeSlice(all.Type(), 0, 0)) // not the caller's memory, which keeps its rows if there is an error
	}
	row := reflect.New(all.Type().Elem())
	err := q.read(ctx, row.Interface(), query, args, func() bool {
		n := all.Len()
		all.Grow(1)
		all.SetLen(n + 1)
		all.Index(n).Set(row.Elem())
		return true
	})
	if err == nil {
		to.Elem().Set(all)
	}
	return err
}

// read executes query, fills what dst points to with each row, and calls each, until that returns false.
func (q *queries) read(ctx context.Context, dst any, query string, args []any, each func() bool) error {
	ctx, cancel := q.scope.limit(ctx)
	defer cancel()
	k, err := q.enter(ctx)
	if err != nil {
		return err
	}
	if k != kindOther {
		ctx := q.scope.context(ctx)
		err = q.native(ctx, func(c native.Conn) error { return q.readNative(ctx, c, dst, query, args, each) })
	}
	if k == kindOther || err == errNotNative { //nolint:errorlint // it is ours, and never wrapped
		err = q.readSQL(ctx, dst, query, args, each)
	}
	return explain(err, args)
}

// readNative is read through pgx.
func (q *queries) readNative(
	ctx context.Context, c native.Conn, dst any, query string, args []any, each func() bool,
) error {
	rows, err := startNative(ctx, c, query, args)
	if err != nil {
		return err
	}
	defer rows.Close()
	more := rows.Next() // only now the fields are known in all of pgx's exec modes
	if err := rows.Err(); err != nil {
		return unsent(err)
	}
	row, err := rowscan.New(dst, q.options(), c.Pgx().TypeMap(), rows.FieldDescriptions())
	if err != nil {
		return err
	}
	for ; more; more = rows.Next() {
		if err := row.Scan(rows.RawValues()); err != nil {
			return err
		}
		if !each() {
			break
		}
	}
	rows.Close()
	return rows.Err()
}

// startNative sends a query whose rows are for rowscan.
func startNative(ctx context.Context, c native.Conn, query string, args []any) (pgx.Rows, error) {
	all := make([]any, 1, len(args)+1)
	all[0] = rowscan.ResultFormats() // before the caller's options of pgx, which count more
	for _, arg := range args {
		if named, ok := arg.(sql.NamedArg); ok {
			arg = named.Value // by position, as through database/sql
		}
		all = append(all, arg)
	}
	return c.Query(ctx, query, all...)
}

func (q *queries) options() rowscan.Options {
	return rowscan.Options{Mapper: q.mapper, Unsafe: q.unsafe, Value: q.value, Keep: q.keep}
}

// readSQL is read through database/sql, for other drivers.
func (q *queries) readSQL(ctx context.Context, dst any, query string, args []any, each func() bool) error {
	rows, err := q.QueryxContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	to := reflect.ValueOf(dst).Elem()
	scan, err := sqlScan(rows, to)
	if err != nil {
		return err
	}
	for rows.Next() {
		if !q.keep {
			to.SetZero()
		}
		if err := scan(); err != nil {
			return err
		}
		if !each() {
			break
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close()
}
