package migrate_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"testing"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	"github.com/golang-migrate/migrate/v4/database/postgres"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
	example "github.com/pgdbm/pgdbm/examples/orms/migrate"
)

func TestMain(m *testing.M) { os.Exit(tenants.Run(m)) }

// decoy is what golang-migrate would find in public if it looked there: everything is done.
const decoy = `
CREATE TABLE public.schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);
INSERT INTO public.schema_migrations VALUES (3, false);
CREATE TABLE public.users (id bigint, email text);
INSERT INTO public.users VALUES (1, 'public')`

// ways are the migrations, and how the tenants' databases are opened.
var ways = []struct {
	name, migrations string
	open             func(*testing.T, *tenants.Database) opener
}{
	{"bare names", example.Bare, pools("schema_mode=search_path")},
	{"templates", example.Templates, pools("schema_mode=template")},
	{"templates under a path", example.Templates, pools("schema_mode=search_path")},
	{"templates on one pool", example.Templates, onePool},
}

type opener func(t *testing.T, tenant string) *sql.DB

// pools opens a pool for each tenant.
func pools(mode string) func(*testing.T, *tenants.Database) opener {
	return func(_ *testing.T, d *tenants.Database) opener {
		return func(t *testing.T, tenant string) *sql.DB {
			dsn, err := driver.AddSchema(d.DSN(mode), tenant)
			wantNil(t, err)
			db, err := sql.Open(driver.Name, dsn)
			wantNil(t, err)
			return db
		}
	}
}

// onePool opens a pool that all tenants share.
func onePool(t *testing.T, d *tenants.Database) opener {
	pool, err := pgxpool.New(t.Context(), d.DSN("pool_max_conns=2")) // a tenant's migrations need one
	wantNil(t, err)
	t.Cleanup(pool.Close)
	return func(_ *testing.T, tenant string) *sql.DB {
		return driver.OpenDBFromPool(pool, driver.DefaultSchema(tenant))
	}
}

func TestTenants(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			d := tenants.Empty(t)
			d.Exec(decoy)
			open := way.open(t, d)
			t.Cleanup(func() {
				if got := objects(d, "public"); got != 3 || d.Int("SELECT max(version) FROM public.schema_migrations") != 3 ||
					d.Int("SELECT count(*) FROM public.users") != 1 {
					t.Errorf("public has %d relations and functions, want those 3 that it had, as they were", got)
				}
			})
			tenants.Each(t, func(t *testing.T, _ context.Context, tenant string) {
				for range 2 { // the second time it has to find its table first
					upAndDown(t, d, open(t, tenant), tenant, way.migrations)
				}
			})
		})
	}
}

// A tenant that is new gets its schema.
func TestNewTenant(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			d := tenants.Empty(t)
			upAndDown(t, d, way.open(t, d)(t, "New"), "New", way.migrations)
			if n := objects(d, "public"); n != 0 {
				t.Errorf("public has %d relations and functions", n)
			}
		})
	}
}

// The library forgets the context, so it cannot migrate a tenant on a shared pool; schema_required makes that an error.
func TestContext(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"schema_mode=template", "schema_mode=search_path"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			d := tenants.Empty(t)
			db := d.Open(mode, "schema_required=true")
			ctx := driver.WithSchema(t.Context(), tenants.Acme)
			conn, err := db.Conn(ctx)
			wantNil(t, err)
			defer conn.Close()
			_, err = postgres.WithConnection(ctx, conn, &postgres.Config{SchemaName: tenants.Acme})
			var in *database.Error // which does not unwrap
			if !errors.As(err, &in) || !errors.Is(in.OrigErr, driver.ErrSchemaRequired) {
				t.Errorf("got %v, want %v", err, driver.ErrSchemaRequired)
			}
			if n := objects(d, "public") + objects(d, tenants.Acme); n != 0 {
				t.Errorf("there are %d relations and functions", n)
			}
		})
	}
}

// upAndDown migrates a schema up and down again, and looks what is in it.
func upAndDown(t *testing.T, d *tenants.Database, db *sql.DB, tenant, migrations string) {
	t.Helper()
	m, err := example.New(t.Context(), db, tenant, migrations)
	wantNil(t, err)
	defer func() {
		sourceErr, databaseErr := m.Close()
		wantNil(t, errors.Join(sourceErr, databaseErr))
	}()
	const bookkeeping = 2 // the library's table and its index
	wantNil(t, m.Up())
	if err := m.Up(); !errors.Is(err, migrate.ErrNoChange) {
		t.Errorf("the second time up: %v", err)
	}
	wantVersion(t, m, 3)
	if n := objects(d, tenant); n != bookkeeping+6 { // a table, its sequence and two indexes, another index, a function
		t.Errorf("%d relations and functions after all migrations up", n)
	}
	if n := d.Int("SELECT count(*) FROM " + quoted(tenant) + ".users"); n != 2 {
		t.Errorf("the tenant has %d users, want 2", n)
	}
	if n := d.Int("SELECT " + quoted(tenant) + ".users_total()"); n != 2 {
		t.Errorf("the tenant's function counts %d users, want 2", n)
	}
	wantNil(t, m.Steps(-1))
	wantVersion(t, m, 2)
	if n := d.Int("SELECT " + quoted(tenant) + ".users_total()"); n != 0 {
		t.Errorf("the tenant's function counts %d users, want 0", n)
	}
	wantNil(t, m.Down())
	if _, _, err := m.Version(); !errors.Is(err, migrate.ErrNilVersion) {
		t.Errorf("the version after all migrations down: %v", err)
	}
	if n := objects(d, tenant); n != bookkeeping {
		t.Errorf("%d relations and functions after all migrations down", n)
	}
}

func wantVersion(t *testing.T, m *migrate.Migrate, want uint) {
	t.Helper()
	version, dirty, err := m.Version()
	wantNil(t, err)
	if version != want || dirty {
		t.Errorf("version %d, dirty %v, want version %d", version, dirty, want)
	}
}

// objects counts relations and functions in a schema.
func objects(d *tenants.Database, schema string) int {
	return d.Int("SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = n.oid AND relkind <> 'c') + "+
		"(SELECT count(*) FROM pg_proc WHERE pronamespace = n.oid) FROM pg_namespace n WHERE nspname = $1", schema)
}

// quoted returns a schema as a name in SQL.
func quoted(schema string) string { return pgx.Identifier{schema}.Sanitize() }

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
