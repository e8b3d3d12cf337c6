// Package gorm shows GORM on pgdbm. One *gorm.DB serves all tenants, also with PrepareStmt, and WithContext says whose rows they
// are. Either a naming strategy makes templates of the tables' names, or the names stay bare and the DSN has
// schema_mode=search_path.
//
// GORM's migrator asks the server's catalogs, with the table's name as an argument. For templates it needs the driver's option
// driver.WithSchemaArgs; bare names need nothing. Migrate one tenant after the other, or each with a *gorm.DB of its own on the
// same pool: the migrator is not safe for concurrent use.
package gorm

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/pgdbm/pgdbm/driver"
)

// User is a row of a tenant's table users.
type User struct {
	ID     int64
	Email  string `gorm:"not null;uniqueIndex"`
	Name   string `gorm:"not null"`
	Tenant string `gorm:"default:(-);-:migration"` // what the table says by default
	Posts  []Post
}

// Post is a row of a tenant's table posts.
type Post struct {
	ID     int64
	UserID int64  `gorm:"not null;index"`
	Title  string `gorm:"not null"`
	Tenant string `gorm:"default:(-);-:migration"`
	User   *User
	Tags   []Tag `gorm:"many2many:post_tags"` // the naming strategy names the table in between too
}

// Tag is a row of a tenant's table tags.
type Tag struct {
	ID     int64
	Name   string `gorm:"not null;unique"`
	Tenant string `gorm:"default:(-);-:migration"`
}

// Templates is a naming strategy that makes a template of each table's name. The names of indexes and constraints are those of
// bare tables, since each schema has its own. So a schema that was migrated with bare names has nothing new to migrate.
type Templates struct {
	schema.NamingStrategy
	Before, After string // what stands around a table's name
}

// NewTemplates returns the naming strategy of {{schema}}.users, with which all of GORM's migrator works. With {{tables.users}} it
// cannot drop or rename indexes, because it cuts names at the dot. In neither can DropConstraint drop one that the model still
// has: GORM then leaves the schema out.
func NewTemplates() Templates {
	return Templates{NamingStrategy: schema.NamingStrategy{IdentifierMaxLength: 63}, Before: "{{schema}}."}
}

// TableName returns the template of a model's table.
func (n Templates) TableName(model string) string {
	return n.Before + n.NamingStrategy.TableName(model) + n.After
}

// JoinTableName returns the template of the table of a many2many.
func (n Templates) JoinTableName(name string) string {
	return n.Before + n.NamingStrategy.JoinTableName(name) + n.After
}

// IndexName returns the name of an index without tag.
func (n Templates) IndexName(table, column string) string {
	return n.NamingStrategy.IndexName(n.bare(table), column)
}

// UniqueName returns the name of a unique constraint.
func (n Templates) UniqueName(table, column string) string {
	return n.NamingStrategy.UniqueName(n.bare(table), column)
}

// CheckerName returns the name of a check.
func (n Templates) CheckerName(table, column string) string {
	return n.NamingStrategy.CheckerName(n.bare(table), column)
}

// RelationshipFKName returns the name of a foreign key.
func (n Templates) RelationshipFKName(rel schema.Relationship) string {
	rel.Schema = &schema.Schema{Table: n.bare(rel.Schema.Table)} // all that the name is made of
	return n.NamingStrategy.RelationshipFKName(rel)
}

func (n Templates) bare(table string) string {
	return strings.TrimSuffix(strings.TrimPrefix(table, n.Before), n.After)
}

// Open returns GORM on a pool of the driver pgdbm: a *sql.DB, or a *schemadb.DB or *schemadb.Tx, which keep to their schema. The
// config's NamingStrategy is NewTemplates(), or nil for bare names. With a facade of schemadb, which hands out no *sql.DB,
// PrepareStmt needs DisableAutomaticPing; with a *schemadb.Tx it keeps GORM from nesting transactions.
//
// The models are parsed here, because GORM has a data race if requests do that at the same time.
func Open(pool gorm.ConnPool, config *gorm.Config) (*gorm.DB, error) {
	db, err := gorm.Open(postgres.New(postgres.Config{Conn: pool}), config)
	if err != nil {
		return nil, err
	}
	for _, model := range []any{&User{}, &Post{}, &Tag{}} {
		if err := (&gorm.Statement{DB: db}).Parse(model); err != nil {
			return nil, err
		}
	}
	return db, nil
}

// OpenTemplates returns GORM with templates on a pool of its own, whose driver lets the migrator find them.
func OpenTemplates(dsn string) (*gorm.DB, error) {
	connector, err := driver.NewConnector(dsn, driver.WithSchemaArgs())
	if err != nil {
		return nil, err
	}
	return Open(sql.OpenDB(connector), &gorm.Config{NamingStrategy: NewTemplates()})
}

// Users is a repository that knows nothing of tenants: the context says whose users they are.
type Users struct{ db *gorm.DB }

// NewUsers returns the users in a database. DB can be a transaction.
func NewUsers(db *gorm.DB) *Users { return &Users{db: db} }

// Add adds a user with his posts. GORM fills in what the server returns: the ids, and what is default.
func (u *Users) Add(ctx context.Context, user *User) error {
	return u.db.WithContext(ctx).Create(user).Error
}

// Named returns the users whose name begins with prefix, with their posts.
func (u *Users) Named(ctx context.Context, prefix string) (users []User, err error) {
	err = u.db.WithContext(ctx).Preload("Posts").Where("name LIKE ?", prefix+"%").Order("id").Find(&users).Error
	return users, err
}

// PostsOf returns the posts of the users with a name, with the users.
func (u *Users) PostsOf(ctx context.Context, name string) (posts []Post, err error) {
	err = u.db.WithContext(ctx).InnerJoins("User", u.db.Where(&User{Name: name})).Order("posts.id").Find(&posts).Error
	return posts, err
}

// Rename gives a user another name.
func (u *Users) Rename(ctx context.Context, id int64, name string) error {
	return u.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var user User
		if err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Take(&user, id).Error; err != nil {
			return fmt.Errorf("user %d: %w", id, err)
		}
		return tx.Model(&user).Update("name", name).Error
	})
}

// Delete deletes users and their posts.
func (u *Users) Delete(ctx context.Context, users ...User) error {
	return u.db.WithContext(ctx).Select("Posts").Delete(&users).Error
}
