package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// logs returns a function that writes a line into the table log.
func logs(line string) migrations.Func {
	return func(ctx context.Context, tx *schemadb.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO {{tables.log}} (what) VALUES ($1)", line+" in "+tx.Schema())
		return err
	}
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "app")
		m := migrator(t, db, undoable.without("2_two.sql", "down/2_two.sql"), migrations.Go(2, "fn", logs("up"), logs("down")),
			migrations.Go(10, "last", logs("last"), logs("not last")))
		result, err := m.Apply(t.Context())
		wantFiles(t, "Apply", ran(t)(result, err), "1_log.sql 002_fn.go 3_three.sql 010_last.go")
		if step := result.Steps[1]; !step.Migration.Go || step.Migration.Version != 2 {
			t.Errorf("a step is %+v", step)
		}
		want(t, "history", recorded(t, pool, "app"), "1_log.sql 002_fn.go 3_three.sql 010_last.go")
		wantFiles(t, "again", ran(t)(m.Apply(t.Context())), "")
		wantFiles(t, "Rollback", ran(t)(m.Rollback(t.Context(), 3)), "010_last.go 3_three.sql 002_fn.go")
		want(t, "log", query(t, pool, "SELECT string_agg(what, ', ' ORDER BY n) FROM app.log"),
			"up in app, three, last in app, not last in app, not three, down in app")
		want(t, "history", recorded(t, pool, "app"), "1_log.sql")
		want(t, "one transaction", query(t, pool, "SELECT count(DISTINCT xmin::text) FROM app.log"), "6")
	})
}

// TestFunctionIsOneTransaction sees that the schema, the history and what the function does come together.
func TestFunctionIsOneTransaction(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		m := migrator(t, schemadb.New(pool, "app"), nil, migrations.Go(1, "fn", func(ctx context.Context, tx *schemadb.Tx) error {
			if level, err := schemadb.Value[string](ctx, tx, "SHOW transaction_isolation"); err != nil || level != "read committed" {
				t.Errorf("%s, %v", level, err)
			}
			_, err := tx.ExecContext(ctx, "CREATE TABLE {{tables.t}} ()")
			return err
		}, nil))
		wantFiles(t, "Apply", ran(t)(m.Apply(t.Context())), "001_fn.go")
		want(t, "transactions", query(t, pool, "SELECT h.xmin = n.xmin, h.xmin = c.xmin, execution_time_ms IS NOT NULL FROM app.schema_migrations h, "+
			"pg_namespace n, pg_class c WHERE nspname = 'app' AND relname = 't'"), "true|true|true")
	})
}

// TestFunctionsThatFail has functions that break the rules.
func TestFunctionsThatFail(t *testing.T) {
	t.Parallel()
	own := errors.New("my own error")
	onPools(t, func(t *testing.T, pool *sql.DB) {
		for name, test := range map[string]struct {
			end   func(ctx context.Context, tx *schemadb.Tx) error
			is    error
			text  string
			stays bool
		}{
			"error": {end: func(context.Context, *schemadb.Tx) error { return own }, is: own, text: "my own error"},
			"sql": {end: func(ctx context.Context, tx *schemadb.Tx) error {
				_, err := tx.ExecContext(ctx, "SELECT 1/0")
				return err
			}, text: "division by zero"},
			"ignores":  {end: func(ctx context.Context, tx *schemadb.Tx) error { tx.ExecContext(ctx, "SELECT 1/0"); return nil }, text: "aborted"},
			"commits":  {end: func(_ context.Context, tx *schemadb.Tx) error { return tx.Commit() }, is: sql.ErrTxDone, text: "the function has ended the transaction", stays: true},
			"rollback": {end: func(_ context.Context, tx *schemadb.Tx) error { return tx.Rollback() }, is: sql.ErrTxDone, text: "the function has ended the transaction"},
			"panics":   {end: func(context.Context, *schemadb.Tx) error { panic("mine") }},
		} {
			fn := func(ctx context.Context, tx *schemadb.Tx) error {
				if _, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS {{tables.t}} ()"); err != nil {
					return err
				}
				return test.end(ctx, tx)
			}
			f := files{"1_a.sql": "SELECT 1", "3_c.sql": "SELECT 1"}
			db := schemadb.New(pool, name)
			m := migrator(t, db, f, migrations.Go(2, "fn", fn, nil))
			var result *migrations.Result
			var err error
			panicked := catch(func() { result, err = m.Apply(t.Context()) })
			if name == "panics" {
				want(t, "panic", fmt.Sprint(panicked), "mine")
			} else {
				wantTexts(t, err, `pgdbm: module "`+name+`" in schema "`+name+`": 002_fn.go: `, test.text, "done before it: 1_a.sql")
				var failed *migrations.MigrationError
				if !errors.As(err, &failed) || failed.File != "002_fn.go" || failed.Line != 0 || test.is != nil && !errors.Is(err, test.is) {
					t.Errorf("%s: the error is %v", name, err)
				}
				wantFiles(t, name, result.Files(), "1_a.sql")
			}
			want(t, "history", recorded(t, pool, name), "1_a.sql")
			if exists(t, pool, name+".t") != test.stays {
				t.Errorf("%s: the function's table is there: %t", name, !test.stays)
			}
			again := migrator(t, db, f, migrations.Go(2, "fn", nothing, nil))
			wantFiles(t, "after the repair", ran(t)(again.Apply(t.Context())), "002_fn.go 3_c.sql")
		}
	})
}

