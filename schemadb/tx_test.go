package schemadb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pgdbm/pgdbm/schemadb"
)

// row is one of the table t of tenants.
type row struct {
	ID    int64
	Owner string
}

const insertQuery = "INSERT INTO {{tables.t}} (owner) VALUES ($1)"

// usable is what *DB, *Tx and *Conn have in common beyond Querier.
type usable interface {
	schemadb.Querier
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	TableExists(ctx context.Context, table string) (bool, error)
	Schemas(ctx context.Context) ([]string, error)
	EnsureSchema(ctx context.Context) error
	DropSchema(ctx context.Context) error
}

// use is a way to send a statement. Writes says that it inserts a row into {{tables.t}}.
type use struct {
	name   string
	call   func(ctx context.Context, q usable) error
	writes bool
}

// uses are all ways to send statements, those that go through pgx and those that go through database/sql.
var uses = []use{
	{"Exec", func(ctx context.Context, q usable) error {
		_, err := q.ExecContext(ctx, insertQuery, "use")
		return err
	}, true},
	{"Query", func(ctx context.Context, q usable) error {
		rows, err := q.QueryContext(ctx, insertQuery+" RETURNING id", "use")
		if err != nil {
			return err
		}
		return rows.Close()
	}, true},
	{"Queryx", func(ctx context.Context, q usable) error {
		rows, err := q.QueryxContext(ctx, insertQuery+" RETURNING id", "use")
		if err != nil {
			return err
		}
		return rows.Close()
	}, true},
	{"QueryRow", func(ctx context.Context, q usable) error {
		var id int64
		return q.QueryRowContext(ctx, insertQuery+" RETURNING id", "use").Scan(&id)
	}, true},
	{"QueryRowx", func(ctx context.Context, q usable) error {
		var r row
		return q.QueryRowxContext(ctx, insertQuery+" RETURNING id, owner", "use").StructScan(&r)
	}, true},
	{"Get", func(ctx context.Context, q usable) error {
		var id int64
		return q.GetContext(ctx, &id, insertQuery+" RETURNING id", "use")
	}, true},
	{"Select", func(ctx context.Context, q usable) error {
		var ids []int64
		return q.SelectContext(ctx, &ids, insertQuery+" RETURNING id", "use")
	}, true},
	{"One", func(ctx context.Context, q usable) error {
		_, err := schemadb.One[row](ctx, q, insertQuery+" RETURNING id, owner", "use")
		return err
	}, true},
	{"Collect", func(ctx context.Context, q usable) error {
		_, err := schemadb.Collect[row](ctx, q, insertQuery+" RETURNING id, owner", "use")
		return err
	}, true},
	{"Value", func(ctx context.Context, q usable) error {
		_, err := schemadb.Value[int64](ctx, q, insertQuery+" RETURNING id", "use")
		return err
	}, true},
	{"Each", func(ctx context.Context, q usable) error {
		for _, err := range schemadb.Each[row](ctx, q, insertQuery+" RETURNING id, owner", "use") {
			if err != nil {
				return err
			}
		}
		return nil
	}, true},
	{"NamedExec", func(ctx context.Context, q usable) error {
		_, err := q.NamedExecContext(ctx, "INSERT INTO {{tables.t}} (owner) VALUES (:owner)", row{Owner: "use"})
		return err
	}, true},
	{"NamedQuery", func(ctx context.Context, q usable) error {
		rows, err := q.NamedQueryContext(ctx, "INSERT INTO {{tables.t}} (owner) VALUES (:owner)", row{Owner: "use"})
		if err != nil {
			return err
		}
		return rows.Close()
	}, true},
	{"InsertID", func(ctx context.Context, q usable) error {
		_, err := q.InsertID(ctx, insertQuery, "use")
		return err
	}, true},
	{"ExecMany", func(ctx context.Context, q usable) error {
		_, err := q.ExecMany(ctx, insertQuery, [][]any{{"use"}})
		return err
	}, true},
	{"CopyFrom", func(ctx context.Context, q usable) error {
		_, err := q.CopyFrom(ctx, "t", []string{"owner"}, [][]any{{"use"}})
		return err
	}, true},
	{"InTx", func(ctx context.Context, q usable) error {
		return q.InTx(ctx, func(tx *schemadb.Tx) error {
			_, err := tx.Exec(insertQuery, "use")
			return err
		})
	}, true},
	{"Prepare", func(ctx context.Context, q usable) error {
		stmt, err := q.PrepareContext(ctx, "SELECT 1")
		if err != nil {
			return err
		}
		return stmt.Close()
	}, false},
	{"Preparex", func(ctx context.Context, q usable) error {
		stmt, err := q.PreparexContext(ctx, "SELECT 1")
		if err != nil {
			return err
		}
		return stmt.Close()
	}, false},
	{"PrepareNamed", func(ctx context.Context, q usable) error {
		stmt, err := q.PrepareNamedContext(ctx, "SELECT 1")
		if err != nil {
			return err
		}
		return stmt.Close()
	}, false},
	{"TableExists", func(ctx context.Context, q usable) error {
		_, err := q.TableExists(ctx, "t")
		return err
	}, false},
	{"Schemas", func(ctx context.Context, q usable) error {
		_, err := q.Schemas(ctx)
		return err
	}, false},
	{"EnsureSchema", func(ctx context.Context, q usable) error { return q.EnsureSchema(ctx) }, false},
}

