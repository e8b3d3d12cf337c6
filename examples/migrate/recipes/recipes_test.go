package recipes_test

import (
	"embed"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pgdbm/pgdbm/examples/migrate/recipes"
	"github.com/pgdbm/pgdbm/internal/pgclient"
	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(server.Run(m))
}

//go:embed online
var online embed.FS

// TestOnline fills the table between the migrations, as the programs do that go on working.
func TestOnline(t *testing.T) {
	t.Parallel()
	db := open(t, server.Database(t), "acme")
	m, err := migrations.New(db, online)
	must(t, err)
	_, err = m.MigrateTo(t.Context(), 1)
	must(t, err)
	db.MustExec("INSERT INTO {{tables.customers}} (email) SELECT n || '@example.com' FROM generate_series(1, 2500) n")
	_, err = m.MigrateTo(t.Context(), 2)
	must(t, err)
	db.MustExec("INSERT INTO {{tables.customers}} (email) VALUES ('between@example.com')")
	result, err := m.Apply(t.Context())
	must(t, err)
	if len(result.Steps) != 3 {
		t.Errorf("the last run has applied %v", result.Files())
	}
	n, err := schemadb.Value[int](t.Context(), db, "SELECT count(*) FROM {{tables.customers}} WHERE country = 'CH'")
	if err != nil || n != 2501 {
		t.Errorf("%d rows are filled, %v", n, err)
	}
	if _, err := db.Exec("INSERT INTO {{tables.customers}} (email, country) VALUES ('x', NULL)"); !schemadb.IsNotNullViolation(err) {
		t.Errorf("a row without a country returns %v", err)
	}
}

func TestFromExisting(t *testing.T) {
	t.Parallel()
	db := open(t, server.Database(t), "acme")
	db.MustExec("CREATE SCHEMA {{schema}}; CREATE TABLE {{tables.customers}} (id bigint PRIMARY KEY, email text NOT NULL)")
	for _, schema := range []string{"acme", "new"} {
		for range 2 {
			must(t, recipes.FromExisting(t.Context(), db.ForSchema(schema), online, 1))
		}
		wantColumn(t, db.ForSchema(schema))
	}
	// A new schema whose first run was interrupted is none that was made without migrations.
	half := db.ForSchema("half")
	_, err := must1(migrations.New(half, online, migrations.Module("app")))(t).MigrateTo(t.Context(), 1)
	must(t, err)
	must(t, recipes.FromExisting(t.Context(), half, online, 5))
	wantColumn(t, half)
}

func TestFromGolangMigrate(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{"", "acme"} { // without a schema, as golang-migrate has them, they are in public
		files := fstest.MapFS{
			"000001_create_customers.up.sql":   {Data: []byte("BEGIN; CREATE TABLE {{tables.customers}} (id bigint PRIMARY KEY); COMMIT;")},
			"000001_create_customers.down.sql": {Data: []byte("DROP TABLE {{tables.customers}};")},
			"000002_add_country.up.sql":        {Data: []byte("ALTER TABLE {{tables.customers}} ADD COLUMN country text;")},
			"000002_add_country.down.sql":      {Data: []byte("ALTER TABLE {{tables.customers}} DROP COLUMN country;")},
		}
		db := open(t, server.Database(t), schema)
		path := ""
		if schema != "" {
			must(t, db.EnsureSchema(t.Context()))
			path = "SET LOCAL search_path = acme;"
		}
		golangMigrate := `CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);
			INSERT INTO schema_migrations VALUES (1, false); CREATE TABLE customers (id bigint PRIMARY KEY);`
		rename := read(t, "golang_migrate.sql")
		db.MustExec("BEGIN;" + path + golangMigrate + "COMMIT")
		if err := recipes.AtStart(t.Context(), db, files); err == nil || !strings.Contains(err.Error(), "it is not ours") {
			t.Errorf("with golang-migrate's table there, the error is %v", err)
		}
		db.MustExec("BEGIN;" + path + rename + "COMMIT")
		for range 2 {
			must(t, recipes.FromGolangMigrate(t.Context(), db, files))
		}
		wantColumn(t, db)
		m, err := migrations.New(db, files, migrations.Module("app"))
		must(t, err)
		result, err := m.Rollback(t.Context(), 1)
		must(t, err)
		if files := result.Files(); len(files) != 1 || files[0] != "000002_add_country.up.sql" {
			t.Errorf("Rollback has undone %v", files)
		}
		db.MustExec("UPDATE {{tables.golang_migrate_versions}} SET dirty = true")
		if err := recipes.FromGolangMigrate(t.Context(), db, files); err == nil {
			t.Error("a dirty version is adopted")
		}
	}
}

