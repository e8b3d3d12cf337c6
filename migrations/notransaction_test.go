package migrations_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// alone makes a file whose statements run on their own.
func alone(statements ...string) string {
	return "-- pgdbm:no-transaction\n" + strings.Join(statements, ";\n") + ";\n"
}

// sum is the checksum of a statement as it is sent.
func sum(statement string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(statement)))
}

func progress(t *testing.T, pool *sql.DB) string {
	t.Helper()
	return query(t, pool, "SELECT module_name, filename, statements_done, running FROM app.schema_migrations_progress")
}

func TestWithoutTransaction(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		f := files{
			"1_alone.sql": alone("CREATE TABLE {{tables.t}} (id int, what text)", "VACUUM {{tables.t}}", "COPY {{tables.t}} FROM stdin") +
				"1\t{{tables.t}}\n2\tx\n\\.\nCREATE UNIQUE INDEX CONCURRENTLY {{tables.t_id}} ON {{tables.t}} (id);\nREINDEX INDEX CONCURRENTLY {{tables.t_id}};\nANALYZE {{tables.t}} -- end",
			"2_normal.sql":      "INSERT INTO {{tables.t}} VALUES (3, 'normal')",
			"R__alone.sql":      alone("VACUUM {{tables.t}}"),
			"down/2_normal.sql": alone("DROP INDEX CONCURRENTLY {{schema}}.t_id", "DELETE FROM {{tables.t}} WHERE id = 3"),
		}
		db := schemadb.New(pool, "app")
		m := migrator(t, db, f)
		result, err := m.Apply(t.Context())
		wantFiles(t, "Apply", ran(t)(result, err), "1_alone.sql 2_normal.sql R__alone.sql")
		if !result.Steps[0].Migration.NoTransaction || result.Steps[1].Migration.NoTransaction {
			t.Errorf("the steps are %+v", result.Steps)
		}
		want(t, "rows", query(t, pool, "SELECT * FROM app.t ORDER BY id"), "1|{{tables.t}}\n2|x\n3|normal")
		want(t, "index", query(t, pool, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'app.t_id'::regclass"), "true")
		want(t, "several transactions", query(t, pool, "SELECT count(DISTINCT xmin::text) FROM pg_class WHERE relname IN ('t', 't_id')"), "2")
		want(t, "progress", progress(t, pool), "")
		want(t, "history", query(t, pool, "SELECT filename, execution_time_ms IS NOT NULL FROM app.schema_migrations ORDER BY id"),
			"1_alone.sql|true\n2_normal.sql|true\nR__alone.sql|true")
		wantFiles(t, "again", ran(t)(m.Apply(t.Context())), "")
		f = f.with("R__alone.sql", alone("VACUUM {{tables.t}}", "ANALYZE {{tables.t}}"))
		wantFiles(t, "changed", apply(t, db, f), "R__alone.sql")
		wantFiles(t, "Rollback", ran(t)(m.Rollback(t.Context(), 1)), "2_normal.sql")
		want(t, "history", recorded(t, pool, "app"), "1_alone.sql")
		if exists(t, pool, "app.t_id") {
			t.Error("the undo has not run")
		}
	})
}

