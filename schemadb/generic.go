package schemadb

import (
	"context"
	"database/sql"
	"errors"
	"iter"
)

// ErrTooManyRows is the error of [One] if there is more than one row. Compare with errors.Is.
var ErrTooManyRows = errors.New("pgdbm: there is more than one row; use Collect, Each or LIMIT 1")

// One returns the only row of a query. T is a struct, whose fields are found by their db tags, a map[string]any, the
// type of the only column, or a pointer to one of these. Without a row the error is sql.ErrNoRows, with more than one
// it is [ErrTooManyRows]. A column without a field, NULL into what cannot be NULL, and two columns for one field are a
// *[ScanError].
func One[T any](ctx context.Context, q Querier, query string, args ...any) (T, error) {
	var row, first T
	n := 0
	err := q.base().read(ctx, &row, query, args, func() bool {
		if n++; n == 1 {
			first = row
		}
		return n < 2
	})
	switch {
	case err != nil:
	case n == 0:
		err = sql.ErrNoRows
	case n > 1:
		err = ErrTooManyRows
	}
	if err != nil {
		return *new(T), err
	}
	return first, nil
}

// Collect returns all rows of a query. T is what it is for [One]. Without rows the slice is empty and not nil.
func Collect[T any](ctx context.Context, q Querier, query string, args ...any) ([]T, error) {
	var row T
	all := []T{}
	err := q.base().read(ctx, &row, query, args, func() bool {
		all = append(all, row)
		return true
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Value returns the only column of the first row of a query, such as a count. T is what it is for [One], and may also be
// what a jsonb column holds: a struct without a field for that column, or a map. Without a row the error is
// sql.ErrNoRows; more rows are ignored, as by (*sql.DB).QueryRow.
func Value[T any](ctx context.Context, q Querier, query string, args ...any) (T, error) {
	var v T
	found := false
	base := *q.base()
	base.value = true
	err := base.read(ctx, &v, query, args, func() bool {
		found = true
		return false
	})
	if err == nil && !found {
		err = sql.ErrNoRows
	}
	if err != nil {
		return *new(T), err
	}
	return v, nil
}

// Each returns the rows of a query one by one, as the server sends them, in memory that does not grow with their number.
// T is what it is for [One]. The query is executed when the loop begins, and its connection is given back when the loop
// ends, however it does. An error comes as the last element, with a zero T.
//
//	for user, err := range schemadb.Each[User](ctx, db, "SELECT * FROM {{tables.users}}") {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// While the loop runs, its connection is busy: in a transaction or on a Conn, no other statement can run in the loop.
func Each[T any](ctx context.Context, q Querier, query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var row T
		s, err := q.base().open(ctx, &row, query, args)
		if err != nil {
			yield(*new(T), explain(err, args))
			return
		}
		defer s.close()
		for s.next() {
			if !yield(row, nil) {
				return
			}
		}
		if err := s.close(); err != nil {
			yield(*new(T), explain(err, args))
		}
	}
}
