package schemadb_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

// leaked waits until no goroutine is in pgx or in a rollback of database/sql that the test's pool has no use for. Other
// tests run at the same time, so only those with the label of this one count.
func leaked(t *testing.T, test func(ctx context.Context)) {
	t.Helper()
	label := t.Name()
	pprof.Do(t.Context(), pprof.Labels("test", label), func(ctx context.Context) {
		test(ctx)
		eventually(t, "the goroutines have ended", func() bool { return labelled(t, label) == 1 })
	})
}

// labelled counts the goroutines that this test and its descendants have started: they inherit its label. Those that
// database/sql keeps for the pool itself do not count.
func labelled(t *testing.T, label string) int {
	t.Helper()
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, group := range strings.Split(b.String(), "\n\n") {
		if strings.Contains(group, fmt.Sprintf("%q:%q", "test", label)) &&
			!strings.Contains(group, "connectionOpener") && !strings.Contains(group, "connectionCleaner") {
			var count int
			if _, err := fmt.Sscanf(group[strings.LastIndex(group[:strings.Index(group, " @")], "\n")+1:], "%d @", &count); err != nil {
				t.Fatalf("%v in %s", err, group)
			}
			n += count
		}
	}
	return n
}

// TestEachStreams has the server wait in the middle until the loop has seen the first rows.
func TestEachStreams(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "")
		lock := connx(t, db)
		exec(t, lock, "SELECT pg_advisory_lock(1)")
		// PostgreSQL sends what it has when its buffer of 8 kB is full.
		const query = `SELECT n, repeat('x', 1000) AS pad, CASE WHEN n = 1000 THEN pg_advisory_xact_lock_shared(1)::text END AS wait
			FROM generate_series(1, 1000) n`
		type waiting struct {
			N    int
			Pad  string
			Wait *string
		}
		n := 0
		for v, err := range schemadb.Each[waiting](bounded(t), db, query) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; v.N != n {
				t.Fatalf("row %d comes as number %d", v.N, n)
			}
			if n == 10 {
				exec(t, lock, "SELECT pg_advisory_unlock(1)")
			}
		}
		if n != 1000 {
			t.Errorf("%d rows", n)
		}
	})
}

// TestEachMemory reads rows of 60 MB in all. It is not parallel: it measures the memory of the whole process.
func TestEachMemory(t *testing.T) {
	for _, name := range drivers {
		db := schemadb.New(openAs(t, name, server.Database(t)), "")
		var before, now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		n, most := 0, uint64(0)
		for _, err := range schemadb.Each[string](t.Context(), db, "SELECT repeat('x', 300) FROM generate_series(1, 200000)") {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n%50000 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
			}
		}
		if grown := int64(most) - int64(before.HeapAlloc); n != 200000 || grown > 10<<20 {
			t.Errorf("%s: %d rows, and the heap has grown by %d bytes", name, n, grown)
		}
	}
}

// TestEachEnds leaves the loop in every way, on a DB, a Conn and in a transaction. Afterwards the connection is free.
func TestEachEnds(t *testing.T) {
	t.Parallel()
	leave := map[string]func(seq iter.Seq2[int, error]) (n int, err error){
		"at its end": func(seq iter.Seq2[int, error]) (n int, err error) {
			for _, err := range seq {
				if err != nil {
					return n, err
				}
				n++
			}
			return n - 9999, nil
		},
		"break": func(seq iter.Seq2[int, error]) (n int, err error) {
			for _, err = range seq {
				n++
				break
			}
			return n, err
		},
		"return": func(seq iter.Seq2[int, error]) (n int, err error) {
			for n, err := range seq {
				return n, err
			}
			return 0, nil
		},
		"panic": func(seq iter.Seq2[int, error]) (n int, err error) {
			if value := panicOf(func() {
				for n, err = range seq {
					panic(errBoom)
				}
			}); value != errBoom {
				t.Errorf("panicked with %v", value)
			}
			return n, err
		},
		"Goexit": func(seq iter.Seq2[int, error]) (n int, err error) {
			if !exits(func() {
				for n, err = range seq {
					runtime.Goexit()
				}
			}) {
				t.Error("Goexit did not end the goroutine")
			}
			return n, err
		},
		"Pull": func(seq iter.Seq2[int, error]) (int, error) {
			next, stop := iter.Pull2(seq)
			defer stop()
			n, err, _ := next()
			return n, err
		},
	}
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "")
		leaked(t, func(ctx context.Context) {
			for _, way := range []string{"DB", "Conn", "Tx"} {
				for name, leave := range leave {
					var q schemadb.Querier = db
					end := func() error { return nil }
					switch way {
					case "Conn":
						conn, err := db.Connx(ctx)
						if err != nil {
							t.Fatal(err)
						}
						q, end = conn, conn.Close
					case "Tx":
						tx, err := db.BeginTxx(ctx, nil)
						if err != nil {
							t.Fatal(err)
						}
						q, end = tx, tx.Commit
					}
					seq := schemadb.Each[int](ctx, q, openQuery)
					for range 2 { // it can be ranged over again
						if n, err := leave(seq); n != 1 || err != nil {
							t.Errorf("%s, %s: %d, %v", way, name, n, err)
						}
						if n := value[int](t, q, "SELECT 7"); n != 7 {
							t.Errorf("%s, %s: then the connection is broken", way, name)
						}
					}
					if err := end(); err != nil {
						t.Errorf("%s, %s: %v", way, name, err)
					}
					if n := pool.Stats().InUse; n != 0 {
						t.Errorf("%s, %s: %d connections in use", way, name, n)
					}
				}
			}
			if n := pool.Stats().OpenConnections; n != 1 {
				t.Errorf("%d connections were opened; want one, which is used again", n)
			}
		})
	})
}

