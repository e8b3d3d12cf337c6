package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

func TestApply(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		f := files{
			"1_log.sql":     "CREATE TABLE {{tables.log}} (n serial, what text)",
			"2_second.sql":  "INSERT INTO {{tables.log}} (what) VALUES ('two')",
			"10_tenth.sql":  "INSERT INTO {{tables.log}} (what) VALUES ('ten')",
			"R__b.sql":      "INSERT INTO {{tables.log}} (what) VALUES ('b')",
			"R__a.sql":      "INSERT INTO {{tables.log}} (what) VALUES ('a')",
			"down/10_x.txt": "not read",
		}
		db := schemadb.New(pool, odd)
		result, err := migrator(t, db, f, migrations.Module("it's \\ {{schema}}")).Apply(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wantFiles(t, "steps", result.Files(), "1_log.sql 2_second.sql 10_tenth.sql R__a.sql R__b.sql")
		want(t, "order", query(t, pool, `SELECT what FROM "Größe-""7""".log ORDER BY n`), "two\nten\na\nb")
		want(t, "history", recorded(t, pool, odd), "1_log.sql 2_second.sql 10_tenth.sql R__a.sql R__b.sql")
		if result.Schema != odd || result.Module != "it's \\ {{schema}}" || result.Duration <= 0 {
			t.Errorf("the result is %+v", result)
		}
		for _, step := range result.Steps {
			if step.Schema != odd || step.Module != result.Module || step.Undo || step.RecordOnly {
				t.Errorf("a step is %+v", step)
			}
		}
		want(t, "module", query(t, pool, `SELECT DISTINCT module_name FROM "Größe-""7""".schema_migrations`), "it's \\ {{schema}}")
		wantFiles(t, "the second run", apply(t, db, f, migrations.Module("it's \\ {{schema}}")), "")
		want(t, "rows after it", query(t, pool, `SELECT count(*) FROM "Größe-""7""".log`), "4")
	})
}

func TestApplyWithoutSchema(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		f := files{"1_t.sql": "CREATE TABLE {{tables.t}} AS SELECT '{{schema}}'::text AS x"}
		result, err := migrator(t, schemadb.New(pool, ""), f).Apply(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if result.Schema != "public" || result.Module != "default" {
			t.Errorf("the result is %+v", result)
		}
		want(t, "table", query(t, pool, "SELECT x FROM public.t"), "public")
		want(t, "history", query(t, pool, "SELECT filename, module_name FROM public.schema_migrations"), "1_t.sql|default")
	})
}

