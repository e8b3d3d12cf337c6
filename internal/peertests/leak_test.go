package peertests

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

// The tests of this file must not be parallel: they look at all goroutines of the process.

// leakFree runs a test on a pool of each driver and on a facade of the schema a, whose only user is a. Afterwards no
// connection may be in use, no goroutine be left, and the table be as it was.
func leakFree(t *testing.T, test func(t *testing.T, pool *sql.DB, db *schemadb.DB)) {
	t.Helper()
	dsn := newUsers(t, "a")
	for _, name := range drivers {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, before) })
			pool, err := sql.Open(name, dsn)
			wantNil(t, err)
			closeIdle(t, pool)
			test(t, pool, schemadb.New(pool, "a"))
			wantIdle(t, pool)
			again, err := sql.Open(name, dsn) // the test may have closed the pool
			wantNil(t, err)
			defer again.Close()
			wantEmails(t, schemadb.New(again, "a"), "a")
		})
	}
}

// unsendable is an argument that pgx cannot send as a number, and whose value no error may show. (What the server can
// read as text, it shows in errors of its own.)
var unsendable = []string{"secret"}

// badQueries cannot be read as users.
var badQueries = []struct {
	name   string
	query  string
	args   []any
	words  []string
	aborts bool // the server refuses it, so a transaction is over
	late   bool // only those who read all rows come across it
}{
	{name: "a column without a field", query: "SELECT id, email, 1 AS extra FROM {{tables.users}}",
		words: []string{`column "extra"`, "int4", "peertests.user"}},
	{name: "NULL", query: "SELECT id, NULL::text AS email FROM {{tables.users}}",
		words: []string{`column "email"`, "text", "NULL", "field Email", "string", "peertests.user"}},
	{name: "NULL in a later row", query: "SELECT i AS id, nullif('x', repeat('x', i - 2)) AS email FROM generate_series(1, 5) i",
		words: []string{`column "email"`, "NULL", "field Email", "string"}, late: true},
	{name: "duplicate columns", query: "SELECT id, email, email FROM {{tables.users}}",
		words: []string{`column "email"`, "field Email", "peertests.user"}},
	{name: "another type", query: "SELECT 'secret' AS id, email FROM {{tables.users}}",
		words: []string{`column "id"`, "text", "field ID", "int64"}},
	{name: "too few arguments", query: "SELECT id, email FROM {{tables.users}} WHERE id = $1",
		words: []string{"1 arguments", "got 0"}},
	{name: "too many arguments", query: "SELECT id, email FROM {{tables.users}}", args: []any{1, 2},
		words: []string{"0 arguments", "got 2"}},
	{name: "an argument of another type", query: "SELECT id, email FROM {{tables.users}} WHERE id = $1", args: []any{unsendable},
		words: []string{"$1", "[]string", "int8"}},
	{name: "no such table", query: "SELECT * FROM {{tables.nobody}}", words: []string{`"a.nobody"`, "42P01"}, aborts: true},
	{name: "no such template", query: "SELECT * FROM {{table.users}}", words: []string{"{{tables.users}}"}},
	{name: "a failure in a later row", query: "SELECT 1 / (3 - i) AS id FROM generate_series(1, 5) i",
		words: []string{"division by zero"}, aborts: true, late: true},
}

// readers are the ways to read users.
var readers = []struct {
	name string
	all  bool // it reads all rows
	run  func(ctx context.Context, q schemadb.Querier, query string, args ...any) error
}{
	{"Get", false, func(ctx context.Context, q schemadb.Querier, query string, args ...any) error {
		return q.GetContext(ctx, new(user), query, args...)
	}},
	{"Select", true, func(ctx context.Context, q schemadb.Querier, query string, args ...any) error {
		return q.SelectContext(ctx, new([]*user), query, args...)
	}},
	{"One", false, func(ctx context.Context, q schemadb.Querier, query string, args ...any) error {
		_, err := schemadb.One[user](ctx, q, query, args...)
		return err
	}},
	{"Collect", true, func(ctx context.Context, q schemadb.Querier, query string, args ...any) error {
		_, err := schemadb.Collect[user](ctx, q, query, args...)
		return err
	}},
	{"Each", true, func(ctx context.Context, q schemadb.Querier, query string, args ...any) error {
		for _, err := range schemadb.Each[user](ctx, q, query, args...) {
			if err != nil {
				return err
			}
		}
		return nil
	}},
	{"Each of pointers", true, func(ctx context.Context, q schemadb.Querier, query string, args ...any) error {
		for _, err := range schemadb.Each[*user](ctx, q, query, args...) {
			if err != nil {
				return err
			}
		}
		return nil
	}},
	{"Stmt.Select", true, func(ctx context.Context, q schemadb.Querier, query string, args ...any) error {
		stmt, err := q.PreparexContext(ctx, query)
		if err != nil {
			return err
		}
		defer stmt.Close()
		return stmt.SelectContext(ctx, new([]user), args...)
	}},
}

