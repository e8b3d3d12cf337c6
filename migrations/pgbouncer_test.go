package migrations_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/pgbouncer"
	"github.com/pgdbm/pgdbm/migrations"
)

// eachBouncer runs fn with a pool behind a PgBouncer that has five server connections, for the settings of pgx that its
// users need there.
func eachBouncer(t *testing.T, fn func(l *lab, pool *sql.DB)) {
	for _, mode := range []string{"exec", "simple_protocol"} {
		for _, driver := range drivers {
			t.Run(driver+", "+mode, func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				l.exec(l.admin, marks)
				through := pgbouncer.Start(t, l.dsn, "default_pool_size=5")
				fn(l, l.poolOn(driver, through+"&default_query_exec_mode="+mode, 12))
			})
		}
	}
}

// TestRunThroughPgBouncer has CREATE INDEX CONCURRENTLY in it, and what pg_dump writes.
func TestRunThroughPgBouncer(t *testing.T) {
	t.Parallel()
	names, opt := allKinds()
	names = append(names, "006_dump.sql", `SET statement_timeout = 12345;
SELECT pg_catalog.set_config('search_path', '', false);
SET row_security = off;
SET app.tenant = 'acme';
SET session_replication_role = replica;
DO $$ BEGIN PERFORM set_config('app.user', 'x', false); EXECUTE 'SET SESSION "app.key" = 1'; SET app.role TO admin; END $$;
SET app."quoted" = 'x'; SET a.b.c = 'x'; DO 'BEGIN SET app.plain = ''x''; END'; SELECT set_config(E'app.escaped', 'x', false);
CREATE TABLE {{tables.dumped}} (x integer);
COPY {{tables.dumped}} (x) FROM stdin;
1
2
\.
`+mark("6"))
	const want = "1 2 3 4 5 6 R"
	eachBouncer(t, func(l *lab, pool *sql.DB) {
		l.succeeds("a run", beginApply(l.Context(), l.migrator(pool, "one", sqlFiles(names...), opt)))
		l.checkMarks([]string{"one"}, want)
		l.checkIndex("one.a_x")
		schemas := schemaNames(20)
		l.succeeds("a run over all", beginApplyAll(l.Context(), pool, sqlFiles(names...), schemas, opt, migrations.Parallel(2), module))
		l.checkMarks(schemas, want)
		l.checkSettings(pool)
	})
}

// checkSettings looks at all server connections: those that come next must not meet what a migration has set.
func (l *lab) checkSettings(pool *sql.DB) {
	l.Helper()
	for range 5 { // five transactions at once are on five server connections
		tx, err := pool.BeginTx(l.Context(), nil)
		if err != nil {
			l.Fatal(err)
		}
		defer tx.Rollback()
		const show = "SELECT concat_ws(' | ', current_setting('search_path'), current_setting('statement_timeout'), " +
			"current_setting('row_security'), current_setting('lock_timeout'), current_setting('transaction_isolation'), " +
			"current_setting('session_replication_role'), " +
			"(SELECT string_agg(NULLIF(current_setting(n, true), ''), ' ') FROM unnest('{app.tenant,app.user,app.role,app.quoted,a.b.c,app.plain,app.escaped}'::text[]) n))"
		var got string
		if err := tx.QueryRowContext(l.Context(), show).Scan(&got); err != nil {
			l.Fatal(err)
		}
		if want := `"$user", public | 0 | on | 0 | read committed | origin`; got != want {
			l.Errorf("the settings of a server connection are %s, want %s", got, want)
		}
	}
}

func TestExclusionThroughPgBouncer(t *testing.T) {
	t.Parallel()
	names, opt := allKinds()
	files := sqlFiles(names...)
	eachBouncer(t, func(l *lab, pool *sql.DB) {
		g := newGate(l.T)
		stop := migrations.Go(6, "stop", g.migration, nil)
		first := beginApply(l.Context(), l.migrator(pool, "s", files, opt, stop, module))
		l.awaitReached(g, 1)
		j := newJournal()
		second := beginApply(l.Context(), l.migrator(pool, "s", files, opt, stop, module, j.option()))
		l.awaitEvent(j, "waiting for another run", "schema=s", "pid ")
		if read[bool](l, pythonTry) {
			l.Error("the Python library gets the lock")
		}
		g.open()
		l.succeeds("the first run", first)
		l.succeeds("the second run", second)
		l.checkMarks([]string{"s"}, kinds)

		// CREATE INDEX CONCURRENTLY while another run waits.
		delay := l.delay("s.a")
		more := append(names, "007_g.sql", "-- pgdbm:no-transaction\nCREATE INDEX CONCURRENTLY a_again ON {{tables.a}} (x);")
		again := []migrations.Option{opt, stop, module}
		indexer := beginApply(l.Context(), l.migrator(pool, "s", sqlFiles(more...), again...))
		l.activity(indexing)
		waiter := beginApply(l.Context(), l.migrator(pool, "s", sqlFiles(more...), append(again, j.option())...))
		l.awaitEvent(j, "waiting for another run", "schema=s", "pid ")
		l.exec(delay, "COMMIT")
		l.succeeds("the run with the index", indexer)
		l.succeeds("the run that has waited", waiter)
		l.checkIndex("s.a_again")
	})
}

// TestPause pauses PgBouncer in the middle of a run, with two connections to the server: neither waits for the other.
func TestPause(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		opts []migrations.Option
	}{
		"one module":            {"CREATE TABLE {{tables.t}} ()", []migrations.Option{module}},
		"a module of each":      {"CREATE TABLE {{tables.t}} ()", nil},
		"a shared history":      {"CREATE TABLE {{tables.t}} ()", []migrations.Option{module, migrations.SharedHistory("books")}},
		"without a transaction": {"-- pgdbm:no-transaction\nCREATE TABLE {{tables.t}} (x int);\nSELECT pg_sleep(0.1);\nCREATE INDEX CONCURRENTLY i ON {{tables.t}} (x)", []migrations.Option{module}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			through := pgbouncer.Start(t, l.dsn, "default_pool_size=2", "admin_users=postgres",
				"query_wait_timeout=15") // of a statement whose note came before PAUSE
			config, err := pgx.ParseConfig(through + "&default_query_exec_mode=simple_protocol")
			if err != nil {
				t.Fatal(err)
			}
			config.Database, config.User, config.RuntimeParams = "pgbouncer", "postgres", nil
			console, err := pgx.ConnectConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			defer console.Close(context.Background())
			schemas, begun := schemaNames(20), make(chan struct{}, 20)
			progress := migrations.Progress(func(migrations.Report) { begun <- struct{}{} })
			run := beginApplyAll(l.Context(), l.poolOn("pgx", through+"&default_query_exec_mode=exec", 12), sqlFiles("001_a.sql", c.text), schemas,
				append(c.opts, progress, migrations.Parallel(8))...)
			for range 2 {
				<-begun
				l.await("PgBouncer has its connections", func() bool { // one that PAUSE cuts in its login counts as a server that is down
					return read[int](l, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state IS NOT NULL") == 2
				})
				l.succeeds("PAUSE", start(func() error {
					_, err := console.Exec(t.Context(), "PAUSE")
					return err
				}))
				select {
				case err := <-run:
					t.Fatalf("the run has ended: %v", err)
				default:
				}
				l.exec(console, "RESUME")
			}
			l.succeeds("the run", run)
			if n := read[int](l, "SELECT count(*) FROM pg_class WHERE relname = 't'"); n != len(schemas) {
				t.Errorf("%d of %d schemas have the table", n, len(schemas))
			}
		})
	}
}
