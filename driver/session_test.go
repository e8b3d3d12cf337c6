package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/driver"
)

// leavers are statements that leave something in the session.
var leavers = []struct {
	name, query string
}{
	{"temporary table", "CREATE TEMP TABLE left_behind ()"},
	{"temporary table as", "CREATE TEMPORARY TABLE left_behind AS SELECT * FROM {{tables.t}}"},
	{"select into", "SELECT * INTO TEMP left_behind FROM {{tables.t}}"},
	{"in pg_temp", "CREATE TABLE pg_temp.left_behind ()"},
	{"temporary view", "CREATE TEMP VIEW left_behind AS SELECT * FROM {{tables.t}}"},
	{"SET", "SET my.trace = 'behind'"},
	{"SET SESSION", "set session my.trace = 'behind'"},
	{"set_config", "SELECT set_config('my.trace', owner, false) FROM {{tables.t}}"},
	{"set_config behind a comment", "/* */ SELECT pg_catalog.set_config('my.trace', 'behind', /* true */ false)"},
	{"PREPARE", "PREPARE left_behind AS SELECT * FROM {{tables.t}}"},
	{"WITH HOLD", "DECLARE left_behind CURSOR WITH HOLD FOR SELECT * FROM {{tables.t}}"},
	{"LISTEN", "LISTEN left_behind"},
	{"DO", "DO $$ BEGIN CREATE TEMP TABLE left_behind (); END $$"},
	{"one of several", "SELECT 1; CREATE TEMP TABLE left_behind (); SELECT 2"},
	{"behind a transaction", "BEGIN; SET my.trace = 'behind'; COMMIT"},
}

// leftQuery tells whether one of the leavers was here. It sees nothing of what pgx prepares.
const leftQuery = `SELECT to_regclass('pg_temp.left_behind') IS NOT NULL
	OR coalesce(current_setting('my.trace', true), '') <> ''
	OR EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'left_behind')
	OR EXISTS (SELECT FROM pg_cursors WHERE name = 'left_behind')
	OR EXISTS (SELECT FROM pg_listening_channels())`

// boundWays are those to execute a statement under a context that names a schema.
var boundWays = []struct {
	name string
	run  func(ctx, plain context.Context, db *sql.DB, query string) error
}{
	{"Exec", func(ctx, _ context.Context, db *sql.DB, query string) error {
		return second(db.ExecContext(ctx, query))
	}},
	{"Query", func(ctx, _ context.Context, db *sql.DB, query string) error {
		rows, err := db.QueryContext(ctx, query)
		if err != nil {
			return err
		}
		return rows.Close()
	}},
	{"Prepare", func(ctx, plain context.Context, db *sql.DB, query string) error {
		stmt, err := db.PrepareContext(plain, query)
		if err != nil {
			return err
		}
		defer func() { _ = stmt.Close() }()
		return second(stmt.ExecContext(ctx))
	}},
	{"Conn", func(ctx, plain context.Context, db *sql.DB, query string) error {
		conn, err := db.Conn(plain)
		if err != nil {
			return err
		}
		defer conn.Close()
		return second(conn.ExecContext(ctx, query))
	}},
	{"transaction", func(ctx, plain context.Context, db *sql.DB, query string) error {
		return inTx(ctx, db, func(tx *sql.Tx) error { return second(tx.ExecContext(plain, query)) })
	}},
	{"context in a transaction", func(ctx, plain context.Context, db *sql.DB, query string) error {
		return inTx(plain, db, func(tx *sql.Tx) error { return second(tx.ExecContext(ctx, query)) })
	}},
	{"prepared in a transaction", func(ctx, plain context.Context, db *sql.DB, query string) error {
		return inTx(ctx, db, func(tx *sql.Tx) error {
			stmt, err := tx.PrepareContext(plain, query)
			if err != nil {
				return err
			}
			return second(stmt.ExecContext(plain))
		})
	}},
}