// wantCount fails the test unless {{tables.t}} has so many rows.
func wantCount(t testing.TB, how string, q schemadb.Querier, want int) {
	t.Helper()
	if n := value[int](t, q, "SELECT count(*) FROM {{tables.t}}"); n != want {
		t.Errorf("%s: there are %d rows, want %d", how, n, want)
	}
}

// begin begins a transaction that is rolled back when the test ends, unless the test has ended it.
func begin(ctx context.Context, t testing.TB, db interface {
	BeginTxx(context.Context, *sql.TxOptions) (*schemadb.Tx, error)
}) *schemadb.Tx {
	t.Helper()
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

// connx borrows a connection until the test ends.
func connx(t testing.TB, db *schemadb.DB) *schemadb.Conn {
	t.Helper()
	conn, err := db.Connx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// bounded is a context for what must not hang.
func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestTxEnds(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, odd)[0]
		total := 1
		for _, test := range []struct {
			name  string
			begin func() *schemadb.Tx
			end   func(*schemadb.Tx) error
			kept  bool
		}{
			{"Beginx, Commit", func() *schemadb.Tx { return db.MustBegin() }, (*schemadb.Tx).Commit, true},
			{"BeginTxx, Commit", func() *schemadb.Tx { return begin(t.Context(), t, db) }, (*schemadb.Tx).Commit, true},
			{"Beginx, Rollback", func() *schemadb.Tx { return db.MustBegin() }, (*schemadb.Tx).Rollback, false},
			{"BeginTxx, Rollback", func() *schemadb.Tx { return begin(t.Context(), t, db) }, (*schemadb.Tx).Rollback, false},
		} {
			tx := test.begin()
			for _, use := range uses {
				if err := use.call(t.Context(), tx); err != nil {
					t.Errorf("%s, %s: %v", test.name, use.name, err)
				}
				if use.writes && test.kept {
					total++
				}
			}
			if err := test.end(tx); err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			wantCount(t, test.name, db, total)
			if n := pool.Stats().InUse; n != 0 {
				t.Errorf("%s: %d connections in use", test.name, n)
			}
			for _, use := range uses {
				if err := use.call(t.Context(), tx); err != sql.ErrTxDone {
					t.Errorf("%s, %s after the end: %v", test.name, use.name, err)
				}
			}
			for name, end := range map[string]func() error{"Commit": tx.Commit, "Rollback": tx.Rollback,
				"Commit of a view": tx.ForSchema("a").Commit, "Rollback of a view": tx.Unsafe().Rollback} {
				if err := end(); err != sql.ErrTxDone {
					t.Errorf("%s, %s after the end: %v", test.name, name, err)
				}
			}
			wantCount(t, test.name+", after the end", db, total)
		}
	})
}

