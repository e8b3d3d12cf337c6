package migrations_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/pgclient"
	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// settingsOf returns all settings of each of n connections of the pool. Those of ours are empty outside of a migration.
func settingsOf(t *testing.T, pool *sql.DB, n int) string {
	t.Helper()
	var all []string
	var conns []*sql.Conn
	for range n {
		conn, err := pool.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
		var text string
		if err := conn.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM pg_prepared_statements WHERE name = 'y') || session_user || current_user || string_agg(concat(name, '=', setting), E'\n' ORDER BY name) "+
			"FROM pg_settings WHERE name !~ '^pgdbm[.]' OR setting <> ''").Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	for _, conn := range conns {
		conn.Close()
	}
	return strings.Join(all, "\n")
}

// wantNoLeak compares the settings of the pool's connections before and after a call.
func wantNoLeak(t *testing.T, pool *sql.DB, call func()) {
	t.Helper()
	const connections = 4
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	before := strings.Split(settingsOf(t, pool, connections), "\n")
	call()
	after := strings.Split(settingsOf(t, pool, connections), "\n")
	for i := range min(len(before), len(after)) {
		if before[i] != after[i] {
			t.Fatalf("a setting has changed: %s, was %s", after[i], before[i])
		}
	}
	if len(before) != len(after) {
		t.Error("there are more or less settings than before")
	}
}

// watcher is a migration that records in which session the one before has left it.
const watcher = `CREATE TABLE IF NOT EXISTS {{tables.seen}} (what text);
INSERT INTO {{tables.seen}} SELECT concat_ws('|', current_setting('search_path'), current_user, session_user, current_setting('work_mem'),
	current_setting('statement_timeout'), current_setting('check_function_bodies'), current_setting('application_name'))`

// sessionChanges are migrations that change what the next one would see; somebody is a role.
var sessionChanges = []string{
	"SET search_path = pg_catalog",
	"SET search_path TO ''; SET work_mem = '7MB'; SET check_function_bodies = off",
	"SELECT pg_catalog.set_config('search_path', '', false)",
	"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
	"SET ROLE somebody",
	"SET LOCAL ROLE somebody",
	"SET session_replication_role = replica; SET ROLE somebody", // who may not set it back
	"SET SESSION AUTHORIZATION somebody",
	"SET SESSION AUTHORIZATION somebody; SET work_mem = '7MB'",
	"SET ROLE somebody; SET search_path = ''; RESET ROLE",
	"RESET ALL",
	"SET work_mem = '7MB'; RESET ALL",
	"SET ROLE somebody; RESET ALL",
	"SET SESSION AUTHORIZATION somebody; RESET ALL",
	"SET TIME ZONE 'Asia/Tokyo'; SET client_min_messages = error; SET standard_conforming_strings = on",
	"SET app.tenant = 'x'",
	"DO $$ BEGIN SET work_mem = '8MB'; END $$",
	"LISTEN x; PREPARE y AS SELECT 1; CREATE TEMPORARY TABLE z ()",
}

func TestSettingsDoNotLeak(t *testing.T) {
	t.Parallel()
	for _, name := range []string{driver.Name, "pgx"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t) + "&application_name=mine&work_mem=5MB"
			admin := openAs(t, "pgx", dsn)
			role := "r" + query(t, admin, "SELECT md5(current_database())")
			execOn(t, admin, "CREATE ROLE "+role)
			t.Cleanup(func() { _, _ = admin.Exec("DROP OWNED BY " + role + "; DROP ROLE " + role) })
			pool := openAs(t, name, dsn)
			for schema, rows := range map[string]string{
				"plain": "",
				"rows":  ";\nCREATE TABLE {{tables.rows_%d}} (x int);\nCOPY {{tables.rows_%[1]d}} FROM stdin;\n1\n\\.\n",
			} {
				f := files{"0_first.sql": watcher}
				for i, text := range sessionChanges {
					if rows != "" && !strings.Contains(text, "somebody") { // who may not create tables
						text += fmt.Sprintf(rows, i)
					}
					f[fmt.Sprintf("%d_set.sql", 2*i+1)] = strings.ReplaceAll(text, "somebody", role)
					f[fmt.Sprintf("%d_watch.sql", 2*i+2)] = watcher
				}
				wantNoLeak(t, pool, func() { apply(t, schemadb.New(pool, schema), f) })
				want(t, "what the migrations saw", query(t, admin, "SELECT DISTINCT what FROM "+schema+".seen"),
					query(t, admin, `SELECT concat('"$user", public|', current_user, '|', session_user, '|5MB|0|on|mine')`))
				want(t, "history", query(t, admin, "SELECT count(*), count(DISTINCT applied_by), count(execution_time_ms) FROM "+schema+".schema_migrations"),
					fmt.Sprintf("%d|1|%[1]d", len(f)))
			}
		})
	}
}

