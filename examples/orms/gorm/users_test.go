package gorm_test

import (
	"context"
	"testing"

	"gorm.io/gorm"

	"github.com/pgdbm/pgdbm/driver"
	orm "github.com/pgdbm/pgdbm/examples/orms/gorm"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
	"github.com/pgdbm/pgdbm/schemadb"
)

func TestTenants(t *testing.T) {
	each(t, func(t test) { t.workWith(t.db.Statement.Context, t.db) })
}

// A transaction has the schema of its context, and takes it along into calls without one.
func TestTransaction(t *testing.T) {
	each(t, func(t test) {
		wantNil(t.T, t.db.Transaction(func(tx *gorm.DB) error {
			t.workWith(context.Background(), tx)
			return nil
		}))
	})
}

// The facade of schemadb is a pool too, and stays in its schema.
func TestFacade(t *testing.T) {
	t.Parallel()
	pool := tenants.New(t).Open("schema_mode=template")
	tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
		db := schemadb.New(pool, tenant)
		for _, prepare := range []bool{false, true} {
			with := test{T: t, tenant: tenant}
			with.workWith(context.Background(), open(t, db, orm.NewTemplates(), prepare))
			with.workWith(driver.WithSchema(ctx, "public"), open(t, db, orm.NewTemplates(), prepare))
			wantNil(t, db.InTx(ctx, func(tx *schemadb.Tx) error {
				with.workWith(context.Background(), open(t, tx, orm.NewTemplates(), false))
				return nil
			}))
		}
	})
}

// workWith does what a program does, and fails if it sees a row of somebody else.
func (t test) workWith(ctx context.Context, db *gorm.DB) {
	t.Helper()
	users := orm.NewUsers(db)
	cay := orm.User{Email: "cay@" + t.tenant, Name: "Cay", Posts: []orm.Post{{Title: "New"}}}
	wantNil(t.T, users.Add(ctx, &cay))
	t.want("the tenant of a user and of her post", cay.Tenant+cay.Posts[0].Tenant, t.tenant+t.tenant)
	wantNil(t.T, users.Rename(ctx, cay.ID, "Cay of "+t.tenant))

	all, err := users.Named(ctx, "")
	wantNil(t.T, err)
	names, posts := "", ""
	for _, user := range all {
		names += user.Name + ","
		for _, post := range user.Posts {
			posts += post.Title + ","
		}
	}
	t.want("all names", names, "Ann of "+t.tenant+",Bob of "+t.tenant+",Cay of "+t.tenant+",")
	t.want("all posts", posts, "Hello from "+t.tenant+",More from "+t.tenant+",New,")

	of, err := users.PostsOf(ctx, "Ann of "+t.tenant)
	wantNil(t.T, err)
	if len(of) != 2 || of[0].User.Tenant != t.tenant || of[1].Title != "More from "+t.tenant {
		t.Errorf("read %+v", of)
	}
	wantNil(t.T, users.Delete(ctx, cay))
}
