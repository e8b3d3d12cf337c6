package goose_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
	"golang.org/x/sync/errgroup"

	"github.com/pgdbm/pgdbm/driver"
	example "github.com/pgdbm/pgdbm/examples/orms/goose"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
)

func TestMain(m *testing.M) { os.Exit(tenants.Run(m)) }

// decoy is what goose would find in public if it looked there: everything is done.
const decoy = `
CREATE TABLE public.goose_db_version
	(id integer PRIMARY KEY, version_id bigint, is_applied boolean, tstamp timestamp DEFAULT now());
INSERT INTO public.goose_db_version SELECT i, i, true FROM generate_series(0, 3) i;
CREATE TABLE public.users (id bigint, email text);
INSERT INTO public.users VALUES (1, 'public')`

// ways are the migrations, and where they find the schema: one pool has it from the context, pools of the tenants have it
// in the DSN.
var ways = []struct {
	name, mode string
	ofDSN      bool
	provider   func(*sql.DB, string) (*goose.Provider, error)
}{
	{"bare names", "schema_mode=search_path", false, example.Bare},
	{"templates", "schema_mode=template", false, example.Templated},
	{"templates under a path", "schema_mode=search_path", false, example.Templated},
	{"bare names of the DSN", "schema_mode=search_path", true, example.Bare},
	{"templates of the DSN", "schema_mode=template", true, example.Templated},
}

func TestTenants(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			d := tenants.Empty(t)
			d.Exec(decoy)
			t.Cleanup(func() {
				if got := objects(d, "public"); got != 3 || d.Int("SELECT count(*) FROM public.goose_db_version") != 4 {
					t.Errorf("public has %d relations and functions, want those 3 that it had, as they were", got)
				}
			})
			pool := d.Open(way.mode, "schema_required=context")
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				db := pool
				if way.ofDSN {
					ctx, db = t.Context(), ofDSN(t, d, tenant, way.mode)
				}
				provider, err := way.provider(db, tenant)
				wantNil(t, err)
				upAndDown(t, ctx, d, provider, tenant)
				again, err := way.provider(db, tenant) // which has to find goose's table first
				wantNil(t, err)
				upAndDown(t, ctx, d, again, tenant)
			})
		})
	}
}

// Programs that start at the same time migrate a tenant once.
func TestLock(t *testing.T) {
	t.Parallel()
	for _, way := range ways[:3] {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			db := tenants.Empty(t).Open(way.mode, "schema_required=context")
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				var g errgroup.Group
				applied := make([]int, 3)
				for i := range applied {
					g.Go(func() error {
						provider, err := way.provider(db, tenant)
						if err != nil {
							return err
						}
						results, err := provider.Up(ctx)
						applied[i] = len(results)
						return err
					})
				}
				wantNil(t, g.Wait())
				slices.Sort(applied)
				if !slices.Equal(applied, []int{0, 0, 3}) {
					t.Errorf("%d migrations were applied, want 3 by one", applied)
				}
			})
		})
	}
}

// A call that forgets its tenant fails, and makes nothing.
func TestWithoutTenant(t *testing.T) {
	t.Parallel()
	for _, way := range ways[:3] {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			d := tenants.Empty(t)
			provider, err := way.provider(d.Open(way.mode, "schema_required=context"), tenants.Acme)
			wantNil(t, err)
			if _, err := provider.Up(t.Context()); !errors.Is(err, driver.ErrSchemaRequired) {
				t.Errorf("got %v, want %v", err, driver.ErrSchemaRequired)
			}
			if n := objects(d, "public"); n != 0 {
				t.Errorf("public has %d relations and functions", n)
			}
		})
	}
}

// upAndDown migrates a schema up and down again, and looks what is in it.
func upAndDown(t *testing.T, ctx context.Context, d *tenants.Database, provider *goose.Provider, tenant string) {
	t.Helper()
	const bookkeeping = 3 // goose's table, its sequence and its index
	for range 2 {         // the second time there is nothing to do
		_, err := provider.Up(ctx)
		wantNil(t, err)
		wantState(t, ctx, provider, goose.StateApplied, 3)
		if n := objects(d, tenant); n != bookkeeping+6 { // a table, its sequence and two indexes, another index, a function
			t.Errorf("%d relations and functions after all migrations up", n)
		}
	}
	if n := d.Int("SELECT count(*) FROM " + quoted(tenant) + ".users"); n != 3 {
		t.Errorf("the tenant has %d users, want 3", n)
	}
	if n := d.Int("SELECT " + quoted(tenant) + ".users_total()"); n != 3 {
		t.Errorf("the tenant's function counts %d users, want 3", n)
	}
	_, err := provider.Down(ctx)
	wantNil(t, err)
	wantState(t, ctx, provider, goose.StatePending, 2)
	if n := d.Int("SELECT " + quoted(tenant) + ".users_total()"); n != 0 {
		t.Errorf("the tenant's function counts %d users, want 0", n)
	}
	_, err = provider.DownTo(ctx, 0)
	wantNil(t, err)
	wantState(t, ctx, provider, goose.StatePending, 0)
	if n := objects(d, tenant); n != bookkeeping {
		t.Errorf("%d relations and functions after all migrations down", n)
	}
}

// wantState checks the version, and the state of the last migration.
func wantState(t *testing.T, ctx context.Context, provider *goose.Provider, state goose.State, version int64) {
	t.Helper()
	status, err := provider.Status(ctx)
	wantNil(t, err)
	got, err := provider.GetDBVersion(ctx)
	wantNil(t, err)
	if got != version || len(status) != 3 || status[2].State != state {
		t.Errorf("version %d, status %v, want version %d and the last migration %s", got, status, version, state)
	}
}

// objects counts relations and functions in a schema.
func objects(d *tenants.Database, schema string) int {
	return d.Int("SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = n.oid AND relkind <> 'c') + "+
		"(SELECT count(*) FROM pg_proc WHERE pronamespace = n.oid) FROM pg_namespace n WHERE nspname = $1", schema)
}

// ofDSN opens a tenant's own pool.
func ofDSN(t *testing.T, d *tenants.Database, tenant, mode string) *sql.DB {
	t.Helper()
	dsn, err := driver.AddSchema(d.DSN(mode), tenant)
	wantNil(t, err)
	db, err := sql.Open(driver.Name, dsn)
	wantNil(t, err)
	t.Cleanup(func() { wantNil(t, db.Close()) })
	return db
}

// quoted returns a schema as a name in SQL.
func quoted(schema string) string { return pgx.Identifier{schema}.Sanitize() }

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