func TestTxOfConn(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, odd)[0]
		conn := connx(t, db)
		pid := value[int](t, conn, "SELECT pg_backend_pid()")
		for i, end := range []func(*schemadb.Tx) error{(*schemadb.Tx).Rollback, (*schemadb.Tx).Commit} {
			tx := begin(t.Context(), t, conn)
			if got := value[int](t, tx, "SELECT pg_backend_pid()"); got != pid {
				t.Error("the transaction is on another connection")
			}
			exec(t, tx, insertQuery, "x")
			if err := end(tx); err != nil {
				t.Error(err)
			}
			wantCount(t, "on the Conn", conn, 1+i) // the end of the transaction does not close it
			if _, err := tx.Exec(insertQuery, "x"); err != sql.ErrTxDone {
				t.Errorf("after the end: %v", err)
			}
		}
	})
}

func TestTxOptions(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		conn := connx(t, db)
		for _, begin := range []func(context.Context, *sql.TxOptions) (*schemadb.Tx, error){db.BeginTxx, conn.BeginTxx} {
			for _, test := range []struct {
				opts        *sql.TxOptions
				level, only string
			}{
				{nil, "read committed", "off"},
				{&sql.TxOptions{}, "read committed", "off"},
				{&sql.TxOptions{Isolation: sql.LevelRepeatableRead}, "repeatable read", "off"},
				{&sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true}, "serializable", "on"},
				{&sql.TxOptions{ReadOnly: true}, "read committed", "on"},
			} {
				tx, err := begin(t.Context(), test.opts)
				if err != nil {
					t.Fatal(err)
				}
				level := value[string](t, tx, "SHOW transaction_isolation")
				if only := value[string](t, tx, "SHOW transaction_read_only"); level != test.level || only != test.only {
					t.Errorf("%+v: isolation %s, read-only %s", test.opts, level, only)
				}
				if err := tx.Rollback(); err != nil {
					t.Error(err)
				}
			}
		}
		if _, err := db.BeginTxx(t.Context(), &sql.TxOptions{Isolation: sql.LevelLinearizable}); err == nil {
			t.Error("an isolation level that PostgreSQL does not have is accepted")
		}
	})
}

// TestTxCancelled cancels the context of BeginTxx: nobody calls Rollback.
func TestTxCancelled(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, odd)[0]
		for _, use := range uses {
			ctx, cancel := context.WithCancel(t.Context())
			tx, err := db.BeginTxx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			exec(t, tx, insertQuery, "x")
			cancel()
			for range 20 { // what happens at once, and what happens when database/sql has rolled back
				if err := use.call(t.Context(), tx); !errors.Is(err, sql.ErrTxDone) {
					t.Errorf("%s: %v", use.name, err)
				}
			}
			wantIdle(t, pool)
			if err := use.call(t.Context(), tx); !errors.Is(err, sql.ErrTxDone) {
				t.Errorf("%s after the end: %v", use.name, err)
			}
			if err := tx.Commit(); !errors.Is(err, sql.ErrTxDone) && !errors.Is(err, context.Canceled) {
				t.Errorf("Commit: %v", err)
			}
		}
		wantCount(t, "after cancelled transactions", db, 1)
	})
}

