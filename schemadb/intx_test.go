package schemadb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/schemadb"
)

var errBoom = errors.New("boom")

// inTxer is what begins transactions.
type inTxer interface {
	usable
	InTx(ctx context.Context, fn func(*schemadb.Tx) error, opts ...schemadb.TxOption) error
}

// panicOf returns what fn panics with.
func panicOf(fn func()) (value any) {
	defer func() { value = recover() }()
	fn()
	return nil
}

// exits calls fn in a goroutine, and reports whether that ended with runtime.Goexit.
func exits(fn func()) bool {
	exited := make(chan bool)
	go func() {
		returned := false
		defer func() { exited <- !returned }()
		fn()
		returned = true
	}()
	return <-exited
}

// onAll runs a test of InTx on a DB, a Conn and in another transaction.
func onAll(t *testing.T, test func(t *testing.T, q inTxer)) {
	t.Helper()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, odd)[0]
		test(t, db)
		exec(t, db, "DELETE FROM {{tables.t}} WHERE id > 1")
		test(t, connx(t, db))
		exec(t, db, "DELETE FROM {{tables.t}} WHERE id > 1")
		tx := begin(t.Context(), t, db)
		test(t, tx)
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	})
}

func TestInTx(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, q inTxer) {
		insert := func(tx *schemadb.Tx) {
			exec(t, tx, insertQuery, "x")
			if _, err := tx.InsertID(t.Context(), insertQuery, "y"); err != nil {
				t.Error(err)
			}
		}
		if err := q.InTx(t.Context(), func(tx *schemadb.Tx) error {
			insert(tx)
			return nil
		}); err != nil {
			t.Error(err)
		}
		wantCount(t, "no error", q, 3)
		if err := q.InTx(t.Context(), func(tx *schemadb.Tx) error {
			insert(tx)
			return errBoom
		}); err != errBoom {
			t.Errorf("returned %v", err)
		}
		wantCount(t, "error", q, 3)
		if value := panicOf(func() {
			_ = q.InTx(t.Context(), func(tx *schemadb.Tx) error {
				insert(tx)
				panic(errBoom)
			})
		}); value != errBoom {
			t.Errorf("panicked with %v", value)
		}
		wantCount(t, "panic", q, 3)
		if !exits(func() {
			_ = q.InTx(t.Context(), func(tx *schemadb.Tx) error {
				insert(tx)
				runtime.Goexit()
				return nil
			})
		}) {
			t.Error("Goexit did not end the goroutine")
		}
		wantCount(t, "Goexit", q, 3)
	})
}

// TestInTxStatementError returns, and swallows, the error of a statement, after which PostgreSQL takes no more.
func TestInTxStatementError(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, q inTxer) {
		var inside error
		if err := q.InTx(t.Context(), func(tx *schemadb.Tx) error {
			exec(t, tx, insertQuery, "x")
			_, inside = tx.Exec("INSERT INTO {{tables.t}} (id) VALUES (1)")
			return inside
		}); err != inside || !schemadb.IsUniqueViolation(err) {
			t.Errorf("returned %v, which inside was %v", err, inside)
		}
		wantCount(t, "error", q, 1)
		if err := q.InTx(t.Context(), func(tx *schemadb.Tx) error {
			exec(t, tx, insertQuery, "x")
			var n int
			if err := tx.Get(&n, "SELECT 1/0"); err == nil {
				t.Error("a division by zero works")
			}
			return nil
		}); err == nil {
			t.Error("a transaction that PostgreSQL has given up commits")
		}
		wantCount(t, "swallowed error", q, 1) // which also says that the outer transaction goes on
	})
}

// TestInTxHandleEnds keeps the Tx of a closure beyond its end.
func TestInTxHandleEnds(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, q inTxer) {
		for _, result := range []error{nil, errBoom} {
			var kept []*schemadb.Tx
			if err := q.InTx(t.Context(), func(tx *schemadb.Tx) error {
				_ = tx.InTx(t.Context(), func(inner *schemadb.Tx) error {
					kept = append(kept, inner, inner.ForSchema("a"), inner.Unsafe())
					return result
				})
				for _, tx := range kept {
					for _, use := range uses { // while the outer one goes on
						if err := use.call(t.Context(), tx); err != sql.ErrTxDone {
							t.Errorf("%s of an inner transaction after its end: %v", use.name, err)
						}
					}
				}
				kept = append(kept, tx, tx.ForSchema("a"), tx.Unsafe())
				return result
			}); err != result {
				t.Error(err)
			}
			for _, tx := range kept {
				for _, use := range uses {
					if err := use.call(t.Context(), tx); err != sql.ErrTxDone {
						t.Errorf("%s after the end: %v", use.name, err)
					}
				}
				if err := tx.Commit(); err != sql.ErrTxDone {
					t.Errorf("Commit after the end: %v", err)
				}
			}
		}
		wantCount(t, "after uses of what has ended", q, 1)
	})
}

