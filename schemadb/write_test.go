package schemadb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/schemadb"
)

func TestInsertID(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a", odd)[1]
		want := int64(1)
		for _, query := range []string{
			"INSERT INTO {{tables.t}} (owner) VALUES ($1)",
			"insert into {{tables.t}} (owner) values ($1) ",
			"INSERT INTO <<tables.t>> (owner) VALUES ($1);",
			"INSERT INTO {{schema}}.t (owner) VALUES ($1) ; ",
			"INSERT INTO {{tables.t}} (owner) VALUES ($1) -- the end",
			"INSERT INTO {{tables.t}} (owner) VALUES ($1); -- the end; really",
			"INSERT INTO {{tables.t}} (owner) VALUES ($1) /* RETURNING id */ ;",
			"-- RETURNING id\nINSERT INTO {{tables.t}} (owner) VALUES ($1)",
			"INSERT INTO {{tables.t}} (owner) VALUES ($1 || ' returning id ')",
			`INSERT INTO {{tables.t}} AS "returning" (owner) VALUES ($1)`,
			"INSERT INTO {{tables.t}} (owner) VALUES ($1 || $$ RETURNING $$)",
			"INSERT INTO {{tables.t}} (owner) VALUES ($1) RETURNING id",
			"INSERT INTO {{tables.t}} (owner) VALUES ($1) returning id;",
			"INSERT INTO {{tables.t}} (owner) VALUES ($1) RETURNING id::int4 -- the end",
			"INSERT INTO {{tables.t}} (owner) SELECT $1",
			"WITH x AS (UPDATE {{tables.t}} SET owner = owner RETURNING owner) INSERT INTO {{tables.t}} (owner) SELECT $1 FROM x LIMIT 1",
			"WITH x AS (SELECT 1) INSERT INTO {{tables.t}} (owner) VALUES ($1) RETURNING id",
			"INSERT INTO {{tables.t}} (owner) VALUES ($1) ON CONFLICT DO NOTHING",
			"INSERT INTO {{tables.t}} (owner) VALUES ($1) ON CONFLICT (id) DO UPDATE SET owner = excluded.owner",
		} {
			id, err := db.InsertID(t.Context(), query, "x")
			if want++; err != nil || id != want {
				t.Errorf("%s: %d, %v; want %d", query, id, err, want)
			}
		}
		wantCount(t, "inserted", db, int(want))

		id, err := db.InsertID(t.Context(), "INSERT INTO {{tables.t}} (id) VALUES (1) ON CONFLICT DO NOTHING")
		if id != 0 || err != sql.ErrNoRows {
			t.Errorf("ON CONFLICT DO NOTHING: %d, %v", id, err)
		}
		for query, word := range map[string]string{
			"INSERT INTO {{tables.t}} (id) VALUES (100); INSERT INTO {{tables.t}} (id) VALUES (101)": "more than one statement",
			"INSERT INTO {{tables.t}} (id) VALUES (100); DROP TABLE {{tables.t}}":                    "more than one statement",
			"UPDATE {{tables.t}} SET owner = 'x'":                                                    "no INSERT",
			"SELECT 'INSERT'":                                                                        "no INSERT",
			"WITH x AS (INSERT INTO {{tables.t}} (id) VALUES (100) RETURNING id) SELECT id FROM x":   "no INSERT",
			"": "no INSERT",
			"INSERT INTO {{table.t}} (id) VALUES (100)":                                                       "{{tables.t}}",
			"INSERT INTO {{tables.missing}} (id) VALUES (100)":                                                "missing",
			"INSERT INTO {{tables.t}} (id) VALUES (1)":                                                        "t_pkey",
			"INSERT INTO {{tables.t}} (id) VALUES (nextval('{{tables.t_id_seq}}'::regclass)) RETURNING owner": "owner",
		} {
			if _, err := db.InsertID(t.Context(), query); err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v; want an error with %q", query, err, word)
			}
		}
		if n := value[int](t, db, "SELECT count(*) FROM {{tables.t}} WHERE id IN (100, 101)"); n != 0 {
			t.Error("what is refused was sent")
		}
		wantCount(t, "another schema", db.ForSchema("a"), 1)
	})
}

// source is a pgx.CopyFromSource that uses the memory of a row again for the next, which pgx's contract allows.
type source struct {
	n, last int
	err     error
	row     []any
}

func (s *source) Next() bool { s.n++; return s.n <= s.last }

