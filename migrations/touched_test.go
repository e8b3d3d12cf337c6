package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// TestMigrationThatTouchesTheHistory wants nothing to stay of a migration that changes the history, whichever way it does, and the error to
// name its line if that can be known. The second run says the same.
func TestMigrationThatTouchesTheHistory(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		line int // 0 if it is not known
	}{
		"drops it":              {"DROP TABLE {{tables.schema_migrations}};", 2},
		"drops it by a path":    {"SET LOCAL search_path = app;\nDROP TABLE schema_migrations;", 3},
		"drops the schema":      {"DROP SCHEMA {{schema}} CASCADE;", 2},
		"truncates it":          {"TRUNCATE {{tables.schema_migrations}};", 2},
		"deletes a record":      {"DELETE FROM {{tables.schema_migrations}} WHERE filename = '001_a.sql';", 2},
		"deletes its own":       {"DELETE FROM {{tables.schema_migrations}} WHERE filename = '002_b.sql';", 2},
		"deletes another's":     {"DELETE FROM {{tables.schema_migrations}} WHERE module_name = 'other';", 2},
		"changes a record":      {"UPDATE {{tables.schema_migrations}} SET checksum = 'x' WHERE filename = '001_a.sql';", 2},
		"changes its own":       {"UPDATE {{tables.schema_migrations}} SET checksum = 'x' WHERE filename = '002_b.sql';", 2},
		"adds a record":         {"INSERT INTO {{tables.schema_migrations}} (filename, checksum) VALUES ('x', 'y');", 2},
		"adds a column":         {"ALTER TABLE {{tables.schema_migrations}} ADD COLUMN x int;", 2},
		"renames a column":      {"ALTER TABLE {{tables.schema_migrations}} RENAME COLUMN module_name TO x;", 2},
		"changes a type":        {"ALTER TABLE {{tables.schema_migrations}} ALTER COLUMN checksum TYPE text;", 2},
		"renames it":            {"ALTER TABLE {{tables.schema_migrations}} RENAME TO x;", 2},
		"moves it":              {"ALTER TABLE {{tables.schema_migrations}} SET SCHEMA public;", 2},
		"renames the schema":    {"ALTER SCHEMA {{schema}} RENAME TO x;", 2},
		"in DO":                 {"SELECT 1;\nDO $$ BEGIN EXECUTE 'DROP TABLE app.schema_' || 'migrations'; END $$;", 0},
		"in a function":         {"SELECT public.spoil();", 0},
		"after a savepoint":     {"SAVEPOINT s;\nDELETE FROM {{tables.schema_migrations}};\nRELEASE s;", 3},
		"puts another in place": {"CREATE TABLE {{tables.other}} AS TABLE {{tables.schema_migrations}};\nDROP TABLE {{tables.schema_migrations}};\nALTER TABLE {{tables.other}} RENAME TO schema_migrations;", 3},
		"swaps it": {"ALTER TABLE {{tables.schema_migrations}} RENAME TO old;\nALTER TABLE {{tables.prepared}} RENAME TO schema_migrations;\n" +
			"INSERT INTO {{tables.schema_migrations}} SELECT * FROM {{tables.old}} WHERE filename = '002_b.sql';", 2},
		"with rows":      {"TRUNCATE {{tables.schema_migrations}};\nCOPY {{tables.a}} FROM stdin;\n1\n\\.\n", 2},
		"its own, reset": {"SET LOCAL work_mem = '1MB';\nRESET ALL;\nDELETE FROM {{tables.schema_migrations}} WHERE filename = '002_b.sql';", 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := open(t)
			db := schemadb.New(pool, "app")
			f := files{"001_a.sql": "CREATE TABLE {{tables.a}} (x int)"}
			execOn(t, pool, `CREATE FUNCTION public.spoil() RETURNS int LANGUAGE plpgsql AS $$ BEGIN TRUNCATE app.schema_migrations; RETURN 1; END $$`)
			asApp := migrations.Module("app")
			apply(t, db, f, asApp)
			execOn(t, pool, "INSERT INTO app.schema_migrations (filename, checksum, module_name) VALUES ('1_o.sql', 'x', 'other');"+
				"CREATE TABLE app.prepared AS TABLE app.schema_migrations")
			before := query(t, pool, "SELECT * FROM app.schema_migrations ORDER BY id")
			f = f.with("002_b.sql", "INSERT INTO {{tables.a}} VALUES (1);\n"+test.text).with("003_c.sql", "INSERT INTO {{tables.a}} VALUES (2)")
			for range 2 {
				_, err := migrator(t, db, f, asApp).Apply(t.Context())
				var failed *migrations.MigrationError
				if !errors.As(err, &failed) || !errors.As(err, new(*migrations.HistoryError)) || failed.File != "002_b.sql" || failed.Line != test.line {
					t.Errorf("line %d is wanted, and the error is %v", test.line, err)
				}
			}
			want(t, "rows", query(t, pool, "SELECT count(*) FROM app.a"), "0")
			want(t, "history", query(t, pool, "SELECT * FROM app.schema_migrations ORDER BY id"), before)
		})
	}
}