// owners returns the owners in {{tables.t}}, in the order in which they were inserted, but the first.
func owners(t testing.TB, q schemadb.Querier) []string {
	t.Helper()
	all, err := schemadb.Collect[string](t.Context(), q, "SELECT owner FROM {{tables.t}} WHERE id > 1 ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestInTxNested(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		// nest inserts name, in a nested transaction that runs then and returns its error.
		nest := func(tx *schemadb.Tx, name string, then func(*schemadb.Tx) error) error {
			return tx.InTx(t.Context(), func(tx *schemadb.Tx) error {
				exec(t, tx, insertQuery, name)
				if then == nil {
					return nil
				}
				return then(tx)
			})
		}
		boom := func(*schemadb.Tx) error { return errBoom }
		for _, test := range []struct {
			name string
			fn   func(tx *schemadb.Tx) error
			want []string // the rows
			err  error
		}{
			{"inner error", func(tx *schemadb.Tx) error {
				if err := nest(tx, "inner", boom); err != errBoom {
					t.Error(err)
				}
				return nil
			}, []string{"first", "last"}, nil},
			{"inner error returned", func(tx *schemadb.Tx) error { return nest(tx, "inner", boom) }, []string{}, errBoom},
			{"outer error", func(tx *schemadb.Tx) error {
				if err := nest(tx, "inner", nil); err != nil {
					t.Error(err)
				}
				return errBoom
			}, []string{}, errBoom},
			{"one after the other", func(tx *schemadb.Tx) error {
				return errors.Join(nest(tx, "one", nil), ignore(errBoom, nest(tx, "two", boom)), nest(tx, "three", nil))
			}, []string{"first", "one", "three", "last"}, nil},
			{"three deep", func(tx *schemadb.Tx) error {
				return nest(tx, "one", func(tx *schemadb.Tx) error {
					return nest(tx, "two", func(tx *schemadb.Tx) error {
						return nest(tx, "three", nil)
					})
				})
			}, []string{"first", "one", "two", "three", "last"}, nil},
			{"three deep, error in the third", func(tx *schemadb.Tx) error {
				return nest(tx, "one", func(tx *schemadb.Tx) error {
					return nest(tx, "two", func(tx *schemadb.Tx) error {
						return ignore(errBoom, nest(tx, "three", boom))
					})
				})
			}, []string{"first", "one", "two", "last"}, nil},
			{"three deep, error in the second", func(tx *schemadb.Tx) error {
				return nest(tx, "one", func(tx *schemadb.Tx) error {
					return ignore(errBoom, nest(tx, "two", func(tx *schemadb.Tx) error {
						return errors.Join(nest(tx, "three", nil), nest(tx, "four", nil), errBoom)
					}))
				})
			}, []string{"first", "one", "last"}, nil},
			{"inner panic", func(tx *schemadb.Tx) error {
				if value := panicOf(func() { _ = nest(tx, "inner", func(*schemadb.Tx) error { panic(errBoom) }) }); value != errBoom {
					t.Errorf("panicked with %v", value)
				}
				return nil
			}, []string{"first", "last"}, nil},
			{"inner statement fails", func(tx *schemadb.Tx) error {
				err := nest(tx, "inner", func(tx *schemadb.Tx) error {
					_, err := tx.ExecMany(t.Context(), "INSERT INTO {{tables.t}} (id) VALUES ($1)", [][]any{{100}, {1}})
					return err
				})
				if !schemadb.IsUniqueViolation(err) {
					t.Error(err)
				}
				return nil
			}, []string{"first", "last"}, nil},
			{"inner commits itself", func(tx *schemadb.Tx) error {
				err := nest(tx, "inner", (*schemadb.Tx).Commit)
				return ignore(sql.ErrTxDone, err)
			}, []string{"first", "inner", "last"}, nil},
			{"inner rolls itself back", func(tx *schemadb.Tx) error {
				err := nest(tx, "inner", (*schemadb.Tx).Rollback)
				return ignore(sql.ErrTxDone, err)
			}, []string{"first", "last"}, nil},
			{"inner breaks off Each", func(tx *schemadb.Tx) error {
				return nest(tx, "inner", func(tx *schemadb.Tx) error {
					for _, err := range schemadb.Each[int](t.Context(), tx, openQuery) {
						return err
					}
					return nil
				})
			}, []string{"first", "inner", "last"}, nil},
		} {
			db := tenants(t, pool, "a")[0]
			err := db.InTx(t.Context(), func(tx *schemadb.Tx) error {
				exec(t, tx, insertQuery, "first")
				err := test.fn(tx)
				if err == nil {
					exec(t, tx, insertQuery, "last")
				}
				return err
			})
			if err != test.err {
				t.Errorf("%s: %v", test.name, err)
			}
			if got := owners(t, db); !slices.Equal(got, test.want) {
				t.Errorf("%s: rows %q, want %q", test.name, got, test.want)
			}
			if err := db.DropSchema(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// ignore returns err unless it is the one that is expected.
func ignore(expected, err error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return fmt.Errorf("got %w instead of %w", err, expected)
}

// TestInTxNestedWithOpenRows ends an inner transaction while rows are open, so that its savepoint cannot be reached.
// What InTx has returned an error for must not be committed by the outer one.
func TestInTxNestedWithOpenRows(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		for _, result := range []error{nil, errBoom} {
			err := db.InTx(t.Context(), func(tx *schemadb.Tx) error {
				var rows interface{ Close() error }
				inner := tx.InTx(bounded(t), func(tx *schemadb.Tx) (err error) {
					exec(t, tx, insertQuery, "inner")
					if rows, err = tx.Queryx(openQuery); err != nil {
						t.Fatal(err)
					}
					return result
				})
				if result == nil {
					wantError(t, "an inner transaction with open rows", inner, "busy")
				} else if !errors.Is(inner, result) {
					t.Errorf("the inner transaction returned %v", inner)
				}
				_ = rows.Close()
				if _, err := tx.Exec(insertQuery, "outer"); err != sql.ErrTxDone {
					t.Errorf("the outer transaction goes on: %v", err)
				}
				return nil
			})
			if err == nil {
				t.Error("the outer transaction committed")
			}
			wantCount(t, "after a savepoint that could not be reached", db, 1)
		}
	})
}

func TestInTxOptions(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		strict := schemadb.WithTxOptions(sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true})
		for _, q := range []inTxer{db, connx(t, db)} {
			err := q.InTx(t.Context(), func(tx *schemadb.Tx) error {
				level := value[string](t, tx, "SHOW transaction_isolation")
				if only := value[string](t, tx, "SHOW transaction_read_only"); level != "serializable" || only != "on" {
					t.Errorf("isolation %s, read-only %s", level, only)
				}
				for _, opt := range []schemadb.TxOption{strict, schemadb.WithRetry(3)} {
					wantError(t, "options for a savepoint", tx.InTx(t.Context(), func(*schemadb.Tx) error {
						t.Error("it runs")
						return nil
					}, opt), "savepoint", "options")
				}
				return nil
			}, strict)
			if err != nil {
				t.Error(err)
			}
		}
	})
}

