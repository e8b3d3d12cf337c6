package bun_test

import (
	"context"
	"testing"

	"github.com/uptrace/bun"

	example "github.com/pgdbm/pgdbm/examples/orms/bun"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
)

// Models as in any program with bun: the tables are users and posts.
type user struct {
	bun.BaseModel `bun:"table:users,alias:u"`

	ID     int64 `bun:",pk,autoincrement"`
	Email  string
	Name   string
	Tenant string  `bun:",nullzero,default:DEFAULT"`
	Posts  []*post `bun:"rel:has-many,join:id=user_id"`
}

type post struct {
	bun.BaseModel `bun:"table:posts,alias:p"`

	ID     int64 `bun:",pk,autoincrement"`
	UserID int64
	Title  string
	Tenant string `bun:",nullzero,default:DEFAULT"`
	User   *user  `bun:"rel:belongs-to,join:user_id=id"`
}

func TestBareNames(t *testing.T) {
	t.Parallel()
	db := example.Open(tenants.New(t).Open("schema_mode=search_path"))
	tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) { workWithBareNames(t, ctx, db, tenant) })
}

func TestBareNamesInTransaction(t *testing.T) {
	t.Parallel()
	db := example.Open(tenants.New(t).Open("schema_mode=search_path"))
	tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
		wantNil(t, db.RunInTx(ctx, nil, func(_ context.Context, tx bun.Tx) error {
			workWithBareNames(t, t.Context(), tx, tenant)
			return tx.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
				workWithBareNames(t, ctx, tx, tenant)
				return nil
			})
		}))
	})
}

func workWithBareNames(t *testing.T, ctx context.Context, db bun.IDB, tenant string) {
	t.Helper()
	added := []*user{{Email: "cay@" + tenant, Name: "Cay"}, {Email: "dan@" + tenant, Name: "Dan"}}
	_, err := db.NewInsert().Model(&added).Returning("id, tenant").Exec(ctx)
	wantNil(t, err)
	written := &post{UserID: added[0].ID, Title: "Hello"}
	_, err = db.NewInsert().Model(written).Returning("id, tenant").Exec(ctx)
	wantNil(t, err)
	var users []user
	wantNil(t, db.NewSelect().Model(&users).Relation("Posts").Order("u.id").Scan(ctx))
	var posts []post
	wantNil(t, db.NewSelect().Model(&posts).Relation("User").Order("p.id").Scan(ctx))
	if len(users) != 4 || len(posts) != 3 || len(users[0].Posts) != 2 || len(users[2].Posts) != 1 {
		t.Errorf("read %d users and %d posts", len(users), len(posts))
	}
	for _, user := range users {
		if user.Tenant != tenant {
			t.Errorf("read a user of %q", user.Tenant)
		}
		for _, post := range user.Posts {
			if post.Tenant != tenant {
				t.Errorf("read a post of %q", post.Tenant)
			}
		}
	}
	for _, post := range posts {
		if post.Tenant != tenant || post.User.Tenant != tenant {
			t.Errorf("read a post of %q by a user of %q", post.Tenant, post.User.Tenant)
		}
	}
	_, err = db.NewDelete().Model(written).WherePK().Exec(ctx)
	wantNil(t, err)
	_, err = db.NewDelete().Model(&added).WherePK().Exec(ctx)
	wantNil(t, err)
}
