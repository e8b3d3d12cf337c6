package template_test

import (
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/template"
)

// checkInfo checks one field of Info for texts, as they are and among others.
func checkInfo(t *testing.T, name string, field func(template.Info) bool, texts map[string]bool) {
	t.Helper()
	for text, want := range texts {
		for _, text := range []string{text, strings.ToLower(text)} {
			if got := field(info(t, text)); got != want {
				t.Errorf("%s of %q = %v", name, text, got)
			}
		}
	}
}

func TestTemp(t *testing.T) {
	t.Parallel()
	checkInfo(t, "Temp", func(i template.Info) bool { return i.Temp }, map[string]bool{
		"CREATE TEMP TABLE t (id int)":                       true,
		"CREATE TEMP TABLE t (id int) ON COMMIT DROP":        true,
		"CREATE TEMPORARY TABLE t ON COMMIT DELETE ROWS":     true,
		"CREATE OR REPLACE LOCAL TEMP VIEW v AS SELECT 1":    true,
		"CREATE TEMP SEQUENCE s":                             true,
		"SELECT 1 AS a INTO TEMP t":                          true,
		"SELECT 1 AS a INTO LOCAL TEMPORARY TABLE t":         true,
		"EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1":    true,
		"SELECT 1; CREATE TEMP TABLE t (); SELECT 1":         true,
		"CREATE TABLE pg_temp.t (id int)":                    true,
		`CREATE TABLE "pg_temp".t (id int)`:                  true,
		`CREATE TABLE U&"pg\005ftemp".t (id int)`:            true,
		"CREATE TABLE t (temp int)":                          false,
		"SELECT temp FROM t":                                 false,
		"SELECT 1 AS a INTO t":                               false,
		"SELECT 'CREATE TEMP TABLE t'":                       false,
		"CREATE FUNCTION f() AS $$ CREATE TEMP TABLE t() $$": false,
	})
}

func TestDDLOfAnyKind(t *testing.T) {
	t.Parallel()
	checkInfo(t, "DDL", func(i template.Info) bool { return i.DDL }, map[string]bool{
		"CREATE TABLE t (id int)":                               true,
		"CREATE UNLOGGED TABLE t (id int)":                      true,
		"CREATE TABLE t AS SELECT 1":                            true,
		"CREATE TABLE t AS SELECT * FROM pg_temp.x":             true,
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1": true,
		"CREATE OPERATOR + (FUNCTION = f)":                      true,
		"CREATE INDEX ON {{tables.t}} (id)":                     true,
		"CREATE TABLE temp (id int)":                            true,
		"SELECT 1; CREATE TYPE t AS (a int); SELECT 1":          true,
		"EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1":            true,
		"CALL p()": true,
		"IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c":              true,
		"SELECT 1 AS a INTO t":                                      true,
		"SELECT 1 INTO {{tables.t}} FROM {{tables.x}}":              true,
		"SELECT * INTO UNLOGGED t FROM x":                           true,
		"WITH x AS (INSERT INTO t VALUES (1)) SELECT a INTO y":      true,
		"EXPLAIN ANALYZE SELECT 1 INTO t":                           true,
		"CREATE TEMP TABLE t (); CREATE TABLE t ()":                 true,
		"CREATE TEMP TABLE t AS SELECT 1 ON COMMIT DROP":            false,
		"CREATE GLOBAL TEMPORARY TABLE t ()":                        false,
		"CREATE OR REPLACE TEMP VIEW v AS SELECT 1":                 false,
		"EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1":           false,
		"SELECT 1 AS a INTO LOCAL TEMP t":                           false,
		"SELECT 1 AS a INTO TEMPORARY TABLE t":                      false,
		"INSERT INTO t VALUES (1)":                                  false,
		"INSERT /* x */ INTO t SELECT 1":                            false,
		"WITH x AS (INSERT INTO t VALUES (1) RETURNING 1) SELECT 1": false,
		"MERGE INTO t USING x ON true WHEN MATCHED THEN DELETE":     false,
		"SELECT create, temp FROM t":                                false,
		"SELECT 'CREATE TABLE t' -- ALTER":                          false,
		"TRUNCATE t":                                                false,
		"BEGIN":                                                     false,
	})
}