// TestResume has a file that fails at its third statement.
func TestResume(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "app")
		create, set := "CREATE TABLE {{tables.t}} (what text)", "SET work_mem = '7MB'"
		f := files{"1_a.sql": "SELECT 1", "2_b.sql": alone(create, set, "-- third\n  INSERT INTO {{tables.t}} VALUES (1/0)", "SELECT 1")}
		for range 2 {
			_, err := migrator(t, db, f).Apply(t.Context())
			var failed *migrations.MigrationError
			if !errors.As(err, &failed) || failed.Line != 5 || failed.Column != 3 {
				t.Fatalf("the error is %v", err)
			}
			wantTexts(t, err, "2_b.sql:5:3: ERROR: division by zero", "\n  its first 2 statements are done and stay; the next run goes on with this one, number 3")
			want(t, "progress", progress(t, pool), "app|2_b.sql|2|<nil>")
			want(t, "history", recorded(t, pool, "app"), "1_a.sql")
		}
		repaired := alone(create, set, "-- third\n  INSERT INTO {{tables.t}} VALUES (current_setting('work_mem'))", "INSERT INTO {{tables.t}} VALUES ('4')")
		for _, changed := range []string{
			alone(create, "SET work_mem = '8MB'", "-- third\n  SELECT 1"),
			alone(create, "-- third\n  SELECT 1"),
			alone(create),
			strings.Replace(repaired, "CREATE", "-- new\nCREATE", 1),
		} {
			_, err := migrator(t, db, f.with("2_b.sql", changed)).Apply(t.Context())
			wantTexts(t, err, "2_b.sql", "has been changed since", "first 2 statements", "Forget")
			want(t, "progress", progress(t, pool), "app|2_b.sql|2|<nil>")
		}
		wantFiles(t, "the rest", apply(t, db, f.with("2_b.sql", repaired).with("3_c.sql", "SELECT 1")), "2_b.sql 3_c.sql")
		want(t, "rows", query(t, pool, "SELECT what FROM app.t"), "7MB\n4")
		want(t, "progress", progress(t, pool), "")
		want(t, "history", recorded(t, pool, "app"), "1_a.sql 2_b.sql 3_c.sql")
	})
}

// TestNotes are what an error says about the statements that stay.
func TestNotes(t *testing.T) {
	t.Parallel()
	pool := open(t)
	for i, note := range []string{"none of its statements is done; the next run begins with this one", "its first statement is done and stays; the next run goes on with this one, number 2"} {
		statements := []string{"CREATE TABLE {{tables.t}} ()", "CREATE TABLE {{tables.u}} ()"}
		statements[i] = "SELECT nothing"
		_, err := migrator(t, schemadb.New(pool, fmt.Sprint("s", i)), files{"1_a.sql": alone(statements...)}).Apply(t.Context())
		wantTexts(t, err, fmt.Sprintf("1_a.sql:%d:8", i+2), "\n  "+note+"\n  nothing was done before it")
	}
}

// TestInvalidIndex has an index that cannot become unique.
func TestInvalidIndex(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, odd)
		invalid := func() string {
			return query(t, pool, "SELECT count(*) FROM pg_index WHERE NOT indisvalid")
		}
		f := files{"1_t.sql": "CREATE TABLE {{tables.t}} (id int); INSERT INTO {{tables.t}} VALUES (1), (1)",
			"2_index.sql": alone("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {{tables.t_id}} ON ONLY {{tables.t}} (id)")}
		for range 2 {
			_, err := migrator(t, db, f).Apply(t.Context())
			wantTexts(t, err, "2_index.sql:2:1", "could not create unique index", "Key (id)=(1) is duplicated")
			want(t, "invalid indexes", invalid(), "0")
		}
		// A run that has died could not tidy up, and IF NOT EXISTS would take what it left for the index.
		_, err := pool.ExecContext(t.Context(), "CREATE UNIQUE INDEX CONCURRENTLY t_id ON "+quote(odd)+".t (id)")
		wantTexts(t, err, "could not create unique index")
		want(t, "invalid indexes", invalid(), "1")
		execOn(t, pool, "DELETE FROM "+quote(odd)+".t")
		wantFiles(t, "after the repair", apply(t, db, f), "2_index.sql")
		want(t, "index", query(t, pool, "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", quote(odd)+".t_id"), "true")
	})
}

// TestIndexOfSomebodyElse sees that a valid index, or one that was there before, is not dropped.
func TestIndexOfSomebodyElse(t *testing.T) {
	t.Parallel()
	pool := open(t)
	execOn(t, pool, "CREATE SCHEMA app; CREATE TABLE app.t (id int); INSERT INTO app.t VALUES (1), (1)")
	_, _ = pool.ExecContext(t.Context(), "CREATE UNIQUE INDEX CONCURRENTLY t_id ON app.t (id)")
	_, err := migrator(t, schemadb.New(pool, "app"), files{"1_index.sql": alone("CREATE INDEX CONCURRENTLY t_id ON {{tables.t}} (id)")}).Apply(t.Context())
	wantTexts(t, err, "1_index.sql:2:1", "already exists")
	_, err = migrator(t, schemadb.New(pool, "app"), files{"1_index.sql": alone("CREATE INDEX CONCURRENTLY IF NOT EXISTS t_id ON {{tables.t}} (id)")},
		migrations.Module("other")).Apply(t.Context())
	wantTexts(t, err, "1_index.sql:2:1", "the index is there already, but it is invalid")
	if !exists(t, pool, "app.t_id") {
		t.Error("the index is gone")
	}
}

