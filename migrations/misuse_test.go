package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/supervise/supervisetest"
	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// TestUndoWithoutTheLastFile has a program that is older than the database: what it takes for the last migration is not.
func TestUndoWithoutTheLastFile(t *testing.T) {
	t.Parallel()
	db := schemadb.New(open(t), "app")
	older := files{"1_a.sql": "CREATE TABLE {{tables.a}} ()", "down/1_a.sql": "DROP TABLE {{tables.a}}", "R__r.sql": "SELECT 1"}
	apply(t, db, older.with("2_b.sql", "CREATE TABLE {{tables.b}} ()").with("down/2_b.sql", "DROP TABLE {{tables.b}}"))
	m := migrator(t, db, older, migrations.AllowRemoved())
	for name, undo := range map[string]func(context.Context) (*migrations.Result, error){
		"Rollback":  func(ctx context.Context) (*migrations.Result, error) { return m.Rollback(ctx, 1) },
		"Redo":      m.Redo,
		"MigrateTo": func(ctx context.Context) (*migrations.Result, error) { return m.MigrateTo(ctx, 0) },
	} {
		result, err := undo(t.Context())
		var drift *migrations.DriftError
		if !errors.As(err, &drift) || !slices.Equal(drift.Removed, []string{"2_b.sql"}) || len(result.Steps) > 0 {
			t.Errorf("%s: %+v, %v", name, result.Steps, err)
		}
	}
	want(t, "history", recorded(t, db.Pool(), "app"), "1_a.sql 2_b.sql R__r.sql")
}

// TestUndoWithoutARepeatableFile has a file that is gone, and that does not say which versioned one is the last.
func TestUndoWithoutARepeatableFile(t *testing.T) {
	t.Parallel()
	db := schemadb.New(open(t), "app")
	apply(t, db, undoable.with("R__r.sql", "SELECT 1"))
	wantFiles(t, "Rollback", ran(t)(migrator(t, db, undoable, migrations.AllowRemoved()).Rollback(t.Context(), 1)), "3_three.sql")
}

// TestSessionOfFunctions has a function that leaves all that it can in its session. A pool of two shows it to the next tenant.
func TestSessionOfFunctions(t *testing.T) {
	t.Parallel()
	for _, name := range []string{driver.Name, "pgx"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := openAs(t, name, server.Database(t))
			pool.SetMaxOpenConns(2)
			leave := func(ctx context.Context, tx *schemadb.Tx) error {
				_, err := tx.ExecContext(ctx, "SET search_path TO {{schema}}; SET work_mem = '7MB'; SELECT pg_advisory_lock(42); CREATE TEMP TABLE temporary ()")
				return err
			}
			f := files{"2_b.sql": "CREATE TABLE {{tables.seen}} AS SELECT current_setting('search_path') || current_setting('work_mem') AS what"}
			for _, schema := range []string{"one", "two"} {
				apply(t, schemadb.New(pool, schema), f, migrations.Go(1, "leave", leave, nil))
			}
			want(t, "settings", query(t, pool, "SELECT DISTINCT what FROM (SELECT what FROM one.seen UNION ALL SELECT what FROM two.seen) s"),
				`"$user", public4MB`)
			wantNoLocks(t, pool)
		})
	}
}

// wantNoLocks fails the test unless nobody has the lock that a function has left, once the backends of closed connections have ended.
func wantNoLocks(t *testing.T, pool *sql.DB) {
	t.Helper()
	const locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 " +
		"AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
	supervisetest.Eventually(t, "the backend of the closed connection has ended", func() bool { return query(t, pool, locks) == "0" })
}

// TestFunctionsThatEndTheirTransaction do so with a statement, which nobody reads.
func TestFunctionsThatEndTheirTransaction(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{"ROLLBACK", "COMMIT", "COMMIT; BEGIN"} {
		db := schemadb.New(open(t), "app")
		end := func(ctx context.Context, tx *schemadb.Tx) error {
			_, err := tx.ExecContext(ctx, statement)
			return err
		}
		_, err := migrator(t, db, files{"1_a.sql": "SELECT 1"}, migrations.Go(2, "end", end, nil)).Apply(t.Context())
		wantTexts(t, err, "002_end.go", "has ended the transaction")
		want(t, "history after "+statement, recorded(t, db.Pool(), "app"), "1_a.sql")
	}
}

