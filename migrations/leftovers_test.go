package migrations_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/pgdbm/pgdbm/migrations"
)

// invalidIndexes are what a statement with CONCURRENTLY may leave.
const invalidIndexes = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"

// TestLeftoversOfConcurrently stops each statement with CONCURRENTLY while an older transaction keeps it waiting, in each way that it can be
// stopped, and wants the next run to do it, and nothing to be left.
func TestLeftoversOfConcurrently(t *testing.T) {
	t.Parallel()
	ways := map[string]func(l *lab, cancel context.CancelFunc){
		"cancelled": func(_ *lab, cancel context.CancelFunc) { cancel() },
		"terminated": func(l *lab, _ context.CancelFunc) {
			l.terminate("application_name = 'runs' AND query LIKE '%CONCURRENTLY%'")
		},
		"timed out": nil,
	}
	for name, c := range map[string]struct{ statement, lock, done string }{
		"CREATE INDEX":          {"CREATE INDEX CONCURRENTLY i ON {{tables.t}} (x)", "LOCK TABLE app.t IN ROW EXCLUSIVE MODE", "SELECT count(*) = 1 FROM pg_index WHERE indrelid = 'app.t'::regclass AND NOT indisprimary"},
		"CREATE INDEX, no name": {"CREATE INDEX CONCURRENTLY ON {{tables.t}} (x)", "LOCK TABLE app.t IN ROW EXCLUSIVE MODE", "SELECT count(*) = 1 FROM pg_index WHERE indrelid = 'app.t'::regclass AND indisvalid AND NOT indisprimary"},
		"REINDEX TABLE":         {"REINDEX TABLE CONCURRENTLY {{tables.t}}", "LOCK TABLE app.t IN ROW EXCLUSIVE MODE", "SELECT count(*) = 1 FROM pg_index WHERE indrelid = 'app.t'::regclass"},
		"REINDEX INDEX":         {"REINDEX (VERBOSE, CONCURRENTLY) INDEX {{schema}}.t_pkey", "LOCK TABLE app.t IN ROW EXCLUSIVE MODE", "SELECT count(*) = 1 FROM pg_index WHERE indrelid = 'app.t'::regclass"},
		"REINDEX SCHEMA":        {"REINDEX SCHEMA CONCURRENTLY {{schema}}", "LOCK TABLE app.t IN ROW EXCLUSIVE MODE", "SELECT count(*) = 1 FROM pg_index WHERE indrelid = 'app.t'::regclass"},
		"DROP INDEX":            {"DROP INDEX CONCURRENTLY {{schema}}.d", "LOCK TABLE app.d IN ROW EXCLUSIVE MODE", "SELECT to_regclass('app.d_x') IS NULL"},
		"DETACH PARTITION":      {"ALTER TABLE {{tables.p}} DETACH PARTITION {{tables.p1}} CONCURRENTLY", "SELECT FROM app.p", "SELECT count(*) = 0 FROM pg_inherits WHERE inhrelid = 'app.p1'::regclass"},
		"REFRESH":               {"REFRESH MATERIALIZED VIEW CONCURRENTLY {{tables.m}}", "CREATE INDEX ON app.m (one)", "SELECT true"},
	} {
		for way, stop := range ways {
			t.Run(name+" is "+way, func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				statement := strings.ReplaceAll(c.statement, "{{schema}}.d", "{{schema}}.d_x")
				pool, files := l.pool("pgx", 0), sqlFiles("001_a.sql", `CREATE TABLE {{tables.t}} (id int PRIMARY KEY, x text);
					CREATE TABLE {{tables.d}} (x int); CREATE INDEX d_x ON {{tables.d}} (x);
					CREATE TABLE {{tables.p}} (x int) PARTITION BY LIST (x); CREATE TABLE {{tables.p1}} PARTITION OF {{tables.p}} FOR VALUES IN (1);
					CREATE MATERIALIZED VIEW {{tables.m}} AS SELECT 1 AS one; CREATE UNIQUE INDEX ON {{tables.m}} (one)`)
				if err := l.wait("the first", beginApply(l.Context(), l.migrator(pool, "app", files))); err != nil {
					t.Fatal(err)
				}
				files = sqlFiles("001_a.sql", text(t, files, "001_a.sql"), "002_b.sql", "-- pgdbm:no-transaction\n"+statement)
				older := l.connect()
				l.exec(older, "BEGIN; "+c.lock)
				var opts []migrations.Option
				if stop == nil {
					opts = append(opts, migrations.StatementTimeout(500*time.Millisecond))
				}
				ctx, cancel := context.WithCancel(l.Context())
				defer cancel()
				run := beginApply(ctx, l.migrator(pool, "app", files, opts...))
				if stop != nil {
					l.activity("application_name = 'runs' AND wait_event_type = 'Lock' AND query LIKE '%CONCURRENTLY%'")
					stop(l, cancel)
				}
				err := l.wait("the run that is stopped", run)
				if !errors.As(err, new(*migrations.MigrationError)) {
					t.Fatalf("the error is %v", err)
				}
				l.exec(older, "COMMIT")
				next := l.wait("the next run", beginApply(l.Context(), l.migrator(pool, "app", files)))
				if strings.Contains(name, "no name") { // it may be others', so it is only named
					wantTexts(t, errors.Join(err, next), "DROP INDEX CONCURRENTLY app.t_x_idx")
					l.exec(older, "DROP INDEX CONCURRENTLY app.t_x_idx")
					next = l.wait("the run after it", beginApply(l.Context(), l.migrator(pool, "app", files)))
				}
				if next != nil {
					t.Fatal(next)
				}
				if !read[bool](l, c.done) {
					t.Error("it is not done")
				}
				if n := read[int](l, invalidIndexes); n > 0 {
					t.Errorf("%d indexes are invalid; the error was %v", n, err)
				}
			})
		}
	}
}

