package schemadb_test

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx"

	"github.com/pgdbm/pgdbm/schemadb"
)

// The benchmarks compare the facade on both drivers with what one would write without it, in the same run. The server is
// reached through a Unix socket, if it is this package's own, which hides less than TCP.

type benchUser struct {
	ID      int64
	Age     int
	Name    string
	Email   string
	Active  bool
	Score   float64
	Created time.Time
	Note    *string
}

const (
	benchRows   = 1000
	benchSchema = "tenant_42"

	benchColumns   = "SELECT id, age, name, email, active, score, created, note FROM "
	benchQualified = benchColumns + `"tenant_42".users`
	benchTemplate  = benchColumns + "{{tables.users}}"
	byKey          = " WHERE id = $1"
)

// benchDatabase creates a database with the table that is read.
func benchDatabase(b *testing.B) *pgx.ConnConfig {
	b.Helper()
	dsn := server.Database(b)
	admin(b, dsn, `CREATE SCHEMA tenant_42`, `CREATE TABLE tenant_42.users (id bigint PRIMARY KEY, age int NOT NULL,
		name text NOT NULL, email text NOT NULL, active boolean NOT NULL, score float8 NOT NULL,
		created timestamptz NOT NULL, note text)`, `INSERT INTO tenant_42.users SELECT i, i % 90, 'name of ' || i,
		i || '@example.com', i % 2 = 0, i / 3.0, timestamptz '2024-01-02 03:04:05Z' + i * interval '1 second',
		CASE WHEN i % 2 = 0 THEN 'note ' || i END FROM generate_series(1, 1000) i`, `VACUUM ANALYZE tenant_42.users`)
	return configOf(b, dsn)
}

