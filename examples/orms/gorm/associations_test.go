package gorm_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	orm "github.com/pgdbm/pgdbm/examples/orms/gorm"
)

// Joins and Preload write the names of several tables, with aliases.
func TestJoins(t *testing.T) {
	each(t, func(t test) {
		db, users, posts, tags := t.db, t.table("users"), t.table("posts"), t.table("tags")
		var found []orm.Post
		read := func(what string, db *gorm.DB) {
			t.Helper()
			t.ok(db)
			if len(found) == 0 {
				t.Errorf("%s: no rows", what)
			}
			for _, post := range found {
				if post.Tenant != t.tenant || (post.User != nil && post.User.Tenant != t.tenant) {
					t.Errorf("%s: read %+v", what, post)
				}
			}
			found = nil
		}
		read("a join", db.Joins("User").Find(&found))
		read("an inner join with conditions", db.InnerJoins("User", db.Where(&orm.User{Name: "Ann of " + t.tenant})).Find(&found))
		read("a condition on the alias", db.Joins("User").Where(`"User".name LIKE ?`, "Ann%").Find(&found))
		read("a condition by the bare table", db.Joins("User").Where("posts.id = ?", 1).Order("posts.id").Find(&found))
		read("a condition by the template", db.Joins("User").Where(posts+".id = ?", 1).Find(&found))
		read("a condition with a map", db.Joins("User").Where(map[string]any{posts + ".id": 1}).Find(&found))
		read("a join by hand", db.Joins("JOIN "+users+" AS u ON u.id = "+posts+".user_id AND u.name LIKE ?", "Ann%").Find(&found))
		read("a join with a subquery", db.Joins("JOIN (?) AS u ON u.id = user_id", db.Model(&orm.User{}).Select("id")).Find(&found))
		read("a preload", db.Preload("User").Preload("Tags").Find(&found))
		read("all preloads", db.Preload(clause.Associations).Find(&found))
		read("a join from Table", db.Table(posts+" AS p").Joins("JOIN "+users+" AS u ON u.id = p.user_id").Select("p.*").Find(&found))

		var nested []orm.User
		t.ok(db.Preload("Posts", "id = ?", 1).Preload("Posts.Tags", func(db *gorm.DB) *gorm.DB { return db.Order(tags + ".id") }).
			Preload("Posts.User.Posts").Find(&nested, 1))
		post := nested[0].Posts[0]
		t.want("nested preloads", post.Tags[0].Name+", "+post.User.Posts[0].Title,
			fmt.Sprintf("tag of %[1]s, Hello from %[1]s", t.tenant))
	})
}

// Each kind of association is written and read: has many, belongs to, and many to many with a table in between.
func TestAssociations(t *testing.T) {
	each(t, func(t test) {
		user := orm.User{Email: "new@" + t.tenant, Name: "New", Posts: []orm.Post{
			{Title: "First", Tags: []orm.Tag{{Name: "new"}, {ID: 1, Name: "tag of " + t.tenant}}}, {Title: "Second"}}}
		t.ok(t.db.Create(&user))
		t.want("the tenants of what was created", user.Posts[0].Tags[0].Tenant+user.Posts[1].Tenant, t.tenant+t.tenant)

		of := func(model any, name string) *gorm.Association { return t.db.Model(model).Association(name) }
		first := &user.Posts[0]
		t.want("posts", of(&user, "Posts").Count(), 2)
		t.want("tags", of(first, "Tags").Count(), 2)
		wantNil(t.T, of(first, "Tags").Append(&orm.Tag{Name: "newer"}))
		wantNil(t.T, of(first, "Tags").Delete(&orm.Tag{ID: 1}))
		wantNil(t.T, of(first, "Tags").Replace(&orm.Tag{Name: "newest"}))
		var tags []orm.Tag
		wantNil(t.T, of(first, "Tags").Find(&tags, "name LIKE ?", "new%"))
		t.want("the tags at last", tags[0].Name+" of "+tags[0].Tenant, "newest of "+t.tenant)
		wantNil(t.T, of(first, "User").Replace(&orm.User{ID: 1}))
		t.want("posts of user 1", of(&orm.User{ID: 1}, "Posts").Count(), 3)
		wantNil(t.T, of(first, "Tags").Clear())
		t.want("tags at the end", of(first, "Tags").Count(), 0)
		t.want("the tag of others", errors.Is(t.db.Take(&orm.Tag{}, "name LIKE 'tag of %' AND tenant <> ?", t.tenant).Error,
			gorm.ErrRecordNotFound), true)

		t.ok(t.db.Delete(&orm.Post{}, first.ID))
		t.ok(t.db.Select("Posts").Delete(&user))
		t.ok(t.db.Delete(&orm.Tag{}, "name LIKE ?", "new%"))
		var left []string
		t.ok(t.db.Model(&orm.Post{}).Order("id").Pluck("title", &left))
		t.want("posts left", left, strings.ReplaceAll("[Hello from T More from T]", "T", t.tenant))
	})
}