func TestNoNames(t *testing.T) {
	t.Parallel()
	checkInfo(t, "NoNames", func(i template.Info) bool { return i.NoNames }, map[string]bool{
		"BEGIN":                                true,
		"BEGIN; SET LOCAL a.b = 1":             true,
		"COMMIT;":                              true,
		"SAVEPOINT a; RELEASE a":               true,
		"SET TRANSACTION READ ONLY":            true,
		"SET a.b = 1":                          true,
		"SET SESSION a = 1; RESET a":           true,
		"SET LOCAL ROLE bob":                   true,
		"SET constraints . x = 1":              true,
		"DISCARD PLANS":                        true,
		"DEALLOCATE ALL":                       true,
		"LISTEN a; UNLISTEN b;NOTIFY c":        true,
		"CHECKPOINT":                           true,
		"PREPARE TRANSACTION 'x'":              true,
		"SET CONSTRAINTS ALL DEFERRED":         true,
		"SET CONSTRAINTS all_of_them DEFERRED": false,
		"SHOW search_path":                     false,
		"SHOW ALL":                             false,
		"SET a.b = 1; SELECT 1":                false,
		"PREPARE p AS SELECT 1":                false,
		"LOCK TABLE t":                         false,
		"SHOW transaction_isolation":           true,
		"SELECT 1":                             false,
		"DO $$ BEGIN END $$":                   false,
		"":                                     false,
	})
}

func TestSemantics(t *testing.T) {
	t.Parallel()
	checkInfo(t, "Semantics", func(i template.Info) bool { return i.Semantics }, map[string]bool{
		"SET search_path = a":                            true,
		"SET LOCAL datestyle = 'German'":                 true,
		"SET SESSION TIME ZONE 'UTC'":                    true,
		`SET "search_path" = a`:                          true,
		"SET ROLE bob":                                   true,
		"RESET ALL":                                      true,
		"DISCARD ALL":                                    true,
		"SELECT set_config('timezone', $1, true)":        true,
		"SELECT set_config($1, 'x', true)":               true,
		"UPDATE pg_settings SET setting = 'x'":           true,
		"DO $$ BEGIN END $$":                             true,
		"SET LOCAL Statement_Timeout = '1s'":             false,
		"SET application_name = 'x'":                     false,
		"SET app.tenant = 'x'":                           false,
		"SET LOCAL local.tenant = 'x'":                   false,
		"RESET lock_timeout":                             false,
		"SELECT set_config('app.tenant', $1, true)":      false,
		"SELECT set_config('lock_timeout', '1s', false)": false,
		"LISTEN a": false,
		"SELECT 1": false,
	})
}

func TestNoSnapshot(t *testing.T) {
	t.Parallel()
	checkInfo(t, "NoSnapshot", func(i template.Info) bool { return i.NoSnapshot }, map[string]bool{
		"LOCK {{tables.t}}":                             true,
		"LOCK TABLE ONLY {{tables.t}} IN SHARE MODE":    true,
		"SET CONSTRAINTS {{tables.c}} IMMEDIATE":        true,
		"BEGIN; SET LOCAL lock_timeout = 1; LOCK a":     true,
		"SET CONSTRAINTS ALL DEFERRED; LOCK a; COMMIT;": true,
		"BEGIN":                 false,
		"SET a.b = 1":           false,
		"LOCK a; SELECT 1":      false,
		"SELECT lock FROM t":    false,
		"SET constraints.x = 1": false,
		"":                      false,
	})
}

