package ent_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	example "github.com/pgdbm/pgdbm/examples/orms/ent"
	"github.com/pgdbm/pgdbm/examples/orms/ent/ent"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
)

// ent's automatic migration asks for the tables of the current schema, and makes those that are missing there. A client with
// templates finds them too.
func TestMigrate(t *testing.T) {
	t.Parallel()
	database := tenants.Empty(t)
	database.Exec("CREATE TABLE public.users (id int); INSERT INTO public.users VALUES (1)")
	client := example.Open(database.Open("schema_mode=search_path"))
	templates := example.OpenTemplates(database.Open("schema_mode=template"))
	tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
		for range 2 {
			wantNil(t, example.Migrate(ctx, client))
		}
		database.Exec("ALTER TABLE " + pgx.Identifier{tenant, "posts"}.Sanitize() + " DROP COLUMN title")
		wantNil(t, example.Migrate(ctx, client))
		_, err := example.NewUsers(client).Add(ctx, "ann", "Ann of "+tenant, "Hello")
		wantNil(t, err)
		for _, client := range []*ent.Client{client, templates} {
			users, err := example.NewUsers(client).Named(ctx, "")
			wantNil(t, err)
			if len(users) != 1 || users[0].Tenant != tenant || len(users[0].Edges.Posts) != 1 || users[0].Edges.Posts[0].Tenant != tenant {
				t.Errorf("read %v", users)
			}
		}
		for _, table := range []string{"users", "posts"} {
			if n := database.Int("SELECT count(*) FROM pg_tables WHERE schemaname = $1 AND tablename = $2", tenant, table); n != 1 {
				t.Errorf("the tenant has no table %s", table)
			}
		}
	})
	t.Cleanup(func() {
		if n := database.Int("SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'"); n != 1 {
			t.Errorf("public has %d columns, want the one that was there", n)
		}
	})
}