func (s *source) Values() ([]any, error) {
	s.row = append(s.row[:0], 10+s.n, fmt.Sprint("o", s.n))
	return s.row, nil
}

func (s *source) Err() error { return s.err }

// again yields values that share their memory.
func again(n int) iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		row := make([]any, 2)
		for i := range n {
			row[0], row[1] = 11+i, fmt.Sprint("o", 1+i)
			if !yield(row) {
				return
			}
		}
	}
}

// failing yields n rows, and then err.
func failing(n int, err error) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for i := range n {
			if !yield(row{int64(11 + i), fmt.Sprint("o", 1+i)}, nil) {
				return
			}
		}
		if err != nil {
			yield(row{}, err)
		}
	}
}

type entry struct {
	Number int     `db:"id"`
	Name   *string `db:"owner"`
	Other  string
}

type entries []entry

// sources are all forms of the rows (11, o1), (12, o2), (13, o3). Named says that they have names.
var sources = []struct {
	name  string
	rows  func() any
	named bool
}{
	{"[][]any", func() any { return [][]any{{11, "o1"}, {12, "o2"}, {13, "o3"}} }, false},
	{"a slice of another type", func() any { return []any{[]any{11, "o1"}, []any{12, "o2"}, []any{13, "o3"}} }, false},
	{"iter.Seq[[]any]", func() any { return slices.Values([][]any{{11, "o1"}, {12, "o2"}, {13, "o3"}}) }, false},
	{"iter.Seq that uses its row again", func() any { return again(3) }, false},
	{"iter.Seq2", func() any {
		return iter.Seq2[[]any, error](func(yield func([]any, error) bool) {
			_ = yield([]any{11, "o1"}, nil) && yield([]any{12, "o2"}, nil) && yield([]any{13, "o3"}, nil)
		})
	}, false},
	{"pgx.CopyFromSource", func() any { return &source{last: 3} }, false},
	{"pgx.CopyFromSlice", func() any {
		return pgx.CopyFromSlice(3, func(i int) ([]any, error) { return []any{11 + i, fmt.Sprint("o", 1+i)}, nil })
	}, false},
	{"structs", func() any { return []row{{11, "o1"}, {12, "o2"}, {13, "o3"}} }, true},
	{"pointers to structs", func() any { return []*row{{11, "o1"}, {12, "o2"}, {13, "o3"}} }, true},
	{"structs with tags", func() any {
		return entries{{11, ptr("o1"), ""}, {12, ptr("o2"), "x"}, {13, ptr("o3"), ""}}
	}, true},
	{"maps", func() any {
		return []map[string]any{{"id": 11, "owner": "o1"}, {"id": 12, "owner": "o2"}, {"id": 13, "owner": "o3"}}
	}, true},
	{"iter.Seq of structs", func() any { return slices.Values([]row{{11, "o1"}, {12, "o2"}, {13, "o3"}}) }, true},
	{"iter.Seq of maps", func() any {
		return slices.Values([]map[string]any{{"id": 11, "owner": "o1"}, {"id": 12, "owner": "o2"}, {"id": 13, "owner": "o3"}})
	}, true},
	{"iter.Seq2 of structs", func() any { return failing(3, nil) }, true},
	{"a function", func() any {
		return func(yield func(row) bool) { slices.Values([]row{{11, "o1"}, {12, "o2"}, {13, "o3"}})(yield) }
	}, true},
	{"maps.Values", func() any { return maps.Values(map[int]row{1: {11, "o1"}, 2: {12, "o2"}, 3: {13, "o3"}}) }, true},
}

// onWriters runs a test of ExecMany or CopyFrom on a DB, a Conn and a Tx, in a schema whose name has to be quoted. Undo
// removes what a call has written, so after it there is one row.
func onWriters(t *testing.T, test func(t *testing.T, name string, q usable, undo func())) {
	t.Helper()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a", odd)[1]
		for _, name := range []string{"DB", "Conn", "Tx"} {
			var q usable = db
			switch name {
			case "Conn":
				q = connx(t, db)
			case "Tx":
				q = begin(t.Context(), t, db)
			}
			test(t, name, q, func() { exec(t, q, "DELETE FROM {{tables.t}} WHERE id <> 1") })
			if tx, ok := q.(*schemadb.Tx); ok {
				if err := tx.Commit(); err != nil {
					t.Error(err)
				}
			}
			if n := pool.Stats().InUse; n > 1 {
				t.Errorf("%s: %d connections in use", name, n)
			}
		}
		wantCount(t, "another schema", db.ForSchema("a"), 1)
	})
}

