package gorm_test

import (
	"context"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/pgdbm/pgdbm/driver"
	orm "github.com/pgdbm/pgdbm/examples/orms/gorm"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
)

// GORM caches each *sql.Stmt by its text, which is the same for all tenants. Executing it follows the context of the call, and
// not the one in which it was prepared, also when it was prepared in a transaction.
func TestPreparedStatements(t *testing.T) {
	t.Parallel()
	database := tenants.New(t)
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			pool := database.Open(way.mode)
			pool.SetMaxOpenConns(2) // so that the tenants meet
			plain, prepared := open(t, pool, way.naming, false), open(t, pool, way.naming, true)
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				one := test{T: t, way: way, tenant: tenant}
				for range 10 {
					one.readsItsOwn(prepared.WithContext(ctx))
					one.readsItsOwn(plain.Session(&gorm.Session{Context: ctx, PrepareStmt: true}))
					wantNil(t, prepared.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
						one.readsItsOwn(tx.WithContext(context.Background()))
						return nil
					}))
				}
			})
		})
	}
}

// readsItsOwn fails the test if one of two statements reads a row of somebody else.
func (t test) readsItsOwn(db *gorm.DB) {
	t.Helper()
	var user orm.User
	t.owns("a user", db.Take(&user, 1), &user.Tenant)
	var post orm.Post
	t.owns("a post", db.Joins("User").Take(&post, 2), &post.User.Tenant)
}

// A cache that forgets its statements forgets no schema. It serves one goroutine here, and has no TTL: GORM closes what it
// forgets, also while another is executing it, with any driver.
func TestSmallCache(t *testing.T) {
	t.Parallel()
	database := tenants.New(t)
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			config := gorm.Config{NamingStrategy: way.naming, PrepareStmt: true, PrepareStmtMaxSize: 1, Logger: logger.Discard}
			db, err := orm.Open(database.Open(way.mode), &config)
			wantNil(t, err)
			for range 10 {
				for _, tenant := range tenants.All {
					one := test{T: t, way: way, tenant: tenant}
					one.readsItsOwn(db.WithContext(driver.WithSchema(t.Context(), tenant)))
				}
			}
		})
	}
}