func TestBadQueries(t *testing.T) {
	leakFree(t, func(t *testing.T, pool *sql.DB, db *schemadb.DB) {
		for _, bad := range badQueries {
			for _, view := range views {
				for _, reader := range readers {
					if bad.late && !reader.all {
						continue
					}
					t.Run(bad.name+"/"+view.name+"/"+reader.name, func(t *testing.T) {
						err := view.use(t.Context(), db, func(q facade) error {
							err := reader.run(t.Context(), q, bad.query, bad.args...)
							if !bad.aborts {
								wantEmails(t, q, "a") // the same connection still works
							}
							return err
						})
						wantError(t, err, bad.words...)
						if err != nil && strings.Contains(err.Error(), "secret") {
							t.Errorf("the error shows a value: %v", err)
						}
						wantIdle(t, pool)
					})
				}
			}
		}
	})
}

// misuse is a write that fails.
type misuse struct {
	name  string
	run   func(ctx context.Context, q facade) error
	words []string
}

// row is the error's row, as the text says it.
func row(n int) string { return fmt.Sprintf("row %d ", n) }

var misuses = []misuse{
	{"Exec, too few arguments", func(ctx context.Context, q facade) error {
		_, err := q.ExecContext(ctx, insertUser)
		return err
	}, []string{"no parameter $1"}},
	{"Exec, an argument of another type", func(ctx context.Context, q facade) error {
		_, err := q.ExecContext(ctx, "UPDATE {{tables.users}} SET id = $1", unsendable)
		return err
	}, []string{"$1", "[]string", "int8"}},
	{"Exec, no such table", func(ctx context.Context, q facade) error {
		_, err := q.ExecContext(ctx, "DELETE FROM {{tables.nobody}}")
		return err
	}, []string{"42P01"}},
	{"QueryRow, no such table", func(ctx context.Context, q facade) error {
		return q.QueryRowContext(ctx, "SELECT 1 FROM {{tables.nobody}}").Scan(new(int))
	}, []string{"42P01"}},
	{"QueryRow, no such template", func(ctx context.Context, q facade) error {
		return q.QueryRowContext(ctx, "SELECT 1 FROM {{table.users}}").Scan(new(int))
	}, []string{"{{tables.users}}"}},
	{"Preparex, a syntax error", func(ctx context.Context, q facade) error {
		_, err := q.PreparexContext(ctx, "SELEC 1")
		return err
	}, []string{"42601"}},
	{"NamedExec, no field", func(ctx context.Context, q facade) error {
		_, err := q.NamedExecContext(ctx, "UPDATE {{tables.users}} SET email = :nobody", user{Email: "secret"})
		return err
	}, []string{":nobody", "peertests.user"}},
	{"NamedExec, a key too much", func(ctx context.Context, q facade) error {
		_, err := q.NamedExecContext(ctx, "UPDATE {{tables.users}} SET email = :email", map[string]any{"email": "secret", "other": "secret"})
		return err
	}, []string{"other"}},
	{"NamedQuery, no field", func(ctx context.Context, q facade) error {
		_, err := q.NamedQueryContext(ctx, "SELECT :nobody", user{})
		return err
	}, []string{":nobody"}},
	{"InsertID of no INSERT", func(ctx context.Context, q facade) error {
		_, err := q.InsertID(ctx, "DELETE FROM {{tables.users}}")
		return err
	}, []string{"InsertID", "INSERT"}},
	{"InsertID of a text", func(ctx context.Context, q facade) error {
		return q.InTx(ctx, func(tx *schemadb.Tx) error {
			_, err := tx.InsertID(ctx, insertUser+" RETURNING email", "secret")
			return err
		})
	}, []string{`column "email"`, "text", "int64"}},
	{"ExecMany, no rows at all", func(ctx context.Context, q facade) error {
		_, err := q.ExecMany(ctx, insertUser, "secret")
		return err
	}, []string{"string"}},
	{"ExecMany, no field", execRows("INSERT INTO {{tables.users}} (email) VALUES (:nobody)", []user{{}}), []string{row(0), ":nobody"}},
	{"ExecMany, another number of values", execRows(insertUser, [][]any{{"x"}, {}}), []string{row(1), "mismatched param and argument count"}},
	{"ExecMany, another type", execRows("INSERT INTO {{tables.users}} (id) VALUES ($1)", [][]any{{8}, {unsendable}}), []string{row(1), "[]string", "int8"}},
	{"ExecMany, the server refuses a row", execRows("INSERT INTO {{tables.users}} (id) VALUES ($1)", [][]any{{8}, {9}, {1}}), []string{row(2), "23505"}},
	{"ExecMany, the server refuses at the commit", execCommitted(insertUser, [][]any{{"a"}}), []string{"23505"}},
	{"ExecMany, the sequence fails", execRows(insertUser, failing(1500)), []string{row(1500), errFirst.Error()}},
	{"CopyFrom, no columns", copyRows(nil, [][]any{{}}), []string{"no columns"}},
	{"CopyFrom, no such column", copyRows([]string{"nobody"}, [][]any{{"x"}}), []string{"nobody"}},
	{"CopyFrom, no field", copyRows([]string{"nobody"}, []user{{}}), []string{"nobody"}},
	{"CopyFrom, no key", copyRows([]string{"email"}, []map[string]any{{"email": "x"}, {}}), []string{row(1), "email"}},
	{"CopyFrom, another number of values", copyRows([]string{"email"}, [][]any{{"x"}, {"x", "y"}}), []string{"1 values", "2 values"}},
	{"CopyFrom, another type", copyRows([]string{"id"}, [][]any{{8}, {unsendable}}), []string{row(1), "int8"}},
	{"CopyFrom, the server refuses a row", copyRows([]string{"id"}, [][]any{{8}, {1}}), []string{"23505"}},
	{"CopyFrom, the sequence fails", copyRows([]string{"email"}, failing(1500)), []string{row(1500), errFirst.Error()}},
	{"CopyFrom, no such table", func(ctx context.Context, q facade) error {
		_, err := q.CopyFrom(ctx, "nobody", []string{"id"}, [][]any{{1}})
		return err
	}, []string{"42P01"}},
	{"CopyFrom, no table's name", func(ctx context.Context, q facade) error {
		_, err := q.CopyFrom(ctx, "{{tables.users}}", []string{"id"}, [][]any{{1}})
		return err
	}, []string{"no table's name"}},
}

