package schemadb

import (
	"fmt"
	"iter"
	"reflect"

	"github.com/jackc/pgx/v5"
)

// rowSeq is a sequence of rows, each the arguments of a statement or the values of a table's columns. An error ends it.
type rowSeq = iter.Seq2[[]any, error]

// rowsOf returns what rows holds: [][]any, a slice or an iter.Seq of rows, an iter.Seq2 of rows and errors, or a
// pgx.CopyFromSource. A row that is no []any is given to convert.
func rowsOf(rows any, convert func(row any) ([]any, error)) (rowSeq, error) {
	switch rows := rows.(type) {
	case [][]any:
		return func(yield func([]any, error) bool) {
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
		}, nil
	case iter.Seq[[]any]: // reflection would allocate for each row
		return func(yield func([]any, error) bool) {
			for row := range rows {
				if !yield(row, nil) {
					return
				}
			}
		}, nil
	case rowSeq:
		return rows, nil
	case pgx.CopyFromSource:
		return sourceSeq(rows), nil
	}
	v := reflect.ValueOf(rows)
	if !v.IsValid() {
		return nil, errRows(rows)
	}
	t := v.Type()
	switch {
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		return func(yield func([]any, error) bool) {
			for i := range v.Len() {
				if !yield(rowOf(v.Index(i), convert)) {
					return
				}
			}
		}, nil
	case t.Kind() == reflect.Func && t.CanSeq():
		return func(yield func([]any, error) bool) {
			for row := range v.Seq() {
				if !yield(rowOf(row, convert)) {
					return
				}
			}
		}, nil
	case t.Kind() == reflect.Func && t.CanSeq2() && t.In(0).In(1) == reflect.TypeFor[error]():
		return seq2(v, convert), nil
	}
	return nil, errRows(rows)
}

func errRows(rows any) error {
	return fmt.Errorf("pgdbm: the rows are %T; pass a slice or an iter.Seq of []any, structs or maps, an iter.Seq2 of those "+
		"and errors, or a pgx.CopyFromSource", rows)
}

func rowOf(v reflect.Value, convert func(row any) ([]any, error)) ([]any, error) {
	row := v.Interface()
	if values, ok := row.([]any); ok {
		return values, nil
	}
	return convert(row)
}

func seq2(v reflect.Value, convert func(row any) ([]any, error)) rowSeq {
	return func(yield func([]any, error) bool) {
		for row, failure := range v.Seq2() {
			if err, _ := failure.Interface().(error); err != nil {
				yield(nil, err)
				return
			}
			if !yield(rowOf(row, convert)) {
				return
			}
		}
	}
}

func sourceSeq(source pgx.CopyFromSource) rowSeq {
	return func(yield func([]any, error) bool) {
		for source.Next() {
			if !yield(source.Values()) {
				return
			}
		}
		if err := source.Err(); err != nil {
			yield(nil, err)
		}
	}
}