// TestTxEndsWhileUsed ends transactions while others insert natively: what comes too late must not be committed outside
// of the transaction, on a connection that is idle again.
func TestTxEndsWhileUsed(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		pool.SetMaxOpenConns(4)
		db := tenants(t, pool, "a")[0]
		for i := range 120 {
			ctx, cancel := context.WithCancel(t.Context())
			tx, err := db.BeginTxx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			inserted := make(chan struct{}, 1000)
			var group sync.WaitGroup
			for worker := range 3 {
				group.Go(func() {
					for {
						var err error
						if worker == 2 {
							_, err = tx.ExecMany(t.Context(), insertQuery, [][]any{{"race"}})
						} else {
							var id int64
							err = tx.Get(&id, insertQuery+" RETURNING id", "race")
						}
						if err != nil {
							if !errors.Is(err, sql.ErrTxDone) {
								t.Errorf("in a transaction that ends: %v", err)
							}
							return
						}
						select {
						case inserted <- struct{}{}:
						default:
						}
					}
				})
			}
			for range i % 7 {
				<-inserted
			}
			if i%2 == 0 {
				cancel()
			} else if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
			group.Wait()
			cancel()
		}
		wantIdle(t, pool)
		wantCount(t, "after the race", db, 1)
	})
}

const openQuery = "SELECT generate_series(1, 10000)"

// wantRows returns an error unless n rows of openQuery were read.
func wantRows(n int) error {
	if n != 10000 {
		return fmt.Errorf("%d rows were read, and no error said why", n)
	}
	return nil
}

// openRows are ways to have rows open, which keep the connection busy.
var openRows = []struct {
	name string
	with func(t *testing.T, q usable, do func()) error // does with open rows, and returns the rows' error
}{
	{"Each", func(t *testing.T, q usable, do func()) error {
		n := 0
		for _, err := range schemadb.Each[int](t.Context(), q, openQuery) {
			if err != nil {
				return err
			}
			if n++; n == 1 {
				do()
			}
		}
		return wantRows(n)
	}},
	{"Query", func(t *testing.T, q usable, do func()) error {
		rows, err := q.QueryContext(t.Context(), openQuery)
		if err != nil {
			return err
		}
		defer rows.Close()
		n := 0
		for rows.Next() {
			if n++; n == 1 {
				do()
			}
		}
		return errors.Join(rows.Err(), wantRows(n))
	}},
	{"Queryx", func(t *testing.T, q usable, do func()) error {
		rows, err := q.QueryxContext(t.Context(), openQuery)
		if err != nil {
			return err
		}
		defer rows.Close()
		n := 0
		for rows.Next() {
			if n++; n == 1 {
				do()
			}
		}
		return errors.Join(rows.Err(), wantRows(n))
	}},
}

// TestEndWithOpenRows ends a transaction while its rows are being read. Whoever reads them has to learn that he has not
// got all.
func TestEndWithOpenRows(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, odd)[0]
		want := 1
		for _, open := range openRows {
			for name, end := range map[string]func(*schemadb.Tx) error{
				"Commit": (*schemadb.Tx).Commit, "Rollback": (*schemadb.Tx).Rollback,
			} {
				tx := begin(t.Context(), t, db)
				exec(t, tx, insertQuery, "x")
				if name == "Commit" {
					want++
				}
				err := open.with(t, tx, func() {
					if err := end(tx); err != nil {
						t.Errorf("%s in the middle of %s: %v", name, open.name, err)
					}
				})
				// database/sql cancels the rows of a transaction that ends.
				if !errors.Is(err, sql.ErrTxDone) && (open.name == "Each" || !errors.Is(err, context.Canceled)) {
					t.Errorf("%s in the middle of %s: the reader got %v", name, open.name, err)
				}
				wantCount(t, name+" in the middle of "+open.name, db, want)
			}
		}
	})
}

