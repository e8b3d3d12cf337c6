package migrations_test

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

var (
	inBooks = migrations.SharedHistory("books")
	asApp   = migrations.Module("app")
)

// withUndo is abc, with what undoes each.
func withUndo() fs.FS {
	return abcAnd("down/001_a.sql", "DROP TABLE {{tables.a}}", "down/002_b.sql", "DROP TABLE {{tables.b}}", "down/003_c.sql", "DROP TABLE {{tables.c}}")
}

func TestSharedHistoryTable(t *testing.T) {
	t.Parallel()
	pool, books := newPool(t), `Books "of" all`
	for _, result := range together(10, func(i int) error {
		_, err := migratorOf(t, pool, tenantNames(10)[i], abc(), migrations.SharedHistory(books)).Apply(limited(t))
		return err
	}) {
		if result != nil {
			t.Error(result)
		}
	}
	wantList(t, "tables", column(t, pool, `SELECT table_name::text FROM information_schema.tables WHERE table_schema = $1 ORDER BY 1`, books),
		[]string{"schema_migrations_progress", "schema_migrations_shared"})
	wantList(t, "columns", column(t, pool, `SELECT column_name::text FROM information_schema.columns
		WHERE table_schema = $1 AND table_name = 'schema_migrations_shared' ORDER BY column_name`, books),
		[]string{"applied_at", "applied_by", "checksum", "execution_time_ms", "filename", "id", "module_name", "schema_name"})
	wantList(t, "primary key", column(t, pool, `SELECT column_name::text FROM information_schema.key_column_usage
		WHERE table_schema = $1 AND table_name = 'schema_migrations_shared' ORDER BY ordinal_position`, books),
		[]string{"schema_name", "module_name", "filename"})
	wantList(t, "tables of their own", column(t, pool, `SELECT relname::text FROM pg_class WHERE relname = 'schema_migrations'`), nil)
	wantList(t, "rows", column(t, pool, `SELECT schema_name || ' ' || module_name || ' ' || filename
		FROM "Books ""of"" all".schema_migrations_shared WHERE schema_name = 'tenant_003' ORDER BY id`),
		[]string{"tenant_003 tenant_003 001_a.sql", "tenant_003 tenant_003 002_b.sql", "tenant_003 tenant_003 003_c.sql"})
}

// together calls fn with the numbers up to n at the same time, and returns the errors.
func together(n int, fn func(int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = fn(i) })
	}
	wg.Wait()
	return errs
}

func TestSharedHistoryVerbs(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{"one", oddSchema} {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			ctx, pool := limited(t), newPool(t)
			// Neighbours, of which nothing must be touched.
			other := migratorOf(t, pool, schema, sqlFiles("001_a.sql", "SELECT 1"), inBooks, migrations.Module("other"))
			beside := migratorOf(t, pool, "beside", abc(), inBooks, asApp)
			for _, m := range []*migrations.Migrator{other, beside} {
				if _, err := m.Apply(ctx); err != nil {
					t.Fatal(err)
				}
			}
			m := migratorOf(t, pool, schema, withUndo(), inBooks, asApp)
			wantStates(t, m, migrations.Pending, migrations.Pending, migrations.Pending)
			result, err := m.MigrateTo(ctx, 2)
			done(t, "MigrateTo(2)", result, err, "001_a.sql", "002_b.sql")
			wantStates(t, m, migrations.Applied, migrations.Applied, migrations.Pending)
			result, err = m.Apply(ctx)
			done(t, "Apply", result, err, "003_c.sql")
			result, err = m.Apply(ctx)
			done(t, "Apply again", result, err)
			result, err = m.Redo(ctx)
			done(t, "Redo", result, err, "003_c.sql", "003_c.sql")
			result, err = m.Rollback(ctx, 2)
			done(t, "Rollback", result, err, "003_c.sql", "002_b.sql")
			wantABC(t, pool, schema, 1, inBooks, asApp)
			execute(t, pool, "CREATE TABLE "+quote(schema)+".b (id int)")
			result, err = m.Baseline(ctx, 2)
			done(t, "Baseline", result, err, "002_b.sql")
			wantABC(t, pool, schema, 2, inBooks, asApp)
			result, err = m.Forget(ctx, "002_b.sql")
			done(t, "Forget", result, err, "002_b.sql")
			execute(t, pool, "DROP TABLE "+quote(schema)+".b")
			result, err = m.MigrateTo(ctx, 3)
			done(t, "MigrateTo(3)", result, err, "002_b.sql", "003_c.sql")
			wantABC(t, pool, schema, 3, inBooks, asApp)
			if err := m.Verify(ctx); err != nil {
				t.Error(err)
			}
			execute(t, pool, "UPDATE books.schema_migrations_shared SET checksum = 'x' WHERE module_name = 'app' AND filename = '001_a.sql'")
			var drift *migrations.DriftError
			if err := m.Verify(ctx); !errors.As(err, &drift) || !slices.Equal(drift.Changed, []string{"001_a.sql"}) {
				t.Errorf("Verify: %v", err)
			}
			wantList(t, "history of the other module", historyOf(t, other), []string{"001_a.sql"})
			wantABC(t, pool, "beside", 3, inBooks, asApp)
		})
	}
}

