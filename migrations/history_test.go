package migrations_test

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// The statements with which the Python library creates its history.
const (
	pythonTable = `CREATE TABLE IF NOT EXISTS %s.schema_migrations (
    id SERIAL PRIMARY KEY,
    filename VARCHAR(255) NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    module_name VARCHAR(100),
    applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    applied_by VARCHAR(100) DEFAULT CURRENT_USER,
    execution_time_ms INTEGER,
    UNIQUE(filename, module_name)
)`
	pythonIndex = `CREATE INDEX IF NOT EXISTS idx_schema_migrations_module ON %s.schema_migrations (module_name, filename)`
)

func createPythonHistory(t *testing.T, pool *sql.DB, schema string) {
	t.Helper()
	execOn(t, pool, "CREATE SCHEMA IF NOT EXISTS "+schema)
	execOn(t, pool, fmt.Sprintf(pythonTable, schema))
	execOn(t, pool, fmt.Sprintf(pythonIndex, schema))
}

// pythonFiles have line ends and white space that Python's text files and str.strip treat in their own way.
var pythonFiles = files{
	"001_users.sql":             "\n  CREATE TABLE {{tables.users}} (id int, name text);\r\n-- Größe \u00a0\x1f\r\n\n",
	"V2__more.sql":              "BEGIN;\rALTER TABLE {{tables.users}} ADD COLUMN x int;\rCOMMIT;\r\n",
	"20260101_120000_third.sql": "\ufeffSELECT 1 -- \u2028\n",
}

// pythonChecksums are hashlib.sha256(text.strip().encode()).hexdigest() of what Python reads.
var pythonChecksums = []struct{ file, checksum string }{
	{"001_users.sql", "27914be334cf8bd4543ced0f4a3e63f1e89d69f6a361b9e27af83459555c0bd4"},
	{"V2__more.sql", "b271c56c7108aa501bcf7290f9d38974c2beac292f33fd6f7e8c69181be74941"},
	{"20260101_120000_third.sql", "314b349f7ed2d4cd822e3469d96c67082ef9658a0a25f63363557608733e87e3"},
}

func TestHistoryOfPython(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		for _, module := range []any{"app", nil} {
			execOn(t, pool, "DROP SCHEMA IF EXISTS app CASCADE")
			createPythonHistory(t, pool, "app")
			execOn(t, pool, "CREATE TABLE app.users (id int, name text, x int)")
			for _, row := range pythonChecksums {
				execOn(t, pool, "INSERT INTO app.schema_migrations (filename, checksum, module_name, execution_time_ms) VALUES ($1, $2, $3, $4)",
					row.file, row.checksum, module, 12)
			}
			db := schemadb.New(pool, "app")
			wantFiles(t, "Apply", apply(t, db, pythonFiles), "")
			records, err := migrator(t, db, pythonFiles).History(t.Context())
			if err != nil || len(records) != 3 || (records[0].Module == nil) != (module == nil) || *records[0].TookMS != 12 {
				t.Errorf("%+v, %v", records, err)
			}
			f := pythonFiles.with("20270101_120000_fourth.sql", "SELECT 4").with("down/20260101_120000_third.sql", "SELECT 3")
			wantFiles(t, "the next", apply(t, db, f), "20270101_120000_fourth.sql")
			want(t, "its row", query(t, pool, "SELECT id, module_name FROM app.schema_migrations WHERE filename ~ 'fourth'"), "4|app")
			wantFiles(t, "Forget", ran(t)(migrator(t, db, f).Forget(t.Context(), "20270101_120000_fourth.sql")), "20270101_120000_fourth.sql")
			wantFiles(t, "Rollback", ran(t)(migrator(t, db, f).Rollback(t.Context(), 1)), "20260101_120000_third.sql")
		}
	})
}