// byHand is the loop that one writes with pgx.
func byHand(ctx context.Context, conn *pgx.Conn) ([]benchUser, error) {
	rows, err := conn.Query(ctx, benchQualified)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var users []benchUser
	for rows.Next() {
		var u benchUser
		err := rows.Scan(&u.ID, &u.Age, &u.Name, &u.Email, &u.Active, &u.Score, &u.Created, &u.Note)
		if err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return users, rows.Err()
}

// reader is a side that reads. Its result is checked once.
func reader[T any](b *testing.B, name string, want T, read func() (T, error)) *side {
	b.Helper()
	if got, err := read(); err != nil || !reflect.DeepEqual(got, want) {
		b.Fatalf("%s: got %v, %v; want %v", name, got, err, want)
	}
	return &side{name: name, run: func() {
		if _, err := read(); err != nil {
			b.Fatal(err)
		}
	}}
}

// BenchmarkSelect reads 1,000 rows of 8 columns.
func BenchmarkSelect(b *testing.B) {
	config := benchDatabase(b)
	ctx := context.Background()
	conn, plain := connect(b, config), sqlx.NewDb(openConfig(b, "pgx", config), "pgx")
	want, err := byHand(ctx, conn)
	if err != nil || len(want) != benchRows {
		b.Fatal(len(want), err)
	}
	hand := reader(b, "loop", want, func() ([]benchUser, error) { return byHand(ctx, conn) })
	sqlxSelect := reader(b, "sqlx", want, func() (users []benchUser, err error) {
		err = plain.SelectContext(ctx, &users, benchQualified)
		return users, err
	})
	for _, name := range drivers {
		db := schemadb.New(openConfig(b, name, config), benchSchema)
		b.Run(name+"/Select", func(b *testing.B) {
			compare(b, 20, sqlxSelect, hand, reader(b, "facade", want, func() (users []benchUser, err error) {
				err = db.SelectContext(ctx, &users, benchTemplate)
				return users, err
			}))
		})
		b.Run(name+"/Collect", func(b *testing.B) {
			compare(b, 20, sqlxSelect, hand, reader(b, "facade", want, func() ([]benchUser, error) {
				return schemadb.Collect[benchUser](ctx, db, benchTemplate)
			}))
		})
	}
}

// BenchmarkGet reads one row by primary key.
func BenchmarkGet(b *testing.B) {
	config := benchDatabase(b)
	ctx := context.Background()
	plain := sqlx.NewDb(openConfig(b, "pgx", config), "pgx")
	var want benchUser
	if err := plain.GetContext(ctx, &want, benchQualified+byKey, 500); err != nil {
		b.Fatal(err)
	}
	sqlxGet := reader(b, "sqlx", want, func() (u benchUser, err error) {
		err = plain.GetContext(ctx, &u, benchQualified+byKey, 500)
		return u, err
	})
	for _, name := range drivers {
		db := schemadb.New(openConfig(b, name, config), benchSchema)
		b.Run(name+"/Get", func(b *testing.B) {
			compare(b, 1000, sqlxGet, reader(b, "facade", want, func() (u benchUser, err error) {
				err = db.GetContext(ctx, &u, benchTemplate+byKey, 500)
				return u, err
			}))
		})
		b.Run(name+"/One", func(b *testing.B) {
			compare(b, 1000, sqlxGet, reader(b, "facade", want, func() (benchUser, error) {
				return schemadb.One[benchUser](ctx, db, benchTemplate+byKey, 500)
			}))
		})
	}
}

const (
	insertQualified = `INSERT INTO "tenant_42".events (id, name, score) VALUES ($1, $2, $3)`
	insertTemplate  = "INSERT INTO {{tables.events}} (id, name, score) VALUES ($1, $2, $3)"
)

var eventColumns = []string{"id", "name", "score"}

// events returns rows for the table that is written.
func events(n int) [][]any {
	rows := make([][]any, n)
	for i := range rows {
		rows[i] = []any{i, fmt.Sprintf("event %d", i), float64(i) / 3}
	}
	return rows
}

// emptyEvents creates a table without an index, which would take the same time on each side, and returns what empties
// it.
func emptyEvents(b *testing.B, config *pgx.ConnConfig) func() {
	b.Helper()
	conn := connect(b, config)
	if _, err := conn.Exec(b.Context(), `CREATE SCHEMA IF NOT EXISTS tenant_42; CREATE TABLE tenant_42.events
		(id bigint, name text NOT NULL, score float8 NOT NULL)`); err != nil {
		b.Fatal(err)
	}
	return func() {
		if _, err := conn.Exec(context.Background(), "TRUNCATE tenant_42.events"); err != nil {
			b.Fatal(err)
		}
	}
}

// writer is a side that writes n rows.
func writer(b *testing.B, name string, reset func(), n int, write func() (int64, error)) *side {
	b.Helper()
	return &side{name: name, reset: reset, run: func() {
		if got, err := write(); err != nil || got != int64(n) {
			b.Fatalf("%s: wrote %d rows, %v; want %d", name, got, err, n)
		}
	}}
}

// preparedLoop executes a prepared statement for each row, in one transaction.
func preparedLoop(ctx context.Context, db *sqlx.DB, rows [][]any) (n int64, err error) {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	stmt, err := tx.PreparexContext(ctx, insertQualified)
	if err != nil {
		return 0, err
	}
	defer stmt.Close()
	for _, row := range rows {
		if _, err := stmt.ExecContext(ctx, row...); err != nil {
			return 0, err
		}
		n++
	}
	return n, tx.Commit()
}

// pgxBatch sends all rows in one batch of pgx.
func pgxBatch(ctx context.Context, conn *pgx.Conn, rows [][]any) (int64, error) {
	return int64(len(rows)), pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var b pgx.Batch
		for _, row := range rows {
			b.Queue(insertQualified, row...)
		}
		return tx.SendBatch(ctx, &b).Close()
	})
}

// BenchmarkExecMany inserts 10,000 rows of 3 columns, directly and behind a delay of 0.5 ms each way. 1/x-loop is how
// many times faster it is.
func BenchmarkExecMany(b *testing.B) {
	ctx := context.Background()
	direct := configOf(b, server.Database(b))
	reset, rows := emptyEvents(b, direct), events(10_000)
	for _, bm := range []struct {
		name   string
		config *pgx.ConnConfig
	}{{"direct", direct}, {"delay", slow(b, direct, 500*time.Microsecond)}} {
		conn, plain := connect(b, bm.config), sqlx.NewDb(openConfig(b, "pgx", bm.config), "pgx")
		loop := writer(b, "loop", reset, len(rows), func() (int64, error) { return preparedLoop(ctx, plain, rows) })
		batch := writer(b, "batch", reset, len(rows), func() (int64, error) { return pgxBatch(ctx, conn, rows) })
		for _, name := range drivers {
			db := schemadb.New(openConfig(b, name, bm.config), benchSchema)
			b.Run(bm.name+"/"+name, func(b *testing.B) {
				compare(b, 0, loop, batch, writer(b, "facade", reset, len(rows), func() (int64, error) {
					return db.ExecMany(ctx, insertTemplate, rows)
				}))
				ping := &side{run: func() { _ = conn.Ping(ctx) }}
				for range 99 {
					ping.once()
				}
				b.ReportMetric(median(ping.times)/1e3, "ping-µs")
			})
		}
	}
}