func wantStates(t *testing.T, m *migrations.Migrator, want ...migrations.State) {
	t.Helper()
	all, err := m.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []migrations.State
	for _, s := range all {
		got = append(got, s.State)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got the states %q, want %q", got, want)
	}
}

// rows shows the rows of a history, without their ids.
func rows(t *testing.T, pool *sql.DB, table, where string) []string {
	t.Helper()
	return column(t, pool, "SELECT concat_ws(' ', COALESCE(module_name, 'none'), filename, checksum, applied_at, applied_by, execution_time_ms) "+
		"FROM "+table+" WHERE "+where+" ORDER BY id")
}

// A shared history takes over what a schema has in a table of its own.
func TestSharedHistoryMoves(t *testing.T) {
	t.Parallel()
	ways := map[string]func(*testing.T, *sql.DB, fs.FS){
		"ApplyAll": func(t *testing.T, pool *sql.DB, files fs.FS) {
			applyAll(t, pool, files, slices.Values([]string{oddSchema}), asApp, inBooks)
		},
		"New": func(t *testing.T, pool *sql.DB, files fs.FS) {
			if _, err := migratorOf(t, pool, oddSchema, files, asApp, inBooks).Apply(limited(t)); err != nil {
				t.Error(err)
			}
		},
	}
	for way, apply := range ways {
		for what, files := range map[string]fs.FS{
			"nothing pending":        abc(),
			"a file pending":         abcAnd("004_d.sql", "CREATE TABLE {{tables.d}} (id int)"),
			"without a transaction":  abcAnd("004_d.sql", "-- pgdbm:no-transaction\nCREATE TABLE {{tables.d}} (id int)"),
			"one that copies rows":   abcAnd("004_d.sql", "COPY {{tables.a}} FROM stdin;\n1\n\\.\n"),
			"one with a new setting": abcAnd("004_d.sql", "SET search_path = public"),
		} {
			if way == "New" && what != "nothing pending" && what != "a file pending" {
				continue // the same code
			}
			t.Run(way+", "+what, func(t *testing.T) {
				t.Parallel()
				pool, own := newPool(t), quote(oddSchema)+".schema_migrations"
				applyAll(t, pool, abc(), slices.Values([]string{oddSchema}), asApp)
				// Not in the order of their versions, and as the Python library has them, which knows no module.
				execute(t, pool, "UPDATE "+own+" SET id = id + 100, applied_at = '2001-02-03', applied_by = 'me', execution_time_ms = 77 WHERE filename = '001_a.sql'",
					"UPDATE "+own+" SET module_name = NULL WHERE filename = '002_b.sql'")
				before := rows(t, pool, own, "true")
				before[0] = "app" + before[0][len("none"):]
				apply(t, pool, files)
				after := rows(t, pool, "books.schema_migrations_shared", "schema_name = '"+oddSchema+"'")
				if len(after) < 3 {
					t.Fatalf("got %q", after)
				}
				wantList(t, "moved rows", after[:3], before)
				if got, _ := fs.Glob(files, "*.sql"); len(after) != len(got) {
					t.Errorf("the history has %d rows, want %d", len(after), len(got))
				}
				wantList(t, "own table", column(t, pool, "SELECT relname::text FROM pg_class WHERE relname = 'schema_migrations'"), nil)
				apply(t, pool, files)
				if again := rows(t, pool, "books.schema_migrations_shared", "true"); !slices.Equal(again, after) {
					t.Errorf("the next run has changed %q to %q", after, again)
				}
			})
		}
	}
}

