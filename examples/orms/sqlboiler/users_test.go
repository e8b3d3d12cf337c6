package sqlboiler_test

import (
	"context"
	"os"
	"slices"
	"testing"

	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
	"github.com/pgdbm/pgdbm/examples/orms/sqlboiler"
	"github.com/pgdbm/pgdbm/schemadb"
)

func TestMain(m *testing.M) { os.Exit(tenants.Run(m)) }

// ways are how the builder is told where the tables are.
var ways = []struct{ name, mode, users, posts string }{
	{"template", "schema_mode=template", "{{tables.users}}", "{{tables.posts}}"},
	{"bare name", "schema_mode=search_path", "users", "posts"},
	{"template under a path", "schema_mode=search_path", "{{tables.users}}", "{{tables.posts}}"},
}

func TestTenants(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			db := tenants.New(t).Open(way.mode)
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				workWith(t, ctx, sqlboiler.NewUsers(db, way.users, way.posts), tenant)
			})
		})
	}
}

// A transaction has the schema of its context, and takes it along into calls without one.
func TestTransaction(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			db := tenants.New(t).Open(way.mode)
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				tx, err := db.BeginTx(ctx, nil)
				wantNil(t, err)
				defer tx.Rollback()
				workWith(t, t.Context(), sqlboiler.NewUsers(tx, way.users, way.posts), tenant)
				wantNil(t, tx.Commit())
			})
		})
	}
}

// The facade of schemadb is an executor too, and stays in its schema.
func TestFacade(t *testing.T) {
	t.Parallel()
	pool := tenants.New(t).Open("schema_mode=template")
	tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
		db := schemadb.New(pool, tenant)
		workWith(t, t.Context(), sqlboiler.NewUsers(db, "{{tables.users}}", "{{tables.posts}}"), tenant)
		wantNil(t, db.InTx(ctx, func(tx *schemadb.Tx) error {
			workWith(t, t.Context(), sqlboiler.NewUsers(tx, "{{tables.users}}", "{{tables.posts}}"), tenant)
			return nil
		}))
	})
}

// workWith does what a program does, and fails if it sees a row of somebody else.
func workWith(t *testing.T, ctx context.Context, users *sqlboiler.Users, tenant string) {
	t.Helper()
	id, err := users.Add(ctx, "cay@"+tenant, "Cay")
	wantNil(t, err)
	renamed, err := users.Rename(ctx, id, "Cay of "+tenant)
	wantNil(t, err)
	if !renamed {
		t.Errorf("user %d was not found", id)
	}
	all, err := users.Named(ctx, "")
	wantNil(t, err)
	want := []sqlboiler.User{{ID: 1, Name: "Ann of " + tenant, Tenant: tenant}, {ID: 2, Name: "Bob of " + tenant, Tenant: tenant},
		{ID: id, Name: "Cay of " + tenant, Tenant: tenant}}
	if !slices.Equal(all, want) {
		t.Errorf("read %v, want %v", all, want)
	}
	titles, err := users.Titles(ctx, "Ann")
	wantNil(t, err)
	if want := []string{"Hello from " + tenant, "More from " + tenant}; !slices.Equal(titles, want) {
		t.Errorf("read titles %q, want %q", titles, want)
	}
	wantNil(t, users.Delete(ctx, id, id+1))
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
