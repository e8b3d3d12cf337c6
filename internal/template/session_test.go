package template_test

import (
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/template"
)

func info(t *testing.T, text string) template.Info {
	t.Helper()
	stmt, err := template.Parse(text, template.Both)
	if err != nil {
		t.Errorf("%q: %v", text, err)
	}
	return stmt.Info
}

// leaves are statements that leave something in the session.
var leaves = []string{
	"SET search_path TO x",
	"set/**/a.b = 1",
	"SET SESSION a.b = 1",
	"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
	"SET ROLE bob",
	"SET TIME ZONE 'UTC'",
	`SET "local" = 1`,
	"SET local.x = 1",
	"SET transaction.x = 1",
	"SET /* x */ constraints . x = 1",
	"RESET search_path",
	"SELECT set_config('a.b', 'x', false)",
	"SELECT pg_catalog.set_config('a.b', 'x', false)",
	`SELECT "set_config"('a.b', 'x', false)`,
	`SELECT U&"\0073et_config"('a.b', 'x', false)`,
	"SELECT set_config('a.b', 'x', not true)",
	"SELECT set_config('a.b', 'x', false or true)",
	"SELECT set_config('a.b', lower('x, true)'), false)",
	"SELECT set_config('a.b', set_config('a.c', 'x', true), false)",
	"SELECT set_config('a.b', set_config('a.c', 'x', false), true)",
	"SELECT set_config('a.b', 'x', true), SET_CONFIG ('a.b', 'x', 'f')",
	"SELECT set_config('a.b', true",
	"SELECT set_config('a.b', 'x', 'false')",
	"SELECT set_config('a.b', 'x', 'true'::text::boolean)",
	"SELECT set_config('a.b', 'x', true::text)",
	"SELECT set_config('a.b', 'x', 'true'||'')",
	"SELECT set_config('a.b', 'x', E'on')",
	"SELECT set_config('a.b', 'x', 1)",
	"SELECT set_config('a.b', 'x', $1 and $2)",
	"WITH x AS (SELECT set_config('a.b', 'x', false)) SELECT 1",
	"CREATE TEMP TABLE t (id int)",
	"CREATE TEMPORARY TABLE {{tables.t}} (id int)",
	"CREATE /* x */ -- y\n temp TABLE t (id int)",
	"CREATE LOCAL TEMP TABLE t (id int)",
	"CREATE GLOBAL TEMPORARY TABLE t (id int)",
	"CREATE TEMP SEQUENCE s",
	"CREATE OR REPLACE TEMP VIEW v AS SELECT 1",
	"EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1",
	"SELECT 1 AS id INTO TEMP t",
	"SELECT 1 INTO TEMPORARY TABLE t",
	"SELECT 1 INTO LOCAL TEMP t",
	"CREATE TEMP TABLE t (id int) ON COMMIT DELETE ROWS",
	"CREATE TEMP TABLE t (id int) ON COMMIT PRESERVE ROWS",
	"CREATE TEMP TABLE t (id int); CREATE TEMP TABLE u (id int) ON COMMIT DROP",
	"CREATE TEMP TABLE t (id int) /* ON COMMIT DROP */",
	"CREATE TABLE pg_temp.t (id int)",
	`CREATE TABLE "pg_temp".t (id int)`,
	"PREPARE p AS SELECT 1",
	"DEALLOCATE p",
	"DECLARE c CURSOR WITH HOLD FOR SELECT 1",
	"declare c scroll cursor with /**/ hold for SELECT 1",
	"LISTEN x",
	"LOAD 'auto_explain'",
	"DISCARD ALL",
	"DO $$ BEGIN PERFORM 1; END $$",
	"DO 'BEGIN PERFORM 1; END'",
	"UPDATE pg_settings SET setting = 'x' WHERE name = 'a.b'",
	"UPDATE ONLY pg_catalog.pg_settings SET setting = 'x'",
	"UPDATE pg_catalog . pg_settings SET setting = 'x'",
	`UPDATE "pg_settings" SET setting = 'x'`,
	"SELECT 1; SET a.b = 1; SELECT 2",
	"BEGIN; LISTEN x; COMMIT",
	"; ;; -- x\nLISTEN x",
}