func TestSharedHistoryLeavesOtherModules(t *testing.T) {
	t.Parallel()
	pool, names := newPool(t), []string{"one", "two"}
	other := migrations.Module("other")
	applyAll(t, pool, abc(), slices.Values(names), asApp)
	applyAll(t, pool, sqlFiles("001_o.sql", "SELECT 1"), slices.Values(names), other)
	wantLists(t, applyAll(t, pool, abc(), slices.Values(names), asApp, inBooks), lists{upToDate: names})
	for _, schema := range names {
		wantABC(t, pool, schema, 3, asApp, inBooks)
		wantList(t, "rows left", column(t, pool, "SELECT filename FROM "+schema+".schema_migrations"), []string{"001_o.sql"})
	}
	wantLists(t, applyAll(t, pool, abc(), slices.Values(names), asApp, inBooks), lists{upToDate: names})
	// The last module takes the table with it.
	wantLists(t, applyAll(t, pool, sqlFiles("001_o.sql", "SELECT 1"), slices.Values(names), other, inBooks), lists{upToDate: names})
	wantList(t, "own tables", column(t, pool, "SELECT relname::text FROM pg_class WHERE relname = 'schema_migrations'"), nil)
}

// Modules that move at the same time each see the rows of the others.
func TestSharedHistoryMovesManyModules(t *testing.T) {
	t.Parallel()
	pool, modules := newPool(t), []string{"m1", "m2", "m3", "m4"}
	one := sqlFiles("001_a.sql", "SELECT 1")
	for _, module := range modules {
		applyAll(t, pool, one, slices.Values([]string{"one"}), migrations.Module(module))
	}
	apply := func(i int) error {
		_, err := migratorOf(t, pool, "one", one, migrations.Module(modules[i]), inBooks).Apply(limited(t))
		return err
	}
	for _, err := range together(len(modules), apply) {
		if err != nil {
			t.Error(err)
		}
	}
	if err := apply(0); err != nil { // who comes last may not have seen that the table is empty
		t.Error(err)
	}
	wantList(t, "modules", column(t, pool, "SELECT module_name FROM books.schema_migrations_shared ORDER BY 1"), modules)
	wantList(t, "own tables", column(t, pool, "SELECT relname::text FROM pg_class WHERE relname = 'schema_migrations'"), nil)
}