// TestStatementThatWasRunning has a run that dies while a statement runs.
func TestStatementThatWasRunning(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "app")
		f := files{"1_a.sql": alone("CREATE TABLE {{tables.t}} ()", "SELECT pg_terminate_backend(pg_backend_pid())", "CREATE TABLE {{tables.u}} ()")}
		_, err := migrator(t, db, f).Apply(t.Context())
		wantTexts(t, err, "1_a.sql:3:1", "number 2")
		want(t, "progress", progress(t, pool), "app|1_a.sql|1|"+sum("SELECT pg_terminate_backend(pg_backend_pid());"))
		// As if that statement had been this one, and had been done.
		var log events
		execOn(t, pool, "CREATE TABLE app.done ()")
		execOn(t, pool, "UPDATE app.schema_migrations_progress SET running = $1", sum(`CREATE TABLE "app".done ();`))
		f["1_a.sql"] = alone("CREATE TABLE {{tables.t}} ()", "CREATE TABLE {{tables.done}} ()", "CREATE TABLE {{tables.u}} ()")
		wantFiles(t, "Apply", apply(t, db, f, migrations.Logger(log.logger())), "1_a.sql")
		if !strings.Contains(log.text(), "WARN") || !strings.Contains(log.text(), "statement=2") {
			t.Errorf("the events are %s", log.text())
		}
		want(t, "progress", progress(t, pool), "")
		if !exists(t, pool, "app.u") {
			t.Error("the third statement has not run")
		}
	})
}

// TestStatementsThatWereRunning has statements that a run which died has begun, and which cannot run again.
func TestStatementsThatWereRunning(t *testing.T) {
	t.Parallel()
	const setup = "CREATE TABLE app.t (x int)"
	for statement, code := range map[string]string{ // "" if it counts as done
		"CREATE TABLE {{tables.t}} ()":                        "",
		"CREATE INDEX ON {{tables.gone}} (x)":                 "42P01",
		"DO $$ BEGIN CREATE TABLE {{tables.t}} (); END $$":    "42P07",
		"ALTER TABLE {{tables.t}} ADD COLUMN x int":           "",
		"ALTER TABLE {{tables.gone}} ADD COLUMN x int":        "42P01",
		"ALTER TABLE {{tables.t}} DROP COLUMN y":              "",
		"ALTER TABLE {{tables.gone}} DROP COLUMN y":           "42P01",
		"DROP TABLE {{tables.gone}}":                          "",
		"DROP TABLE {{tables.t}}, {{tables.gone}}":            "42P01",
		"INSERT INTO {{tables.gone}} VALUES (1)":              "42P01",
		"UPDATE {{tables.t}} SET y = 1":                       "42703",
		"SELECT {{schema}}.nothing()":                         "42883",
		"CREATE SCHEMA {{schema}}":                            "",
		"CREATE FUNCTION {{schema}}.f() RETURNS int RETURN y": "42703",
	} {
		t.Run(statement, func(t *testing.T) {
			t.Parallel()
			pool := open(t)
			db := schemadb.New(pool, "app")
			_, err := migrator(t, db, files{"1_a.sql": alone("SELECT 1", "SELECT 1/0")}).Apply(t.Context())
			wantTexts(t, err, "division by zero")
			f := files{"1_a.sql": alone("SELECT 1", statement)}
			expanded := strings.NewReplacer("{{schema}}", `"app"`, "{{tables.t}}", `"app".t`, "{{tables.gone}}", `"app".gone`).Replace(statement)
			execOn(t, pool, setup)
			execOn(t, pool, "UPDATE app.schema_migrations_progress SET running = $1", sum(expanded+";"))
			m := migrator(t, db, f)
			if code == "" {
				wantFiles(t, "Apply", ran(t)(m.Apply(t.Context())), "1_a.sql")
				return
			}
			_, err = m.Apply(t.Context())
			wantTexts(t, err, code)
			want(t, "history", recorded(t, pool, "app"), "")
		})
	}
}