// TestSettingsOfFailedMigrations sees that what survives a rollback does not come back to the pool either.
func TestSettingsOfFailedMigrations(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		for i, text := range []string{"PREPARE y AS SELECT 1; SELECT 1/0", "SET search_path = ''; SELECT pg_advisory_lock(1); SELECT 1/0",
			"PREPARE y AS SELECT 1;\nCREATE TABLE {{tables.t}} (x int);\nCOPY {{tables.t}} FROM stdin;\nx\n\\.\n",
			"-- pgdbm:no-transaction\nPREPARE y AS SELECT 1; SET search_path = ''; SET work_mem = '7MB'; SELECT 1/0"} {
			m := migrator(t, schemadb.New(pool, fmt.Sprint("s", i)), files{"1_a.sql": text})
			wantNoLeak(t, pool, func() {
				if _, err := m.Apply(t.Context()); err == nil {
					t.Error("no error")
				}
			})
		}
	})
}

// TestSettingsWithoutTransaction is about a file each of whose statements runs on its own.
func TestSettingsWithoutTransaction(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		f := files{"1_before.sql": watcher, "2_set.sql": "-- pgdbm:no-transaction\nSET search_path = ''; SET work_mem = '7MB'; " + watcher, "3_after.sql": watcher}
		wantNoLeak(t, pool, func() { apply(t, schemadb.New(pool, "app"), f) })
		seen := strings.Split(query(t, pool, "SELECT what FROM app.seen"), "\n")
		if len(seen) != 3 || seen[0] != seen[2] || !strings.Contains(seen[1], "7MB") {
			t.Errorf("what the migrations saw: %q", seen)
		}
	})
}

// legacy is what the database has that is dumped.
const legacy = `CREATE SCHEMA legacy;
CREATE TABLE legacy.matrix (id serial PRIMARY KEY, cells int[], note text);
INSERT INTO legacy.matrix (cells, note) VALUES ('{{1,2},{3,4}}', '{{tables.users}}'), (NULL, E'tab\there\nnew line \\. \\N'), ('{}', '{{schema}}');
CREATE FUNCTION legacy.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE TRIGGER t BEFORE INSERT ON legacy.matrix FOR EACH ROW EXECUTE FUNCTION legacy.f();
CREATE VIEW legacy.v AS SELECT * FROM legacy.matrix;
COMMENT ON TABLE legacy.matrix IS 'a; {{x}}';`