// TestApplyInTheSearchPath has a search_path whose first schema does not exist, or none at all.
func TestApplyInTheSearchPath(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	setup := openAs(t, "pgx", dsn)
	execOn(t, setup, `CREATE SCHEMA app`)
	f := files{"1_t.sql": "CREATE TABLE t ()"}
	result, err := migrator(t, schemadb.New(openAs(t, "pgx", dsn+"&search_path=nowhere,app,public"), ""), f).Apply(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result.Schema != "app" || !exists(t, setup, "app.t") || !exists(t, setup, "app.schema_migrations") {
		t.Errorf("the result is %+v", result)
	}
	_, err = migrator(t, schemadb.New(openAs(t, "pgx", dsn+"&search_path=nowhere"), ""), f).Apply(t.Context())
	wantTexts(t, err, "pgdbm: ", "no schema", "ForSchema")
}

// everyKind has a migration of each way to run one, with names that have no template.
var everyKind = files{
	"1_t.sql":          "CREATE TABLE {{tables.t}} (); CREATE TABLE bare (x int); SELECT common()",
	"2_copy.sql":       "CREATE TABLE copied (x int);\nCOPY copied FROM stdin;\n1\n\\.\n",
	"3_concurrent.sql": "-- pgdbm:no-transaction\nCREATE INDEX CONCURRENTLY ON bare (x);\nCREATE TABLE alone ();\nSELECT common();\n",
	"4_settings.sql":   "SET statement_timeout = 10000; CREATE TABLE after_set ()",
}

func fromGo(ctx context.Context, tx *schemadb.Tx) error {
	_, err := tx.ExecContext(ctx, "CREATE TABLE from_go AS SELECT common()")
	return err
}

// TestBareNamesFollowTheSchema is about schema_mode=search_path of the driver pgdbm, whose schema does not exist at first.
func TestBareNamesFollowTheSchema(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]files{"a file": everyKind, "rows": everyKind.without("1_t.sql").with("1_bare.sql",
		"CREATE TABLE bare (x int);\nCOPY bare FROM stdin;\n1\n\\.\nSELECT common();"),
		"no transaction": everyKind.with("1_t.sql", "-- pgdbm:no-transaction\nCREATE TABLE bare (x int); SELECT common();")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t)
			look := openAs(t, "pgx", dsn)
			execOn(t, look, "CREATE FUNCTION public.common() RETURNS int LANGUAGE sql AS 'SELECT 1'")
			pool := openAs(t, driver.Name, dsn+"&schema=inthedsn")
			execOn(t, pool, "SELECT 1") // there is a connection with the short path
			m := migrator(t, schemadb.New(pool, ""), first, migrations.Go(5, "fn", fromGo, nil))
			if pending, err := m.Pending(t.Context()); err != nil || len(pending) != 5 {
				t.Fatalf("Pending: %d files, %v", len(pending), err)
			}
			if _, err := m.Apply(t.Context()); err != nil {
				t.Fatal(err)
			}
			want(t, "tables", query(t, look, "SELECT n.nspname, count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "+
				"WHERE relname IN ('bare', 'copied', 'alone', 'after_set', 'from_go') GROUP BY 1"), "inthedsn|5")
			want(t, "path", query(t, pool, "SELECT current_setting('search_path')"), `"inthedsn", public, pg_temp`)
		})
	}
}

// TestBareNamesOfAnotherSchema migrates schemas that the DSN does not name, one after the other on the same connection.
func TestBareNamesOfAnotherSchema(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"&schema=inthedsn", "&schema_mode=search_path"} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t)
			look := openAs(t, "pgx", dsn)
			execOn(t, look, "CREATE FUNCTION public.common() RETURNS int LANGUAGE sql AS 'SELECT 1'")
			pool := openAs(t, driver.Name, dsn+key)
			pool.SetMaxOpenConns(2)
			schemas := []string{"bound", odd, "inthedsn"}
			apply := func(db *schemadb.DB, ctx context.Context) {
				t.Helper()
				if _, err := migrator(t, db, everyKind, migrations.Go(5, "fn", fromGo, nil)).Apply(ctx); err != nil {
					t.Fatal(err)
				}
			}
			apply(schemadb.New(pool, schemas[0]), driver.WithSchema(t.Context(), "given"))
			apply(schemadb.New(pool, ""), driver.WithSchema(t.Context(), schemas[1]))
			apply(schemadb.New(pool, schemas[2]), t.Context())
			const made = "SELECT n.nspname, count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace " +
				"WHERE relname IN ('t', 'bare', 'copied', 'alone', 'after_set', 'from_go') GROUP BY 1 ORDER BY n.nspname COLLATE \"C\""
			want(t, "tables", query(t, look, made), odd+"|6\nbound|6\ninthedsn|6")
			want(t, "path", query(t, pool, "SELECT current_setting('search_path')"), query(t, openAs(t, driver.Name, dsn+key),
				"SELECT current_setting('search_path')"))
		})
	}
}

// TestGoFirst has a function as the first migration of a schema that does not exist.
func TestGoFirst(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	look := openAs(t, "pgx", dsn)
	execOn(t, look, "CREATE FUNCTION public.common() RETURNS int LANGUAGE sql AS 'SELECT 1'")
	pool := openAs(t, driver.Name, dsn+"&schema_mode=search_path")
	if _, err := migrator(t, schemadb.New(pool, odd), nil, migrations.Go(1, "fn", fromGo, nil)).Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, "table", fmt.Sprint(exists(t, look, quote(odd)+".from_go")), "true")
}

