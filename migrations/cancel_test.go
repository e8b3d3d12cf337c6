package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"testing"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// sleeps is a part of a statement during which the tests cancel it.
const sleeps = "pg_sleep(20)"

// cancelled applies files until the statement sleeps, and cancels the run.
func cancelled(t *testing.T, l *lab, pool *sql.DB, f files) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	run := beginApply(ctx, l.migrator(pool, "s", f.fs()))
	l.activity("wait_event = 'PgSleep'")
	cancel()
	err := l.wait("the cancelled run", run)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error = %v", err)
	}
	return err
}

// TestCancelledAndNotDone has statements that fail the second time for a reason which looks as if they had been done.
func TestCancelledAndNotDone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, statement, again, want string }{
		"a temporary table is gone": {"CREATE TEMP TABLE tt AS SELECT 1 AS x", "INSERT INTO {{tables.log}} SELECT x FROM tt, " + sleeps,
			"", "42P01"},
		"a block that commits": {"SELECT 1", "DO $$ BEGIN CREATE TABLE {{tables.todo}} (); COMMIT; PERFORM " + sleeps +
			"; INSERT INTO {{tables.log}} VALUES (1); END $$", "", "42P07"},
		"another statement": {"SELECT 1", "INSERT INTO {{tables.log}} SELECT 1 FROM " + sleeps, "CREATE TABLE {{tables.log}} ()", "42P07"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			pool := l.pool("pgdbm", 0)
			f := files{"1_log.sql": "CREATE TABLE {{tables.log}} (x int)", "2_alone.sql": alone(c.before, c.statement)}
			wantTexts(t, cancelled(t, l, pool, f), "2_alone.sql:3:1", "number 2")
			if c.again != "" {
				f = f.with("2_alone.sql", alone(c.before, c.again))
			}
			_, err := migrator(t, schemadb.New(pool, "s"), f).Apply(t.Context())
			wantTexts(t, err, c.want, "number 2")
			want(t, "history", recorded(t, pool, "s"), "1_log.sql")
		})
	}
}

// TestCancelledAndDone has a statement that does its work all the same.
func TestCancelledAndDone(t *testing.T) {
	t.Parallel()
	for name, rest := range map[string][]string{"the last one": nil, "the first one": {"INSERT INTO {{tables.log}} VALUES (2)"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			pool := l.pool("pgdbm", 0)
			stubborn := "DO $$ BEGIN BEGIN PERFORM " + sleeps + "; EXCEPTION WHEN query_canceled THEN NULL; END; INSERT INTO {{tables.log}} VALUES (1); END $$"
			f := files{"1_log.sql": "CREATE TABLE {{tables.log}} (x int)", "2_alone.sql": alone(append([]string{stubborn}, rest...)...)}
			ctx, cancel := context.WithCancel(t.Context())
			run := beginApply(ctx, l.migrator(pool, "s", f.fs()))
			l.activity("wait_event = 'PgSleep'")
			cancel()
			err := l.wait("the cancelled run", run)
			if len(rest) > 0 {
				wantTexts(t, err, "its first statement is done and stays", "number 2")
			}
			apply(t, schemadb.New(pool, "s"), f)
			want(t, "each statement has run once", query(t, pool, "SELECT count(*) - count(DISTINCT x) FROM s.log"), "0")
			want(t, "history", recorded(t, pool, "s"), "1_log.sql 2_alone.sql")
		})
	}
}

// TestHalfUndone has an undo without a transaction that stops in its middle.
func TestHalfUndone(t *testing.T) {
	t.Parallel()
	pool := open(t)
	db := schemadb.New(pool, "app")
	f := files{"1_a.sql": "CREATE TABLE {{tables.a}} (); CREATE TABLE {{tables.b}} ()", "down/1_a.sql": alone("DROP TABLE {{tables.a}}", "SELECT 1/0")}
	apply(t, db, f)
	m := migrator(t, db, f)
	_, err := m.Rollback(t.Context(), 1)
	wantTexts(t, err, "division by zero", "its first statement is done and stays")
	for what, err := range map[string]error{"Apply": errOf(m.Apply(t.Context())), "Verify": m.Verify(t.Context()),
		"AllowChanged": errOf(migrator(t, db, f, migrations.AllowChanged()).Apply(t.Context()))} {
		var drift *migrations.DriftError
		if !errors.As(err, &drift) || len(drift.HalfUndone) != 1 {
			t.Errorf("%s: error = %v", what, err)
		}
	}
	status, err := m.Status(t.Context())
	if err != nil || status[0].State != migrations.HalfUndone {
		t.Errorf("status = %v, %v", status, err)
	}
	repaired := migrator(t, db, f.with("down/1_a.sql", alone("DROP TABLE {{tables.a}}", "DROP TABLE {{tables.b}}")))
	wantFiles(t, "the rest", ran(t)(repaired.Rollback(t.Context(), 1)), "1_a.sql")
	want(t, "history", recorded(t, pool, "app"), "")
	want(t, "progress", progress(t, pool), "")
	wantFiles(t, "again", apply(t, db, f), "1_a.sql")
}

