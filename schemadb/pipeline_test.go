package schemadb_test

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/schemadb"
)

// TestExecManyNamesRow has batches that are pipelined, and ones that are too small or whose connection cannot.
func TestExecManyNamesRow(t *testing.T) {
	t.Parallel()
	for _, name := range drivers {
		for _, mode := range []string{"", "&default_query_exec_mode=exec", "&default_query_exec_mode=simple_protocol",
			"&default_query_exec_mode=describe_exec"} {
			t.Run(name+mode, func(t *testing.T) {
				t.Parallel()
				db := tenants(t, openAs(t, name, server.Database(t)+mode), "a")[0]
				for _, n := range []int{2, 255, 256, 1000, 1001, 2500} {
					execManyRows(t, db, n)
				}
			})
		}
	}
}

// tracer is told of pgx's own batches.
type tracer struct{ batches atomic.Int64 }

func (*tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (*tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (t *tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	t.batches.Add(1)
	return ctx
}
func (*tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (*tracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// TestExecManyTraced has rows that cannot be encoded, for which pgx would close the connection.
func TestExecManyTraced(t *testing.T) {
	t.Parallel()
	for _, name := range drivers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen tracer
			config := configOf(t, server.Database(t))
			config.Tracer = &seen
			db := tenants(t, openConfig(t, name, config), "a")[0]
			execManyRows(t, db, 300)
			if seen.batches.Load() == 0 {
				t.Error("the tracer saw no batch")
			}
		})
	}
}

// execManyRows inserts n rows, and fails at the first, some and the last of n rows.
func execManyRows(t *testing.T, db *schemadb.DB, n int) {
	t.Helper()
	const insert = "INSERT INTO {{tables.t}} (id, owner) VALUES ($1, $2) RETURNING id"
	exec(t, db, "TRUNCATE {{tables.t}}")
	rows := make([][]any, n)
	for i := range rows {
		rows[i] = []any{i, "x"}
	}
	ctx := t.Context()
	for _, bad := range []int{0, 49, 50, 51, n - 2, n - 1} {
		if bad >= n || bad < 0 {
			continue
		}
		for _, row := range [][]any{{(bad + n/2) % n, "twice"}, {struct{}{}, "no number"}, {bad}} {
			if len(row) == 2 && row[1] == "twice" && bad < n/2 {
				continue // the other one would fail
			}
			was := rows[bad]
			rows[bad] = row
			changed, err := db.ExecMany(ctx, insert, rows)
			rows[bad] = was
			var rowError *schemadb.RowError
			if !errors.As(err, &rowError) || rowError.Row != bad || changed != 0 {
				t.Fatalf("%d rows with a bad one at %d, %v: %d, %v", n, bad, row, changed, err)
			}
			if row[0] == (bad+n/2)%n && len(row) == 2 && !schemadb.IsUniqueViolation(err) {
				t.Fatal(err)
			}
		}
	}
	if got := value[int](t, db, "SELECT count(*) FROM {{tables.t}}"); got != 0 {
		t.Fatalf("%d rows are left", got)
	}
	err := db.InTx(ctx, func(tx *schemadb.Tx) error {
		_, err := tx.ExecMany(ctx, "INSERT INTO nowhere VALUES ($1, $2)", rows)
		if !schemadb.IsUndefinedTable(err) {
			t.Errorf("no table: %v", err)
		}
		return sql.ErrTxDone
	})
	if !errors.Is(err, sql.ErrTxDone) {
		t.Fatal(err)
	}
	if changed, err := db.ExecMany(ctx, insert, rows); err != nil || changed != int64(n) {
		t.Fatal(changed, err)
	}
}