// TestBesideGolangMigrate leaves golang-migrate's table where it is.
func TestBesideGolangMigrate(t *testing.T) {
	t.Parallel()
	db := open(t, server.Database(t), "acme")
	db.MustExec("CREATE SCHEMA {{schema}}; CREATE TABLE {{tables.schema_migrations}} (version bigint PRIMARY KEY, dirty bool NOT NULL)")
	for range 2 {
		must(t, recipes.NewTenant(t.Context(), db, online, "acme"))
		must(t, recipes.AllTenants(t.Context(), db, online, slices.Values([]string{"acme", "globex"})))
	}
	wantColumn(t, db)
	wantColumn(t, db.ForSchema("globex"))
}

func TestFromGoose(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"00001_create_customers.sql": `-- +goose Up
CREATE TABLE customers (id bigint PRIMARY KEY);

-- +goose Down
DROP TABLE customers;
`,
		"00002_add_function.sql": `-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	RETURN 1;
END
$$;
-- +goose StatementEnd

-- +goose Down
`,
		"00003_add_country.sql": `-- +goose NO TRANSACTION
-- +goose Up
ALTER TABLE customers ADD COLUMN country text;
CREATE INDEX CONCURRENTLY customers_country ON customers (country);
-- +goose Down
ALTER TABLE customers DROP COLUMN country;
`} {
		must(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	shell(t, folder, "split_goose.sh", "")

	dsn := server.Database(t)
	db := open(t, dsn, "")
	db.MustExec(`CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id bigint NOT NULL, is_applied boolean NOT NULL,
		tstamp timestamp DEFAULT now());
		INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (1, true), (2, true), (3, true), (3, false);
		CREATE TABLE customers (id bigint PRIMARY KEY);
		CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'`)
	for range 2 {
		must(t, recipes.FromGoose(t.Context(), db, migrations.Dir(folder)))
	}
	wantColumn(t, db)
	m, err := migrations.New(db, migrations.Dir(folder), migrations.Module("app"))
	must(t, err)
	all, err := m.Status(t.Context())
	must(t, err)
	for i, want := range []migrations.Migration{{Undoable: true}, {}, {Undoable: true, NoTransaction: true}} {
		if got := all[i].Migration; got.Undoable != want.Undoable || got.NoTransaction != want.NoTransaction {
			t.Errorf("after splitting there is %+v", got)
		}
	}
	_, err = m.Rollback(t.Context(), 1)
	must(t, err)
}

func TestDump(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	db := open(t, dsn, "")
	db.MustExec(`CREATE TABLE schema_migrations (version bigint PRIMARY KEY);
		CREATE TYPE kind AS ENUM ('a', 'b');
		CREATE TABLE customers (id serial PRIMARY KEY, kind kind NOT NULL DEFAULT 'a', country text);
		CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int REFERENCES customers);
		CREATE FUNCTION number() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM public.customers); END';
		CREATE VIEW customer_kinds AS SELECT DISTINCT kind FROM customers;`)
	folder := t.TempDir()
	must(t, os.Mkdir(filepath.Join(folder, "migrations"), 0o700))
	shell(t, folder, "dump.sh", dsn)
	text := read(t, filepath.Join(folder, "migrations", "001_initial.sql"))
	if strings.Contains(text, "schema_migrations") || strings.Contains(text, "public.") {
		t.Error("the dump has the history, or another schema:\n", text)
	}
	files := os.DirFS(folder)
	for _, schema := range []string{"", "acme", "globex"} {
		tenant := db.ForSchema(schema)
		if schema == "" {
			tenant = db
			db.MustExec(read(t, "golang_migrate.sql"))
			_, err := must1(migrations.New(db, files))(t).Baseline(t.Context(), 1)
			must(t, err)
		}
		if _, err := must1(migrations.New(tenant, files))(t).Apply(t.Context()); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		wantColumn(t, tenant)
		tenant.MustExec("INSERT INTO {{tables.customers}} DEFAULT VALUES; INSERT INTO {{tables.orders}} (customer) VALUES (1)")
		n, err := schemadb.Value[int](t.Context(), tenant, "SELECT {{schema}}.number() FROM {{tables.customer_kinds}}")
		if err != nil || n != 1 {
			t.Errorf("in schema %q there are %d customers, %v", schema, n, err)
		}
	}
}

func TestTenants(t *testing.T) {
	t.Parallel()
	db := open(t, server.Database(t), "")
	must(t, recipes.AllTenants(t.Context(), db, online, slices.Values([]string{"acme", "globex"})))
	must(t, recipes.NewTenant(t.Context(), db, online, "initech"))
	rows, err := schemadb.Collect[string](t.Context(), db,
		"SELECT schema_name FROM {{tables.admin.schema_migrations_shared}} WHERE module_name = 'app' GROUP BY 1 ORDER BY 1")
	if err != nil || !slices.Equal(rows, []string{"acme", "globex", "initech"}) {
		t.Errorf("the shared history has %v, %v", rows, err)
	}
	if err := recipes.AllTenants(t.Context(), db, online, slices.Values([]string{"pg_wrong"})); err == nil {
		t.Error("a schema that cannot be is no error")
	}
}

// TestDeployment migrates with a new program, while an old one is told to wait, and then starts the old one.
func TestDeployment(t *testing.T) {
	t.Parallel()
	db := open(t, server.Database(t), "acme")
	m := must1(migrations.New(db, online, migrations.Module("app")))(t)
	if err := recipes.Ready(t.Context(), m); err == nil || !strings.Contains(err.Error(), "5 migrations are pending") {
		t.Errorf("before the migrations, Ready returns %v", err)
	}
	must(t, recipes.AtStart(t.Context(), db, online))
	must(t, recipes.Ready(t.Context(), m))

	folder := must1(fs.Sub(online, "online"))(t)
	first := must1(fs.ReadFile(folder, "001_create_customers.sql"))(t)
	old := fstest.MapFS{"001_create_customers.sql": {Data: first}}
	must(t, recipes.AtStart(t.Context(), db, old))
}

func TestOpenPool(t *testing.T) {
	t.Parallel()
	db := must1(recipes.OpenPool(t.Context(), server.Database(t)))(t)
	defer db.Close()
	for _, setting := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		source, err := schemadb.Value[string](t.Context(), db, "SELECT source FROM pg_settings WHERE name = $1", setting)
		if err != nil || source == "client" {
			t.Errorf("%s is set by the %s, %v", setting, source, err)
		}
	}
	must(t, recipes.AtStart(t.Context(), db.ForSchema("acme"), online))
}

