package gorm_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/pgdbm/pgdbm/driver"
	orm "github.com/pgdbm/pgdbm/examples/orms/gorm"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
)

// Every way to ask for rows finds those of the tenant.
func TestQueries(t *testing.T) {
	each(t, func(t test) {
		db, users := t.db, t.table("users")
		var user orm.User
		t.owns("First", db.First(&user), &user.Tenant)
		t.owns("Last", db.Last(&user, "name LIKE ?", "Ann%"), &user.Tenant)
		t.owns("Take with a struct", db.Where(&orm.User{Name: "Ann of " + t.tenant}).Take(&user), &user.Tenant)

		var tenant string
		bare := db.Table(users)
		t.owns("Table", bare.Select("tenant").Where("id = ?", 1).Scan(&tenant), &tenant)
		t.owns("Table and column", db.Table(users).Select("tenant").Where(users+".id = ?", 1).Scan(&tenant), &tenant)
		t.owns("Table with an alias", db.Table(users+" AS u").Select("u.tenant").Where("u.id = 1").Scan(&tenant), &tenant)
		t.owns("Table and model", db.Table(users).Take(&user), &user.Tenant)
		t.owns("a model with an alias", db.Table(users+" AS u").Take(&user, 1), &user.Tenant)
		t.owns("Raw", db.Raw("SELECT tenant FROM "+users+" WHERE id = ?", 1).Scan(&tenant), &tenant)
		t.owns("Raw with names", db.Raw("SELECT tenant FROM "+users+" WHERE id = @id", map[string]any{"id": 1}).Scan(&tenant), &tenant)
		t.owns("a table as a value", db.Raw("SELECT tenant FROM ? WHERE id = 1", clause.Table{Name: users}).Scan(&tenant), &tenant)
		t.owns("Pluck", db.Model(&orm.User{}).Limit(1).Pluck("tenant", &tenant), &tenant)
		t.owns("Group", db.Model(&orm.User{}).Select("tenant").Group("tenant").Having("count(*) = 2").Scan(&tenant), &tenant)

		subquery := db.Model(&orm.Post{}).Select("user_id").Where("title = ?", "Hello from "+t.tenant)
		t.owns("a subquery", db.Where("id IN (?)", subquery).Take(&user), &user.Tenant)
		t.owns("a subquery as a table", db.Table("(?) AS p", subquery).Select("(SELECT tenant FROM "+users+" WHERE id = p.user_id)").
			Scan(&tenant), &tenant)
		t.owns("EXISTS", db.Where("EXISTS (?)", db.Model(&orm.Post{}).Select("1").Where("user_id = "+users+".id")).
			Take(&user), &user.Tenant)
		t.owns("a scope", db.Scopes(func(db *gorm.DB) *gorm.DB { return db.Where("name LIKE ?", "Ann%") }).Take(&user), &user.Tenant)

		var small []struct{ ID, Tenant string }
		t.ok(db.Model(&orm.User{}).Order("id").Find(&small))
		t.want("a smaller struct", small, fmt.Sprintf("[{1 %[1]s} {2 %[1]s}]", t.tenant))
		var n int64
		t.ok(db.Model(&orm.User{}).Where("tenant <> ?", t.tenant).Count(&n))
		t.want("users of others", n, 0)
		t.want("a missing user", errors.Is(db.Take(&user, -1).Error, gorm.ErrRecordNotFound), true)
	})
}

// owns fails the test if a query did, or if what it has read is not the tenant's.
func (t test) owns(what string, db *gorm.DB, tenant *string) {
	t.Helper()
	if db.Error != nil || *tenant != t.tenant {
		t.Errorf("%s: read a row of %q, %v", what, *tenant, db.Error)
	}
	*tenant = "nobody"
}

// Rows can be read one by one, and in batches; each batch is a statement of its own.
func TestRows(t *testing.T) {
	each(t, func(t test) {
		var users []orm.User
		var read []string
		rows, err := t.db.Model(&orm.User{}).Order("id").Rows()
		wantNil(t.T, err)
		defer rows.Close()
		for rows.Next() {
			var user orm.User
			wantNil(t.T, t.db.ScanRows(rows, &user))
			read = append(read, user.Name)
		}
		wantNil(t.T, rows.Err())
		t.ok(t.db.FindInBatches(&users, 1, func(*gorm.DB, int) error {
			read = append(read, users[0].Name)
			return nil
		}))
		t.want("names", read, strings.ReplaceAll("[Ann of T Bob of T Ann of T Bob of T]", "T", t.tenant))
	})
}