// execRows is ExecMany.
func execRows(query string, rows any) func(context.Context, facade) error {
	return func(ctx context.Context, q facade) error {
		n, err := q.ExecMany(ctx, query, rows)
		if n != 0 {
			return fmt.Errorf("%d rows are counted", n)
		}
		return err
	}
}

// execCommitted is ExecMany with an end of the transaction, which is when the constraint on email is checked.
func execCommitted(query string, rows any) func(context.Context, facade) error {
	return func(ctx context.Context, q facade) error {
		_, err := q.ExecMany(ctx, query, rows)
		if err == nil {
			_, err = q.ExecContext(ctx, "SET CONSTRAINTS ALL IMMEDIATE") // in a transaction that goes on
		}
		return err
	}
}

// copyRows is CopyFrom into users.
func copyRows(columns []string, rows any) func(context.Context, facade) error {
	return func(ctx context.Context, q facade) error {
		_, err := q.CopyFrom(ctx, "users", columns, rows)
		return err
	}
}

// failing returns n rows and then an error.
func failing(n int) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for i := range n {
			if !yield([]any{fmt.Sprint("row ", i)}, nil) {
				return
			}
		}
		yield(nil, errFirst)
	}
}

func TestBadWrites(t *testing.T) {
	leakFree(t, func(t *testing.T, pool *sql.DB, db *schemadb.DB) {
		for _, m := range misuses {
			for _, view := range views {
				t.Run(m.name+"/"+view.name, func(t *testing.T) {
					err := view.use(t.Context(), db, func(q facade) error { return m.run(t.Context(), q) })
					wantError(t, err, m.words...)
					var rowErr *schemadb.RowError
					if strings.HasPrefix(m.words[0], "row ") && !errors.As(err, &rowErr) {
						t.Errorf("error %v, want a *RowError", err)
					}
					if err != nil && strings.Contains(err.Error(), "secret") {
						t.Errorf("the error shows a value: %v", err)
					}
					wantIdle(t, pool)
					wantEmails(t, db, "a")
				})
			}
		}
	})
}