// leavesNot are statements that leave nothing, although many of them have a word of the others.
var leavesNot = []string{
	"SELECT 1",
	"",
	"-- SET a.b = 1\n",
	"SET LOCAL a.b = 1",
	"SET /**/ LOCAL a.b = 1",
	"SET TRANSACTION READ ONLY",
	"SET CONSTRAINTS ALL DEFERRED",
	"SHOW search_path",
	"SELECT set_config('a.b', 'x', true)",
	"SELECT pg_catalog.set_config($1, $2 || ')', /* false */ TRUE )",
	`SELECT "set_config"('a.b', 'x', true)`,
	"SELECT set_config('a.b', lower(concat('x', ')')), true)",
	"SELECT set_config('a.b', set_config('a.c', 'x', true), true)",
	"SELECT set_config('a.b', 'x', true::boolean)",
	"SELECT set_config('a.b', 'x', TRUE :: bool)",
	"SELECT set_config('a.b', 'x', 'true')",
	"SELECT set_config('a.b', 'x', 't'), set_config('a.b', 'x', 'yes'), set_config('a.b', 'x', 'Y')",
	"SELECT set_config('a.b', 'x', 'ON'::bool), set_config('a.b', 'x', '1'::pg_catalog.bool)",
	"SELECT set_config('a.b', 'true', $1)", // the driver looks at the argument: TestLocalParams
	"CREATE TEMP TABLE t (id int) ON COMMIT DROP",
	"CREATE TEMP TABLE t ON /* x */ COMMIT DROP AS SELECT 1",
	"SELECT current_setting('set_config'), 'set_config(1, 2, false)', $$ set_config $$, $1",
	"SELECT 'CREATE TEMP TABLE t', \"create temp table\" -- CREATE TEMP TABLE\n/* pg_temp */",
	"INSERT INTO t (temp, hold) VALUES (1, 2)",
	"SELECT temp, a AS temporary, hold FROM t",
	"SELECT 1 INTO t",
	"UPDATE t SET temp = 1",
	"CREATE TABLE temperature (temp int)",
	"CREATE TABLE t (temp int)",
	"DECLARE c CURSOR FOR SELECT 1",
	"DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1",
	"PREPARE TRANSACTION 'x'",
	"EXECUTE p",
	"NOTIFY x",
	"INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
	"INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1",
	"SELECT name FROM pg_settings",
	"CREATE FUNCTION f() RETURNS void AS $$ SET a.b = 1; CREATE TEMP TABLE t () $$ LANGUAGE sql",
	"CREATE FUNCTION f() RETURNS void SET search_path = x AS 'SELECT 1' LANGUAGE sql",
	"ALTER TABLE t SET (fillfactor = 50)",
	"SELECT 1; SELECT 2",
	"SELECT setx, prepared, listener, loaded, discarded FROM t",
	`SELECT "set" FROM "listen"`,
	"COMMIT",
}

func TestSessionState(t *testing.T) {
	t.Parallel()
	for _, text := range leaves {
		for _, text := range []string{text, strings.ToLower(text), "SELECT 1; " + text} {
			if !info(t, text).SessionState {
				t.Errorf("%q leaves something in the session", text)
			}
		}
	}
	for _, text := range leavesNot {
		for _, text := range []string{text, "SELECT ';'; " + text + "\n; SELECT 1"} {
			if info(t, text).SessionState {
				t.Errorf("%q leaves nothing in the session", text)
			}
		}
	}
}

func TestSchemaDDL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"CREATE SCHEMA x": true,
		"create /**/ schema if not exists {{schema}}": true,
		"DROP SCHEMA x CASCADE":                       true,
		"ALTER SCHEMA x RENAME TO y":                  true,
		"SELECT 1; DROP SCHEMA x; SELECT 2":           true,
		"CREATE TABLE schema (id int)":                false,
		"COMMENT ON SCHEMA x IS 'create schema'":      false,
		"GRANT CREATE ON SCHEMA x TO bob":             false,
		"SELECT 'CREATE SCHEMA x' -- DROP SCHEMA x":   false,
		"DO $$ BEGIN CREATE SCHEMA x; END $$":         true,
		`DROP "schema"`:                               false,
	} {
		if got := info(t, text).SchemaDDL; got != want {
			t.Errorf("SchemaDDL of %q = %v", text, got)
		}
	}
}

func TestDDL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"ALTER TABLE {{tables.t}} ADD COLUMN x int":          true,
		"drop /**/ table t":                                  true,
		"CREATE OR REPLACE VIEW v AS SELECT 1":               true,
		"CREATE TEMP TABLE t (id int)":                       false,
		"CREATE LOCAL TEMPORARY TABLE t (id int)":            false,
		"DO $$ BEGIN ALTER TABLE t ADD COLUMN x int; END $$": true,
		"SELECT 1; ALTER TYPE t ADD ATTRIBUTE x int":         true,
		"CREATE TABLE t (id int)":                            true,
		"SELECT 'ALTER TABLE t'":                             false,
		"INSERT INTO t (alter) VALUES (1)":                   false,
	} {
		if got := info(t, text).DDL; got != want {
			t.Errorf("DDL of %q = %v", text, got)
		}
	}
}