// TestAllWithBareNames migrates many schemas at once. What they leave behind, others do not see.
func TestAllWithBareNames(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	look := openAs(t, "pgx", dsn)
	var sessions atomic.Int32
	counted := stdlib.OptionAfterConnect(func(context.Context, *pgx.Conn) error {
		sessions.Add(1)
		return nil
	})
	connector, err := driver.NewConnector(dsn+"&schema_mode=search_path", driver.WithStdlib(counted))
	if err != nil {
		t.Fatal(err)
	}
	pool := sql.OpenDB(connector)
	defer pool.Close()
	pool.SetMaxOpenConns(3)
	var schemas []string
	for i := range 20 {
		schemas = append(schemas, fmt.Sprintf("tenant_%d", i))
	}
	for range 2 {
		f := files{"1_t.sql": "CREATE TABLE t (x int)", "2_u.sql": "-- pgdbm:no-transaction\nCREATE INDEX CONCURRENTLY ON t (x)"}
		if _, err := migrations.ApplyAll(t.Context(), pool, f.fs(), slices.Values(schemas), migrations.Parallel(3)); err != nil {
			t.Fatal(err)
		}
	}
	const made = "SELECT count(DISTINCT relnamespace), count(*), count(*) FILTER (WHERE nspname = 'public') FROM pg_class c " +
		"JOIN pg_namespace n ON n.oid = relnamespace WHERE relname IN ('t', 't_x_idx')"
	want(t, "tables and indexes", query(t, look, made), "20|40|0")
	if n := sessions.Load(); n > 8 {
		t.Errorf("%d connections were opened for two runs over %d schemas", n, len(schemas))
	}
	want(t, "the other borrowers' path", query(t, pool, "SELECT current_setting('search_path')"), query(t, look, "SHOW search_path"))
}

// TestTemplatesFollowTheContext is about a facade that is bound to no schema.
func TestTemplatesFollowTheContext(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		m := migrator(t, schemadb.New(pool, ""), files{"1_t.sql": "CREATE TABLE {{tables.t}} ()"},
			migrations.Go(2, "fn", func(ctx context.Context, tx *schemadb.Tx) error {
				_, err := tx.ExecContext(ctx, "CREATE TABLE {{tables.u}} ()")
				return err
			}, nil))
		result, err := m.Apply(driver.WithSchema(t.Context(), odd))
		if err != nil {
			t.Fatal(err)
		}
		if result.Schema != odd || result.Module != odd || !exists(t, pool, quote(odd)+".t") || !exists(t, pool, quote(odd)+".u") {
			t.Errorf("the result is %+v", result)
		}
		_, err = m.Apply(driver.WithSchema(t.Context(), "pg_mine"))
		wantTexts(t, err, "pg_mine")
	})
}

// TestEachMigrationIsOneTransaction compares the transactions that wrote the history and the catalog. A trigger tells the
// first, because the durations are added to the rows later.
func TestEachMigrationIsOneTransaction(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "app")
		f := files{
			"0_log.sql": "CREATE TABLE {{tables.log}} (file text, xid xid8 DEFAULT pg_current_xact_id());\n" +
				"CREATE FUNCTION {{schema}}.log() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n" +
				"INSERT INTO {{tables.log}} (file) VALUES (NEW.filename); RETURN NEW; END $$;\n" +
				"CREATE TRIGGER log AFTER INSERT ON {{tables.schema_migrations}} FOR EACH ROW EXECUTE FUNCTION {{schema}}.log()",
			"1_a.sql": "CREATE TABLE {{tables.a}} ()",
			"2_b.sql": "CREATE TABLE {{tables.b}} (x int); SELECT 1 / 0",
			"3_c.sql": "CREATE TABLE {{tables.c}} ()",
			"4_d.sql": "CREATE TABLE {{tables.d}} (x int);\nCOPY {{tables.d}} FROM stdin;\n1\n\\.\n",
		}
		result, err := migrator(t, db, f).Apply(t.Context())
		var failed *migrations.MigrationError
		if !errors.As(err, &failed) || failed.File != "2_b.sql" {
			t.Fatalf("the error is %v", err)
		}
		wantFiles(t, "steps", result.Files(), "0_log.sql 1_a.sql")
		wantFiles(t, "the error's", failed.Applied, "0_log.sql 1_a.sql")
		want(t, "history", recorded(t, pool, "app"), "0_log.sql 1_a.sql")
		if exists(t, pool, "app.b") || exists(t, pool, "app.c") {
			t.Error("the failed migration has left something, or a later one has run")
		}
		wantFiles(t, "after the repair", apply(t, db, f.with("2_b.sql", "CREATE TABLE {{tables.b}} (x int)")), "2_b.sql 3_c.sql 4_d.sql")
		want(t, "transactions", query(t, pool, "SELECT file, xid::xid = c.xmin, count(*) OVER (PARTITION BY xid) "+
			"FROM app.log JOIN pg_class c ON oid = to_regclass('app.' || substr(file, 3, 1)) ORDER BY 1"),
			"1_a.sql|true|1\n2_b.sql|true|1\n3_c.sql|true|1\n4_d.sql|true|1")
	})
}