// pullSource is the pgx.CopyFromSource that one would write for an iterator.
func pullSource(rows iter.Seq[[]any]) (source pgx.CopyFromSource, stop func()) {
	next, stop := iter.Pull(rows)
	return pgx.CopyFromFunc(func() ([]any, error) {
		row, ok := next()
		if !ok {
			return nil, nil
		}
		return row, nil
	}), stop
}

// BenchmarkCopyFrom copies 100,000 rows of 3 columns, from a slice and from an iterator. Side pgx has a slice in both.
func BenchmarkCopyFrom(b *testing.B) {
	ctx := context.Background()
	config := configOf(b, server.Database(b))
	reset, rows := emptyEvents(b, config), events(100_000)
	conn := connect(b, config)
	hand := writer(b, "pgx", reset, len(rows), func() (int64, error) {
		return conn.CopyFrom(ctx, pgx.Identifier{benchSchema, "events"}, eventColumns, pgx.CopyFromRows(rows))
	})
	pull := writer(b, "pull", reset, len(rows), func() (int64, error) {
		source, stop := pullSource(slices.Values(rows))
		defer stop()
		return conn.CopyFrom(ctx, pgx.Identifier{benchSchema, "events"}, eventColumns, source)
	})
	for _, name := range drivers {
		db := schemadb.New(openConfig(b, name, config), benchSchema)
		b.Run(name+"/slice", func(b *testing.B) {
			compare(b, 2, hand, writer(b, "facade", reset, len(rows), func() (int64, error) {
				return db.CopyFrom(ctx, "events", eventColumns, rows)
			}))
		})
		b.Run(name+"/seq", func(b *testing.B) {
			compare(b, 2, pull, hand, writer(b, "facade", reset, len(rows), func() (int64, error) {
				return db.CopyFrom(ctx, "events", eventColumns, slices.Values(rows))
			}))
		})
	}
}

const (
	millionRows  = 1_000_000
	millionQuery = "SELECT i AS id, 'name of ' || i AS name, i / 3.0::float8 AS score FROM generate_series(1, $1::bigint) i"
)

// eachHeap reads n rows and returns by how much the heap was larger than before at most: its objects, among them those
// that the garbage collector has not yet removed, and all its memory in use.
func eachHeap(t testing.TB, db *schemadb.DB, n int) (alloc, inuse float64) {
	t.Helper()
	type row struct {
		ID    int64
		Name  string
		Score float64
	}
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	count := 0
	for r, err := range schemadb.Each[row](context.Background(), db, millionQuery, n) {
		if err != nil || r.ID != int64(count+1) {
			t.Fatal(r, err)
		}
		if count++; count%1000 == 0 {
			runtime.ReadMemStats(&now)
			alloc = max(alloc, float64(now.HeapAlloc)-float64(before.HeapAlloc))
			inuse = max(inuse, float64(now.HeapInuse)-float64(before.HeapInuse))
		}
	}
	if count != n {
		t.Fatalf("read %d rows, want %d", count, n)
	}
	return alloc, inuse
}

// BenchmarkEach reads a million rows one by one. Its heap is that of the whole process.
func BenchmarkEach(b *testing.B) {
	dsn := server.Database(b)
	for _, name := range drivers {
		db := schemadb.New(openConfig(b, name, configOf(b, dsn)), "")
		b.Run(name, func(b *testing.B) {
			var alloc, inuse float64
			for b.Loop() {
				a, i := eachHeap(b, db, millionRows)
				alloc, inuse = max(alloc, a), max(inuse, i)
			}
			b.ReportMetric(alloc/1e6, "heap-MB")
			b.ReportMetric(inuse/1e6, "heap-inuse-MB")
		})
	}
}

// TestEachKeepsHeapSmall runs alone, because the other tests' heap is the same.
func TestEachKeepsHeapSmall(t *testing.T) { //nolint:paralleltest // see above
	const most = 20e6
	for _, name := range drivers {
		db := schemadb.New(openAs(t, name, server.Database(t)), "")
		if alloc, _ := eachHeap(t, db, 200_000); alloc > most {
			t.Errorf("%s: the heap grew by %.0f MB; want at most %.0f", name, alloc/1e6, most/1e6)
		}
	}
}