// What is written stays with the tenant, who says so in what the server returns.
func TestWrites(t *testing.T) {
	each(t, func(t test) {
		var new []orm.User
		for i := range 5 {
			new = append(new, orm.User{Email: fmt.Sprintf("%d@%s", i, t.tenant), Name: "New"})
		}
		t.ok(t.db.CreateInBatches(&new, 2))
		for _, user := range new {
			t.want("the tenant of a new user", user.Tenant, t.tenant)
		}
		again := t.db.Create(&orm.User{Email: "0@" + t.tenant, Name: "Again"})
		t.want("a second user with an email", errors.Is(again.Error, gorm.ErrDuplicatedKey), true)

		upsert := clause.OnConflict{Columns: []clause.Column{{Name: "email"}}, DoUpdates: clause.AssignmentColumns([]string{"name"})}
		changed := []orm.User{{Email: "0@" + t.tenant, Name: "Changed"}, {Email: "5@" + t.tenant, Name: "New"}}
		t.ok(t.db.Clauses(upsert).Create(&changed))
		t.want("an upsert", changed[0].ID, new[0].ID)
		t.ok(t.db.Clauses(clause.OnConflict{DoNothing: true}).Create(&orm.User{Email: "1@" + t.tenant, Name: "Ignored"}))

		var found orm.User
		t.ok(t.db.FirstOrCreate(&found, orm.User{Email: "0@" + t.tenant}))
		t.want("FirstOrCreate", found.Name, "Changed")
		found.Name = "Saved"
		t.ok(t.db.Save(&found))
		t.ok(t.db.Model(&found).UpdateColumn("name", gorm.Expr("name || ?", "!")))
		t.ok(t.db.Exec("UPDATE "+t.table("users")+" SET name = name || ? WHERE id = ?", "!", found.ID))
		var returned []orm.User
		deleted := t.db.Clauses(clause.Returning{}).Where("email LIKE ?", "%@"+t.tenant).Where("id > 2").Order("id").Delete(&returned)
		t.ok(deleted)
		t.want("deleted users", deleted.RowsAffected, 6)
		for _, user := range returned {
			t.want("the tenant of a deleted user", user.Tenant, t.tenant)
			if user.ID == found.ID {
				t.want("the name of a deleted user", user.Name, "Saved!!")
			}
		}
	})
}

// softUser is a user who is only marked as deleted, with hooks that work in the tenant of their statement.
type softUser struct {
	orm.User
	DeletedAt gorm.DeletedAt
	Others    int64 `gorm:"-"` // counted by a hook
}

// TableName overrides the naming strategy, which it is given.
func (softUser) TableName(naming schema.Namer) string { return naming.TableName("User") }

func (u *softUser) AfterFind(tx *gorm.DB) error {
	return tx.Session(&gorm.Session{NewDB: true}).Model(&softUser{}).Where("id <> ?", u.ID).Count(&u.Others).Error
}

func (u *softUser) BeforeCreate(tx *gorm.DB) error {
	var first orm.User
	err := tx.Session(&gorm.Session{NewDB: true}).First(&first).Error
	u.Name = "After " + first.Name
	return err
}

func TestSoftDeleteAndHooks(t *testing.T) {
	each(t, func(t test) {
		user := softUser{User: orm.User{Email: "soft@" + t.tenant}}
		t.ok(t.db.Omit(clause.Associations).Create(&user))
		t.want("a name from a hook", user.Name, "After Ann of "+t.tenant)
		t.ok(t.db.Take(&user, user.ID))
		t.want("other users", user.Others, 2)
		t.ok(t.db.Delete(&user))
		t.want("a deleted user", errors.Is(t.db.Take(&softUser{}, user.ID).Error, gorm.ErrRecordNotFound), true)
		t.owns("a deleted user", t.db.Unscoped().Take(&user, user.ID), &user.Tenant)
		t.ok(t.db.Unscoped().Delete(&user))
	})
}

// What GORM shows is the statement with its templates; driver.Expand shows what the server gets.
func TestDryRun(t *testing.T) {
	t.Parallel()
	db := open(t, tenants.New(t).Open("schema_mode=template"), orm.NewTemplates(), false)
	text := db.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Joins("User").Take(&orm.Post{}, 1) })
	if !strings.Contains(text, `FROM "{{schema}}"."posts" LEFT JOIN "{{schema}}"."users" "User" ON `) {
		t.Error(text)
	}
	sent, err := driver.Expand(text, "acme")
	wantNil(t, err)
	if !strings.Contains(sent, `FROM "acme"."posts" LEFT JOIN "acme"."users" "User" ON "posts"."user_id" = "User"."id"`) {
		t.Error(sent)
	}
	dry := db.Session(&gorm.Session{DryRun: true}).Take(&orm.User{}, 1)
	if text := dry.Statement.SQL.String(); !strings.HasPrefix(text, `SELECT * FROM "{{schema}}"."users"`) {
		t.Error(text)
	}
}

// Whoever forgets WithContext is told so, with schema_required=context in the DSN.
func TestForgottenContext(t *testing.T) {
	t.Parallel()
	database := tenants.New(t)
	for _, way := range ways {
		db := open(t, database.Open(way.mode, "schema_required=context"), way.naming, true)
		for name, err := range map[string]error{
			"Take":        db.Take(&orm.User{}).Error,
			"Create":      db.Create(&orm.User{Email: "x", Name: "x"}).Error,
			"Transaction": db.Transaction(func(tx *gorm.DB) error { return tx.Take(&orm.User{}).Error }),
		} {
			if !errors.Is(err, driver.ErrSchemaRequired) {
				t.Errorf("%s, %s: %v", way.name, name, err)
			}
		}
	}
}