// TestIsolation has a pool whose transactions are of another kind than those of migrations.
func TestIsolation(t *testing.T) {
	t.Parallel()
	pool := openAs(t, "pgx", server.Database(t)+"&default_transaction_isolation=serializable")
	const level = "SELECT current_setting('transaction_isolation') AS level"
	inGo := func(ctx context.Context, tx *schemadb.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO {{tables.seen}} "+level)
		return err
	}
	apply(t, schemadb.New(pool, "app"), files{"1_a.sql": "CREATE TABLE {{tables.seen}} AS " + level,
		"2_copy.sql": "COPY {{tables.seen}} FROM stdin;\nread committed\n\\.\nINSERT INTO {{tables.seen}} " + level}, migrations.Go(3, "fn", inGo, nil))
	want(t, "levels", query(t, pool, "SELECT level, count(*) FROM app.seen GROUP BY 1"), "read committed|4")
}

// TestDurationsBeforeAFailure has a message of three migrations, of which the last one fails. How long the second one took is
// noted with the third.
func TestDurationsBeforeAFailure(t *testing.T) {
	t.Parallel()
	pool := open(t)
	_, err := migrator(t, schemadb.New(pool, "app"), files{"1_a.sql": "SELECT 1", "2_b.sql": "SELECT 1", "3_c.sql": "SELECT 1/0"}).Apply(t.Context())
	wantTexts(t, err, "3_c.sql", "division by zero")
	want(t, "durations", query(t, pool, "SELECT filename, execution_time_ms >= 0 FROM app.schema_migrations ORDER BY id"), "1_a.sql|true\n2_b.sql|<nil>")
}

// TestFirstMigrationFails sees that not even the schema stays.
func TestFirstMigrationFails(t *testing.T) {
	t.Parallel()
	pool := open(t)
	before := catalog(t, pool)
	for _, text := range []string{"SELECT 1/0", "CREATE TABLE {{tables.t}} (x int,)", "CREATE TABLE {{tables.t}} (x int);\nCOPY {{tables.t}} FROM stdin;\nx\n\\.\n"} {
		_, err := migrator(t, schemadb.New(pool, "fresh"), files{"1_t.sql": text}).Apply(t.Context())
		wantTexts(t, err, "1_t.sql")
		want(t, "catalog after "+text, catalog(t, pool), before)
	}
}