func TestDumpIsAMigration(t *testing.T) {
	t.Parallel()
	from := server.Database(t)
	execOn(t, openAs(t, "pgx", from), legacy)
	original := pgclient.Unrestricted(pgclient.Dump(t, from, "--schema=legacy"))
	for _, options := range [][]string{nil, {"--inserts"}, {"--quote-all-identifiers", "--disable-dollar-quoting"}} {
		text := pgclient.Dump(t, from, append(options, "--schema=legacy")...)
		if options == nil && (!strings.Contains(text, "COPY legacy.matrix") || !strings.Contains(text, "{{1,2},{3,4}}\t{{tables.users}}")) {
			t.Errorf("the dump has no rows: %s", text)
		}
		if !strings.Contains(text, `\restrict`) { // older versions write none
			text = "\\restrict abc\n" + text + "\\unrestrict abc\n"
		}
		t.Run(strings.Join(options, " "), func(t *testing.T) {
			t.Parallel()
			for _, name := range []string{driver.Name, "pgx"} {
				dsn := server.Database(t)
				pool := openAs(t, name, dsn)
				f := files{"1_before.sql": watcher, "2_dump.sql": text, "3_after.sql": watcher}
				wantNoLeak(t, pool, func() { apply(t, schemadb.New(pool, "app"), f) })
				want(t, "what was seen", query(t, pool, "SELECT count(DISTINCT what) FROM app.seen"), "1")
				expected := original
				if slices.Contains(options, "--inserts") { // literals are the file's, and no rows
					expected = strings.NewReplacer("{{tables.users}}", `"app".users`, "{{schema}}", "app").Replace(expected)
				}
				wantSameText(t, pgclient.Unrestricted(pgclient.Dump(t, dsn, "--schema=legacy")), expected)
				want(t, "duration", query(t, pool, "SELECT count(execution_time_ms) FROM app.schema_migrations"), "3")
			}
		})
	}
}

// TestOtherCommandsOfPsql are refused before anything runs.
func TestOtherCommandsOfPsql(t *testing.T) {
	t.Parallel()
	_, err := migrations.New(schemadb.New(openAs(t, "pgx", "postgres://nowhere.invalid/x"), "app"), files{"1_a.sql": "SELECT 1;\n\\connect other\n"}.fs())
	wantTexts(t, err, "pgdbm: 1_a.sql, line 2, column 1", `\connect`)
}

// wantSameText shows the first lines that differ.
func wantSameText(t *testing.T, got, want string) {
	t.Helper()
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Errorf("line %d:\ngot  %s\nwant %s", i+1, a[i], b[i])
			return
		}
	}
	if len(a) != len(b) {
		t.Error("one is longer")
	}
}

// TestRoleWithoutTransaction has files that give away what writing the history needs.
func TestRoleWithoutTransaction(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		role := "r" + strings.ToLower(rand.Text())
		execOn(t, pool, "CREATE ROLE "+role)
		t.Cleanup(func() { _, _ = pool.Exec("DROP OWNED BY " + role + "; DROP ROLE " + role) })
		f := files{"1_role.sql": alone("CREATE TABLE {{tables.seen}} (who text)", "GRANT ALL ON {{tables.seen}} TO "+role, "GRANT USAGE ON SCHEMA {{schema}} TO "+role,
			"SET ROLE "+role, "INSERT INTO {{tables.seen}} VALUES (current_user)", "INSERT INTO {{tables.seen}} VALUES (current_user)"),
			"2_authorization.sql": alone("SET SESSION AUTHORIZATION "+role, "INSERT INTO {{tables.seen}} VALUES (current_user)", "SELECT 1"),
			"3_read_only.sql":     alone("SET default_transaction_read_only = on", "SELECT 1", "SELECT 1")}
		apply(t, schemadb.New(pool, "app"), f)
		want(t, "who", query(t, pool, "SELECT count(*) FROM app.seen WHERE who = $1", role), "3")
		want(t, "progress", progress(t, pool), "")
	})
}

// TestRoleOfFunctions has a function that ends as a role which may not set back what it has set before.
func TestRoleOfFunctions(t *testing.T) {
	t.Parallel()
	pool := open(t)
	role := "r" + strings.ToLower(rand.Text())
	execOn(t, pool, "CREATE ROLE "+role)
	t.Cleanup(func() { _, _ = pool.Exec("DROP OWNED BY " + role + "; DROP ROLE " + role) })
	become := func(ctx context.Context, tx *schemadb.Tx) error {
		_, err := tx.ExecContext(ctx, "SET session_replication_role = replica; SET ROLE "+role)
		return err
	}
	apply(t, schemadb.New(pool, "app"), nil, migrations.Go(1, "become", become, nil))
	want(t, "history", query(t, pool, "SELECT filename, applied_by = current_user FROM app.schema_migrations"), "001_become.go|true")
}

