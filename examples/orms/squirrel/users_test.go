package squirrel_test

import (
	"context"
	"os"
	"slices"
	"testing"

	sq "github.com/Masterminds/squirrel"

	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
	"github.com/pgdbm/pgdbm/examples/orms/squirrel"
	"github.com/pgdbm/pgdbm/schemadb"
)

func TestMain(m *testing.M) { os.Exit(tenants.Run(m)) }

// ways are how the builder is told where the table is.
var ways = []struct{ name, mode, table string }{
	{"template", "schema_mode=template", "{{tables.users}}"},
	{"bare name", "schema_mode=search_path", "users"},
	{"template under a path", "schema_mode=search_path", "{{tables.users}}"},
}

func TestTenants(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			db := tenants.New(t).Open(way.mode)
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				workWith(t, ctx, squirrel.NewUsers(db, way.table), tenant)
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
				workWith(t, t.Context(), squirrel.NewUsers(tx, way.table), tenant)
				wantNil(t, tx.Commit())
			})
		})
	}
}

// The facade of schemadb is a runner too, and stays in its schema.
func TestFacade(t *testing.T) {
	t.Parallel()
	pool := tenants.New(t).Open("schema_mode=template")
	tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
		db := schemadb.New(pool, tenant)
		workWith(t, t.Context(), squirrel.NewUsers(db, "{{tables.users}}"), tenant)
		wantNil(t, db.InTx(ctx, func(tx *schemadb.Tx) error {
			workWith(t, t.Context(), squirrel.NewUsers(tx, "{{tables.users}}"), tenant)
			return nil
		}))
	})
}

// A statement cache of squirrel's holds statements by their text, which is the same for all tenants.
func TestStmtCache(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			cache := sq.NewStmtCache(tenants.New(t).Open(way.mode))
			t.Cleanup(func() { wantNil(t, cache.Clear()) })
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				query := sq.Select("tenant").From(way.table).Where("id = $1", 1)
				for range 3 {
					var got string
					wantNil(t, sq.QueryRowContextWith(ctx, cache, query).Scan(&got))
					if got != tenant {
						t.Errorf("read a row of %q", got)
					}
				}
			})
		})
	}
}

// workWith does what a program does, and fails if it sees a row of somebody else.
func workWith(t *testing.T, ctx context.Context, users *squirrel.Users, tenant string) {
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
	want := []squirrel.User{{ID: 1, Name: "Ann of " + tenant, Tenant: tenant}, {ID: 2, Name: "Bob of " + tenant, Tenant: tenant},
		{ID: id, Name: "Cay of " + tenant, Tenant: tenant}}
	if !slices.Equal(all, want) {
		t.Errorf("read %v, want %v", all, want)
	}
	wantNil(t, users.Delete(ctx, id))
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