// What the caller's own rows do to CopyFrom and ExecMany comes out where they are called: a panic can be recovered
// from, a Goexit (which is what t.Fatal does) ends the caller, and nothing is written.
func TestRowsThatPanic(t *testing.T) {
	leakFree(t, func(t *testing.T, pool *sql.DB, db *schemadb.DB) {
		for how, leave := range map[string]func(){"panic": func() { panic(errFirst) }, "Goexit": runtime.Goexit} {
			rows := func(yield func([]any) bool) {
				for range 1500 {
					if !yield([]any{"x"}) {
						return
					}
				}
				leave()
			}
			for name, run := range map[string]func(context.Context, facade) error{
				"ExecMany":                  execRows(insertUser, iter.Seq[[]any](rows)),
				"CopyFrom":                  copyRows([]string{"email"}, iter.Seq[[]any](rows)),
				"CopyFrom a CopyFromSource": copyRows([]string{"email"}, pgx.CopyFromFunc(func() ([]any, error) { leave(); return nil, nil })),
				"CopyFrom a slice": func(ctx context.Context, q facade) error {
					source := pgx.CopyFromSlice(1, func(int) ([]any, error) { leave(); return nil, nil })
					return copyRows([]string{"email"}, source)(ctx, q)
				},
			} {
				for _, view := range views {
					t.Run(how+"/"+name+"/"+view.name, func(t *testing.T) {
						got := leaves(func() {
							_ = view.use(t.Context(), db, func(q facade) error { return run(t.Context(), q) })
						})
						if got != how {
							t.Errorf("the rows were left by %s, the call by %s", how, got)
						}
						wantIdle(t, pool)
						wantEmails(t, db, "a")
					})
				}
			}
		}
	})
}

// manyUsers has more rows than fit into any buffer.
const manyUsers = "SELECT i AS id, repeat('x', 1000) AS email FROM generate_series(1, 5000) i"

// However the loop over Each ends, its connection can be used again.
func TestEachLeft(t *testing.T) {
	ends := []struct {
		name string
		loop func(all iter.Seq2[user, error]) (how string)
	}{
		{"never ranged", func(iter.Seq2[user, error]) string { return "return" }},
		{"break", func(all iter.Seq2[user, error]) string {
			return leaves(func() {
				for range all {
					break
				}
			})
		}},
		{"twice", func(all iter.Seq2[user, error]) string {
			return leaves(func() {
				for range 2 {
					for range all {
						break
					}
				}
			})
		}},
		{"panic", func(all iter.Seq2[user, error]) string {
			return leaves(func() {
				for range all {
					panic(errFirst)
				}
			})
		}},
		{"Goexit", func(all iter.Seq2[user, error]) string {
			return leaves(func() {
				for range all {
					runtime.Goexit()
				}
			})
		}},
		{"Pull2", func(all iter.Seq2[user, error]) string {
			next, stop := iter.Pull2(all)
			defer stop()
			_, _, _ = next()
			return "return"
		}},
	}
	leakFree(t, func(t *testing.T, pool *sql.DB, db *schemadb.DB) {
		for _, end := range ends {
			for _, view := range views {
				t.Run(end.name+"/"+view.name, func(t *testing.T) {
					wantNil(t, view.use(t.Context(), db, func(q facade) error {
						want := "return"
						if end.name == "panic" || end.name == "Goexit" {
							want = end.name
						}
						if how := end.loop(schemadb.Each[user](t.Context(), q, manyUsers)); how != want {
							t.Errorf("the loop was left by %s, want %s", how, want)
						}
						wantEmails(t, q, "a")
						return nil
					}))
					wantIdle(t, pool)
				})
			}
		}
	})
}

// In the loop the connection is busy, which is an error and no deadlock; the loop goes on.
func TestEachBusy(t *testing.T) {
	leakFree(t, func(t *testing.T, _ *sql.DB, db *schemadb.DB) {
		for _, view := range views[1:] {
			for _, reader := range readers[:6] { // a Stmt is executed by database/sql
				t.Run(view.name+"/"+reader.name, func(t *testing.T) {
					wantNil(t, view.use(t.Context(), db, func(q facade) error {
						rows := 0
						for _, err := range schemadb.Each[user](t.Context(), q, "SELECT i AS id FROM generate_series(1, 3) i") {
							wantNil(t, err)
							rows++
							wantError(t, reader.run(t.Context(), q, allUsers), "busy", "leave the loop")
						}
						if rows != 3 {
							t.Errorf("the loop had %d rows, want 3", rows)
						}
						return nil
					}))
				})
			}
		}
	})
}

const allUsers = "SELECT * FROM {{tables.users}}"

