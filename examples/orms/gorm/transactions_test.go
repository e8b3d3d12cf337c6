package gorm_test

import (
	"context"
	"errors"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	orm "github.com/pgdbm/pgdbm/examples/orms/gorm"
)

var errAbandon = errors.New("abandon it")

// add adds a user with an email that is an error the second time.
func (t test) add(tx *gorm.DB, email string) error {
	user := orm.User{Email: email + "@" + t.tenant, Name: "New"}
	err := tx.Create(&user).Error
	if err == nil {
		t.want("the tenant of "+email, user.Tenant, t.tenant)
	}
	return err
}

// added returns how many users a test has added.
func (t test) added(tx *gorm.DB) (n int64) {
	t.Helper()
	t.ok(tx.Model(&orm.User{}).Where("id > 2").Count(&n))
	return n
}

// A nested transaction is a savepoint, and is in the same schema.
func TestNestedTransactions(t *testing.T) {
	each(t, func(t test) {
		outer := t.db.Transaction(func(tx *gorm.DB) error {
			elsewhere := tx.WithContext(context.Background()) // a call that lost the context
			wantNil(t.T, t.add(elsewhere, "outer"))
			inner := tx.Transaction(func(tx *gorm.DB) error {
				wantNil(t.T, t.add(tx.WithContext(context.Background()), "inner"))
				return errAbandon
			})
			t.want("the inner transaction", inner, errAbandon)
			t.want("what the outer transaction sees", t.added(elsewhere), 1)
			t.want("an email twice", errors.Is(tx.Transaction(func(tx *gorm.DB) error { return t.add(tx, "outer") }),
				gorm.ErrDuplicatedKey), true)
			wantNil(t.T, tx.Transaction(func(tx *gorm.DB) error { return t.add(tx, "second") }))
			t.want("what the outer transaction sees at last", t.added(tx), 2)
			return errAbandon
		})
		t.want("the outer transaction", outer, errAbandon)
		t.want("users that were added", t.added(t.db), 0)
	})
}

func TestSavepoints(t *testing.T) {
	each(t, func(t test) {
		tx := t.db.Begin()
		t.ok(tx)
		defer tx.Rollback()
		wantNil(t.T, t.add(tx, "first"))
		t.ok(tx.SavePoint("here"))
		wantNil(t.T, t.add(tx, "second"))
		t.ok(tx.RollbackTo("here"))
		wantNil(t.T, t.add(tx, "third"))
		t.ok(tx.Commit())
		var emails []string
		t.ok(t.db.Model(&orm.User{}).Where("id > 2").Order("id").Pluck("email", &emails))
		t.want("what was committed", emails, "[first@"+t.tenant+" third@"+t.tenant+"]")
		t.ok(t.db.Where("id > 2").Delete(&orm.User{}))
	})
}

// locked returns the emails of the users whose rows somebody else has locked.
func (t test) locked() (emails []string) {
	t.Helper()
	var free []int64
	t.ok(t.db.Model(&orm.User{}).Clauses(clause.Locking{Strength: "UPDATE", Options: "SKIP LOCKED"}).Pluck("id", &free))
	t.ok(t.db.Model(&orm.User{}).Where("id NOT IN ?", append(free, -1)).Order("id").Pluck("email", &emails))
	return emails
}

// Rows are locked in the tenant's table; FOR UPDATE OF takes a template, as PostgreSQL wants it without a schema.
func TestLocking(t *testing.T) {
	each(t, func(t test) {
		lock := func(table string) clause.Locking {
			return clause.Locking{Strength: clause.LockingStrengthUpdate, Table: clause.Table{Name: table}}
		}
		ways := map[string]func(tx *gorm.DB) *gorm.DB{
			"all":             func(tx *gorm.DB) *gorm.DB { return tx.Clauses(lock("")).Take(&orm.User{}, 1) },
			"OF its table":    func(tx *gorm.DB) *gorm.DB { return tx.Clauses(lock(t.table("users"))).Take(&orm.User{}, 1) },
			"OF CurrentTable": func(tx *gorm.DB) *gorm.DB { return tx.Clauses(lock(clause.CurrentTable)).Take(&orm.User{}, 1) },
			"OF an alias":     func(tx *gorm.DB) *gorm.DB { return tx.InnerJoins("User").Clauses(lock("User")).Take(&orm.Post{}, 1) },
			"by hand": func(tx *gorm.DB) *gorm.DB {
				users, posts := t.table("users"), t.table("posts")
				return tx.Exec("SELECT 1 FROM " + users + " JOIN " + posts + " ON user_id = " + users + ".id FOR UPDATE OF " + users)
			},
		}
		for name, way := range ways {
			wantNil(t.T, t.db.Transaction(func(tx *gorm.DB) error {
				t.ok(way(tx))
				t.want("locked "+name, t.locked(), "[ann@"+t.tenant+"]")
				return nil
			}))
		}
		wantNil(t.T, t.db.Transaction(func(tx *gorm.DB) error {
			t.ok(tx.InnerJoins("User").Clauses(lock(t.table("posts"))).Take(&orm.Post{}, 1))
			t.want("locked with her post", t.locked(), "[]")
			return nil
		}))
	})
}

// Connection keeps one connection, on which each statement still follows its context.
func TestConnection(t *testing.T) {
	each(t, func(t test) {
		wantNil(t.T, t.db.Connection(func(tx *gorm.DB) error {
			var user orm.User
			t.owns("Connection", tx.Take(&user), &user.Tenant)
			return tx.Transaction(func(tx *gorm.DB) error { return tx.Take(&user).Error })
		}))
	})
}
