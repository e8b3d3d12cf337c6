package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"testing"
	"time"

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