// TestMigrationThatLeavesTheHistory wants what does no harm to be left alone.
func TestMigrationThatLeavesTheHistory(t *testing.T) {
	t.Parallel()
	pool := open(t)
	for _, opts := range [][]migrations.Option{nil, {migrations.SharedHistory("books")}} {
		db := schemadb.New(pool, fmt.Sprintf("app%d", len(opts)))
		f := files{
			"001_first.sql": "CREATE TABLE {{tables.log}} (n int); COMMENT ON SCHEMA {{schema}} IS 'not schema_migrations'",
			"002_b.sql": "SET search_path = public; RESET ALL; SET LOCAL work_mem = '1MB'; DO $$ BEGIN BEGIN INSERT INTO {{tables.log}} VALUES (1); " +
				"EXCEPTION WHEN others THEN NULL; END; END $$;",
			"003_c.sql": "INSERT INTO {{tables.log}} SELECT 2; CREATE SCHEMA IF NOT EXISTS x; DROP SCHEMA x",
			"R__d.sql":  "DELETE FROM {{tables.log}}",
		}
		f = f.with("down/003_c.sql", "DELETE FROM {{tables.log}}")
		if opts == nil {
			f = f.with("004_t.sql", "CREATE INDEX ON {{tables.schema_migrations}} (filename); ANALYZE {{tables.schema_migrations}}; "+
				"INSERT INTO {{tables.log}} SELECT count(*) FROM {{tables.schema_migrations}}; GRANT SELECT ON {{tables.schema_migrations}} TO public")
		}
		apply(t, db, f, opts...)
		m := migrator(t, db, f.with("R__d.sql", "SELECT 1"), opts...)
		ran(t)(m.Apply(t.Context()))
		if opts != nil {
			ran(t)(m.Redo(t.Context()))
		}
	}
}

// TestFunctionThatTouchesTheHistory is TestMigrationThatTouchesTheHistory for Go functions.
func TestFunctionThatTouchesTheHistory(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"DELETE FROM {{tables.schema_migrations}}", "DROP TABLE {{tables.schema_migrations}}",
		"UPDATE {{tables.schema_migrations}} SET checksum = 'x'", "ALTER TABLE {{tables.schema_migrations}} ADD COLUMN x int"} {
		pool := open(t)
		db := schemadb.New(pool, "app")
		f := files{"001_a.sql": "CREATE TABLE {{tables.a}} (x int)"}
		apply(t, db, f)
		spoil := migrations.Go(2, "spoil", func(ctx context.Context, tx *schemadb.Tx) error {
			_, err := tx.ExecContext(ctx, text)
			return err
		}, nil)
		if _, err := migrator(t, db, f, spoil).Apply(t.Context()); err == nil || !strings.Contains(err.Error(), "schema_migrations") && !strings.Contains(err.Error(), "history") {
			t.Errorf("%s: the error is %v", text, err)
		}
		want(t, "history", recorded(t, pool, "app"), "001_a.sql")
	}
}

// TestTouchingWithoutTransaction wants a statement to be refused before anything runs, because nothing would undo it.
func TestTouchingWithoutTransaction(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"drops":       "DROP TABLE {{tables.schema_migrations}}",
		"by a path":   "DROP TABLE schema_migrations",
		"deletes":     "DELETE FROM {{tables.schema_migrations}}",
		"with":        "WITH x AS (DELETE FROM {{tables.schema_migrations}} RETURNING 1) SELECT * FROM x",
		"schema":      "DROP SCHEMA {{schema}} CASCADE",
		"owned":       "DROP OWNED BY CURRENT_USER",
		"DO":          "DO $$ BEGIN DELETE FROM {{tables.schema_migrations}}; END $$",
		"progress":    "DELETE FROM {{tables.schema_migrations_progress}}",
		"quoted name": `TRUNCATE {{schema}}."schema_migrations"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := open(t)
			db := schemadb.New(pool, "app")
			f := files{"001_a.sql": "CREATE TABLE {{tables.a}} (x int)"}
			apply(t, db, f)
			f = f.with("002_b.sql", "-- pgdbm:no-transaction\nINSERT INTO {{tables.a}} VALUES (1);\nSELECT count(*) FROM {{tables.schema_migrations}};\n"+text)
			_, err := migrator(t, db, f).Apply(t.Context())
			var failed *migrations.MigrationError
			if !errors.As(err, &failed) || !errors.As(err, new(*migrations.HistoryError)) || failed.Line != 4 {
				t.Errorf("the error is %v", err)
			}
			want(t, "rows", query(t, pool, "SELECT count(*) FROM app.a"), "0")
			want(t, "history", recorded(t, pool, "app"), "001_a.sql")
		})
	}
}