// TestLeftoverIsNotOthers wants the invalid indexes of others to stay, and one that may be the file's to be named.
func TestLeftoverIsNotOthers(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	pool, first := l.pool("pgx", 0), "CREATE TABLE {{tables.t}} (x int); INSERT INTO {{tables.t}} VALUES (1), (1)"
	l.succeeds("the first", beginApply(l.Context(), l.migrator(pool, "app", sqlFiles("001_a.sql", first))))
	other := l.connect()
	if _, err := other.Exec(t.Context(), "CREATE UNIQUE INDEX CONCURRENTLY others ON app.t (x)"); err == nil {
		t.Fatal("the index is unique")
	}
	files := sqlFiles("001_a.sql", first, "002_b.sql", "-- pgdbm:no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY ON {{tables.t}} (x)")
	for range 2 {
		wantTexts(t, l.wait("the run", beginApply(l.Context(), l.migrator(pool, "app", files))), "23505")
		if n := read[int](l, invalidIndexes); n != 1 {
			t.Errorf("%d indexes are invalid", n)
		}
	}
	l.exec(other, "UPDATE app.schema_migrations_progress SET running = (SELECT encode(sha256('CREATE UNIQUE INDEX CONCURRENTLY ON \"app\".t (x)'), 'hex'))")
	wantTexts(t, l.wait("after a run that died", beginApply(l.Context(), l.migrator(pool, "app", files))), "app.others", "DROP INDEX CONCURRENTLY", "name the index")
	l.exec(other, "DROP INDEX app.others; DELETE FROM app.t WHERE ctid = (SELECT min(ctid) FROM app.t)")
	l.succeeds("the last", beginApply(l.Context(), l.migrator(pool, "app", files)))
}

// text returns a file's.
func text(t *testing.T, files fs.FS, name string) string {
	t.Helper()
	content, err := fs.ReadFile(files, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