func errOf[T any](_ T, err error) error { return err }

// TestProgressEnds has a file that stops in its middle, and verbs after which it begins anew.
func TestProgressEnds(t *testing.T) {
	t.Parallel()
	for _, shared := range []bool{false, true} {
		var opts []migrations.Option
		if shared {
			opts = append(opts, migrations.SharedHistory("app"))
		}
		for name, verb := range map[string]func(*migrations.Migrator, context.Context) (*migrations.Result, error){
			"Baseline": func(m *migrations.Migrator, ctx context.Context) (*migrations.Result, error) {
				return m.Baseline(ctx, 1)
			},
			"Forget": func(m *migrations.Migrator, ctx context.Context) (*migrations.Result, error) {
				return m.Forget(ctx, "1_a.sql")
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				pool := open(t)
				db := schemadb.New(pool, "app")
				f := files{"1_a.sql": alone("CREATE TABLE {{tables.a}} ()", "SELECT 1/0"), "down/1_a.sql": "DROP TABLE IF EXISTS {{tables.a}}"}
				m := migrator(t, db, f, opts...)
				_, err := m.Apply(t.Context())
				wantTexts(t, err, "division by zero")
				ran(t)(verb(m, t.Context()))
				want(t, "progress", progress(t, pool), "")
				execOn(t, pool, "DROP TABLE app.a")
				m = migrator(t, db, f.with("1_a.sql", alone("CREATE TABLE {{tables.a}} ()", "SELECT 1")), opts...)
				if name == "Baseline" {
					wantFiles(t, "Redo", ran(t)(m.Redo(t.Context())), "1_a.sql 1_a.sql")
				} else {
					wantFiles(t, "Apply", ran(t)(m.Apply(t.Context())), "1_a.sql")
				}
				if !exists(t, pool, "app.a") {
					t.Error("the first statement has not run")
				}
			})
		}
	}
}

// TestUndoThatDiesAtOnce has an undo of one statement which commits a part of its work.
func TestUndoThatDiesAtOnce(t *testing.T) {
	t.Parallel()
	pool := open(t)
	db := schemadb.New(pool, "app")
	f := files{"1_a.sql": "CREATE TABLE {{tables.a}} ()",
		"down/1_a.sql": alone("DO $$ BEGIN DROP TABLE {{tables.a}}; COMMIT; PERFORM pg_terminate_backend(pg_backend_pid()); END $$")}
	apply(t, db, f)
	_, err := migrator(t, db, f).Rollback(t.Context(), 1)
	wantTexts(t, err, "57P01")
	for name, err := range map[string]error{"Apply": errOf(migrator(t, db, f).Apply(t.Context())),
		"ApplyAll": errOf(migrations.ApplyAll(t.Context(), pool, f.fs(), slices.Values([]string{"app"}), quiet))} {
		var drift *migrations.DriftError
		if !errors.As(err, &drift) || len(drift.HalfUndone) != 1 {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}

// TestUndoThatFailsAtOnce leaves everything as it was.
func TestUndoThatFailsAtOnce(t *testing.T) {
	t.Parallel()
	db := schemadb.New(open(t), "app")
	f := files{"1_a.sql": "CREATE TABLE {{tables.a}} ()", "down/1_a.sql": alone("SELECT 1/0", "DROP TABLE {{tables.a}}")}
	apply(t, db, f)
	_, err := migrator(t, db, f).Rollback(t.Context(), 1)
	wantTexts(t, err, "division by zero", "none of its statements is done")
	wantFiles(t, "Apply", apply(t, db, f), "")
}

// TestForgetHalfUndone has an undo that has taken a view with it before it failed.
func TestForgetHalfUndone(t *testing.T) {
	t.Parallel()
	pool := open(t)
	db := schemadb.New(pool, "app")
	f := files{"1_a.sql": "CREATE TABLE {{tables.a}} (x int)", "R__v.sql": "CREATE OR REPLACE VIEW {{tables.v}} AS SELECT x FROM {{tables.a}}",
		"down/1_a.sql": alone("DROP TABLE {{tables.a}} CASCADE", "SELECT 1/0")}
	apply(t, db, f)
	m := migrator(t, db, f)
	_, err := m.Rollback(t.Context(), 1)
	wantTexts(t, err, "division by zero")
	ran(t)(m.Forget(t.Context(), "1_a.sql"))
	wantFiles(t, "Apply", apply(t, db, f), "1_a.sql R__v.sql")
}

// TestHalfDoneInTheWay has a file that has stopped in its middle, and what must not happen before it is finished.
func TestHalfDoneInTheWay(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{"versioned": "2_b.sql", "repeatable": "R__b.sql"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := open(t)
			db := schemadb.New(pool, "app")
			f := files{"1_a.sql": "CREATE TABLE {{tables.a}} ()", "down/1_a.sql": "DROP TABLE {{tables.a}} CASCADE",
				file: alone("ALTER TABLE {{tables.a}} ADD COLUMN b int", "SELECT 1/0")}
			_, err := migrator(t, db, f).Apply(t.Context())
			wantTexts(t, err, "division by zero")
			verbs := map[string]error{"Rollback": errOf(migrator(t, db, f).Rollback(t.Context(), 1)), "Redo": errOf(migrator(t, db, f).Redo(t.Context())),
				"MigrateTo": errOf(migrator(t, db, f).MigrateTo(t.Context(), 0))}
			if name == "versioned" {
				changed := migrator(t, db, f.with(file, "SELECT 2"))
				verbs["in a transaction"] = errOf(changed.Apply(t.Context()))
				verbs["Pending"], verbs["Verify"] = errOf(changed.Pending(t.Context())), changed.Verify(t.Context())
				verbs["SharedHistory"] = errOf(migrator(t, db, f.with(file, "SELECT 2"), inBooks).Pending(t.Context()))
			}
			for what, err := range verbs {
				var drift *migrations.DriftError
				if !errors.As(err, &drift) || len(drift.HalfDone) != 1 || drift.HalfDone[0] != file {
					t.Errorf("%s: error = %v", what, err)
				}
			}
			repaired := migrator(t, db, f.with(file, alone("ALTER TABLE {{tables.a}} ADD COLUMN b int", "SELECT 1")))
			wantFiles(t, "the rest", ran(t)(repaired.Apply(t.Context())), file)
			if name == "repeatable" {
				wantFiles(t, "Rollback", ran(t)(repaired.Rollback(t.Context(), 1)), "1_a.sql")
			}
		})
	}
}