// TestInTxEndedInside has the closure end its transaction. What it did is done, and it is told that this was not its job.
func TestInTxEndedInside(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		for _, test := range []struct {
			name      string
			end       func(*schemadb.Tx) error
			err, want error
			rows      int
		}{
			{"Rollback", (*schemadb.Tx).Rollback, nil, sql.ErrTxDone, 1},
			{"Rollback and an error", (*schemadb.Tx).Rollback, errBoom, errBoom, 1},
			{"Commit", (*schemadb.Tx).Commit, nil, sql.ErrTxDone, 2},
			{"Commit and an error", (*schemadb.Tx).Commit, errBoom, errBoom, 3},
		} {
			err := db.InTx(t.Context(), func(tx *schemadb.Tx) error {
				exec(t, tx, insertQuery, "x")
				if err := test.end(tx); err != nil {
					t.Errorf("%s: %v", test.name, err)
				}
				if _, err := tx.Exec(insertQuery, "x"); err != sql.ErrTxDone {
					t.Errorf("%s: after it: %v", test.name, err)
				}
				return test.err
			})
			if err != test.want {
				t.Errorf("%s: %v, want %v", test.name, err, test.want)
			}
			wantCount(t, test.name, db, test.rows)
		}
	})
}

func TestInTxCancelled(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		fail := func(*schemadb.Tx) error {
			t.Error("it runs")
			return nil
		}
		if err := db.InTx(cancelled, fail, schemadb.WithRetry(5)); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := db.InTx(t.Context(), func(tx *schemadb.Tx) error {
			if err := tx.InTx(cancelled, fail); !errors.Is(err, context.Canceled) {
				t.Errorf("nested: %v", err)
			}
			return nil
		}); err != nil {
			t.Errorf("the transaction does not go on after a savepoint that was not sent: %v", err)
		}
		for _, result := range []error{nil, errBoom} {
			for range 30 { // the rollbacks of InTx and of database/sql race
				ctx, cancel := context.WithCancel(t.Context())
				err := db.InTx(ctx, func(tx *schemadb.Tx) error {
					exec(t, tx, insertQuery, "x")
					cancel()
					return result
				})
				if result != nil && err != result {
					t.Errorf("returned %v", err)
				}
				if result == nil && !errors.Is(err, context.Canceled) && !errors.Is(err, sql.ErrTxDone) {
					t.Errorf("returned %v", err)
				}
			}
		}
		wantIdle(t, pool)
		wantCount(t, "after cancelled transactions", db, 1)
	})
}