// failsIn runs a call that fails: in a transaction in a savepoint, after which it can go on.
func failsIn(q usable, call func(q usable) (int64, error)) (n int64, err error) {
	tx, ok := q.(*schemadb.Tx)
	if !ok {
		return call(q)
	}
	err = tx.InTx(context.Background(), func(tx *schemadb.Tx) (err error) {
		n, err = call(tx)
		return err
	})
	return n, err
}

func wantSources(t *testing.T, how string, n int64, err error, q usable) {
	t.Helper()
	got, errRead := schemadb.Collect[string](t.Context(), q, "SELECT id || owner FROM {{tables.t}} WHERE id > 1 ORDER BY id")
	if n != 3 || err != nil || errRead != nil || fmt.Sprint(got) != "[11o1 12o2 13o3]" {
		t.Errorf("%s: %d, %v; rows %q, %v", how, n, err, got, errRead)
	}
}

const insertIDQuery = "INSERT INTO {{tables.t}} (id, owner) VALUES ($1, $2)"

func TestExecMany(t *testing.T) {
	t.Parallel()
	onWriters(t, func(t *testing.T, how string, q usable, undo func()) {
		for _, source := range sources {
			query := insertIDQuery
			if source.named {
				query = "INSERT INTO {{tables.t}} (id, owner) VALUES (:id::bigint, :owner) -- :comment"
			}
			n, err := q.ExecMany(t.Context(), query, source.rows())
			wantSources(t, how+", "+source.name, n, err, q)
			undo()
		}
		for _, rows := range []any{[][]any{}, [][]any(nil), []row{}, slices.Values([]row{}), &source{}} {
			if n, err := q.ExecMany(t.Context(), insertIDQuery, rows); n != 0 || err != nil {
				t.Errorf("%s, empty %T: %d, %v", how, rows, n, err)
			}
		}
		n, err := q.ExecMany(t.Context(), "UPDATE {{tables.t}} SET owner = owner WHERE id >= $1", [][]any{{1}, {2}, {0}})
		if n != 2 || err != nil {
			t.Errorf("%s: %d rows were updated, %v", how, n, err)
		}
		for _, rows := range []any{nil, 7, "text", row{}, []byte("x"), func() {}, map[string]any{}, make(chan row)} {
			if _, err := failsIn(q, func(q usable) (int64, error) {
				return q.ExecMany(t.Context(), insertIDQuery, rows)
			}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%T", rows)) {
				t.Errorf("%s, %T: %v", how, rows, err)
			}
		}
		wantCount(t, how, q, 1)
	})
}

// many yields rows from 11 on, but bad in the place of the bad-th.
func many(n, at int, bad []any) [][]any {
	rows := make([][]any, n)
	for i := range rows {
		rows[i] = []any{11 + i, fmt.Sprint("o", 1+i)}
	}
	if at >= 0 {
		rows[at] = bad
	}
	return rows
}

// TestExecManyBatches writes more than two batches.
func TestExecManyBatches(t *testing.T) {
	t.Parallel()
	onWriters(t, func(t *testing.T, how string, q usable, undo func()) {
		const size = 2500
		if n, err := q.ExecMany(t.Context(), insertIDQuery, many(size, -1, nil)); n != size || err != nil {
			t.Errorf("%s: %d, %v", how, n, err)
		}
		wantCount(t, how, q, size+1)
		undo()
		large := []any{11, strings.Repeat("x", 700_000)} // a batch is bounded in bytes, too
		if n, err := q.ExecMany(t.Context(), insertIDQuery, [][]any{{10, "o"}, large, {12, large[1]}, {13, large[1]}}); n != 4 || err != nil {
			t.Errorf("%s, large rows: %d, %v", how, n, err)
		}
		undo()
		for _, at := range []int{0, 1, 999, 1000, 2001} {
			for name, bad := range map[string]struct {
				row  []any
				want func(error) bool
			}{
				"duplicate":        {[]any{1, "secret"}, schemadb.IsUniqueViolation},
				"bad text":         {[]any{"secret", "x"}, func(err error) bool { return !hasNoCode(err, "22P02") }},
				"bad type":         {[]any{struct{ S string }{"secret"}, "x"}, isArgumentError},
				"too few values":   {[]any{1}, func(error) bool { return true }},
				"too many values":  {[]any{11 + at, "x", "secret"}, func(error) bool { return true }},
				"no values at all": {[]any{}, func(error) bool { return true }},
			} {
				n, err := failsIn(q, func(q usable) (int64, error) {
					return q.ExecMany(t.Context(), insertIDQuery, many(at+3, at, bad.row))
				})
				var rowErr *schemadb.RowError
				if n != 0 || !errors.As(err, &rowErr) || rowErr.Row != at || !bad.want(err) {
					t.Errorf("%s, %s in row %d: %d, %v", how, name, at, n, err)
				}
				if name != "bad text" && err != nil && strings.Contains(err.Error(), "secret") { // there, the server says it
					t.Errorf("%s, %s in row %d: the error shows a value: %v", how, name, at, err)
				}
				wantCount(t, how+", "+name, q, 1)
			}
		}
		_, err := failsIn(q, func(q usable) (int64, error) { return q.ExecMany(t.Context(), "SELEC $1, $2", many(3, -1, nil)) })
		wantError(t, how, err, "syntax error")
	})
}