// The end of a transaction closes the rows that are read in it. The loop hears that it has not seen them all.
func TestEachTransactionEnds(t *testing.T) {
	leakFree(t, func(t *testing.T, pool *sql.DB, db *schemadb.DB) {
		for name, end := range map[string]func(*schemadb.Tx) error{"Commit": (*schemadb.Tx).Commit, "Rollback": (*schemadb.Tx).Rollback} {
			tx, err := db.BeginTxx(t.Context(), nil)
			wantNil(t, err)
			rows := 0
			for _, err := range schemadb.Each[user](t.Context(), tx, manyUsers) {
				if rows++; rows > 1 {
					if !errors.Is(err, sql.ErrTxDone) {
						t.Errorf("%s: the loop goes on with %v", name, err)
					}
					continue
				}
				wantNil(t, end(tx))
			}
			if rows != 2 {
				t.Errorf("%s: the loop had %d elements, want a row and an error", name, rows)
			}
			wantIdle(t, pool)
		}
	})
}

// The pool is closed while rows are read: the connection is closed when the loop gives it back.
func TestEachPoolCloses(t *testing.T) {
	leakFree(t, func(t *testing.T, pool *sql.DB, db *schemadb.DB) {
		for _, err := range schemadb.Each[user](t.Context(), db, manyUsers) {
			wantNil(t, err)
			wantNil(t, pool.Close())
			break
		}
		if n := pool.Stats().OpenConnections; n != 0 {
			t.Errorf("%d connections are open", n)
		}
	})
}

// use is a way to use a facade for which it needs its pool.
type use struct {
	name string
	run  func(ctx context.Context, db *schemadb.DB) error
}

var uses = []use{
	{"Exec", func(ctx context.Context, db *schemadb.DB) error {
		_, err := db.ExecContext(ctx, "SELECT 1")
		return err
	}},
	{"Query", func(ctx context.Context, db *schemadb.DB) error { return drop(db.QueryContext(ctx, allEmails)) }},
	{"Queryx", func(ctx context.Context, db *schemadb.DB) error { return drop(db.QueryxContext(ctx, allEmails)) }},
	{"QueryRow", func(ctx context.Context, db *schemadb.DB) error {
		return db.QueryRowContext(ctx, allEmails).Scan(new(string))
	}},
	{"QueryRowx", func(ctx context.Context, db *schemadb.DB) error {
		return db.QueryRowxContext(ctx, allEmails).Scan(new(string))
	}},
	{"Get", func(ctx context.Context, db *schemadb.DB) error { return db.GetContext(ctx, new(string), allEmails) }},
	{"Select", func(ctx context.Context, db *schemadb.DB) error {
		return db.SelectContext(ctx, new([]string), allEmails)
	}},
	{"NamedExec", func(ctx context.Context, db *schemadb.DB) error {
		_, err := db.NamedExecContext(ctx, deleteNamed, ann)
		return err
	}},
	{"NamedQuery", func(ctx context.Context, db *schemadb.DB) error {
		return drop(db.NamedQueryContext(ctx, selectNamed, ann))
	}},
	{"Prepare", func(ctx context.Context, db *schemadb.DB) error { return drop(db.PrepareContext(ctx, allEmails)) }},
	{"Preparex", func(ctx context.Context, db *schemadb.DB) error { return drop(db.PreparexContext(ctx, allEmails)) }},
	{"PrepareNamed", func(ctx context.Context, db *schemadb.DB) error {
		return drop(db.PrepareNamedContext(ctx, selectNamed))
	}},
	{"BeginTxx", func(ctx context.Context, db *schemadb.DB) error {
		tx, err := db.BeginTxx(ctx, nil)
		if err != nil {
			return err
		}
		return tx.Rollback()
	}},
	{"InTx", func(ctx context.Context, db *schemadb.DB) error { return db.InTx(ctx, succeed) }},
	{"Connx", func(ctx context.Context, db *schemadb.DB) error { return drop(db.Connx(ctx)) }},
	{"InsertID", func(ctx context.Context, db *schemadb.DB) error {
		_, err := db.InsertID(ctx, insertUserID+" ON CONFLICT DO NOTHING RETURNING 1", 1)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	}},
	{"ExecMany", func(ctx context.Context, db *schemadb.DB) error {
		_, err := db.ExecMany(ctx, deleteUser, [][]any{{7}})
		return err
	}},
	{"CopyFrom", func(ctx context.Context, db *schemadb.DB) error {
		_, err := db.CopyFrom(ctx, "users", []string{"email"}, [][]any{})
		return err
	}},
	{"Value", func(ctx context.Context, db *schemadb.DB) error {
		_, err := schemadb.Value[string](ctx, db, allEmails)
		return err
	}},
	{"Each", func(ctx context.Context, db *schemadb.DB) (err error) {
		for _, err = range schemadb.Each[string](ctx, db, allEmails) {
		}
		return err
	}},
	{"TableExists", func(ctx context.Context, db *schemadb.DB) error { _, err := db.TableExists(ctx, "users"); return err }},
	{"EnsureSchema", func(ctx context.Context, db *schemadb.DB) error { return db.EnsureSchema(ctx) }},
	{"Schemas", func(ctx context.Context, db *schemadb.DB) error { _, err := db.Schemas(ctx); return err }},
}