// conflict raises an error that PostgreSQL raises when transactions meet.
func conflict(tx *schemadb.Tx, code string) error {
	_, err := tx.Exec("DO $$ BEGIN RAISE EXCEPTION 'met' USING ERRCODE = '" + code + "'; END $$")
	return err
}

func TestRetryAttempts(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		hidden := func(code string) func(*schemadb.Tx) error {
			return func(tx *schemadb.Tx) error { return fmt.Errorf("in the repository: %w", conflict(tx, code)) }
		}
		for _, test := range []struct {
			name string
			fail func(*schemadb.Tx) error
			opts []schemadb.TxOption
			want int
		}{
			{"no option", hidden("40001"), nil, 1},
			{"0", hidden("40001"), []schemadb.TxOption{schemadb.WithRetry(0)}, 1},
			{"1", hidden("40001"), []schemadb.TxOption{schemadb.WithRetry(1)}, 1},
			{"-1", hidden("40001"), []schemadb.TxOption{schemadb.WithRetry(-1)}, 1},
			{"3", hidden("40001"), []schemadb.TxOption{schemadb.WithRetry(3)}, 3},
			{"deadlock", hidden("40P01"), []schemadb.TxOption{schemadb.WithRetry(3)}, 3},
			{"unique violation", hidden("23505"), []schemadb.TxOption{schemadb.WithRetry(3)}, 1},
			{"other class 40", hidden("40002"), []schemadb.TxOption{schemadb.WithRetry(3)}, 1},
			{"error of Go", func(*schemadb.Tx) error { return errBoom }, []schemadb.TxOption{schemadb.WithRetry(3)}, 1},
		} {
			for _, q := range []inTxer{db, connx(t, db)} {
				attempts := 0
				seen := map[*schemadb.Tx]bool{}
				var last error
				err := q.InTx(t.Context(), func(tx *schemadb.Tx) error {
					attempts++
					seen[tx] = true
					exec(t, tx, insertQuery, "x")
					last = test.fail(tx)
					return last
				}, test.opts...)
				if attempts != test.want || len(seen) != attempts || err != last {
					t.Errorf("%s: %d attempts in %d transactions, %v", test.name, attempts, len(seen), err)
				}
			}
		}
		attempts := 0
		if err := db.InTx(t.Context(), func(tx *schemadb.Tx) error {
			exec(t, tx, insertQuery, "x")
			if attempts++; attempts < 3 {
				return conflict(tx, "40001")
			}
			return nil
		}, schemadb.WithRetry(5)); err != nil || attempts != 3 {
			t.Errorf("%d attempts, %v", attempts, err)
		}
		wantCount(t, "only the last attempt counts", db, 2)
		if value := panicOf(func() {
			_ = db.InTx(t.Context(), func(tx *schemadb.Tx) error {
				panic(conflict(tx, "40001"))
			}, schemadb.WithRetry(5))
		}); value == nil {
			t.Error("a panic was lost")
		}
	})
}

