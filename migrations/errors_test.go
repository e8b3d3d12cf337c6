package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// applied runs before the migration that fails.
var applied = files{"001_log.sql": "CREATE TABLE {{tables.log}} (id int PRIMARY KEY DEFERRABLE, what text CHECK (what <> ''))"}

// errorTexts are whole errors of a file 002_bad.sql, in the schema odd.
var errorTexts = map[string]struct{ text, code, want string }{
	"a name that is not found": {"SELECT 1;\n\nSELECT id,\n       nothing\nFROM {{tables.log}};\n", "42703", `
002_bad.sql:4:8: ERROR: column "nothing" does not exist (SQLSTATE 42703)
  4 |        nothing
    |        ^`},
	"behind a template": {"SELECT '{{tables.log}}', id FROM {{tables.log}} JOIN {{tables.log}} x ON x.ix = 1;", "42703", `
002_bad.sql:1:74: ERROR: column x.ix does not exist (SQLSTATE 42703)
  1 | SELECT '{{tables.log}}', id FROM {{tables.log}} JOIN {{tables.log}} x ON x.ix = 1;
    |                                                                          ^
  HINT: Perhaps you meant to reference the column "x.id".`},
	"behind wide characters": {"-- ä\nSELECT 'äöü€😀', nothing -- ä\n;", "42703", `
002_bad.sql:2:17: ERROR: column "nothing" does not exist (SQLSTATE 42703)
  2 | SELECT 'äöü€😀', nothing -- ä
    |                 ^`},
	"at a template": {"SELECT 1 FROM\n\t{{tables.nowhere}}", "42P01", `
002_bad.sql:2:2: ERROR: relation "Größe-"7".nowhere" does not exist (SQLSTATE 42P01)
  2 |  {{tables.nowhere}}
    |  ^`},
	"a bare name": {"SELECT 1;\nINSERT INTO log VALUES (1);", "42P01", `
002_bad.sql:2:13: ERROR: relation "log" does not exist (SQLSTATE 42P01)
  2 | INSERT INTO log VALUES (1);
    |             ^
  log is looked up in the search_path, because it has no template: should it be {{tables.log}}?`},
	"a name with a schema": {"SELECT 1 FROM nowhere.log", "42P01", `
002_bad.sql:1:15: ERROR: relation "nowhere.log" does not exist (SQLSTATE 42P01)
  1 | SELECT 1 FROM nowhere.log
    |               ^`},
	"syntax": {"SELECT 1;\r\nSELEC 2;\r\n", "42601", `
002_bad.sql:2:1: ERROR: syntax error at or near "SELEC" (SQLSTATE 42601)
  2 | SELEC 2;
    | ^`},
	"no position": {"SELECT 1;\n-- the next one\n  INSERT INTO {{tables.log}}\n  VALUES (1, 'x'), (1, 'x');", "23505", `
002_bad.sql:3:3: ERROR: duplicate key value violates unique constraint "log_pkey" (SQLSTATE 23505)
  3 |   INSERT INTO {{tables.log}}
    |   ^
  DETAIL: Key (id)=(1) already exists.`},
	"a hint": {"SELECT upperr('x')", "42883", `
002_bad.sql:1:8: ERROR: function upperr(unknown) does not exist (SQLSTATE 42883)
  1 | SELECT upperr('x')
    |        ^
  HINT: No function matches the given name and argument types. You might need to add explicit type casts.`},
	"in a block": {"SELECT 1;\nDO $$\nBEGIN\n  PERFORM 1/0;\nEND $$;", "22012", `
002_bad.sql:2:1: ERROR: division by zero (SQLSTATE 22012)
  2 | DO $$
    | ^
  CONTEXT: SQL statement "SELECT 1/0"
    PL/pgSQL function inline_code_block line 3 at PERFORM`},
	"syntax in a block": {"SELECT 1;\nDO $$\nBEGIN\n  PERFOR 1;\nEND $$;", "42601", `
002_bad.sql:4:3: ERROR: syntax error at or near "PERFOR" (SQLSTATE 42601)
  4 |   PERFOR 1;
    |   ^`},
	"at the commit": {"SET CONSTRAINTS ALL DEFERRED;\nINSERT INTO {{tables.log}} VALUES (1), (1);", "23505", `
002_bad.sql: ERROR: duplicate key value violates unique constraint "log_pkey" (SQLSTATE 23505)
  DETAIL: Key (id)=(1) already exists.`},
	"rows": {"SELECT 1;\nCOPY {{tables.log}} FROM stdin;\n1\tx\nzwei\ty\n\\.\n", "22P02", `
002_bad.sql:2:1: ERROR: invalid input syntax for type integer: "zwei" (SQLSTATE 22P02)
  2 | COPY {{tables.log}} FROM stdin;
    | ^
  CONTEXT: COPY log, line 2, column id: "zwei"`},
	"before rows": {"COPY {{tables.log}} FROM stdin;\n\\.\nSELECT nothing;", "42703", `
002_bad.sql:3:8: ERROR: column "nothing" does not exist (SQLSTATE 42703)
  3 | SELECT nothing;
    |        ^`},
	"a constraint of rows at the commit": {"SET CONSTRAINTS ALL DEFERRED;\nCOPY {{tables.log}} FROM stdin;\n1\tx\n1\ty\n\\.\n", "23505", `
002_bad.sql: ERROR: duplicate key value violates unique constraint "log_pkey" (SQLSTATE 23505)
  DETAIL: Key (id)=(1) already exists.`},
	"a long line": {"SELECT '" + strings.Repeat("x", 200) + "', nothing, '" + strings.Repeat("y", 200) + "'", "42703", `
002_bad.sql:1:212: ERROR: column "nothing" does not exist (SQLSTATE 42703)
  1 | ` + strings.Repeat("x", 76) + `', nothing, '` + strings.Repeat("y", 71) + `
    | ` + strings.Repeat(" ", 79) + "^"},
	"raised": {"DO $$ BEGIN RAISE EXCEPTION 'no %', 'way' USING DETAIL = 'two\nlines', HINT = 'go', ERRCODE = 'XX999'; END $$", "XX999", `
002_bad.sql:1:1: ERROR: no way (SQLSTATE XX999)
  1 | DO $$ BEGIN RAISE EXCEPTION 'no %', 'way' USING DETAIL = 'two
    | ^
  DETAIL: two
    lines
  HINT: go
  CONTEXT: PL/pgSQL function inline_code_block line 1 at RAISE`},
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, odd)
		apply(t, db, applied)
		for name, test := range errorTexts {
			for _, first := range []bool{true, false} { // the only one to send, or the third in the message
				bad, before, f := "002_bad.sql", "nothing was done before it", applied
				if !first {
					bad, before = "0099_bad.sql", "done before it: 0010_a.sql, 0011_b.sql"
					f = applied.with("0010_a.sql", "SELECT 1").with("0011_b.sql", "SELECT 1")
				}
				m := migrator(t, db, f.with(bad, test.text), migrations.Module("it"))
				ran(t)(m.Baseline(t.Context(), 1))
				_, err := m.Apply(t.Context())
				want(t, name, fmt.Sprint(err), `pgdbm: module "it" in schema "Größe-\"7\"": `+
					strings.ReplaceAll(test.want[1:], "002_bad.sql", bad)+"\n  "+before)
				var pgErr *pgconn.PgError
				if !errors.As(err, &pgErr) || pgErr.Code != test.code {
					t.Errorf("%s: the server's error is %v", name, pgErr)
				}
				execOn(t, pool, "DELETE FROM "+quote(odd)+".schema_migrations WHERE module_name = 'it'")
			}
		}
	})
}

