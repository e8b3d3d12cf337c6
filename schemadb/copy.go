package schemadb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"reflect"

	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx/reflectx"

	"github.com/pgdbm/pgdbm/internal/native"
)

// CopyFrom writes rows into the columns of a table with COPY, PostgreSQL's fastest way in, and returns how many there
// were. The table is one of the facade's schema, or "other.table". The rows are a slice or an iter.Seq of []any, with a
// value for each column, or of structs or maps, whose fields or keys are found by the columns' names; an iter.Seq2 of
// those and errors; or a pgx.CopyFromSource. They are sent while they are read, so their number need not be known.
//
// It is all or nothing: after an error, no row is written; in a transaction, PostgreSQL takes no more statements then.
// A row that cannot be read is a *[RowError]; in errors of the server, (*pgconn.PgError).Where has the line. It needs
// pgdbm's driver or pgx's. A Value method of a value must not panic: pgx calls it on a goroutine of its own.
func (q *queries) CopyFrom(ctx context.Context, table string, columns []string, rows any) (int64, error) {
	schema, name, err := splitName(table)
	if err != nil {
		return 0, err
	}
	if len(columns) == 0 {
		return 0, errors.New("pgdbm: CopyFrom: there are no columns; name those that the rows have values for")
	}
	inner, stop, err := q.source(columns, rows)
	if err != nil {
		return 0, err
	}
	defer stop()
	copying, cancel := context.WithCancel(ctx)
	defer cancel()
	source := &copySource{source: inner, cancel: cancel}
	var n int64
	err = q.native(copying, func(c native.Conn) error {
		return c.Do(q.scope.context(copying), "", func(conn *pgx.Conn, _, effective string) error {
			if q.held != nil {
				q.copies.Store(true)
				defer q.copies.Store(false)
			}
			n, err = conn.CopyFrom(q.scope.context(copying), copyTarget(schema, effective, name), columns, source)
			return err
		})
	})
	if q.tx != nil && q.tx.root().doomed.Load() { // Rollback came meanwhile
		_ = q.tx.root().end(false)
		err = cmp.Or(err, sql.ErrTxDone)
	}
	source.leave()
	if errors.Is(err, errNotNative) {
		err = fmt.Errorf("pgdbm: CopyFrom: %w; use ExecMany", errNotNative)
	}
	return n, source.explain(ctx, err)
}

// copyTarget is the table in the schema that was named, else in the effective one.
func copyTarget(schema, effective, name string) pgx.Identifier {
	if schema = cmp.Or(schema, effective); schema == "" {
		return pgx.Identifier{name}
	}
	return pgx.Identifier{schema, name}
}

// source returns rows in the form that pgx takes.
func (q *queries) source(columns []string, rows any) (_ pgx.CopyFromSource, stop func(), err error) {
	switch rows := rows.(type) {
	case pgx.CopyFromSource:
		return rows, func() {}, nil
	case [][]any:
		return pgx.CopyFromRows(rows), func() {}, nil
	}
	seq, err := rowsOf(rows, func(row any) ([]any, error) { return columnValues(q.mapper, columns, row) })
	if err != nil {
		return nil, nil, err
	}
	s := &seqSource{}
	s.pull, stop = iter.Pull2(chunks(seq))
	return s, stop, nil
}

// columnValues returns the values of the columns from a struct, by its fields, or from a map, by its keys.
func columnValues(mapper *reflectx.Mapper, columns []string, row any) ([]any, error) {
	v := reflect.Indirect(reflect.ValueOf(row))
	values := make([]any, len(columns))
	switch {
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		for i, column := range columns {
			value := v.MapIndex(reflect.ValueOf(column).Convert(v.Type().Key()))
			if !value.IsValid() {
				return nil, fmt.Errorf("the map has no key %q", column)
			}
			values[i] = value.Interface()
		}
	case v.Kind() == reflect.Struct:
		for i, path := range mapper.TraversalsByName(v.Type(), columns) {
			if len(path) == 0 {
				return nil, fmt.Errorf("%s has no field for the column %q", v.Type(), columns[i])
			}
			field, err := v.FieldByIndexErr(path)
			if err != nil {
				return nil, fmt.Errorf("the column %q: %w", columns[i], err)
			}
			values[i] = field.Interface()
		}
	default:
		return nil, fmt.Errorf("a row is %T; it has to be []any, a struct or a map with string keys", row)
	}
	return values, nil
}