func isArgumentError(err error) bool {
	var argErr *schemadb.ArgumentError
	return errors.As(err, &argErr) && argErr.Index == 0 && argErr.Type == "struct { S string }" && argErr.Param == "int8"
}

// TestExecManyIterators has the iterator fail, be cancelled, and use the same connection, in the first batch and later.
func TestExecManyIterators(t *testing.T) {
	t.Parallel()
	onWriters(t, func(t *testing.T, how string, q usable, undo func()) {
		const query = "INSERT INTO {{tables.t}} (id, owner) VALUES (:id, :owner)"
		for _, at := range []int{0, 5, 1500} {
			n, err := failsIn(q, func(q usable) (int64, error) { return q.ExecMany(t.Context(), query, failing(at, errBoom)) })
			var rowErr *schemadb.RowError
			if n != 0 || !errors.As(err, &rowErr) || rowErr.Row != at || !errors.Is(err, errBoom) {
				t.Errorf("%s, after %d rows: %d, %v", how, at, n, err)
			}
			wantCount(t, how, q, 1)
			n, err = failsIn(q, func(q usable) (int64, error) {
				return q.ExecMany(t.Context(), insertIDQuery, &source{last: at, err: errBoom})
			})
			if n != 0 || !errors.Is(err, errBoom) {
				t.Errorf("%s, a source after %d rows: %d, %v", how, at, n, err)
			}
			wantCount(t, how, q, 1)
			if value := panicOf(func() {
				_, _ = failsIn(q, func(q usable) (int64, error) {
					return q.ExecMany(t.Context(), query, iter.Seq[row](func(yield func(row) bool) {
						for r := range failing(at, nil) {
							if !yield(r) {
								return
							}
						}
						panic(errBoom)
					}))
				})
			}); value != errBoom {
				t.Errorf("%s: panicked with %v", how, value)
			}
			wantCount(t, how, q, 1)
		}
		_, err := failsIn(q, func(q usable) (int64, error) {
			return q.ExecMany(t.Context(), query, []any{row{11, "x"}, row{12, "y"}, entry{}, row{13, "x"}})
		})
		if err != nil {
			t.Errorf("%s, rows of two types: %v", how, err)
		}
		undo()
		_, err = failsIn(q, func(q usable) (int64, error) {
			return q.ExecMany(t.Context(), query, []map[string]any{{"id": 11, "owner": "x"}, {"id": 12}})
		})
		var rowErr *schemadb.RowError
		var namedErr *schemadb.NamedError
		if !errors.As(err, &rowErr) || rowErr.Row != 1 || !errors.As(err, &namedErr) || !slices.Equal(namedErr.Missing, []string{"owner"}) {
			t.Errorf("%s, a missing name: %v", how, err)
		}
		if how == "Tx" { // between two batches the connection is free
			n, err := q.ExecMany(t.Context(), query, iter.Seq[row](func(yield func(row) bool) {
				for r := range failing(3, nil) {
					value[int](t, q, "SELECT 7")
					if !yield(r) {
						return
					}
				}
			}))
			wantSources(t, how, n, err, q)
			undo()
		}
	})
}