func TestRetryStopsWithContext(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		ctx, cancel := context.WithCancelCause(t.Context())
		attempts := 0
		err := db.InTx(ctx, func(tx *schemadb.Tx) error {
			err := conflict(tx, "40001")
			if attempts++; attempts == 3 {
				cancel(errBoom)
			}
			return err
		}, schemadb.WithRetry(1_000_000))
		if attempts != 3 {
			t.Errorf("%d attempts", attempts)
		}
		if !errors.Is(err, errBoom) && !errors.Is(err, context.Canceled) {
			t.Errorf("the error does not say that the context ended: %v", err)
		}
		deadline, cancelDeadline := context.WithTimeout(t.Context(), 1)
		defer cancelDeadline()
		if err := db.InTx(deadline, func(*schemadb.Tx) error { return nil }, schemadb.WithRetry(5)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// TestRetrySerializationFailure has another transaction get in the way of the first attempt.
func TestRetrySerializationFailure(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, odd)[0]
		serializable := sql.TxOptions{Isolation: sql.LevelSerializable}
		// insert lets the number of rows decide what it writes, which two at once must not.
		insert := func(tx *schemadb.Tx) error {
			n, err := schemadb.Value[int](t.Context(), tx, "SELECT count(*) FROM {{tables.t}}")
			if err != nil {
				return err
			}
			_, err = tx.Exec(insertQuery, fmt.Sprint("after ", n))
			return err
		}
		for _, test := range []struct {
			name string
			fn   func(tx *schemadb.Tx, meet func()) error
			want string // the error of the first attempt's closure
		}{
			{"in a statement", func(tx *schemadb.Tx, meet func()) error {
				if n := value[int](t, tx, "SELECT count(*) FROM {{tables.t}}"); n == 0 {
					t.Error("no rows")
				}
				meet()
				_, err := tx.Exec("UPDATE {{tables.t}} SET owner = owner || '!'")
				return err
			}, "40001"},
			{"at the commit", func(tx *schemadb.Tx, meet func()) error {
				err := insert(tx)
				meet()
				return err
			}, ""},
		} {
			for _, attempts := range []int{1, 2} {
				made := 0
				var first error
				err := db.InTx(t.Context(), func(tx *schemadb.Tx) error {
					made++
					err := test.fn(tx, func() {
						if made > 1 {
							return
						}
						if err := db.InTx(t.Context(), func(tx *schemadb.Tx) error {
							exec(t, tx, "UPDATE {{tables.t}} SET owner = owner || '?' WHERE id = 1")
							return insert(tx)
						}, schemadb.WithTxOptions(serializable)); err != nil {
							t.Errorf("the other transaction: %v", err)
						}
					})
					if made == 1 {
						first = err
					}
					return err
				}, schemadb.WithRetry(attempts), schemadb.WithTxOptions(serializable))
				if made != attempts {
					t.Errorf("%s: %d attempts, want %d", test.name, made, attempts)
				}
				if schemadb.IsSerializationFailure(first) != (test.want != "") {
					t.Errorf("%s: the first attempt's closure got %v", test.name, first)
				}
				if attempts == 1 && !schemadb.IsSerializationFailure(err) || attempts == 2 && err != nil {
					t.Errorf("%s: %d attempts: %v", test.name, attempts, err)
				}
			}
		}
	})
}

// TestRetryDeadlock has two transactions lock two rows in opposite orders.
func TestRetryDeadlock(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, odd)[0]
		exec(t, db, insertQuery, "second")
		var attempts atomic.Int64
		var both sync.WaitGroup // have locked a row
		both.Add(2)
		var group sync.WaitGroup
		for i := range 2 {
			group.Go(func() {
				first := true
				if err := db.InTx(t.Context(), func(tx *schemadb.Tx) error {
					attempts.Add(1)
					const update = "UPDATE {{tables.t}} SET owner = owner || $1::text WHERE id = $2"
					if _, err := tx.Exec(update, "x", 1+i); err != nil {
						return err
					}
					if first {
						first = false
						both.Done()
						both.Wait()
					}
					_, err := schemadb.Value[int](t.Context(), tx, update+" RETURNING id", "x", 2-i)
					return err
				}, schemadb.WithRetry(20)); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if n := attempts.Load(); n < 3 { // more if they meet again
			t.Errorf("%d attempts, though PostgreSQL gives up one of two", n)
		}
		if got, want := value[string](t, db, ownerQuery), odd+"xx"; got != want {
			t.Errorf("%q, want %q: something was done twice or not at all", got, want)
		}
	})
}

// TestInTxPgxError leaves the errors of PostgreSQL as they are.
func TestInTxPgxError(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		exec(t, db, "CREATE TABLE {{tables.d}} (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
		err := db.InTx(t.Context(), func(tx *schemadb.Tx) error {
			_, err := tx.Exec("INSERT INTO {{tables.d}} VALUES (1), (1)")
			return err
		})
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || !schemadb.IsUniqueViolation(err) || pgErr.SchemaName != "a" {
			t.Errorf("the commit of a deferred violation: %v", err)
		}
		err = db.InTx(t.Context(), func(tx *schemadb.Tx) error {
			_, _ = tx.Exec("SELECT 1/0")
			return nil
		})
		if !errors.Is(err, pgx.ErrTxCommitRollback) {
			t.Errorf("the commit after an error: %v", err)
		}
	})
}