func TestRole(t *testing.T) {
	t.Parallel()
	checkInfo(t, "Role", func(i template.Info) bool { return i.Role }, map[string]bool{
		"SET ROLE bob":                                          true,
		"SET ROLE NONE":                                         true,
		"SET /**/ LOCAL ROLE bob":                               true,
		"SET SESSION ROLE bob":                                  true,
		"SET role = 'bob'":                                      true,
		`SET LOCAL "role" TO bob`:                               true,
		"SET SESSION AUTHORIZATION bob":                         true,
		"SET LOCAL SESSION AUTHORIZATION bob":                   true,
		"SET SESSION SESSION AUTHORIZATION bob":                 true,
		"SET session_authorization TO bob":                      true,
		"SELECT 1; RESET ROLE":                                  true,
		"RESET ALL":                                             true,
		"RESET SESSION AUTHORIZATION":                           true,
		`RESET "session_authorization"`:                         true,
		"DISCARD ALL":                                           true,
		"DO $$ BEGIN END $$":                                    true,
		"CALL p()":                                              true,
		"SELECT set_config('role', $1, true)":                   true,
		"SELECT set_config('ROLE'::text, $1, true)":             true,
		"SELECT set_config('Session_Authorization', 'x', true)": true,
		"SELECT set_config($1, 'x', true)":                      true,
		"SELECT set_config('ro' || 'le', 'x', true)":            true,
		"SELECT set_config(E'r\\x6fle', 'x', true)":             true,
		"SELECT set_config(name, 'x', true) FROM t":             true,
		"SELECT set_config('ro'\n'le', 'x', true)":              true,
		"SELECT set_config":                                     true,
		"SELECT set_config(setting_name => 'role', new_value => 'x', is_local => true)": true,
		`SELECT "set_config"('role', 'x', true)`:                                        true,
		"SELECT set_config('a.b', 'x', true), set_config('role', 'x', true)":            true,
		"UPDATE pg_settings SET setting = 'x' WHERE name = 'role'":                      true,
		"SELECT set_config('a.b', $1, true)":                                            false,
		"SELECT set_config('a.b'::text, 'role', true)":                                  false,
		"SET a.b = 'role'":              false,
		"SET local.role = 1":            false,
		"SET role.x = 1":                false,
		"SET session.authorization = 1": false,
		"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY": false,
		"RESET search_path":             false,
		"RESET all.x":                   false,
		"DISCARD PLANS":                 false,
		"SELECT role FROM t":            false,
		"ALTER ROLE bob SET role = 'x'": false,
		"SELECT name FROM pg_settings":  false,
	})
}

func TestLocalParams(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint64{
		"SELECT set_config('a.b', $1, $2)":                                                   1 << 1,
		"SELECT set_config($1, $2, $3::boolean)":                                             1 << 2,
		"SELECT set_config($1, $2, $64 :: pg_catalog . bool )":                               1 << 63,
		"SELECT set_config('a', $1, $2), set_config('b', $1, $4), set_config('c', '', true)": 1<<1 | 1<<3,
		"SELECT set_config('a', set_config('b', 'x', $1), $2)":                               1<<0 | 1<<1,
		"SELECT set_config('a', (ARRAY['x', $1])[2], $1)":                                    1 << 0,
		"SELECT set_config('a', 'x', true)":                                                  0,
		"SELECT set_config('a', $1, true)":                                                   0,
	} {
		if got := info(t, text); got.LocalParams != want || got.SessionState || !got.Settings {
			t.Errorf("%q: %b, %+v", text, got.LocalParams, got)
		}
	}
	for _, text := range []string{
		"SELECT set_config('a', 'x', $65)",
		"SELECT set_config('a', 'x', $0)",
		"SELECT set_config('a', 'x', $99999999999999999999)",
		"SELECT set_config('a', 'x', $1x)",
		"SELECT set_config('a', 'x', NOT $1)",
		"SELECT set_config('a', 'x', $1::text::boolean)",
		"SELECT set_config('a', 'x', $1 or $2)",
		"SELECT set_config('a', $1)",
		"SELECT set_config('a', 'x', $1, 2)",
		"SELECT set_config('a', 'x', false), set_config('a', 'x', $1)",
	} {
		if !info(t, text).SessionState {
			t.Errorf("%q leaves something in the session", text)
		}
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"":                                     0,
		"SELECT 1":                             0,
		"SELECT $1":                            1,
		"SELECT $2, $1":                        2,
		"SELECT $10::text; SELECT $9":          10,
		"SELECT a$5, '$6', E'\\'$6', \"$7\"":   0,
		"SELECT $a$ $8 $a$, $$ $9 $$ -- $4\n":  0,
		"/* $3 /* $4 */ $5 */ SELECT -$1":      1,
		"SELECT $1$2":                          2,
		"SELECT 1$3":                           3,
		"SELECT $4abc":                         4,
		"SELECT $0":                            0,
		"SELECT $99999999999999999999999":      1<<31 - 1,
		"SELECT $1 FROM {{tables.t}} WHERE $2": 2,
		"DO $$ BEGIN PERFORM $1; END $$":       0,
	} {
		if got := info(t, text).Params; got != want {
			t.Errorf("Params of %q = %d, want %d", text, got, want)
		}
	}
}

// TestParseAllocates makes sure that looking for all this needs no memory.
func TestParseAllocates(t *testing.T) {
	for _, text := range []string{
		"SELECT set_config('role', $1, $2::boolean), $3",
		"CREATE TEMP TABLE t (id int) ON COMMIT DROP; SET LOCAL ROLE bob",
	} {
		if n := testing.AllocsPerRun(100, func() { _, _ = template.Parse(text, template.Both) }); n > 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}