// TestBusy sends statements while rows of the same connection are open. PostgreSQL takes them one after the other.
func TestBusy(t *testing.T) {
	t.Parallel()
	for _, on := range []string{"Tx", "Conn"} {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			onDrivers(t, func(t *testing.T, pool *sql.DB) {
				db := tenants(t, pool, odd)[0]
				conn := connx(t, db)
				var q usable = conn
				if on == "Tx" {
					q = begin(t.Context(), t, db)
				}
				pid := value[int](t, q, "SELECT pg_backend_pid()")
				want := 1
				for _, use := range uses { // pgx remembers the statements: then a refused one could cut off the open rows
					if err := use.call(t.Context(), q); err != nil {
						t.Fatalf("%s: %v", use.name, err)
					}
					if use.writes {
						want++
					}
				}
				for _, open := range openRows {
					err := open.with(t, q, func() {
						for _, use := range uses {
							wantError(t, use.name+" in "+open.name, use.call(bounded(t), q), "busy")
						}
						if on == "Conn" {
							_, err := conn.BeginTxx(bounded(t), nil)
							wantError(t, "BeginTxx in "+open.name, err, "busy")
						}
					})
					if err != nil {
						t.Errorf("the rows of %s: %v", open.name, err)
					}
					if got := value[int](t, q, "SELECT pg_backend_pid()"); got != pid {
						t.Errorf("%s: the connection was lost", open.name)
					}
				}
				wantCount(t, "after what was refused", q, want)
			})
		})
	}
}

func TestTxConnectionKilled(t *testing.T) {
	t.Parallel()
	for _, name := range drivers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t)
			pool := openAs(t, name, dsn)
			db := tenants(t, pool, "a")[0]
			for _, use := range uses {
				if use.name == "Prepare" || use.name == "Preparex" || use.name == "PrepareNamed" {
					continue // pgx has it prepared already in a cache
				}
				tx := begin(t.Context(), t, db)
				exec(t, tx, insertQuery, "lost")
				admin(t, dsn, fmt.Sprintf("SELECT pg_terminate_backend(%d, 10000)", value[int](t, tx, "SELECT pg_backend_pid()")))
				for range 2 {
					if err := use.call(bounded(t), tx); err == nil {
						t.Errorf("%s works on a killed connection", use.name)
					}
				}
				if err := tx.Commit(); err == nil {
					t.Errorf("%s: the transaction commits on a killed connection", use.name)
				}
				wantIdle(t, pool)
			}
			wantCount(t, "after killed transactions", db, 1)
		})
	}
}

// TestIdleConnectionsKilled breaks many connections that nobody uses. The next statement must not notice, nor be
// executed twice.
func TestIdleConnectionsKilled(t *testing.T) {
	t.Parallel()
	const idle = 8
	for _, name := range drivers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t)
			pool := openAs(t, name, dsn)
			pool.SetMaxIdleConns(idle)
			db := tenants(t, pool, odd)[0]
			watch := schemadb.New(openAs(t, name, dsn), "")
			beginTx := use{"BeginTxx", func(ctx context.Context, q usable) error {
				tx, err := q.(*schemadb.DB).BeginTxx(ctx, nil)
				if err != nil {
					return err
				}
				if _, err := tx.Exec(insertQuery, "use"); err != nil {
					return err
				}
				return tx.Commit()
			}, true}
			want := 1
			for _, use := range append(slices.Clone(uses), beginTx) {
				pool.SetMaxIdleConns(0) // so that those that follow are new: pgx asks whether they live
				pool.SetMaxIdleConns(idle)
				var held []*schemadb.Conn
				for range idle {
					conn, err := db.Connx(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					held = append(held, conn)
				}
				for _, conn := range held {
					if err := conn.Close(); err != nil {
						t.Fatal(err)
					}
				}
				if n := pool.Stats().Idle; n != idle {
					t.Fatalf("%d connections are idle", n)
				}
				const others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
				exec(t, watch, "SELECT pg_terminate_backend(pid) "+others)
				eventually(t, "the connections are broken", func() bool { return value[int](t, watch, "SELECT count(*) "+others) == 0 })
				if err := use.call(t.Context(), db); err != nil {
					t.Errorf("%s: %v", use.name, err)
				}
				if use.writes {
					want++
				}
				wantCount(t, use.name, db, want)
			}
		})
	}
}

