package schemadb_test

import (
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/pgdbm/pgdbm/schemadb"
)

var errStop = errors.New("stop")

// TestCopyFromReusedRow copies from iterators that use a row's memory, and that of its bytes, for the next one.
func TestCopyFromReusedRow(t *testing.T) {
	t.Parallel()
	for _, name := range drivers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := schemadb.New(openAs(t, name, server.Database(t)), "")
			exec(t, db, "CREATE TABLE t (id int, name text, raw bytea)")
			for _, n := range []int{0, 1, 63, 64, 65, 128, 1000} {
				for _, bytesAt := range []int{0, 1, 7} {
					copyReused(t, db, n, bytesAt)
				}
			}
		})
	}
}

// copyReused copies n rows, of which each bytesAt'th has bytes.
func copyReused(t *testing.T, db *schemadb.DB, n, bytesAt int) {
	t.Helper()
	ctx, columns := t.Context(), []string{"id", "name", "raw"}
	rows := func(end error) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			row, raw := make([]any, 3), make([]byte, 0, 20)
			for i := range n {
				row[0], row[1], row[2] = i, fmt.Sprint("row ", i), nil
				if bytesAt > 0 && i%bytesAt == 0 {
					raw = fmt.Append(raw[:0], i)
					row[2] = raw
				}
				if !yield(row, nil) {
					return
				}
			}
			if end != nil {
				yield(nil, end)
			}
		}
	}
	var rowError *schemadb.RowError
	if _, err := db.CopyFrom(ctx, "t", columns, rows(errStop)); !errors.As(err, &rowError) || rowError.Row != n ||
		!errors.Is(err, errStop) {
		t.Errorf("%d rows and an error: %v", n, err)
	}
	if got, err := db.CopyFrom(ctx, "t", columns, rows(nil)); err != nil || got != int64(n) {
		t.Fatalf("%d rows: %d, %v", n, got, err)
	}
	const right = `SELECT count(*) FROM t WHERE name = 'row ' || id AND
		raw IS NOT DISTINCT FROM CASE WHEN $1 > 0 AND id % greatest($1, 1) = 0 THEN convert_to(id::text, 'UTF8') END`
	if got := value[int](t, db, right, bytesAt); got != n {
		t.Errorf("%d of %d rows are right, with bytes in each %d.", got, n, bytesAt)
	}
	exec(t, db, "TRUNCATE t")
}