// drop closes what a use has returned.
func drop(c interface{ Close() error }, err error) error {
	if err != nil {
		return err
	}
	return c.Close()
}

// Every use works, and says why it does not: on a pool that is closed, without one, with a schema that cannot be, and
// under a context that has ended.
func TestUnusable(t *testing.T) {
	leakFree(t, func(t *testing.T, pool *sql.DB, db *schemadb.DB) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for _, use := range uses {
			t.Run(use.name, func(t *testing.T) {
				wantNil(t, use.run(t.Context(), db))
				wantAll(t, use.run(ended, db), []error{context.Canceled})
				wantError(t, use.run(t.Context(), schemadb.New(nil, "a")), "nil", "sql.Open")
				wantError(t, use.run(t.Context(), schemadb.New(nil, "")), "nil", "sql.Open")
				var schemaErr *driver.SchemaError
				if err := use.run(t.Context(), db.ForSchema("pg_toast")); !errors.As(err, &schemaErr) {
					t.Errorf("error %v, want a *driver.SchemaError", err)
				}
				if err := use.run(driver.WithSchema(t.Context(), ""), db.ForSchema("")); !errors.As(err, &schemaErr) {
					t.Errorf("error %v, want a *driver.SchemaError", err)
				}
				wantIdle(t, pool)
			})
		}
		wantNil(t, pool.Close())
		for _, use := range uses {
			wantError(t, use.run(t.Context(), db), "closed")
		}
	})
}

// What needs no server must not need a pool either.
func TestNilPool(t *testing.T) {
	db := schemadb.New(nil, "a")
	wantError(t, db.Ping(), "nil")
	wantNil(t, db.Close())
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	db.SetConnMaxIdleTime(1)
	db.SetConnMaxLifetime(1)
	db.MapperFunc(strings.ToUpper)
	_, err := db.Expand("SELECT 1")
	wantError(t, err, "nil")
	_, err = db.Begin()
	wantError(t, err, "nil")
	if db.Stats() != (sql.DBStats{}) || db.Pool() != nil || db.Driver() != nil || db.Schema() != "a" {
		t.Error("it pretends to have a pool, or has lost its schema")
	}
	if db.Rebind("?") != "$1" {
		t.Error("Rebind does not work")
	}
	wantError(t, db.Unsafe().ForSchema("b").Get(new(int), "SELECT 1"), "nil")
}

// blocked sends two rows that no buffer holds, and then waits for a minute, so a reader of the first row waits too.
const blocked = `SELECT i AS id, CASE WHEN i > 2 THEN pg_sleep(60)::text ELSE repeat('x', 100000) END AS email
	FROM generate_series(1, 3) i`

// A context that is cancelled in the middle of the rows ends the loop with an error, and a transaction with it.
func TestCancelInRows(t *testing.T) {
	leakFree(t, func(t *testing.T, pool *sql.DB, db *schemadb.DB) {
		for _, view := range views {
			t.Run(view.name, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var last error
				rows := 0
				err := view.use(ctx, db, func(q facade) error {
					for _, err := range schemadb.Each[user](ctx, q, blocked) {
						if last = err; err == nil {
							rows++
							cancel()
						}
					}
					return nil
				})
				if rows == 0 || rows > 2 {
					t.Errorf("read %d rows", rows)
				}
				if !errors.Is(last, context.Canceled) && !errors.Is(last, sql.ErrTxDone) {
					t.Errorf("the loop ends with %v", last)
				}
				if inTx := strings.HasSuffix(view.name, "Tx"); inTx != (err != nil) {
					t.Errorf("%s ends with %v", view.name, err)
				}
				wantIdle(t, pool)
			})
		}
	})
}

// A statement under a context that has ended says so, and nothing happens to the transaction or the connection.
func TestCancelledBefore(t *testing.T) {
	leakFree(t, func(t *testing.T, _ *sql.DB, db *schemadb.DB) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for _, view := range views {
			t.Run(view.name, func(t *testing.T) {
				wantNil(t, view.use(t.Context(), db, func(q facade) error {
					for _, reader := range readers {
						wantAll(t, reader.run(ended, q, allUsers), []error{context.Canceled})
					}
					_, err := q.ExecContext(ended, insertUser, "gone")
					wantAll(t, err, []error{context.Canceled})
					wantAll(t, copyRows([]string{"email"}, [][]any{{"gone"}})(ended, q), []error{context.Canceled})
					wantAll(t, execRows(insertUser, [][]any{{"gone"}})(ended, q), []error{context.Canceled})
					wantEmails(t, q, "a")
					return nil
				}))
			})
		}
	})
}