// TestHistoryThatRefuses has a trigger that does not let the history be written when all is done.
func TestHistoryThatRefuses(t *testing.T) {
	t.Parallel()
	pool := open(t)
	db := schemadb.New(pool, "app")
	f := files{"1_log.sql": "CREATE TABLE {{tables.log}} (x int)"}
	apply(t, db, f)
	execOn(t, pool, `CREATE FUNCTION app.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
		CREATE TRIGGER no BEFORE INSERT ON app.schema_migrations EXECUTE FUNCTION app.no()`)
	f = f.with("2_alone.sql", alone("SELECT 1", "INSERT INTO {{tables.log}} VALUES (1)"))
	_, err := migrator(t, db, f).Apply(t.Context())
	wantTexts(t, err, "all of its statements are done")
	execOn(t, pool, "DROP TRIGGER no ON app.schema_migrations")
	wantFiles(t, "Apply", apply(t, db, f), "2_alone.sql")
	want(t, "log", query(t, pool, "SELECT count(*) FROM app.log"), "1")
}

// TestOthersInBetween has another run do something between two migrations of a run.
func TestOthersInBetween(t *testing.T) {
	t.Parallel()
	f := files{"1_a.sql": "SELECT 1", "2_b.sql": "SELECT 2", "down/1_a.sql": "SELECT -1", "down/2_b.sql": "SELECT -2", "R__r.sql": "SELECT 3"}
	t.Run("Apply in a Redo", func(t *testing.T) {
		t.Parallel()
		db := schemadb.New(open(t), "app")
		apply(t, db, f)
		redo := migrator(t, db, f, migrations.Before(func(_ context.Context, s migrations.Step) error {
			if !s.Undo && s.Migration.Version == 2 {
				wantFiles(t, "in between", apply(t, db, f), "2_b.sql R__r.sql")
			}
			return nil
		}))
		wantFiles(t, "Redo", ran(t)(redo.Redo(t.Context())), "2_b.sql")
	})
	t.Run("Rollback in an Apply", func(t *testing.T) {
		t.Parallel()
		db := schemadb.New(open(t), "app")
		once := true
		m := migrator(t, db, f, migrations.Before(func(ctx context.Context, s migrations.Step) error {
			if s.Migration.Version == 2 && once {
				once = false
				wantFiles(t, "in between", ran(t)(migrator(t, db, f).Rollback(ctx, 1)), "1_a.sql")
			}
			return nil
		}))
		wantFiles(t, "Apply", ran(t)(m.Apply(t.Context())), "1_a.sql 1_a.sql 2_b.sql R__r.sql")
	})
}