// While programs are replaced, an old one without the option may do something between the look and the move.
func TestSharedHistoryMovesWhileOthersWork(t *testing.T) {
	t.Parallel()
	more := abcAnd("004_d.sql", "CREATE TABLE {{tables.d}} (id int)")
	for name, c := range map[string]struct {
		module string
		rows   []string // of the table of its own, at the end
	}{
		"the same module": {"app", nil},
		"another module":  {"other", []string{"001_a.sql"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := newPool(t)
			applyAll(t, pool, abc(), slices.Values([]string{"one"}), asApp)
			file, m := "001_a.sql", migratorOf(t, pool, "one", sqlFiles("001_a.sql", "SELECT 1"), migrations.Module("other"))
			if c.module == "app" {
				file, m = "004_d.sql", migratorOf(t, pool, "one", more, asApp)
			}
			pending, err := m.Pending(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			old, err := pool.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			exec := func(sql string, args ...any) {
				if _, err := old.ExecContext(t.Context(), sql, args...); err != nil {
					t.Error(err)
				}
			}
			exec("LOCK TABLE one.schema_migrations IN SHARE ROW EXCLUSIVE MODE")
			log := &events{}
			log.notify = func(r slog.Record) { // the run waits
				if r.Level != slog.LevelWarn {
					return
				}
				if c.module == "app" {
					exec("CREATE TABLE one.d (id int)")
				}
				exec("INSERT INTO one.schema_migrations (filename, checksum, module_name) VALUES ($1, $2, $3)", file, pending[0].Checksum, c.module)
				if err := old.Commit(); err != nil {
					t.Error(err)
				}
			}
			if _, err := migratorOf(t, pool, "one", more, asApp, inBooks, migrations.Logger(log.logger())).Apply(limited(t)); err != nil {
				t.Fatal(err)
			}
			wantList(t, "tables", tables(t, pool, "one"), []string{"a", "b", "c", "d"})
			wantList(t, "history", column(t, pool, "SELECT filename FROM books.schema_migrations_shared WHERE module_name = 'app' ORDER BY id"),
				append(slices.Clone(abcFiles), "004_d.sql"))
			if c.rows != nil {
				wantList(t, "rows left", column(t, pool, "SELECT filename FROM one.schema_migrations"), c.rows)
			}
		})
	}
}

// TestSharedHistoryMovesBeforeARun has a run that fails, in schemas whose history has moved then.
func TestSharedHistoryMovesBeforeARun(t *testing.T) {
	t.Parallel()
	pool, names := newPool(t), []string{"one", "two"}
	applyAll(t, pool, abc(), slices.Values(names), asApp)
	broken, good := abcAnd("004_d.sql", "SELECT 1/0"), abcAnd("004_d.sql", "CREATE TABLE {{tables.d}} (id int)")
	result, err := migrations.ApplyAll(limited(t), pool, broken, slices.Values(names), asApp, inBooks, quiet)
	wantLists(t, result, lists{failed: names})
	var failed *migrations.MigrationError
	if !errors.As(err, &failed) || failed.File != "004_d.sql" {
		t.Errorf("got %v, want that 004_d.sql has failed", err)
	}
	for _, schema := range names { // it has moved before the run
		wantABC(t, pool, schema, 3, asApp, inBooks)
	}
	wantLists(t, applyAll(t, pool, good, slices.Values(names), asApp, inBooks), lists{applied: names})
	wantList(t, "history", historyOf(t, migratorOf(t, pool, "one", good, asApp, inBooks)), append(slices.Clone(abcFiles), "004_d.sql"))
}

func TestSharedHistoryOfDroppedSchema(t *testing.T) {
	t.Parallel()
	halfDone := "-- pgdbm:no-transaction\nCREATE TABLE {{tables.d}} (id int);\nCREATE TABLE {{tables.e}} (id int);\nSELECT 1/0"
	whole := "-- pgdbm:no-transaction\nCREATE TABLE {{tables.d}} (id int);\nCREATE TABLE {{tables.e}} (id int);\nSELECT 1"
	ways := map[string]func(*testing.T, *sql.DB, fs.FS) error{
		"ApplyAll": func(t *testing.T, pool *sql.DB, files fs.FS) error {
			_, err := migrations.ApplyAll(limited(t), pool, files, slices.Values([]string{"one", "two"}), asApp, inBooks, quiet)
			return err
		},
		"New": func(t *testing.T, pool *sql.DB, files fs.FS) error {
			_, err := migratorOf(t, pool, "one", files, asApp, inBooks).Apply(limited(t))
			return err
		},
	}
	for way, apply := range ways {
		for what, c := range map[string]struct{ before, after fs.FS }{
			"all done":          {abc(), abc()},
			"half of a file":    {abcAnd("004_d.sql", halfDone), abcAnd("004_d.sql", whole)},
			"half of the first": {sqlFiles("004_d.sql", halfDone), sqlFiles("004_d.sql", whole)},
		} {
			t.Run(way+", "+what, func(t *testing.T) {
				t.Parallel()
				pool := newPool(t)
				if err := apply(t, pool, c.before); (err == nil) != (what == "all done") {
					t.Fatal(err)
				}
				execute(t, pool, "DROP SCHEMA one CASCADE")
				files, _ := fs.Glob(c.after, "*.sql")
				m := migratorOf(t, pool, "one", c.after, asApp, inBooks)
				pending, err := m.Pending(t.Context())
				if err != nil || len(pending) != len(files) {
					t.Errorf("%d migrations are pending, want %d; the error is %v", len(pending), len(files), err)
				}
				wantList(t, "history", historyOf(t, m), nil)
				if err := apply(t, pool, c.after); err != nil {
					t.Fatal(err)
				}
				wantList(t, "history", historyOf(t, m), files)
				want := []string{"a", "b", "c", "d", "e"}
				switch what {
				case "all done":
					want = want[:3]
				case "half of the first":
					want = want[3:]
				}
				wantList(t, "tables", tables(t, pool, "one"), want)
			})
		}
	}
}

// Tables of the same name that are not ours do not matter, and stay.
func TestSharedHistoryBesideOtherTools(t *testing.T) {
	t.Parallel()
	for name, create := range map[string]string{
		"golang-migrate": "CREATE TABLE one.schema_migrations AS SELECT 7::int8 AS version, false AS dirty",
		"Rails":          "CREATE TABLE one.schema_migrations AS SELECT '20260101'::text AS version",
		"a view":         "CREATE VIEW one.schema_migrations AS SELECT 1 AS version",
		"a sequence":     "CREATE SEQUENCE one.schema_migrations",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, pool := limited(t), newPool(t)
			execute(t, pool, "CREATE SCHEMA one", create)
			m := migratorOf(t, pool, "one", withUndo(), asApp, inBooks)
			wantStates(t, m, migrations.Pending, migrations.Pending, migrations.Pending)
			for range 2 {
				result, err := m.Apply(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if n := len(result.Steps); n != 0 && n != 3 {
					t.Errorf("%d steps", n)
				}
			}
			wantStates(t, m, migrations.Applied, migrations.Applied, migrations.Applied)
			if err := m.Verify(ctx); err != nil {
				t.Error(err)
			}
			result, err := m.Rollback(ctx, 1)
			done(t, "Rollback", result, err, "003_c.sql")
			wantLists(t, applyAll(t, pool, withUndo(), slices.Values([]string{"one", "two"}), asApp, inBooks), lists{applied: []string{"one", "two"}})
			wantLists(t, applyAll(t, pool, withUndo(), slices.Values([]string{"one", "two"}), asApp, inBooks), lists{upToDate: []string{"one", "two"}})
			wantList(t, "what is there", column(t, pool, "SELECT relname::text FROM pg_class WHERE oid = to_regclass('one.schema_migrations')"),
				[]string{"schema_migrations"})
		})
	}
}