// TestHistoryForPython compares the table and its rows with what the Python library would have made.
func TestHistoryForPython(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		createPythonHistory(t, pool, "python")
		apply(t, schemadb.New(pool, "ours"), pythonFiles, migrations.Module("users"))
		shape := func(schema string) string {
			return query(t, pool, `SELECT 'column', attnum::text, attname::text, format_type(atttypid, atttypmod), attnotnull::text,
					COALESCE(replace(pg_get_expr(adbin, adrelid), $1, ''), ''), attidentity::text, attgenerated::text, attcollation::text
				FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
				WHERE attrelid = ($1 || 'schema_migrations')::regclass AND attnum > 0
				UNION ALL SELECT 'constraint', conname, contype::text, pg_get_constraintdef(oid), '', '', '', '', ''
				FROM pg_constraint WHERE conrelid = ($1 || 'schema_migrations')::regclass
				UNION ALL SELECT 'index', replace(pg_get_indexdef(indexrelid), $1, ''), indisvalid::text, '', '', '', '', '', ''
				FROM pg_index WHERE indrelid = ($1 || 'schema_migrations')::regclass
				UNION ALL SELECT 'relation', relname, relkind::text, relpersistence::text, '', '', '', '', ''
				FROM pg_class WHERE relnamespace = rtrim($1, '.')::regnamespace
				ORDER BY 1, 2, 3`, schema+".")
		}
		if got := shape("ours"); got == "" {
			t.Error("there is no table")
		} else {
			without := query(t, pool, "SELECT to_regclass('ours.users') IS NOT NULL")
			want(t, "our own table", without, "true")
			execOn(t, pool, "DROP TABLE ours.users")
			want(t, "table", shape("ours"), shape("python"))
		}
		rows := ""
		for i, row := range pythonChecksums {
			if i > 0 {
				rows += "\n"
			}
			rows += row.file + "|" + row.checksum + "|users"
		}
		want(t, "rows", query(t, pool, "SELECT filename, checksum, module_name FROM ours.schema_migrations ORDER BY id"), rows)
		want(t, "their other columns", query(t, pool, "SELECT DISTINCT applied_by = current_user, execution_time_ms BETWEEN 0 AND 60000, "+
			"applied_at BETWEEN localtimestamp - interval '1 minute' AND localtimestamp FROM ours.schema_migrations"), "true|true|true")
	})
}

// TestHistoryWithDuplicates has two rows for a file, which a NULL in module_name allows.
func TestHistoryWithDuplicates(t *testing.T) {
	t.Parallel()
	pool := open(t)
	createPythonHistory(t, pool, "app")
	execOn(t, pool, "INSERT INTO app.schema_migrations (filename, checksum) SELECT $1, $2 FROM generate_series(1, 2)",
		pythonChecksums[0].file, pythonChecksums[0].checksum)
	execOn(t, pool, "CREATE TABLE app.users ()")
	db := schemadb.New(pool, "app")
	f := pythonFiles.with("down/001_users.sql", "SELECT 1").with("down/V2__more.sql", "SELECT 1").with("down/20260101_120000_third.sql", "SELECT 1")
	wantFiles(t, "Apply", apply(t, db, f), "V2__more.sql 20260101_120000_third.sql")
	wantFiles(t, "Rollback", ran(t)(migrator(t, db, f).Rollback(t.Context(), 3)), "20260101_120000_third.sql V2__more.sql 001_users.sql")
	want(t, "history", recorded(t, pool, "app"), "")
}

