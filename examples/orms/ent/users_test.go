package ent_test

import (
	"context"
	"database/sql"
	"os"
	"slices"
	"testing"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	example "github.com/pgdbm/pgdbm/examples/orms/ent"
	"github.com/pgdbm/pgdbm/examples/orms/ent/ent"
	"github.com/pgdbm/pgdbm/examples/orms/ent/ent/user"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
	"github.com/pgdbm/pgdbm/schemadb"
)

func TestMain(m *testing.M) { os.Exit(tenants.Run(m)) }

// ways are how ent is told where the tables are.
var ways = []struct {
	name, mode string
	open       func(*sql.DB) *ent.Client
}{
	{"template", "schema_mode=template", example.OpenTemplates},
	{"bare name", "schema_mode=search_path", example.Open},
	{"template under a path", "schema_mode=search_path", example.OpenTemplates},
}

// eachWay runs a test for both tenants, at the same time, in each way.
func eachWay(t *testing.T, test func(t *testing.T, ctx context.Context, client *ent.Client, tenant string)) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			client := way.open(tenants.New(t).Open(way.mode))
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) { test(t, ctx, client, tenant) })
		})
	}
}

func TestTenants(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, client *ent.Client, tenant string) {
		workWith(t, ctx, client, tenant)
	})
}

// Both tenants take turns on one connection, whose prepared statements have the same texts.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			db := tenants.New(t).Open(way.mode)
			db.SetMaxOpenConns(1)
			client := way.open(db)
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				for range 5 {
					workWith(t, ctx, client, tenant)
				}
			})
		})
	}
}

// A transaction has the schema of its context, and takes it along into calls without one.
func TestTransaction(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, client *ent.Client, tenant string) {
		wantNil(t, example.InTx(ctx, client, func(client *ent.Client) error {
			workWith(t, t.Context(), client, tenant)
			return nil
		}))
	})
}

// ent sends values as arguments. What looks like a template in them is data.
func TestValuesAreData(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, client *ent.Client, _ string) {
		users := example.NewUsers(client)
		for _, name := range []string{"{{tables.users}}", "it's <<schema>>", `"{{schema}}"."users"`, "{{nonsense}}"} {
			wantNil(t, users.Upsert(ctx, map[string]string{name: name}))
			got, err := users.Named(ctx, name)
			wantNil(t, err)
			if len(got) != 1 || got[0].Name != name || got[0].Email != name {
				t.Errorf("stored %q, and read %v", name, got)
			}
			wantNil(t, users.Delete(ctx, name))
		}
	})
}

// A client on schemadb's facade stays in its schema, in its transactions too.
func TestFacade(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"schema_mode=template", "schema_mode=search_path"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			pool := tenants.New(t).Open(mode)
			tenants.Each(t, func(t *testing.T, _ context.Context, tenant string) {
				client := example.OpenFacade(schemadb.New(pool, tenant))
				workWith(t, t.Context(), client, tenant)
				wantNil(t, example.InTx(t.Context(), client, func(client *ent.Client) error {
					workWith(t, t.Context(), client, tenant)
					return nil
				}))
				wantNil(t, client.Close())
			})
		})
	}
}

// A variable that ent sets for a statement, as for row-level security, is seen by that statement. The next borrower of the
// connection sees nothing of it.
func TestSessionVariable(t *testing.T) {
	eachWay(t, func(t *testing.T, ctx context.Context, client *ent.Client, tenant string) {
		is := func(value string) func(*entsql.Selector) {
			return func(s *entsql.Selector) {
				s.Where(entsql.ExprP("coalesce(current_setting('app.visitor', true), '') = $1", value))
			}
		}
		for range 3 {
			set := entsql.WithVar(ctx, "app.visitor", tenant)
			users, err := client.User.Query().Where(is(tenant)).WithPosts().Order(user.ByID()).All(set)
			wantNil(t, err)
			wantUsers(t, users, tenant, "Ann", "Bob")
			users, err = client.User.Query().Where(is("")).WithPosts().Order(user.ByID()).All(ctx)
			wantNil(t, err)
			wantUsers(t, users, tenant, "Ann", "Bob")
		}
	})
}

// ent's builder, which writes SQL without generated code, takes the name of a table as a template.
func TestBuilder(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"schema_mode=template", "schema_mode=search_path"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			db := tenants.New(t).Open(mode)
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				for _, table := range []*entsql.SelectTable{
					entsql.Table("{{tables.users}}"), entsql.Table("{{tables.users}}").As("u"), entsql.Table("users").Schema("{{schema}}"),
				} {
					query, args := entsql.Dialect(dialect.Postgres).Select(table.C("tenant")).From(table).
						Where(entsql.EQ(table.C("id"), 1)).Query()
					var got string
					if err := db.QueryRowContext(ctx, query, args...).Scan(&got); err != nil || got != tenant {
						t.Errorf("%s: read a row of %q, %v", query, got, err)
					}
				}
			})
		})
	}
}

// workWith does what a program does, and fails if it sees a row of somebody else.
func workWith(t *testing.T, ctx context.Context, client *ent.Client, tenant string) {
	t.Helper()
	users := example.NewUsers(client)
	cay, dan := "cay@"+tenant, "dan@"+tenant
	id, err := users.Add(ctx, cay, "Cay", "Cay writes")
	wantNil(t, err)
	wantNil(t, users.Rename(ctx, id, "Cay of "+tenant))
	wantNil(t, users.Upsert(ctx, map[string]string{dan: "Dan"}))
	wantNil(t, users.Upsert(ctx, map[string]string{dan: "Eve of " + tenant}))
	all, err := users.Named(ctx, "")
	wantNil(t, err)
	wantUsers(t, all, tenant, "Ann", "Bob", "Cay", "Eve")
	authors, err := users.Authors(ctx)
	wantNil(t, err)
	if len(authors) != 2 || authors[0].Tenant != tenant || authors[1].ID != id {
		t.Errorf("read the authors %v", authors)
	}
	wantNil(t, users.Delete(ctx, cay, dan))
}

// wantUsers fails unless these are the users of a tenant, and the first has the tenant's posts.
func wantUsers(t *testing.T, users []*ent.User, tenant string, want ...string) {
	t.Helper()
	var names, titles []string
	for i, user := range users {
		names = append(names, user.Name)
		for _, post := range user.Edges.Posts {
			if post.Tenant != tenant {
				t.Errorf("read a post of %q", post.Tenant)
			}
			if i == 0 {
				titles = append(titles, post.Title)
			}
		}
		if user.Tenant != tenant {
			t.Errorf("read a user of %q", user.Tenant)
		}
	}
	for i := range want {
		want[i] += " of " + tenant
	}
	if !slices.Equal(names, want) {
		t.Errorf("read %q, want %q", names, want)
	}
	slices.Sort(titles)
	if want := []string{"Hello from " + tenant, "More from " + tenant}; !slices.Equal(titles, want) {
		t.Errorf("read %q, want %q", titles, want)
	}
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