// TestClientEncoding has files that tell the server to read them in another way than they are sent.
func TestClientEncoding(t *testing.T) {
	t.Parallel()
	rows := "CREATE TABLE {{tables.t}} (what text);\nCOPY {{tables.t}} FROM stdin;\nGröße\n\\.\n"
	for name, text := range map[string]string{
		"rows":           "SET client_encoding = 'LATIN1';\n" + rows,
		"no transaction": alone("SET client_encoding = 'LATIN1'", "CREATE TABLE {{tables.t}} (what text)"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := open(t)
			db := schemadb.New(pool, odd)
			_, err := migrator(t, db, files{"1_a.sql": text}).Apply(t.Context())
			wantTexts(t, err, "1_a.sql", "client_encoding", "UTF-8")
			if exists(t, pool, quote(odd)+".t") {
				t.Error("there is a table")
			}
			if name == "rows" {
				apply(t, db, files{"1_a.sql": strings.Replace(text, "LATIN1", "UTF8", 1)})
				want(t, "rows", query(t, pool, "SELECT what FROM "+quote(odd)+".t"), "Größe")
			}
		})
	}
}

// TestSettingsThatAreOnlyMentioned has files with what looks like a setting, or is one that takes no empty value.
func TestSettingsThatAreOnlyMentioned(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"SET plpgsql.variable_conflict = 'use_column'; DO $$ BEGIN END $$",
		"DO $$ BEGIN PERFORM set_config('app.' || 'x', 'y', false); END $$; SET work_mem = '7MB'",
		`SET work_mem = '7MB'; CREATE TABLE {{tables.t}} ("w x.y" int); UPDATE {{tables.t}} SET "w x.y" = 1`,
		`SET app."user" = 'x'; SET "app"."tenant" = 'x'`,
		"RESET ALL; SET app.tenant = 'x'",
	} {
		pool := open(t)
		apply(t, schemadb.New(pool, "app"), files{"1_a.sql": text, "2_b.sql": "CREATE TABLE {{tables.b}} (); DROP TABLE {{tables.b}}"})
		want(t, text, query(t, pool, "SELECT concat(current_setting('app.x', true), current_setting('app.user', true), current_setting('app.tenant', true))"), "")
	}
}

// TestClientEncodingAtTheEnd has a file that changes it in its last statement, and a name that must not be misread then.
func TestClientEncodingAtTheEnd(t *testing.T) {
	t.Parallel()
	pool := open(t)
	apply(t, schemadb.New(pool, odd), files{"1_ü.sql": alone("CREATE TABLE {{tables.t}} ()", "SET client_encoding = 'LATIN1'")})
	want(t, "history", recorded(t, pool, odd), "1_ü.sql")
}

// TestClientEncodingOfThePool has databases with another encoding than UTF-8.
func TestClientEncodingOfThePool(t *testing.T) {
	t.Parallel()
	for encoding, text := range map[string]string{"LATIN1": "client_encoding=UTF8", "SQL_ASCII": ""} {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t)
			admin := openAs(t, "pgx", dsn)
			name := query(t, admin, "SELECT current_database()") + "_" + strings.ToLower(encoding)
			execOn(t, admin, "CREATE DATABASE "+name+" TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING '"+encoding+"'")
			t.Cleanup(func() { _, _ = admin.Exec("DROP DATABASE " + name + " WITH (FORCE)") })
			other, err := pgserver.DatabaseDSN(dsn, name)
			if err != nil {
				t.Fatal(err)
			}
			f := files{"1_a.sql": "SELECT 'ü'", "2_b.sql": alone("SELECT 1", "SELECT 'ü'")}
			_, err = migrator(t, schemadb.New(openAs(t, "pgx", other), "app"), f).Apply(t.Context())
			if text == "" && err != nil {
				t.Errorf("error = %v", err)
			} else if text != "" {
				wantTexts(t, err, text)
				apply(t, schemadb.New(openAs(t, "pgx", other+"&client_encoding=UTF8"), "app"), f)
			}
		})
	}
}