func TestProcedural(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"CALL {{schema}}.p($1)": true,
		"do $$ begin end $$":    true,
		"SELECT 1; CALL p()":    true,
		"SELECT call FROM t":    false,
		"EXECUTE p":             false,
	} {
		if got := info(t, text).Procedural; got != want {
			t.Errorf("Procedural of %q = %v", text, got)
		}
	}
}

func TestTransactionControl(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"BEGIN":                                  true,
		" begin isolation level serializable ; ": true,
		"START TRANSACTION":                      true,
		"/* x */ COMMIT":                         true,
		"END":                                    true,
		"ROLLBACK TO SAVEPOINT x":                true,
		"ABORT":                                  true,
		"SAVEPOINT x":                            true,
		"RELEASE x":                              true,
		"COMMIT PREPARED 'x'":                    true,
		"PREPARE TRANSACTION 'x'":                true,
		"COMMIT; BEGIN":                          true,
		"":                                       false,
		";;":                                     false,
		"-- BEGIN":                               false,
		"BEGIN; SELECT 1; COMMIT":                false,
		"SELECT 1; COMMIT":                       false,
		"BEGIN; {{tables.t}}":                    false,
		"PREPARE p AS SELECT 1":                  false,
		"'BEGIN'":                                false,
		`"begin"`:                                false,
		"(BEGIN)":                                false,
		"CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; END": false,
		"DO $$ BEGIN; END $$":                            false,
	} {
		if got := info(t, text).TransactionControl; got != want {
			t.Errorf("TransactionControl of %q = %v", text, got)
		}
	}
}

func TestCommits(t *testing.T) {
	t.Parallel()
	const atomic = "CREATE OR REPLACE FUNCTION f(begin int, n numeric(1,1)) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1"
	for text, want := range map[string]bool{
		"SELECT 1":                  false,
		"COMMIT":                    false, // nothing else is there
		"SELECT 1; END":             true,
		"BEGIN; SELECT 1":           true,
		"SELECT 1; ROLLBACK TO a":   true,
		atomic + "; END":            false,
		atomic + ";; END; SELECT 1": false,
		atomic + "; SELECT CASE 1 WHEN 1 THEN 2 END; END":                                            false,
		atomic + "; END; END":                                                                        true,
		atomic + "; END; COMMIT; SELECT 1":                                                           true,
		"CREATE PROCEDURE p() begin /* */ atomic END; END":                                           true,
		"CREATE FUNCTION f() RETURNS int RETURN (SELECT begin atomic FROM t); END":                   true,
		"CREATE TABLE f (begin atomic); END":                                                         true,
		"CREATE VIEW v AS SELECT x.create function, x.begin atomic FROM x; END; SELECT 1":            true,
		"CREATE FUNCTION f() RETURNS int AS 'BEGIN ATOMIC' LANGUAGE sql; END":                        true,
		"CREATE FUNCTION f() RETURNS int AS $$ BEGIN ATOMIC SELECT 1 $$ LANGUAGE plpgsql; END":       true,
		"CREATE FUNCTION {{tables.f}}() BEGIN ATOMIC SELECT 1 FROM {{tables.t}}; END; SELECT 'end;'": false,
	} {
		if got := info(t, text).Commits; got != want {
			t.Errorf("Commits of %q = %v", text, got)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"SET LOCAL ROLE bob":                           true,
		"SET a.b = 1":                                  true,
		"SELECT set_config('role', $1, true)":          true,
		`SELECT "set_config"('role', $1, true)`:        true,
		"DO $$ BEGIN PERFORM 1; END $$":                true,
		"RESET ROLE":                                   true,
		"SELECT 1; SET LOCAL a.b = 1":                  true,
		"SET TRANSACTION READ ONLY":                    false,
		"SELECT current_setting('set_config')":         false,
		"UPDATE {{tables.t}} SET local = 'set_config'": false,
	} {
		stmt, err := template.Parse(text, template.Both)
		if err != nil || stmt.Info.Settings != want {
			t.Errorf("%s: Settings is %t, want %t (%v)", text, stmt.Info.Settings, want, err)
		}
	}
}