// shell runs a script of the documentation in a folder. The one that needs a DSN calls pg_dump.
func shell(t *testing.T, folder, script, dsn string) {
	t.Helper()
	path := os.Getenv("PATH")
	if dsn != "" {
		path = filepath.Dir(pgclient.Program(t, "pg_dump")) + string(filepath.ListSeparator) + path
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-u", "-c", read(t, script))
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "DATABASE_URL="+dsn, "PATH="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", script, err, out)
	}
}

// open returns a view of a database, bound to the schema.
func open(t *testing.T, dsn, schema string) *schemadb.DB {
	t.Helper()
	db := must1(schemadb.Open(t.Context(), schemadb.Config{DSN: dsn, MaxOpenConns: 10}))(t)
	t.Cleanup(func() { _ = db.Close() })
	if schema == "" {
		return db
	}
	return db.ForSchema(schema)
}

// wantColumn looks for what the last migration but one adds.
func wantColumn(t *testing.T, db *schemadb.DB) {
	t.Helper()
	if _, err := db.Exec("SELECT country FROM {{tables.customers}}"); err != nil {
		t.Errorf("schema %q: %v", db.Schema(), err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	return string(must1(os.ReadFile(name))(t))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must1 is must for a call that returns a value too: must1(call())(t).
func must1[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return value
	}
}