func TestWritesCancelled(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, odd)[0]
		writes := map[string]func(ctx context.Context, q usable, rows iter.Seq[row]) (int64, error){
			"ExecMany": func(ctx context.Context, q usable, rows iter.Seq[row]) (int64, error) {
				return q.ExecMany(ctx, "INSERT INTO {{tables.t}} (id, owner) VALUES (:id, :owner)", rows)
			},
			"CopyFrom": func(ctx context.Context, q usable, rows iter.Seq[row]) (int64, error) {
				return q.CopyFrom(ctx, "t", []string{"id", "owner"}, rows)
			},
		}
		for name, write := range writes {
			for _, way := range []string{"DB", "Conn", "Tx"} {
				for _, at := range []int{0, 10, 2100} {
					leaked(t, func(ctx context.Context) {
						ctx, cancel := context.WithCancel(ctx)
						defer cancel()
						var q usable = db
						switch way {
						case "Conn":
							q = connx(t, db)
						case "Tx":
							q = begin(t.Context(), t, db)
						}
						stopped := false
						n, err := write(ctx, q, func(yield func(row) bool) {
							defer func() { stopped = true }()
							for i := range 100_000_000 {
								if i == at {
									cancel()
								}
								if !yield(row{int64(11 + i), "x"}) {
									return
								}
							}
						})
						if n != 0 || !errors.Is(err, context.Canceled) {
							t.Errorf("%s on %s, cancelled in row %d: %d, %v", name, way, at, n, err)
						}
						if !stopped {
							t.Errorf("%s on %s, cancelled in row %d: the iterator was not stopped", name, way, at)
						}
						switch q := q.(type) {
						case *schemadb.Conn:
							_ = q.Close()
						case *schemadb.Tx:
							_ = q.Rollback()
						}
						wantIdle(t, pool)
					})
				}
			}
		}
		wantCount(t, "after cancelled calls", db, 1)
	})
}

func TestCopyFrom(t *testing.T) {
	t.Parallel()
	columns := []string{"id", "owner"}
	onWriters(t, func(t *testing.T, how string, q usable, undo func()) {
		for _, source := range sources {
			n, err := q.CopyFrom(t.Context(), "t", columns, source.rows())
			wantSources(t, how+", "+source.name, n, err, q)
			undo()
		}
		n, err := q.CopyFrom(t.Context(), "T", []string{"owner", "id"}, slices.Values([]row{{11, "o1"}, {12, "o2"}, {13, "o3"}}))
		wantSources(t, how+", columns in another order", n, err, q)
		undo()
		for _, rows := range []any{[][]any{}, [][]any(nil), []row{}, slices.Values([]row{}), &source{}} {
			if n, err := q.CopyFrom(t.Context(), "t", columns, rows); n != 0 || err != nil {
				t.Errorf("%s, empty %T: %d, %v", how, rows, n, err)
			}
		}
		const size = 2500
		if n, err := q.CopyFrom(t.Context(), "t", columns, failing(size, nil)); n != size || err != nil {
			t.Errorf("%s: %d, %v", how, n, err)
		}
		wantCount(t, how, q, size+1)
		undo()
		if n, err := q.CopyFrom(t.Context(), "t", []string{"owner"}, [][]any{{"x"}, {nil}}); n != 2 || err != nil {
			t.Errorf("%s, one column: %d, %v", how, n, err)
		}
		undo()
	})
}