// TestUnreadableFileOfABatch has files that the server refuses when it reads the message, before it runs anything.
func TestUnreadableFileOfABatch(t *testing.T) {
	t.Parallel()
	pool := open(t)
	for i, test := range []struct {
		text         string
		line, column int
	}{
		{"SELECT 1;\nSELECT FROM FROM x;\n", 2, 13},
		{"SELECT 1;\nSELECT 1 +;", 2, 11},
		{"SELECT 1;\nSELECT 1 +", 2, 11}, // the end of the statement is not in the file
		{"SELECT 1;\nSELECT 1 +\n-- the end\n", 2, 11},
		{"CREATE", 1, 7},
		{"SELECT 1;\nSELECT U&'\\zzzz'", 2, 11},
		{"SELECT E'\\xff'", 0, 0}, // the server does not say where
	} {
		schema := "s" + string(rune('a'+i))
		f := files{"1_a.sql": "CREATE TABLE {{tables.a}} ()", "2_b.sql": "CREATE TABLE {{tables.b}} ()", "3_c.sql": test.text, "4_d.sql": "SELECT 1"}
		result, err := migrator(t, schemadb.New(pool, schema), f).Apply(t.Context())
		var failed *migrations.MigrationError
		if !errors.As(err, &failed) {
			t.Errorf("%q: the error is %v", test.text, err)
			continue
		}
		if failed.File != "3_c.sql" || failed.Line != test.line || failed.Column != test.column {
			t.Errorf("%q: line %d, column %d of %s, want %d, %d: %v", test.text, failed.Line, failed.Column, failed.File, test.line, test.column, err)
		}
		wantFiles(t, test.text, result.Files(), "1_a.sql 2_b.sql")
		want(t, test.text, recorded(t, pool, schema), "1_a.sql 2_b.sql")
	}
}

// TestTextsOfFiles has files that could spoil what is sent behind them.
func TestTextsOfFiles(t *testing.T) {
	t.Parallel()
	pool := open(t)
	f := files{
		"01_comment.sql": "CREATE TABLE {{tables.a}} (x text) -- no semicolon, no line end",
		"02_comment.sql": "INSERT INTO {{tables.a}} VALUES ('2'); -- comment",
		"03_comment.sql": "INSERT INTO {{tables.a}} VALUES ('3'); /* comment */",
		"04_crlf.sql":    "-- Windows\r\nINSERT INTO {{tables.a}}\r\nVALUES ('4\r\n4'); -- {{tables.a}}\r\n",
		"05_outer.sql":   "-- as the Python library writes it\nBEGIN;\nINSERT INTO {{tables.a}} VALUES ('5');\nCOMMIT;\n",
		"06_start.sql":   "START TRANSACTION; INSERT INTO {{tables.a}} VALUES ('6'); END",
		"07_empty.sql":   ";;INSERT INTO {{tables.a}} VALUES ('7');;;",
		"08_bom.sql":     "\ufeffINSERT INTO {{tables.a}} VALUES ('8')",
		"09_literal.sql": "INSERT INTO {{tables.a}} VALUES ('9 {{tables.a}}'), (E'\\t{{schema}}'), ($x$ {{tables.a}} ; $x$)",
		"10_do.sql":      "DO $$ BEGIN EXECUTE 'INSERT INTO {{tables.a}} VALUES (''10'')'; END $$",
		"11_array.sql":   "INSERT INTO {{tables.a}} VALUES ('{{1,2},{3,4}}'::int[]::text)",
		"12_rule.sql": "CREATE TABLE {{tables.b}} (x text); CREATE RULE r AS ON INSERT TO {{tables.a}} DO ALSO (INSERT INTO {{tables.b}} VALUES (new.x); " +
			"INSERT INTO {{tables.b}} VALUES ('rule')); INSERT INTO {{tables.a}} VALUES ('12')",
		"13_long.sql":  "INSERT INTO {{tables.a}} VALUES ('13') /* " + strings.Repeat("x", 2<<20) + " */",
		"14_last.sql":  "SELECT * FROM {{tables.a}}; COPY {{tables.a}} TO STDOUT; NOTIFY x; INSERT INTO {{tables.a}} VALUES ('14')",
		"15_empty.sql": "COMMENT ON TABLE {{tables.a}} IS 'a; -- b'",
	}
	db := schemadb.New(pool, odd)
	if got := apply(t, db, f); len(got) != len(f) {
		t.Errorf("%d of %d have run", len(got), len(f))
	}
	want(t, "rows", query(t, pool, `SELECT string_agg(x, ',' ORDER BY ctid) FROM "Größe-""7""".a`),
		"2,3,4\r\n4,5,6,7,8,9 \"Größe-\"\"7\"\"\".a,\t\"Größe-\"\"7\"\"\","+` "Größe-""7""".a ; ,10,{{1,2},{3,4}},12,13,14`)
	wantFiles(t, "again", apply(t, db, f), "")
}