// TestHistoryOfNobody has a row without a module for a file that is not ours: it may be anybody's.
func TestHistoryOfNobody(t *testing.T) {
	t.Parallel()
	pool := open(t)
	db := schemadb.New(pool, "app")
	apply(t, db, three)
	execOn(t, pool, "INSERT INTO app.schema_migrations (filename, checksum) VALUES ('x.sql', 'x')")
	wantFiles(t, "Apply", apply(t, db, three), "")
	if err := migrator(t, db, three).Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestModulesInOneSchema sees that they do not touch each other's rows.
func TestModulesInOneSchema(t *testing.T) {
	t.Parallel()
	pool := open(t)
	db := schemadb.New(pool, "app")
	f := files{"1_a.sql": "SELECT 1", "down/1_a.sql": "SELECT 1", "R__r.sql": "SELECT 1"}
	for _, module := range []string{"one", "it's", `back\slash`} {
		wantFiles(t, module, apply(t, db, f, migrations.Module(module)), "1_a.sql R__r.sql")
	}
	wantFiles(t, "changed", apply(t, db, f.with("R__r.sql", "SELECT 2"), migrations.Module("it's")), "R__r.sql")
	wantFiles(t, "undone", ran(t)(migrator(t, db, f, migrations.Module("one")).Rollback(t.Context(), 1)), "1_a.sql")
	want(t, "rows", query(t, pool, "SELECT module_name, filename, count(*) OVER (PARTITION BY checksum) FROM app.schema_migrations ORDER BY 1, 2"),
		"back\\slash|1_a.sql|3\nback\\slash|R__r.sql|3\nit's|1_a.sql|3\nit's|R__r.sql|1")
}

// TestHistoryInTheFoldedSchema is about schemas with upper case, whose name the Python library does not quote.
func TestHistoryInTheFoldedSchema(t *testing.T) {
	t.Parallel()
	f := files{"1_a.sql": "SELECT 1"}
	for name, test := range map[string]struct {
		schema, setup string
		opts          []migrations.Option
		refused       bool
	}{
		"its history is there":     {schema: "Tenant", setup: `CREATE TABLE "Tenant".t (); INSERT INTO tenant.schema_migrations (filename, checksum, module_name) VALUES ('1_a.sql', 'x', 'Tenant')`, refused: true},
		"of the named module":      {schema: "Tenant", setup: `CREATE TABLE "Tenant".t (); INSERT INTO tenant.schema_migrations (filename, checksum, module_name) VALUES ('1_a.sql', 'x', 'users')`, opts: []migrations.Option{migrations.Module("users")}, refused: true},
		"of another module":        {schema: "Tenant", setup: `CREATE TABLE "Tenant".t (); INSERT INTO tenant.schema_migrations (filename, checksum, module_name) VALUES ('1_a.sql', 'x', 'tenant')`},
		"the schema is empty":      {schema: "Tenant", setup: `INSERT INTO tenant.schema_migrations (filename, checksum, module_name) VALUES ('1_a.sql', 'x', 'Tenant')`},
		"the schema has a history": {schema: "Tenant", setup: `CREATE TABLE "Tenant".schema_migrations (LIKE tenant.schema_migrations INCLUDING ALL); INSERT INTO tenant.schema_migrations (filename, checksum, module_name) VALUES ('1_a.sql', 'x', 'Tenant')`},
		"the other has none":       {schema: "Tenant", setup: `CREATE TABLE "Tenant".t (); DROP TABLE tenant.schema_migrations`},
		"it cannot be unquoted":    {schema: "Tenant-1", setup: `CREATE SCHEMA "Tenant-1"; CREATE TABLE "Tenant-1".t (); INSERT INTO tenant.schema_migrations (filename, checksum, module_name) VALUES ('1_a.sql', 'x', 'Tenant-1')`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := open(t)
			createPythonHistory(t, pool, "tenant")
			execOn(t, pool, `CREATE SCHEMA "Tenant"; `+test.setup)
			m := migrator(t, schemadb.New(pool, test.schema), f, test.opts...)
			_, err := m.Apply(t.Context())
			if !test.refused {
				if err != nil {
					t.Fatal(err)
				}
				want(t, "history", recorded(t, pool, test.schema), "1_a.sql")
				return
			}
			var refused *migrations.HistoryError
			if !errors.As(err, &refused) || refused.Table != `"Tenant".schema_migrations` {
				t.Fatalf("the error is %v", err)
			}
			wantTexts(t, err, "pgdbm: the history", `"Tenant".schema_migrations`, `"tenant".schema_migrations`, "Python", "Baseline")
			if exists(t, pool, `"Tenant".schema_migrations`) {
				t.Error("there is a history")
			}
		})
	}
}

// TestHistoryOfAnotherTool has the table of golang-migrate, and that of Rails.
func TestHistoryOfAnotherTool(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		execOn(t, pool, "CREATE SCHEMA a; CREATE TABLE a.schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL); "+
			"CREATE SCHEMA b; CREATE TABLE b.schema_migrations (version varchar PRIMARY KEY)")
		for _, schema := range []string{"a", "b"} {
			m := migrator(t, schemadb.New(pool, schema), files{"1_a.sql": "SELECT 1"})
			for verb, call := range map[string]func() error{
				"Apply":    func() error { _, err := m.Apply(t.Context()); return err },
				"Baseline": func() error { _, err := m.Baseline(t.Context(), 1); return err },
				"Status":   func() error { _, err := m.Status(t.Context()); return err },
				"Plan":     func() error { _, err := m.Plan(t.Context()); return err },
				"History":  func() error { _, err := m.History(t.Context()); return err },
				"Verify":   func() error { return m.Verify(t.Context()) },
			} {
				err := call()
				var foreign *migrations.HistoryError
				if !errors.As(err, &foreign) || foreign.Table != `"`+schema+`".schema_migrations` {
					t.Errorf("%s: the error is %v", verb, err)
					continue
				}
				wantTexts(t, err, "pgdbm: the history \""+schema+"\".schema_migrations: ", "golang-migrate", "SharedHistory")
			}
			m = migrator(t, schemadb.New(pool, schema), files{"1_a.sql": "SELECT 1"}, migrations.SharedHistory("books"))
			if _, err := m.Status(t.Context()); err != nil {
				t.Errorf("Status: %v", err)
			}
			wantFiles(t, "shared", ran(t)(m.Apply(t.Context())), "1_a.sql")
			if records, err := m.History(t.Context()); err != nil || len(records) != 1 {
				t.Errorf("History: %v, %v", records, err)
			}
			want(t, "theirs", query(t, pool, "SELECT count(*) FROM "+schema+".schema_migrations"), "0")
		}
	})
}