func TestCopyFromFailures(t *testing.T) {
	t.Parallel()
	columns := []string{"id", "owner"}
	onWriters(t, func(t *testing.T, how string, q usable, _ func()) {
		for _, test := range []struct {
			name    string
			table   string
			columns []string
			rows    any
			row     int // of the *RowError, or -1
			words   []string
		}{
			{"no columns", "t", nil, []row{{11, "x"}}, -1, []string{"columns"}},
			{"wrong column", "t", []string{"id", "nobody"}, []map[string]any{{"id": 11, "nobody": 1}}, -1, []string{"nobody"}},
			{"no column and no field", "t", []string{"id", "nobody"}, []row{{11, "x"}}, -1, []string{"nobody"}},
			{"no field in a later row", "t", columns, []any{row{11, "x"}, pair{}}, 1, []string{"schemadb_test.pair", "id"}},
			{"no key", "t", columns, []map[string]any{{"id": 11, "owner": "x"}, {"id": 12}}, 1, []string{"owner"}},
			{"no struct", "t", columns, []int{1, 2}, 0, []string{"int"}},
			{"nil pointer", "t", columns, []*row{{11, "x"}, nil}, 1, []string{"*schemadb_test.row"}},
			{"no table", "missing", columns, []row{{11, "x"}}, -1, []string{"missing"}},
			{"no schema", "missing.t", columns, []row{{11, "x"}}, -1, []string{"missing"}},
			{"a bad name", "a.b.c", columns, []row{{11, "x"}}, -1, []string{"a.b.c"}},
			{"a template", "{{tables.t}}", columns, []row{{11, "x"}}, -1, []string{"{{tables.t}}"}},
			{"rows of no kind", "t", columns, 7, -1, []string{"int"}},
			{"duplicate", "t", columns, []row{{11, "x"}, {1, "secret"}}, -1, []string{"t_pkey"}},
			{"too few values", "t", columns, [][]any{{11, "x"}, {12}}, 1, []string{"2", "1"}},
			{"too many values", "t", columns, [][]any{{11, "x"}, {12, "y", "secret"}}, 1, []string{"2", "3"}},
			{"a type without a way", "t", columns, [][]any{{11, "x"}, {struct{ S string }{"secret"}, "y"}}, 1, []string{"cannot be sent as int8"}},
			{"bad text", "t", columns, [][]any{{11, "x"}, {"secret", "y"}}, 1, nil},
		} {
			n, err := failsIn(q, func(q usable) (int64, error) { return q.CopyFrom(t.Context(), test.table, test.columns, test.rows) })
			wantError(t, how+", "+test.name, err, test.words...)
			if n != 0 {
				t.Errorf("%s, %s: %d rows", how, test.name, n)
			}
			var rowErr *schemadb.RowError
			if errors.As(err, &rowErr) != (test.row >= 0) || rowErr != nil && test.row >= 0 && rowErr.Row != test.row {
				t.Errorf("%s, %s: %#v", how, test.name, err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("%s, %s: the error shows a value: %v", how, test.name, err)
			}
			wantCount(t, how+", "+test.name, q, 1)
		}
		for _, at := range []int{0, 5, 5000} {
			n, err := failsIn(q, func(q usable) (int64, error) { return q.CopyFrom(t.Context(), "t", columns, failing(at, errBoom)) })
			var rowErr *schemadb.RowError
			if n != 0 || !errors.As(err, &rowErr) || rowErr.Row != at || !errors.Is(err, errBoom) {
				t.Errorf("%s, after %d rows: %d, %v", how, at, n, err)
			}
			n, err = failsIn(q, func(q usable) (int64, error) {
				return q.CopyFrom(t.Context(), "t", columns, &source{last: at, err: errBoom})
			})
			if n != 0 || !errors.Is(err, errBoom) {
				t.Errorf("%s, a source after %d rows: %d, %v", how, at, n, err)
			}
			if value := panicOf(func() {
				_, _ = failsIn(q, func(q usable) (int64, error) {
					return q.CopyFrom(t.Context(), "t", columns, iter.Seq[row](func(yield func(row) bool) {
						for r := range failing(at, nil) {
							yield(r)
						}
						panic(errBoom) // in a goroutine of pgx, where nobody could recover it
					}))
				})
			}); value != errBoom {
				t.Errorf("%s, after %d rows: panicked with %v", how, at, value)
			}
			wantCount(t, how, q, 1)
			stopped := false
			_, err = failsIn(q, func(q usable) (int64, error) {
				return q.CopyFrom(t.Context(), "t", columns, iter.Seq[row](func(yield func(row) bool) {
					defer func() { stopped = true }()
					for i := 0; yield(row{int64(11 + i), "x"}); i++ {
						if i == at {
							yield(row{1, "x"}) // which the server refuses
						}
					}
				}))
			})
			if !schemadb.IsUniqueViolation(err) || !stopped {
				t.Errorf("%s, refused by the server: stopped %t, %v", how, stopped, err)
			}
			wantCount(t, how, q, 1)
		}
	})
}

func TestCopyFromTables(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a", "b.c", odd)[0]
		exec(t, db.ForSchema(odd), `CREATE TABLE {{schema}}."T ""x""" (id bigint, owner text)`)
		exec(t, db, "CREATE TABLE public.t (id bigint, owner text)")
		for _, test := range []struct {
			schema, table, count string
		}{
			{"a", "t", `"a".t`},
			{"a", "T", `"a".t`},
			{"a", "public.t", "public.t"},
			{"a", `"b.c".t`, `"b.c".t`},
			{"a", `"Größe-""7"""."t"`, `"Größe-""7""".t`},
			{odd, `"T ""x"""`, `"Größe-""7"""."T ""x"""`},
			{odd, "a.t", `"a".t`},
			{"", "t", "public.t"},
			{"", "a.t", `"a".t`},
		} {
			before := value[int](t, db, "SELECT count(*) FROM "+test.count)
			view := db.ForSchema(test.schema)
			n, err := view.CopyFrom(t.Context(), test.table, []string{"id", "owner"}, []row{{int64(100 + before), "x"}})
			if after := value[int](t, db, "SELECT count(*) FROM "+test.count); n != 1 || err != nil || after != before+1 {
				t.Errorf("%s in %q: %d, %v; %d rows in %s", test.table, test.schema, n, err, after-before, test.count)
			}
		}
	})
}