// Many runs over the same schemas do each migration once.
func TestSharedHistoryExclusion(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"module", "shared"} {
		opts := variants()[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const runs = 20
			pool, names := newPool(t), append(tenantNames(9), oddSchema)
			pool.SetMaxOpenConns(3 * runs) // nobody has to wait for one
			pool.SetMaxIdleConns(3 * runs)
			execute(t, pool, "CREATE TABLE log (file text, place oid)")
			files := sqlFiles("001_a.sql", "CREATE TABLE {{tables.a}} (id int); INSERT INTO public.log VALUES ('a', '{{tables.a}}'::regclass)",
				"002_b.sql", "CREATE TABLE {{tables.b}} (id int); INSERT INTO public.log VALUES ('b', '{{tables.b}}'::regclass)",
				"003_c.sql", "-- pgdbm:no-transaction\nINSERT INTO public.log VALUES ('c', '{{tables.b}}'::regclass)",
				"R__d.sql", "INSERT INTO public.log VALUES ('d', '{{tables.b}}'::regclass)")
			var mu sync.Mutex
			steps := 0
			for _, err := range together(runs, func(int) error {
				result, err := migrations.ApplyAll(limited(t), pool, files, slices.Values(names), append([]migrations.Option{quiet, migrations.Parallel(1)}, opts...)...)
				mu.Lock()
				defer mu.Unlock()
				for _, r := range result.Applied {
					steps += len(r.Steps)
				}
				return err
			}) {
				if err != nil {
					t.Error(err)
				}
			}
			if want := 4 * len(names); steps != want {
				t.Errorf("all runs together have done %d steps, want %d", steps, want)
			}
			wantList(t, "log", column(t, pool, "SELECT file || count(*) || ' ' || count(DISTINCT place) FROM log GROUP BY file ORDER BY 1"),
				[]string{"a10 10", "b10 10", "c10 10", "d10 10"})
		})
	}
}