// TestSessionOfCalledFunctions has a search_path that is set where no text shows it, and a lock of the session.
func TestSessionOfCalledFunctions(t *testing.T) {
	t.Parallel()
	pool := openAs(t, "pgx", server.Database(t))
	db := schemadb.New(pool, "app")
	apply(t, db, files{"1_f.sql": "CREATE FUNCTION {{schema}}.f() RETURNS text LANGUAGE sql AS $$ SELECT set_config('search_path', 'app', false) $$"})
	for i, text := range []string{"SELECT {{schema}}.f()", "SELECT pg_advisory_lock(42)", "SELECT pg_try_advisory_lock_shared(42)",
		"CREATE TABLE {{tables.t}} (x int);\nCOPY {{tables.t}} FROM stdin;\n1\n\\.\nSELECT {{schema}}.f()"} {
		all := files{"1_f.sql": "CREATE FUNCTION {{schema}}.f() RETURNS text LANGUAGE sql AS $$ SELECT set_config('search_path', 'app', false) $$"}
		apply(t, db, all.with(fmt.Sprintf("%d_g.sql", i+2), text), migrations.AllowRemoved())
		for range 3 { // the connections that are idle now
			conn, err := pool.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			var path string
			if err := conn.QueryRowContext(t.Context(), "SHOW search_path").Scan(&path); err != nil || path != `"$user", public` {
				t.Errorf("after %s the search_path is %s, %v", text, path, err)
			}
		}
		wantNoLocks(t, pool)
	}
}

// TestPanicUnderApplyAll is recovered where ApplyAll was called, and leaves nothing.
func TestPanicUnderApplyAll(t *testing.T) {
	t.Parallel()
	pool := open(t)
	boom := func(context.Context, *schemadb.Tx) error { panic("boom") }
	f := files{"1_a.sql": "CREATE TABLE {{tables.a}} ()"}
	func() {
		defer func() {
			if p := recover(); p != "boom" {
				t.Errorf("recovered %v", p)
			}
		}()
		_, _ = migrations.ApplyAll(t.Context(), pool, f.fs(), slices.Values([]string{"one", "two", "three"}), quiet,
			migrations.Module("m"), migrations.Go(2, "boom", boom, nil))
	}()
	if n := pool.Stats().InUse; n != 0 {
		t.Errorf("%d connections are in use", n)
	}
	calm := func(context.Context, *schemadb.Tx) error { return nil }
	result, err := migrations.ApplyAll(t.Context(), pool, f.fs(), slices.Values([]string{"one", "two", "three"}), quiet,
		migrations.Module("m"), migrations.Go(2, "boom", calm, nil))
	if err != nil || len(result.Applied) != 3 {
		t.Errorf("%+v, %v", result, err)
	}
}

// TestGoexitUnderApplyAll has a function that calls t.FailNow, or so: it ends its goroutine, which has to be the caller's.
func TestGoexitUnderApplyAll(t *testing.T) {
	t.Parallel()
	pool := open(t)
	exit := func(context.Context, *schemadb.Tx) error { runtime.Goexit(); return nil }
	returned := make(chan bool, 1)
	go func() {
		defer close(returned)
		_, _ = migrations.ApplyAll(t.Context(), pool, files{"1_a.sql": "SELECT 1"}.fs(), slices.Values([]string{"one", "two", "three"}), quiet,
			migrations.Module("m"), migrations.Go(2, "exit", exit, nil))
		returned <- true
	}()
	if <-returned {
		t.Error("ApplyAll has returned as if nothing had happened")
	}
	if n := pool.Stats().InUse; n != 0 {
		t.Errorf("%d connections are in use", n)
	}
}

// TestLargeFile does not go in one message.
func TestLargeFile(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "app")
		row := "INSERT INTO {{tables.t}} VALUES ('" + strings.Repeat("ä", 1000) + "');\n"
		text := "CREATE TABLE {{tables.t}} (x text);\n" + strings.Repeat(row, 1500)
		_, err := migrator(t, db, files{"1_t.sql": text + "INSERT INTO {{tables.t}} VALUES (nothing);\n" + row}).Apply(t.Context())
		wantTexts(t, err, "1_t.sql:1502:34", "nothing")
		if exists(t, pool, "app.t") {
			t.Error("the table is there")
		}
		wantFiles(t, "after the repair", apply(t, db, files{"1_t.sql": text, "2_u.sql": "SELECT 1"}), "1_t.sql 2_u.sql")
		want(t, "rows", query(t, pool, "SELECT count(*) FROM app.t"), "1500")
	})
}