// TestCopyFromIteratorUsesConnection queries in the iterator, on the connection that copies. That cannot be, and must
// not hang.
func TestCopyFromIteratorUsesConnection(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		for _, q := range []usable{connx(t, db), begin(t.Context(), t, db)} {
			done := make(chan error)
			go func() {
				_, err := q.CopyFrom(t.Context(), "t", []string{"id", "owner"}, iter.Seq2[row, error](func(yield func(row, error) bool) {
					yield(row{int64(11), "x"}, nil)
					for _, use := range uses {
						wantError(t, use.name, use.call(t.Context(), q), "busy")
					}
					if tx, ok := q.(*schemadb.Tx); ok {
						wantError(t, "Commit", tx.Commit(), "busy")
					}
				}))
				done <- err
			}()
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("it hangs")
			}
			wantCount(t, "written", q, 2)
			exec(t, q, "DELETE FROM {{tables.t}} WHERE id <> 1")
		}
		n, err := db.CopyFrom(t.Context(), "t", []string{"id", "owner"}, iter.Seq[row](func(yield func(row) bool) {
			yield(row{value[int64](t, db, "SELECT 21"), "o1"}) // on another connection it works
		}))
		if n != 1 || err != nil {
			t.Error(n, err)
		}
	})
}

// TestRowErrorReachesPgError is for those who look at the constraint.
func TestRowErrorReachesPgError(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		_, err := db.ExecMany(t.Context(), insertIDQuery, [][]any{{11, "x"}, {1, "x"}})
		var rowErr *schemadb.RowError
		var pgErr *pgconn.PgError
		if !errors.As(err, &rowErr) || rowErr.Row != 1 || !errors.As(err, &pgErr) || pgErr.ConstraintName != "t_pkey" {
			t.Error(err)
		}
		wantError(t, "ExecMany", err, "row 1", "t_pkey")
		_, err = db.CopyFrom(t.Context(), "t", []string{"id", "owner"}, [][]any{{11, "x"}, {1, "x"}})
		if !errors.As(err, &pgErr) || !strings.Contains(pgErr.Where, "line 2") {
			t.Error(err)
		}
	})
}

// TestWriteModes writes in each of pgx's ways to execute.
func TestWriteModes(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"cache_describe", "describe_exec", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			for _, name := range drivers {
				db := tenants(t, openAs(t, name, addKey(server.Database(t), "default_query_exec_mode="+mode)), odd)[0]
				for range 2 {
					for _, rows := range []any{[][]any{{11, "o1"}, {12, "o2"}, {13, "o3"}}, &source{last: 3}} {
						n, err := db.ExecMany(t.Context(), insertIDQuery, rows)
						wantSources(t, "ExecMany", n, err, db)
						exec(t, db, "DELETE FROM {{tables.t}} WHERE id <> 1")
					}
					n, err := db.CopyFrom(t.Context(), "t", []string{"id", "owner"}, failing(3, nil))
					wantSources(t, "CopyFrom", n, err, db)
					exec(t, db, "DELETE FROM {{tables.t}} WHERE id <> 1")
				}
				_, err := db.ExecMany(t.Context(), insertIDQuery, [][]any{{11, "o1"}, {struct{ S string }{"secret"}, "o2"}})
				var rowErr *schemadb.RowError
				if !errors.As(err, &rowErr) || rowErr.Row != 1 || strings.Contains(err.Error(), "secret") {
					t.Errorf("%s: %v", name, err)
				}
				if id, err := db.InsertID(t.Context(), insertQuery, "x"); id != 2 || err != nil {
					t.Errorf("%s: InsertID: %d, %v", name, id, err)
				}
			}
		})
	}
}