func catch(fn func()) (panicked any) {
	defer func() { panicked = recover() }()
	fn()
	return nil
}

func TestHooks(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		var calls []string
		// In a transaction of the migration's the history would be locked, and its row not to be seen.
		note := func(when string, step migrations.Step, err error) {
			rows := "none"
			if exists(t, pool, "app.schema_migrations") {
				execOn(t, pool, "BEGIN; LOCK TABLE app.schema_migrations IN ACCESS EXCLUSIVE MODE NOWAIT; COMMIT")
				rows = query(t, pool, "SELECT count(*) FROM app.schema_migrations")
			}
			calls = append(calls, fmt.Sprintf("%s %s %s undo=%t %s %t", when, step.Schema, step.Migration.File, step.Undo, rows, err != nil))
		}
		stop := errors.New("stop here")
		var stopAt string
		m := migrator(t, schemadb.New(pool, "app"), undoable.without("3_three.sql", "down/3_three.sql").with("4_bad.sql", "SELECT 1/0"),
			migrations.Go(3, "fn", logs("fn"), nil),
			migrations.Before(func(_ context.Context, s migrations.Step) error {
				note("before", s, nil)
				if s.Migration.File == stopAt {
					return stop
				}
				return nil
			}), migrations.After(func(_ context.Context, s migrations.Step, err error) { note("after", s, err) }))
		stopAt = "2_two.sql"
		result, err := m.Apply(t.Context())
		if !errors.Is(err, stop) || !errors.As(err, new(*migrations.MigrationError)) {
			t.Errorf("the error is %v", err)
		}
		wantTexts(t, err, "pgdbm: ", "2_two.sql", "Before", "stop here")
		wantFiles(t, "before the stop", result.Files(), "1_log.sql")
		stopAt = ""
		_, err = m.Apply(t.Context())
		wantTexts(t, err, "4_bad.sql")
		_, err = m.Redo(t.Context())
		if !errors.As(err, new(*migrations.UndoError)) {
			t.Error(err)
		}
		want(t, "calls", fmt.Sprint(len(calls))+"\n"+join(calls), `9
before app 1_log.sql undo=false none false
after app 1_log.sql undo=false 1 false
before app 2_two.sql undo=false 1 false
before app 2_two.sql undo=false 1 false
after app 2_two.sql undo=false 2 false
before app 003_fn.go undo=false 2 false
after app 003_fn.go undo=false 3 false
before app 4_bad.sql undo=false 3 false
after app 4_bad.sql undo=false 3 true`)
	})
}

func join(lines []string) (text string) {
	for i, line := range lines {
		if i > 0 {
			text += "\n"
		}
		text += line
	}
	return text
}

func TestEvents(t *testing.T) {
	t.Parallel()
	var log events
	m := migrator(t, schemadb.New(open(t), "app"), undoable.with("4_alone.sql", "-- pgdbm:no-transaction\nVACUUM {{tables.log}}"),
		migrations.Go(5, "fn", logs("fn"), logs("not fn")), migrations.Logger(log.logger()))
	ran(t)(m.Apply(t.Context()))
	ran(t)(m.Rollback(t.Context(), 1))
	ran(t)(m.Forget(t.Context(), "3_three.sql"))
	ran(t)(m.Baseline(t.Context(), 3))
	want(t, "events", log.text(), `INFO pgdbm: migration applied schema=app module=app file=1_log.sql took
INFO pgdbm: migration applied schema=app module=app file=2_two.sql took
INFO pgdbm: migration applied schema=app module=app file=3_three.sql took
INFO pgdbm: migration applied schema=app module=app file=4_alone.sql took
INFO pgdbm: migration applied schema=app module=app file=005_fn.go took
INFO pgdbm: migration undone schema=app module=app file=005_fn.go took
INFO pgdbm: migration forgotten schema=app module=app file=3_three.sql took
INFO pgdbm: migration recorded schema=app module=app file=3_three.sql took`)
}