// TestErrorFields looks at what a program can read.
func TestErrorFields(t *testing.T) {
	t.Parallel()
	pool := open(t)
	f := files{"sql/1_a.sql": "SELECT 1", "sql/2_b.up.sql": "SELECT 1", "sql/2_b.down.sql": "SELECT 1;\n  SELECT nothing;\n", "sql/R__r.sql": "SELECT 1"}
	db := schemadb.New(pool, "app")
	m := migrator(t, db, f, migrations.Module("mod"))
	ran(t)(m.Apply(t.Context()))
	_, err := m.Rollback(t.Context(), 1)
	var failed *migrations.MigrationError
	if !errors.As(err, &failed) {
		t.Fatalf("the error is %v", err)
	}
	if failed.Schema != "app" || failed.Module != "mod" || failed.File != "sql/2_b.down.sql" || !failed.Undo || failed.Line != 2 ||
		failed.Column != 10 || failed.Source != "  SELECT nothing;" || failed.Applied == nil || len(failed.Applied) != 0 || failed.Note != "" {
		t.Errorf("the error is %+v", failed)
	}
	want(t, "history", recorded(t, pool, "app"), "1_a.sql 2_b.up.sql R__r.sql")

	_, err = migrator(t, db, f.with("sql/R__r.sql", "SELECT 1/0").with("sql/3_c.sql", "SELECT 3"), migrations.Module("mod")).Apply(t.Context())
	if !errors.As(err, &failed) || failed.File != "sql/R__r.sql" || failed.Undo {
		t.Fatalf("the error is %v", err)
	}
	wantFiles(t, "applied", failed.Applied, "3_c.sql")
}

// TestCancelled ends the context while a statement runs.
func TestCancelled(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		ctx, cancel := contextWithCause(t)
		m := migrator(t, schemadb.New(pool, "app"), files{"1_a.sql": "CREATE TABLE {{tables.a}} ()", "2_b.sql": "CREATE TABLE {{tables.b}} (); SELECT pg_sleep(600)"})
		done := make(chan error)
		go func() {
			_, err := m.Apply(ctx)
			done <- err
		}()
		for query(t, pool, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()") != "1" {
			if t.Context().Err() != nil {
				return
			}
		}
		cancel(errGone)
		err := <-done
		if !errors.Is(err, errGone) || !errors.As(err, new(*migrations.MigrationError)) {
			t.Errorf("the error is %v", err)
		}
		wantTexts(t, err, "2_b.sql:1:31", "done before it: 1_a.sql")
		want(t, "history", recorded(t, pool, "app"), "1_a.sql")
		if _, err := m.Apply(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
	})
}