func TestEachNotRanged(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, odd)[0]
		seq := schemadb.Each[int](t.Context(), db, insertQuery+" RETURNING id", "x")
		if n := pool.Stats().InUse; n != 0 {
			t.Errorf("%d connections in use", n)
		}
		wantCount(t, "before the loop", db, 1)
		for want := 2; want < 4; want++ {
			for id, err := range seq {
				if id != want || err != nil {
					t.Errorf("%d, %v", id, err)
				}
			}
			wantCount(t, "after the loop", db, want)
		}
	})
}

func TestEachErrors(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		for _, q := range []schemadb.Querier{db, connx(t, db)} {
			for _, test := range []struct {
				query string
				rows  int
				word  string
			}{
				{"SELECT 1 / (5 - n) FROM generate_series(1, 9) n", 4, "division by zero"},
				{"SELECT CASE WHEN n < 50001 THEN n END FROM generate_series(1, 100000) n", 50000, "NULL"},
				{"SELECT 1 / 0", 0, "division by zero"},
				{"SELEC", 0, "syntax error"},
				{"SELECT 1, 2", 0, "2 columns"},
				{"SELECT * FROM {{table.t}}", 0, "{{tables.t}}"},
			} {
				n := 0
				var last error
				for v, err := range schemadb.Each[int](t.Context(), q, test.query) {
					if last != nil {
						t.Errorf("%s: the loop goes on after %v", test.query, last)
					}
					if last = err; err == nil {
						n++
					} else if v != 0 {
						t.Errorf("%s: the value %d comes with an error", test.query, v)
					}
				}
				wantError(t, test.query, last, test.word)
				if n != test.rows {
					t.Errorf("%s: %d rows, want %d", test.query, n, test.rows)
				}
				if n := value[int](t, q, "SELECT 7"); n != 7 {
					t.Errorf("%s: the connection is broken", test.query)
				}
			}
		}
	})
}

// TestEachCancelled cancels the context in the middle of rows that nobody could buffer.
func TestEachCancelled(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "")
		leaked(t, func(ctx context.Context) {
			for _, way := range []string{"DB", "Conn", "Tx", "the context of BeginTxx"} {
				ctx, cancel := context.WithCancel(ctx)
				var q schemadb.Querier = db
				end := func() error { return nil }
				rows := ctx
				switch way {
				case "Conn":
					conn, err := db.Connx(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					q, end = conn, conn.Close
				case "Tx":
					tx, err := db.BeginTxx(t.Context(), nil)
					if err != nil {
						t.Fatal(err)
					}
					q, end = tx, tx.Rollback
				case "the context of BeginTxx":
					tx, err := db.BeginTxx(ctx, nil)
					if err != nil {
						t.Fatal(err)
					}
					q, rows = tx, t.Context()
				}
				n := 0
				var last error
				for _, err := range schemadb.Each[int](rows, q, "SELECT generate_series(1, 100000000)") {
					if last = err; err != nil {
						break
					}
					if n++; n == 100 {
						cancel()
					}
				}
				if way == "the context of BeginTxx" {
					if !errors.Is(last, sql.ErrTxDone) && !errors.Is(last, context.Canceled) {
						t.Errorf("%s: after %d rows: %v", way, n, last)
					}
				} else if !errors.Is(last, context.Canceled) {
					t.Errorf("%s: after %d rows: %v", way, n, last)
				}
				cancel()
				_ = end() // a connection that was cancelled is closed
				wantIdle(t, pool)
			}
			if n := value[int](t, db, "SELECT 7"); n != 7 {
				t.Error("the pool is broken")
			}
		})
	})
}