// TestOnlyTheFirstWasRunning has an earlier run that has died in the second statement. What the later ones fail with, or meet,
// is somebody else's.
func TestOnlyTheFirstWasRunning(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ meanwhile, statement string }{
		"table": {"CREATE TABLE app.t (id int)", "CREATE TABLE {{tables.t}} ()"},
		"index": {"CREATE UNIQUE INDEX CONCURRENTLY t_id ON app.rows (id)", "CREATE UNIQUE INDEX CONCURRENTLY t_id ON {{tables.rows}} (id)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := open(t)
			db := schemadb.New(pool, "app")
			_, err := migrator(t, db, files{"1_a.sql": alone("SELECT 1", "SELECT 1/0", c.statement)}).Apply(t.Context())
			wantTexts(t, err, "division by zero")
			execOn(t, pool, "UPDATE app.schema_migrations_progress SET running = $1", sum("SELECT 2;"))
			execOn(t, pool, "CREATE TABLE app.rows AS SELECT 1 AS id FROM generate_series(1, 2)")
			_, _ = pool.ExecContext(t.Context(), c.meanwhile) // the index cannot become unique, so an invalid one is left
			execOn(t, pool, "DELETE FROM app.rows")
			_, err = migrator(t, db, files{"1_a.sql": alone("SELECT 1", "SELECT 2", c.statement)}).Apply(t.Context())
			wantTexts(t, err, "1_a.sql:4:1", "42P07", "number 3")
		})
	}
}

// TestResumeRepeatsSettings has each way to change one before the statement that fails.
func TestResumeRepeatsSettings(t *testing.T) {
	t.Parallel()
	pool := open(t)
	db := schemadb.New(pool, "app")
	begin := []string{"SELECT pg_catalog.set_config('work_mem', '7MB', false)", "SET maintenance_work_mem = '9MB'", "RESET maintenance_work_mem",
		"SET temp_buffers = '11MB'"}
	_, err := migrator(t, db, files{"1_a.sql": alone(append(begin, "SELECT 1/0")...)}).Apply(t.Context())
	wantTexts(t, err, "division by zero", "number 5")
	const now = "SELECT current_setting('work_mem'), current_setting('maintenance_work_mem'), current_setting('temp_buffers')"
	wantFiles(t, "the rest", apply(t, db, files{"1_a.sql": alone(append(begin, "CREATE TABLE {{tables.seen}} (a, b, c) AS "+now)...)}), "1_a.sql")
	want(t, "settings", query(t, pool, "SELECT a, b = current_setting('maintenance_work_mem'), c FROM app.seen"), "7MB|true|11MB")
}

// TestDoneMeanwhile has another run that does all of the file after this one has looked.
func TestDoneMeanwhile(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "app")
		f := files{"1_log.sql": "CREATE TABLE {{tables.log}} (what text)", "2_b.sql": alone("INSERT INTO {{tables.log}} VALUES ('b')")}
		apply(t, db, f.without("2_b.sql"))
		meanwhile := migrations.Before(func(context.Context, migrations.Step) error {
			wantFiles(t, "the other run", apply(t, db, f), "2_b.sql")
			return nil
		})
		wantFiles(t, "Apply", apply(t, db, f, meanwhile), "")
		want(t, "rows", query(t, pool, "SELECT what FROM app.log"), "b")
	})
}

// TestForgetOneOfTwo has two files that were begun, each by a program that does not know the other one.
func TestForgetOneOfTwo(t *testing.T) {
	t.Parallel()
	pool := open(t)
	db := schemadb.New(pool, "app")
	for _, file := range []string{"1_a.sql", "2_b.sql"} {
		_, err := migrator(t, db, files{file: alone("SELECT 1", "SELECT 1/0")}).Apply(t.Context())
		wantTexts(t, err, "division by zero")
	}
	ran(t)(migrator(t, db, files{"1_a.sql": "SELECT 1"}).Forget(t.Context(), "1_a.sql"))
	want(t, "progress", progress(t, pool), "app|2_b.sql|1|<nil>")
}
