package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// TestLockTimeout has a session that holds a lock until it sees the event that a migration is tried again.
func TestLockTimeout(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "app")
		f := files{"1_t.sql": "CREATE TABLE {{tables.t}} ()"}
		apply(t, db, f)
		for name, test := range map[string]struct {
			text string
			opts []migrations.Option
		}{
			"file": {text: "CREATE TABLE {{tables.u}} (); ALTER TABLE {{tables.t}} ADD COLUMN x1 int"},
			"rows": {text: "ALTER TABLE {{tables.t}} ADD COLUMN x2 int;\nCOPY {{tables.t}} (x2) FROM stdin;\n1\n\\.\n"},
			"function": {opts: []migrations.Option{migrations.Go(2, "fn", func(ctx context.Context, tx *schemadb.Tx) error {
				_, err := tx.ExecContext(ctx, "ALTER TABLE {{tables.t}} ADD COLUMN x3 int")
				return err
			}, nil)}},
		} {
			with, file := f, "002_fn.go"
			if test.text != "" {
				file = "2_" + name + ".sql"
				with = f.with(file, test.text)
			}
			block, err := pool.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := block.ExecContext(t.Context(), "LOCK TABLE app.t IN ACCESS SHARE MODE"); err != nil {
				t.Fatal(err)
			}
			log := &events{}
			run := func(retries int) ([]string, error) {
				result, err := migrator(t, db, with, append(test.opts, migrations.LockTimeout(time.Millisecond, retries), migrations.Logger(log.logger()))...).Apply(t.Context())
				return result.Files(), err
			}
			done, err := run(0)
			wantTexts(t, err, file, "55P03")
			wantFiles(t, name, done, "")
			want(t, name, log.text(), "")
			done, err = run(2)
			wantTexts(t, err, file, "55P03")
			if !errors.As(err, new(*migrations.MigrationError)) {
				t.Errorf("%s: the error is %T", name, err)
			}
			wantFiles(t, name, done, "")
			again := "WARN pgdbm: a migration did not get a lock; it is tried again schema=app module=app file=" + file + " retry="
			want(t, name, log.text(), again+"1\n"+again+"2")

			log = &events{}
			log.notify = func(r slog.Record) {
				if r.Level == slog.LevelWarn {
					_ = block.Rollback()
				}
			}
			done, err = run(1)
			if err != nil {
				t.Fatal(err)
			}
			wantFiles(t, name, done, file)
			want(t, name, log.text(), again+"1\nINFO pgdbm: migration applied schema=app module=app file="+file+" took")
			ran(t)(migrator(t, db, with, test.opts...).Forget(t.Context(), file))
		}
		want(t, "columns", query(t, pool, "SELECT count(*) FROM pg_attribute WHERE attrelid = 'app.t'::regclass AND attnum > 0"), "3")
	})
}

// TestLockTimeoutOfEachFile has two files that each run into a lock once: each may be tried again as often.
func TestLockTimeoutOfEachFile(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	db := schemadb.New(l.pool("pgx", 0), "app")
	f := files{"1_t.sql": "CREATE TABLE {{tables.t2}} (); CREATE TABLE {{tables.t3}} ()"}
	apply(t, db, f)
	log, blocks := &events{}, map[string]*pgx.Conn{}
	for _, table := range []string{"t2", "t3"} {
		blocks[table] = l.connect()
		l.exec(blocks[table], "BEGIN; LOCK TABLE app."+table+" IN ACCESS SHARE MODE")
	}
	log.notify = func(r slog.Record) {
		if r.Level == slog.LevelWarn {
			l.exec(blocks["t2"], "COMMIT")
			blocks["t2"] = blocks["t3"] // for the next time
		}
	}
	f = f.with("2_b.sql", "ALTER TABLE {{tables.t2}} ADD COLUMN x int").with("3_c.sql", "ALTER TABLE {{tables.t3}} ADD COLUMN x int")
	wantFiles(t, "Apply", apply(t, db, f, migrations.LockTimeout(time.Millisecond, 1), migrations.Logger(log.logger())), "2_b.sql 3_c.sql")
	want(t, "events", log.text(), "WARN pgdbm: a migration did not get a lock; it is tried again schema=app module=app file=2_b.sql retry=1\n"+
		"INFO pgdbm: migration applied schema=app module=app file=2_b.sql took\n"+
		"WARN pgdbm: a migration did not get a lock; it is tried again schema=app module=app file=3_c.sql retry=1\n"+
		"INFO pgdbm: migration applied schema=app module=app file=3_c.sql took")
}

// TestDeadlockIsTriedAgain has a session that waits for a migration, which then waits for that session.
func TestDeadlockIsTriedAgain(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	db := schemadb.New(l.pool("pgx", 0), "app")
	f := files{"1_t.sql": "CREATE TABLE {{tables.a}} (); CREATE TABLE {{tables.b}} ()"}
	apply(t, db, f)
	g := newGate(t)
	both := func(ctx context.Context, tx *schemadb.Tx) error {
		// The server lets that one fail which looks first.
		if _, err := tx.ExecContext(ctx, "SET LOCAL deadlock_timeout = '1ms'; LOCK TABLE {{tables.a}}"); err != nil {
			return err
		}
		if err := g.pass(ctx); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "LOCK TABLE {{tables.b}}")
		return err
	}
	log := &events{}
	m := migrator(t, db, f, migrations.Go(2, "both", both, nil), migrations.LockTimeout(patience, 1), migrations.Logger(log.logger()))
	run := beginApply(t.Context(), m)
	l.awaitReached(g, 1)
	other := l.connect()
	l.exec(other, "SET deadlock_timeout = '1h'; BEGIN; LOCK TABLE app.b")
	theirs := start(func() error {
		_, err := other.Exec(t.Context(), "LOCK TABLE app.a; COMMIT", pgx.QueryExecModeSimpleProtocol)
		return err
	})
	l.activity("wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE app.a%'")
	g.open()
	l.succeeds("the other session", theirs)
	l.succeeds("the run", run)
	want(t, "events", log.text(), "WARN pgdbm: a migration did not get a lock; it is tried again schema=app module=app file=002_both.go retry=1\n"+
		"INFO pgdbm: migration applied schema=app module=app file=002_both.go took")
}

// TestHookOfALockTimeout sees that After is told the same error as for any other failure.
func TestHookOfALockTimeout(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	db := schemadb.New(l.pool("pgx", 0), "app")
	f := files{"1_t.sql": "CREATE TABLE {{tables.t}} ()"}
	apply(t, db, f)
	block := l.connect()
	l.exec(block, "BEGIN; LOCK TABLE app.t IN ACCESS SHARE MODE")
	var told []string
	after := migrations.After(func(_ context.Context, _ migrations.Step, err error) { told = append(told, fmt.Sprintf("%T", err)) })
	_, err := migrator(t, db, f.with("2_b.sql", "ALTER TABLE {{tables.t}} ADD COLUMN x int"), migrations.LockTimeout(time.Millisecond, 1), after).Apply(t.Context())
	wantTexts(t, err, "2_b.sql", "55P03")
	wantFiles(t, "After was told", told, "*migrations.MigrationError *migrations.MigrationError")
	l.exec(block, "COMMIT")
}