// Undos, which add no row that could be there twice, are done once as well.
func TestSharedHistoryExclusionOfUndos(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	execute(t, pool, "CREATE TABLE log (file text)")
	files := sqlFiles("001_a.sql", "SELECT 1", "down/001_a.sql", "INSERT INTO public.log VALUES ('a')",
		"002_b.sql", "SELECT 1", "down/002_b.sql", "INSERT INTO public.log VALUES ('b')",
		"003_c.sql", "SELECT 1", "down/003_c.sql", "INSERT INTO public.log VALUES ('c')")
	for range 10 {
		m := migratorOf(t, pool, "one", files, inBooks)
		if _, err := m.Apply(limited(t)); err != nil {
			t.Fatal(err)
		}
		for _, err := range together(5, func(int) error {
			_, err := m.Rollback(limited(t), 1)
			return err
		}) {
			if err != nil {
				t.Error(err)
			}
		}
	}
	wantList(t, "undone", column(t, pool, "SELECT file || count(*) FROM log GROUP BY file ORDER BY 1"), []string{"a10", "b10", "c10"})
}

func TestSharedHistoryWithoutTransaction(t *testing.T) {
	t.Parallel()
	pool, names := newPool(t), []string{"one", oddSchema}
	text := "-- pgdbm:no-transaction\nCREATE TABLE {{tables.a}} (id int);\nCREATE INDEX CONCURRENTLY a_id ON {{tables.a}} (id);\n"
	result, err := migrations.ApplyAll(limited(t), pool, sqlFiles("001_a.sql", text+"CREATE TABLE {{tables.a}} (id int)"), slices.Values(names), inBooks, asApp, quiet)
	wantLists(t, result, lists{failed: names})
	var failed *migrations.MigrationError
	if !errors.As(err, &failed) || failed.Line != 4 || failed.Note == "" {
		t.Errorf("got %v, want an error in line 4", err)
	}
	wantList(t, "progress", column(t, pool, "SELECT schema_name || ' ' || statements_done || ' ' || COALESCE(running, 'none') FROM books.schema_migrations_progress ORDER BY 1"),
		sorted([]string{"one 2 none", oddSchema + " 2 none"}))
	result = applyAll(t, pool, sqlFiles("001_a.sql", text+"CREATE TABLE {{tables.b}} (id int)"), slices.Values(names), inBooks, asApp)
	wantLists(t, result, lists{applied: names})
	for _, schema := range names {
		wantList(t, "tables of "+schema, tables(t, pool, schema), []string{"a", "b"})
	}
	wantList(t, "progress", column(t, pool, "SELECT schema_name FROM books.schema_migrations_progress"), nil)
	wantList(t, "tables of ours in the schemas", column(t, pool, `SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE relname LIKE 'schema\_migrations%' AND relkind = 'r' AND nspname <> 'books'`), nil)
}

// Somebody who cleans up may drop an empty table.
func TestSharedHistoryMakesMissingTables(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	applyAll(t, pool, abc(), slices.Values([]string{"one"}), inBooks)
	execute(t, pool, "DROP TABLE books.schema_migrations_progress")
	wantLists(t, applyAll(t, pool, abc(), slices.Values([]string{"one", "two"}), inBooks), lists{applied: []string{"two"}, upToDate: []string{"one"}})
	execute(t, pool, "DROP TABLE books.schema_migrations_progress")
	if _, err := migratorOf(t, pool, "three", abc(), inBooks).Apply(limited(t)); err != nil {
		t.Error(err)
	}
}