// waits are statements that take a minute.
var waits = map[string]func(ctx context.Context, q facade) error{
	"Exec": func(ctx context.Context, q facade) error {
		_, err := q.ExecContext(ctx, "SELECT pg_sleep(60)")
		return err
	},
	"Get": func(ctx context.Context, q facade) error { return q.GetContext(ctx, new(any), "SELECT pg_sleep(60)") },
	"Select": func(ctx context.Context, q facade) error {
		return q.SelectContext(ctx, new([]any), "SELECT pg_sleep(60)")
	},
	"Query": func(ctx context.Context, q facade) error {
		_, err := scanEmails(q.QueryContext(ctx, "SELECT pg_sleep(60)"))
		return err
	},
	"Each": func(ctx context.Context, q facade) (err error) {
		for _, err = range schemadb.Each[any](ctx, q, "SELECT pg_sleep(60)") {
		}
		return err
	},
	"ExecMany": func(ctx context.Context, q facade) error {
		_, err := q.ExecMany(ctx, "SELECT pg_sleep($1)", [][]any{{60}, {60}})
		return err
	},
	"InTx": func(ctx context.Context, q facade) error {
		return q.InTx(ctx, func(tx *schemadb.Tx) error {
			_, err := tx.ExecContext(ctx, "SELECT pg_sleep(60)")
			return err
		})
	},
}

// A context that is cancelled while the server works.
func TestCancelWhileWaiting(t *testing.T) {
	leakFree(t, func(t *testing.T, pool *sql.DB, db *schemadb.DB) {
		// Before the server sleeps, it would miss that it is asked to stop.
		const active = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
		for name, wait := range waits {
			for _, view := range views {
				t.Run(name+"/"+view.name, func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					ended := make(chan error, 1)
					go func() {
						ended <- view.use(ctx, db, func(q facade) error { return wait(ctx, q) })
					}()
					sleeping := func() bool {
						n, err := schemadb.Value[int](t.Context(), db, active)
						wantNil(t, err)
						return n > 0
					}
					eventually(t, "the server sleeps", sleeping)
					cancel()
					err := <-ended
					if !errors.Is(err, context.Canceled) && !errors.Is(err, sql.ErrTxDone) {
						t.Errorf("error %v", err)
					}
					wantIdle(t, pool)
					eventually(t, "the server has stopped", func() bool { return !sleeping() })
				})
			}
		}
	})
}

// A transaction whose context is cancelled is rolled back, whoever still holds it.
func TestCancelTransaction(t *testing.T) {
	insert := func(tx *schemadb.Tx) error {
		_, err := tx.Exec(insertUser, "gone")
		return err
	}
	leakFree(t, func(t *testing.T, pool *sql.DB, db *schemadb.DB) {
		for name, run := range map[string]func(ctx context.Context, cancel func()) error{
			"nobody ends it": func(ctx context.Context, cancel func()) error {
				tx, err := db.BeginTxx(ctx, nil)
				wantNil(t, err)
				wantNil(t, insert(tx))
				cancel()
				wantIdle(t, pool)
				if insert(tx) == nil {
					t.Error("it takes statements")
				}
				for _, err := range schemadb.Each[user](t.Context(), tx, allUsers) {
					if err == nil {
						t.Error("it can be read in")
					}
				}
				return tx.Commit()
			},
			"the closure returns nil": func(ctx context.Context, cancel func()) error {
				return db.InTx(ctx, func(tx *schemadb.Tx) error {
					wantNil(t, insert(tx))
					cancel()
					return nil
				})
			},
			"the inner closure returns nil": func(ctx context.Context, cancel func()) error {
				return db.InTx(ctx, func(tx *schemadb.Tx) error {
					return tx.InTx(ctx, func(tx *schemadb.Tx) error {
						wantNil(t, insert(tx))
						cancel()
						return nil
					})
				})
			},
			"the closure goes on": func(ctx context.Context, cancel func()) error {
				return db.InTx(ctx, func(tx *schemadb.Tx) error {
					wantNil(t, insert(tx))
					cancel()
					for insert(tx) == nil { // until database/sql notices
					}
					return nil
				})
			},
			"in a loop": func(ctx context.Context, cancel func()) error {
				return db.InTx(ctx, func(tx *schemadb.Tx) error {
					wantNil(t, insert(tx))
					for range schemadb.Each[user](t.Context(), tx, manyUsers) {
						cancel()
						break
					}
					return nil
				})
			},
			"on a Conn": func(ctx context.Context, cancel func()) error {
				conn, err := db.Connx(t.Context())
				wantNil(t, err)
				defer conn.Close()
				return conn.InTx(ctx, func(tx *schemadb.Tx) error {
					wantNil(t, insert(tx))
					cancel()
					return nil
				})
			},
		} {
			t.Run(name, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				err := run(ctx, cancel)
				if !errors.Is(err, context.Canceled) && !errors.Is(err, sql.ErrTxDone) {
					t.Errorf("error %v", err)
				}
				wantIdle(t, pool)
				wantEmails(t, db, "a")
			})
		}
	})
}