func inTx(ctx context.Context, db *sql.DB, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// warmUp makes sure that db's only connection was borrowed before, and returns its backend.
func warmUp(t *testing.T, db *sql.DB) int {
	t.Helper()
	for range 2 {
		wantOwner(t.Context(), t, db, "a")
	}
	return backend(t.Context(), t, db)
}

// wantFresh fails the test unless the next borrower of db's only connection gets another than pid.
func wantFresh(ctx context.Context, t *testing.T, db *sql.DB, pid int) {
	t.Helper()
	conn := holdConn(ctx, t, db)
	defer conn.Close()
	if backend(ctx, t, conn) == pid {
		t.Error("the next borrower got the same connection")
	}
	if get[bool](ctx, t, conn, leftQuery) {
		t.Error("the next borrower sees what was left")
	}
}

func TestLeftUnderContext(t *testing.T) {
	t.Parallel()
	dsn := withSchema(t, newTenants(t, "a", odd), "a") + "&schema_mode=template"
	for i, leaver := range leavers {
		for j, way := range boundWays {
			if i > 0 && j > 0 {
				continue // every leaver in one way, and one in every way
			}
			t.Run(leaver.name+"/"+way.name, func(t *testing.T) {
				t.Parallel()
				db := openOne(t, dsn)
				pid := warmUp(t, db)
				ctx := driver.WithSchema(t.Context(), odd)
				if err := way.run(ctx, t.Context(), db, leaver.query); err != nil {
					t.Fatal(err)
				}
				if n := db.Stats().Idle; n != 0 {
					t.Error("the connection is kept")
				}
				wantFresh(t.Context(), t, db, pid)
			})
		}
	}
}

// TestLeftUnderDSN has borrowers without a context's schema see what their like have left, as with pgx.
func TestLeftUnderDSN(t *testing.T) {
	t.Parallel()
	dsn := withSchema(t, newTenants(t, "a", odd), "a")
	for _, leaver := range leavers {
		for _, mode := range []string{"template", "search_path"} {
			t.Run(leaver.name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				db := openOne(t, dsn+"&schema_mode="+mode)
				pid := warmUp(t, db)
				exec(t.Context(), t, db, leaver.query)
				if got := backend(t.Context(), t, db); got != pid {
					t.Error("the connection is not kept")
				}
				if !get[bool](t.Context(), t, db, leftQuery) {
					t.Error("nothing is left")
				}
				bound := "a" // the same schema: another borrower's all the same
				if mode == "template" {
					bound = odd
				}
				wantFresh(driver.WithSchema(t.Context(), bound), t, db, pid)
			})
		}
	}
}

func TestNothingLeft(t *testing.T) {
	t.Parallel()
	dsn := withSchema(t, newTenants(t, "a", odd), "a") + "&schema_mode=template"
	for _, query := range []string{
		ownerQuery,
		"SELECT set_config('my.trace', owner, true) FROM {{tables.t}}",
		"SET LOCAL my.trace = 'behind'",
		"SET TRANSACTION READ ONLY",
		"BEGIN; SET LOCAL my.trace = 'behind'; ROLLBACK",
		"SAVEPOINT s",
		"DECLARE left_behind CURSOR FOR SELECT * FROM {{tables.t}}",
		"SELECT 'CREATE TEMP TABLE left_behind ()' AS \"SET\" -- LISTEN",
		"UPDATE {{tables.t}} SET owner = owner",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			db := openOne(t, dsn)
			pid := warmUp(t, db)
			ctx := driver.WithSchema(t.Context(), odd)
			if err := inTx(ctx, db, func(tx *sql.Tx) error { return second(tx.Exec(query)) }); err != nil {
				t.Fatal(err)
			}
			if backend(t.Context(), t, db) != pid {
				t.Error("the connection is not kept")
			}
			if get[bool](t.Context(), t, db, leftQuery) {
				t.Error("something is left")
			}
		})
	}
}

// leave is what happens to a connection in Raw.
func leave(ctx context.Context) func(*pgx.Conn) error {
	return func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE TEMP TABLE left_behind ()")
		return err
	}
}

// stdRaw is what users of pgx/v5/stdlib write.
func stdRaw(ctx context.Context, conn *sql.Conn) error {
	return conn.Raw(func(c any) error { return leave(ctx)(c.(interface{ Conn() *pgx.Conn }).Conn()) })
}