// TestSharedHistoryMovesProgress switches the option on while a file is half done.
func TestSharedHistoryMovesProgress(t *testing.T) {
	t.Parallel()
	for _, other := range []bool{false, true} { // another module is half done too
		t.Run(fmt.Sprint(other), func(t *testing.T) {
			t.Parallel()
			pool := newPool(t)
			execute(t, pool, "CREATE TABLE log (what text)")
			half := func(rest string) fs.FS {
				return sqlFiles("001_a.sql", "-- pgdbm:no-transaction\nINSERT INTO public.log VALUES ('1');\n"+rest)
			}
			modules := []string{"m"}
			if other {
				modules = append(modules, "n")
			}
			for _, module := range modules {
				_, err := migratorOf(t, pool, "s", half("SELECT 1/0"), migrations.Module(module)).Apply(limited(t))
				if err == nil {
					t.Fatal("no error")
				}
			}
			for _, module := range modules {
				result := applyAll(t, pool, half("SELECT 1"), slices.Values([]string{"s"}), inBooks, migrations.Module(module))
				wantLists(t, result, lists{applied: []string{"s"}})
			}
			wantList(t, "log", column(t, pool, "SELECT what FROM log"), slices.Repeat([]string{"1"}, len(modules)))
			wantList(t, "tables of ours in the schema", tables(t, pool, "s"), nil)
			wantList(t, "progress", column(t, pool, "SELECT filename FROM books.schema_migrations_progress"), nil)
		})
	}
}

// TestSharedHistoryOfDroppedSchemaWithModules has two modules in a schema that is dropped: the first one to run makes it again.
func TestSharedHistoryOfDroppedSchemaWithModules(t *testing.T) {
	t.Parallel()
	pool := open(t)
	db := schemadb.New(pool, "one")
	a, b := files{"1_a.sql": "CREATE TABLE {{tables.a}} ()"}, files{"1_b.sql": "CREATE TABLE {{tables.b}} ()"}
	for range 2 {
		wantFiles(t, "a", apply(t, db, a, inBooks, migrations.Module("a")), "1_a.sql")
		wantFiles(t, "b", apply(t, db, b, inBooks, migrations.Module("b")), "1_b.sql")
		execOn(t, pool, "DROP SCHEMA one CASCADE")
	}
}

// TestHolderOfTheHistoryThatMoves asks who keeps a schema's own history from moving to the shared one.
func TestHolderOfTheHistoryThatMoves(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	pool := l.pool("pgdbm", 0)
	db := schemadb.New(pool, "s")
	f := files{"1_a.sql": "SELECT 1"}
	apply(t, db, f)
	other := l.connect()
	l.exec(other, "BEGIN; LOCK TABLE s.schema_migrations IN ROW EXCLUSIVE MODE")
	_, err := migrator(t, db, f, inBooks, migrations.WaitLimit(0)).Apply(t.Context())
	wantTexts(t, err, pidOf(other))
	l.exec(other, "COMMIT")
}

// TestApplyAllOfDroppedSchemasWithModules is the same over all schemas.
func TestApplyAllOfDroppedSchemasWithModules(t *testing.T) {
	t.Parallel()
	pool, names := newPool(t), []string{"one", oddSchema}
	a, b := sqlFiles("001_a.sql", "CREATE TABLE {{tables.a}} ()"), sqlFiles("001_b.sql", "CREATE TABLE {{tables.b}} ()")
	for range 2 {
		wantLists(t, applyAll(t, pool, a, slices.Values(names), inBooks, migrations.Module("a")), lists{applied: names})
		wantLists(t, applyAll(t, pool, b, slices.Values(names), inBooks, migrations.Module("b")), lists{applied: names})
		execute(t, pool, "DROP SCHEMA one CASCADE; DROP SCHEMA "+quote(oddSchema)+" CASCADE")
	}
}
