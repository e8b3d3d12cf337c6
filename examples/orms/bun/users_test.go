package bun_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/uptrace/bun"

	example "github.com/pgdbm/pgdbm/examples/orms/bun"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
	"github.com/pgdbm/pgdbm/schemadb"
)

func TestMain(m *testing.M) { os.Exit(tenants.Run(m)) }

// modes are those in which a template works.
var modes = []string{"schema_mode=template", "schema_mode=search_path"}

// eachMode runs a test for both tenants, at the same time, in both modes.
func eachMode(t *testing.T, test func(t *testing.T, ctx context.Context, db *bun.DB, tenant string)) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			db := example.Open(tenants.New(t).Open(mode))
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) { test(t, ctx, db, tenant) })
		})
	}
}

func TestTenants(t *testing.T) {
	eachMode(t, func(t *testing.T, ctx context.Context, db *bun.DB, tenant string) {
		workWith(t, ctx, example.NewUsers(db), tenant)
	})
}

// Both tenants take turns on one connection, whose prepared statements have the same texts.
func TestOneConnection(t *testing.T) {
	eachMode(t, func(t *testing.T, ctx context.Context, db *bun.DB, tenant string) {
		db.SetMaxOpenConns(1)
		for range 5 {
			workWith(t, ctx, example.NewUsers(db), tenant)
		}
	})
}

// A transaction has the schema of its context, and takes it along into calls without one.
func TestTransaction(t *testing.T) {
	eachMode(t, func(t *testing.T, ctx context.Context, db *bun.DB, tenant string) {
		wantNil(t, db.RunInTx(ctx, nil, func(_ context.Context, tx bun.Tx) error {
			workWith(t, t.Context(), example.NewUsers(tx), tenant)
			return nil
		}))
	})
}

// A transaction inside of a transaction is a savepoint.
func TestSavepoint(t *testing.T) {
	eachMode(t, func(t *testing.T, ctx context.Context, db *bun.DB, tenant string) {
		wantNil(t, db.RunInTx(ctx, nil, func(_ context.Context, tx bun.Tx) error {
			failed := errors.New("failed")
			err := tx.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
				wantNil(t, example.NewUsers(tx).Delete(ctx, 2))
				return failed
			})
			if !errors.Is(err, failed) {
				t.Errorf("got %v", err)
			}
			workWith(t, t.Context(), example.NewUsers(tx), tenant)
			return nil
		}))
	})
}

// lookalikes are values that look like templates, and end literals for those who do not look closely.
var lookalikes = []string{"{{tables.users}}", "it's <<schema>>", `\'{{schema}}`, `"{{tables"."users}}"`, "{{nonsense}}", "$1 ?"}

// bun writes values into the SQL. What looks like a template in them is data.
func TestValuesAreData(t *testing.T) {
	eachMode(t, func(t *testing.T, ctx context.Context, db *bun.DB, _ string) {
		users := example.NewUsers(db)
		for _, name := range lookalikes {
			user := &example.User{Email: name, Name: name}
			wantNil(t, users.Add(ctx, user))
			got, err := users.Named(ctx, name)
			wantNil(t, err)
			if len(got) != 1 || got[0].Name != name || got[0].Email != name {
				t.Errorf("stored %q, and read %v", name, got)
			}
			wantNil(t, users.Delete(ctx, user.ID))
		}
	})
}

// The facade of schemadb takes the place of the pool in a query, and stays in its schema.
func TestFacade(t *testing.T) {
	eachMode(t, func(t *testing.T, _ context.Context, db *bun.DB, tenant string) {
		facade := schemadb.New(db.DB, tenant)
		read := func(conn bun.IConn) {
			var users []example.User
			wantNil(t, db.NewSelect().Conn(conn).Model(&users).Relation("Posts").Order("u.id").Scan(t.Context()))
			wantUsers(t, users, tenant, "Ann", "Bob")
		}
		read(facade)
		wantNil(t, facade.InTx(t.Context(), func(tx *schemadb.Tx) error { read(tx); return nil }))
	})
}