func TestLeftByRaw(t *testing.T) {
	t.Parallel()
	dsn := withSchema(t, newTenants(t, "a", odd), "a") + "&schema_mode=template"
	withConn := func(borrow context.Context, db *sql.DB, do func(*sql.Conn) error) error {
		conn, err := db.Conn(borrow)
		if err != nil {
			return err
		}
		defer conn.Close()
		return do(conn)
	}
	for name, raw := range map[string]func(ctx, plain context.Context, db *sql.DB) error{
		"driver.Raw of DB": func(ctx, _ context.Context, db *sql.DB) error { return driver.Raw(ctx, db, leave(ctx)) },
		"driver.Raw of Conn": func(ctx, plain context.Context, db *sql.DB) error {
			return withConn(plain, db, func(conn *sql.Conn) error { return driver.Raw(ctx, conn, leave(ctx)) })
		},
		"driver.Raw of a tenant's Conn": func(ctx, plain context.Context, db *sql.DB) error {
			return withConn(ctx, db, func(conn *sql.Conn) error { return driver.Raw(plain, conn, leave(ctx)) })
		},
		"Raw of a tenant's Conn": func(ctx, _ context.Context, db *sql.DB) error {
			return withConn(ctx, db, func(conn *sql.Conn) error { return stdRaw(ctx, conn) })
		},
		"Raw behind a tenant's statement": func(ctx, plain context.Context, db *sql.DB) error {
			return withConn(plain, db, func(conn *sql.Conn) error {
				_, err := conn.ExecContext(ctx, ownerQuery)
				return errors.Join(err, stdRaw(ctx, conn))
			})
		},
		"Raw in a tenant's transaction": func(ctx, plain context.Context, db *sql.DB) error {
			return withConn(plain, db, func(conn *sql.Conn) error {
				tx, err := conn.BeginTx(ctx, nil)
				return errors.Join(err, stdRaw(ctx, conn), tx.Commit())
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openOne(t, dsn)
			pid := warmUp(t, db)
			if err := raw(driver.WithSchema(t.Context(), odd), t.Context(), db); err != nil {
				t.Fatal(err)
			}
			wantFresh(t.Context(), t, db, pid)
		})
	}
}

func TestRawUnderDSN(t *testing.T) {
	t.Parallel()
	dsn := withSchema(t, newTenants(t, "a", odd), "a") + "&schema_mode=template"
	for _, isNew := range []bool{true, false} {
		db := openOne(t, dsn)
		if !isNew {
			warmUp(t, db)
		}
		if err := driver.Raw(t.Context(), db, leave(t.Context())); err != nil {
			t.Fatal(err)
		}
		pid := backend(t.Context(), t, db)
		if !get[bool](t.Context(), t, db, leftQuery) {
			t.Errorf("new connection %t: it is not kept", isNew)
		}
		wantFresh(driver.WithSchema(t.Context(), odd), t, db, pid)
	}
}

// TestRawOnConnectionOpenedInBackground has database/sql open a connection for a borrower that waits, whose context
// the driver does not see.
func TestRawOnConnectionOpenedInBackground(t *testing.T) {
	t.Parallel()
	db := openOne(t, withSchema(t, newTenants(t, "a", odd), "a")+"&schema_mode=template")
	ctx := driver.WithSchema(t.Context(), odd)
	first := holdConn(ctx, t, db)
	exec(ctx, t, first, "SET my.trace = 'behind'") // so that it is closed when it comes back

	borrowed := make(chan error)
	var pid int
	go func() {
		conn, err := db.Conn(ctx)
		if err != nil {
			borrowed <- err
			return
		}
		err = errors.Join(stdRaw(ctx, conn), conn.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pid))
		borrowed <- errors.Join(err, conn.Close())
	}()
	eventually(t, "a borrower waits", func() bool { return db.Stats().WaitCount == 1 })
	if err := errors.Join(first.Close(), <-borrowed); err != nil {
		t.Fatal(err)
	}
	wantFresh(t.Context(), t, db, pid)
}

// TestRawOfProgramWithoutContexts wants the connection kept, as pgx keeps it.
func TestRawOfProgramWithoutContexts(t *testing.T) {
	t.Parallel()
	db := openOne(t, server.Database(t))
	pids := make(map[int]bool)
	for range 3 {
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Raw(func(c any) error { return c.(interface{ Conn() *pgx.Conn }).Conn().Ping(t.Context()) }); err != nil {
			t.Fatal(err)
		}
		pids[backend(t.Context(), t, conn)] = true
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(pids) != 1 {
		t.Errorf("three uses of Raw took %d connections", len(pids))
	}
}

// TestManyLeaversAtOnce makes each borrower wait for a connection that has to be given up.
func TestManyLeaversAtOnce(t *testing.T) {
	t.Parallel()
	dsn := withSchema(t, newTenants(t, "a", odd), "a") + "&schema_mode=template"
	bound := driver.WithSchema(t.Context(), odd)
	for name, contexts := range map[string][]context.Context{
		"all under a context": {bound, bound}, "half of them": {bound, t.Context()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openOne(t, dsn)
			var group sync.WaitGroup
			for i := range 16 {
				group.Go(func() {
					for range 10 {
						if _, err := db.ExecContext(contexts[i%2], "SET my.trace = 'behind'"); err != nil {
							t.Error(err)
						}
					}
				})
			}
			group.Wait()
		})
	}
}