func TestTxForSchema(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		dbs := tenants(t, pool, "a", odd)
		for i, end := range []func(*schemadb.Tx) error{(*schemadb.Tx).Rollback, (*schemadb.Tx).Commit} {
			tx := begin(t.Context(), t, dbs[0])
			other := tx.ForSchema(odd)
			if tx.Schema() != "a" || other.Schema() != odd {
				t.Errorf("schemas %q, %q", tx.Schema(), other.Schema())
			}
			for _, q := range []*schemadb.Tx{tx, other} {
				got, err := schemadb.Value[string](t.Context(), q, ownerQuery)
				wantOwner(t, "Value", got, err, q.Schema())
				err = q.QueryRow(ownerQuery).Scan(&got)
				wantOwner(t, "QueryRow", got, err, q.Schema())
				for _, use := range uses {
					if err := use.call(t.Context(), q); err != nil {
						t.Errorf("%s: %v", use.name, err)
					}
				}
			}
			n := value[int](t, tx, "SELECT count(*) FROM {{tables.t}}")
			wantCount(t, "in the view", other, n)
			if n == 1 {
				t.Error("nothing was written")
			}
			if err := end(other); err != nil { // it is the same transaction
				t.Error(err)
			}
			if err := tx.Rollback(); err != sql.ErrTxDone {
				t.Error(err)
			}
			for _, db := range dbs {
				wantCount(t, "after the end", db, 1+i*(n-1))
			}
		}
		tx := begin(t.Context(), t, dbs[0])
		for _, use := range uses {
			wantError(t, use.name+" in a schema with a bad name", use.call(t.Context(), tx.ForSchema("pg_x")), "pg_x")
		}
		wantCount(t, "after a view with a bad name", tx, value[int](t, dbs[0], "SELECT count(*) FROM {{tables.t}}"))
	})
}

func TestTxUnsafe(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		type small struct{ ID int64 }
		tx := begin(t.Context(), t, tenants(t, pool, "a")[0])
		const query = "SELECT * FROM {{tables.t}}"
		read := map[string]func(tx *schemadb.Tx) (small, error){
			"One": func(tx *schemadb.Tx) (small, error) { return schemadb.One[small](t.Context(), tx, query) },
			"QueryRowx": func(tx *schemadb.Tx) (s small, err error) {
				err = tx.QueryRowx(query).StructScan(&s)
				return s, err
			},
			"Each": func(tx *schemadb.Tx) (small, error) {
				for s, err := range schemadb.Each[small](t.Context(), tx, query) {
					return s, err
				}
				return small{}, sql.ErrNoRows
			},
		}
		read["Get"] = func(tx *schemadb.Tx) (small, error) {
			var s small
			err := tx.Get(&s, query)
			return s, err
		}
		for name, read := range read {
			if _, err := read(tx); err == nil {
				t.Errorf("%s ignores a column", name)
			}
			if s, err := read(tx.Unsafe()); err != nil || s.ID != 1 {
				t.Errorf("%s of Unsafe: %v, %v", name, s, err)
			}
			inner := func(tx *schemadb.Tx) error {
				_, err := read(tx)
				return err
			}
			if err := tx.Unsafe().InTx(t.Context(), inner); err != nil {
				t.Errorf("%s of a nested Unsafe: %v", name, err)
			}
		}
		if err := tx.Unsafe().Commit(); err != nil {
			t.Error(err)
		}
	})
}

// TestTxConcurrent sends statements of one transaction from many goroutines: they run one after the other.
func TestTxConcurrent(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		tx := begin(t.Context(), t, tenants(t, pool, "a")[0])
		var group sync.WaitGroup
		var writes atomic.Int64
		for _, use := range uses {
			switch use.name {
			case "Each", "Query", "Queryx", "QueryRow", "QueryRowx", "NamedQuery", "CopyFrom", "InTx":
				// Their rows, which are open between two calls, and savepoints are for one at a time.
				continue
			}
			group.Go(func() {
				for range 5 {
					if err := use.call(t.Context(), tx); err != nil {
						t.Errorf("%s: %v", use.name, err)
					}
					if use.writes {
						writes.Add(1)
					}
				}
			})
		}
		group.Wait()
		wantCount(t, "in the transaction", tx, 1+int(writes.Load()))
	})
}