// The places in which a query may name a table.
func TestTableExpressions(t *testing.T) {
	eachMode(t, func(t *testing.T, ctx context.Context, db *bun.DB, tenant string) {
		subquery := db.NewSelect().Table("{{tables.users}}").Column("tenant").Where("id = 1")
		for _, query := range []interface {
			Scan(ctx context.Context, dest ...any) error
		}{
			subquery,
			db.NewSelect().Model((*example.User)(nil)).Column("u.tenant").Where("u.id = 1"),
			db.NewSelect().Model((*example.User)(nil)).ModelTableExpr("{{tables.users}} AS x").Column("x.tenant").Where("x.id = 1"),
			db.NewSelect().TableExpr("{{tables.users}} AS x").Column("x.tenant").Where("x.id = 1"),
			db.NewSelect().TableExpr("<<tables.users>> AS x").Column("x.tenant").Where("x.id = 1"),
			db.NewSelect().TableExpr("? AS x", bun.Ident("{{tables.users}}")).ColumnExpr("x.tenant").Where("x.id = 1"),
			db.NewSelect().TableExpr("?.? AS x", bun.Ident("{{schema}}"), bun.Ident("users")).ColumnExpr("x.tenant").Where("x.id = 1"),
			db.NewSelect().TableExpr("(?) AS x", subquery).Column("x.tenant"),
			db.NewSelect().With("x", subquery).Table("x").Column("x.tenant"),
			db.NewSelect().Table("{{tables.users}}").Join("JOIN {{tables.posts}} AS p ON p.user_id = 1").Column("p.tenant").Limit(1),
			db.NewRaw("SELECT tenant FROM {{tables.users}} WHERE id = ?", 1),
		} {
			var got string
			if err := query.Scan(ctx, &got); err != nil || got != tenant {
				t.Errorf("%v: read a row of %q, %v", query, got, err)
			}
		}
	})
}

// workWith does what a program does, and fails if it sees a row of somebody else.
func workWith(t *testing.T, ctx context.Context, users *example.Users, tenant string) {
	t.Helper()
	cay, dan := &example.User{Email: "cay@" + tenant, Name: "Cay"}, &example.User{Email: "dan@" + tenant, Name: "Dan of " + tenant}
	wantNil(t, users.Add(ctx, cay, dan))
	renamed, err := users.Rename(ctx, cay.ID, "Cay of "+tenant)
	wantNil(t, err)
	if !renamed || cay.Tenant != tenant {
		t.Errorf("user %d of %q was not found", cay.ID, cay.Tenant)
	}
	again := &example.User{Email: dan.Email, Name: "Eve of " + tenant}
	wantNil(t, users.Upsert(ctx, again))
	if again.ID != dan.ID || again.Tenant != tenant {
		t.Errorf("upsert hit user %d of %q, want %d", again.ID, again.Tenant, dan.ID)
	}
	all, err := users.Named(ctx, "")
	wantNil(t, err)
	wantUsers(t, all, tenant, "Ann", "Bob", "Cay", "Eve")
	posts, err := users.Posts(ctx)
	wantNil(t, err)
	for _, post := range posts {
		if post.Tenant != tenant || post.User.Tenant != tenant {
			t.Errorf("read %v by %v", post, post.User)
		}
	}
	if len(posts) != 2 {
		t.Errorf("read %d posts, want 2", len(posts))
	}
	wantNil(t, users.Delete(ctx, cay.ID, dan.ID))
}

// wantUsers fails unless these are the users of a tenant, and the first has the tenant's posts.
func wantUsers(t *testing.T, users []example.User, tenant string, want ...string) {
	t.Helper()
	var names, titles []string
	for _, user := range users {
		names = append(names, user.Name)
		for _, post := range user.Posts {
			titles = append(titles, post.Title)
		}
		if user.Tenant != tenant {
			t.Errorf("read a row of %q", user.Tenant)
		}
	}
	for i := range want {
		want[i] += " of " + tenant
	}
	if !slices.Equal(names, want) {
		t.Errorf("read %q, want %q", names, want)
	}
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