// TestEachNested queries in the loop, on other connections.
func TestEachNested(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, odd)[0]
		sum := 0
		for i, err := range schemadb.Each[int](t.Context(), db, "SELECT generate_series(1, 10)") {
			if err != nil {
				t.Fatal(err)
			}
			for j, err := range schemadb.Each[int](t.Context(), db, "SELECT generate_series(1, $1)", i) {
				if err != nil {
					t.Fatal(err)
				}
				exec(t, db, insertQuery, fmt.Sprint(i, j))
				sum += value[int](t, db, "SELECT $1::int", j)
			}
		}
		if sum != 220 {
			t.Errorf("sum %d", sum)
		}
		wantCount(t, "after the loops", db, 56)
		one, stopOne := iter.Pull2(schemadb.Each[int](t.Context(), db, openQuery))
		defer stopOne()
		two, stopTwo := iter.Pull2(schemadb.Each[string](t.Context(), db, openQuery))
		defer stopTwo()
		for i := 1; i <= 1000; i++ {
			if n, err, ok := one(); n != i || err != nil || !ok {
				t.Fatal(n, err, ok)
			}
			if s, err, ok := two(); s != fmt.Sprint(i) || err != nil || !ok {
				t.Fatal(s, err, ok)
			}
		}
	})
}

// TestEachWithoutConnections queries in the loop when there is no other connection.
func TestEachWithoutConnections(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "")
		pool.SetMaxOpenConns(1)
		n := 0
		for _, err := range schemadb.Each[int](t.Context(), db, openQuery) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n > 1 {
				continue
			}
			for _, use := range uses {
				if use.name == "EnsureSchema" || use.name == "Prepare" {
					continue // they need a schema, or say that they do, first
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				if err := use.call(ctx, db); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v", use.name, err)
				}
				cancel()
			}
		}
		if wantRows(n) != nil {
			t.Errorf("%d rows", n)
		}
	})
}

// TestEachBound streams from the facade's schema, whatever happens to the context in the loop.
func TestEachBound(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a", odd)[1]
		for _, test := range []struct {
			q   *schemadb.DB
			ctx context.Context
		}{
			{db, t.Context()},
			{db, driver.WithSchema(t.Context(), "a")},
			{db.ForSchema(""), driver.WithSchema(t.Context(), odd)},
		} {
			for r, err := range schemadb.Each[*row](test.ctx, test.q, "SELECT * FROM {{tables.t}}") {
				if err != nil {
					t.Fatal(err)
				}
				wantOwner(t, "Each", r.Owner, err, odd)
			}
		}
	})
}

// TestEachKilled breaks the connection in the middle of rows.
func TestEachKilled(t *testing.T) {
	t.Parallel()
	for _, name := range drivers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t)
			db := schemadb.New(openAs(t, name, dsn), "")
			n := 0
			var last error
			for pid, err := range schemadb.Each[int](t.Context(), db, "SELECT pg_backend_pid() + 0 * generate_series(1, 100000000)") {
				if last = err; err != nil {
					break
				}
				if n++; n == 1 {
					admin(t, dsn, fmt.Sprintf("SELECT pg_terminate_backend(%d)", pid))
				}
			}
			if last == nil || n == 0 {
				t.Errorf("after %d rows: %v", n, last)
			}
			if n := value[int](t, db, "SELECT 7"); n != 7 {
				t.Error("the pool is broken")
			}
		})
	}
}

// A Conn that is closed while rows of it are read goes back busy. That must not hit the next borrower.
func TestEachOnConnClosedInLoop(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		pool.SetMaxOpenConns(1)
		db := tenants(t, pool, "a")[0]
		conn := connx(t, db)
		rows := 0
		for _, err := range schemadb.Each[int](t.Context(), conn, "SELECT generate_series(1, 100000)") {
			if rows++; rows > 1 {
				if !errors.Is(err, sql.ErrConnDone) {
					t.Errorf("the loop goes on with %v", err)
				}
				continue
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if rows != 2 {
			t.Errorf("the loop had %d elements, want a row and an error", rows)
		}
		if got := value[string](t, db, ownerQuery); got != "a" {
			t.Errorf("the next borrower read %q", got)
		}
	})
}