// Rows without end, whose sender is cancelled.
func TestCancelRows(t *testing.T) {
	leakFree(t, func(t *testing.T, pool *sql.DB, db *schemadb.DB) {
		for name, run := range map[string]func(rows any) func(context.Context, facade) error{
			"ExecMany": func(rows any) func(context.Context, facade) error { return execRows(insertUser, rows) },
			"CopyFrom": func(rows any) func(context.Context, facade) error { return copyRows([]string{"email"}, rows) },
		} {
			for _, view := range views {
				t.Run(name+"/"+view.name, func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					rows := func(yield func([]any) bool) {
						for i := 0; yield([]any{"gone"}); i++ {
							if i == 1500 {
								cancel()
							}
						}
					}
					err := view.use(t.Context(), db, func(q facade) error { return run(iter.Seq[[]any](rows))(ctx, q) })
					wantAll(t, err, []error{context.Canceled})
					wantIdle(t, pool)
					wantEmails(t, db, "a")
				})
			}
		}
	})
}

// InTx that fails, in every way that the server is needed for.
func TestInTxFails(t *testing.T) {
	duplicate := func(tx *schemadb.Tx) error { // which PostgreSQL notices at the commit
		_, err := tx.Exec(insertUser, "a")
		return err
	}
	refused := func(tx *schemadb.Tx) error {
		_, err := tx.Exec("SELECT 1 / 0")
		return err
	}
	leakFree(t, func(t *testing.T, pool *sql.DB, db *schemadb.DB) {
		ctx := t.Context()
		for name, run := range map[string]func() error{
			"the commit":                        func() error { return db.InTx(ctx, duplicate) },
			"a statement":                       func() error { return db.InTx(ctx, refused) },
			"a statement in a savepoint":        func() error { return db.InTx(ctx, func(tx *schemadb.Tx) error { return tx.InTx(ctx, refused) }) },
			"a statement whose error is hidden": func() error { return db.InTx(ctx, func(tx *schemadb.Tx) error { _ = refused(tx); return nil }) },
			"a statement of a read-only transaction": func() error {
				return db.InTx(ctx, duplicate, schemadb.WithTxOptions(sql.TxOptions{ReadOnly: true}))
			},
			"a nested one with options": func() error {
				return db.InTx(ctx, func(tx *schemadb.Tx) error { return tx.InTx(ctx, succeed, schemadb.WithRetry(2)) })
			},
			"the commit, ended by the closure": func() error { return db.InTx(ctx, (*schemadb.Tx).Rollback) },
			"what follows the end": func() error {
				var kept *schemadb.Tx
				wantNil(t, db.InTx(ctx, func(tx *schemadb.Tx) error { kept = tx; return nil }))
				_, err := kept.Exec(insertUser, "gone")
				return err
			},
			"what follows the outer end": func() error {
				var kept *schemadb.Tx
				wantNil(t, db.InTx(ctx, func(tx *schemadb.Tx) error {
					kept = tx
					return nil
				}))
				return kept.InTx(ctx, duplicate)
			},
		} {
			t.Run(name, func(t *testing.T) {
				if run() == nil {
					t.Error("no error")
				}
				wantIdle(t, pool)
				wantEmails(t, db, "a")
			})
		}
	})
}

// Every view of a statement can be made, also of one that is executed as an ordinary statement, or is none.
func TestStmtxUnsafe(t *testing.T) {
	leakFree(t, func(t *testing.T, pool *sql.DB, db *schemadb.DB) {
		public, err := db.ForSchema("public").Preparex("SELECT *, 1 AS extra FROM {{tables.users}}")
		wantNil(t, err)
		defer public.Close()
		wantNil(t, db.InTx(t.Context(), func(tx *schemadb.Tx) error {
			var u user
			wantNil(t, tx.Stmtx(public).Unsafe().Get(&u))
			if u.Email != "a" {
				t.Errorf("read the schema of %q", u.Email)
			}
			wantError(t, tx.Stmtx(42).Unsafe().Get(&u), "int is no statement")
			return nil
		}))
	})
}
