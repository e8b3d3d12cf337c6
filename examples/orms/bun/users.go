// Package bun shows the ORM bun on pgdbm. A model names its table as a template, {{tables.users}}, which works in both modes.
// Models with bare names, as in any program with bun, work with schema_mode=search_path.
package bun

import (
	"context"
	"database/sql"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// User is a row of a tenant's table users.
type User struct {
	bun.BaseModel `bun:"table:{{tables.users}},alias:u"`

	ID     int64 `bun:",pk,autoincrement"`
	Email  string
	Name   string
	Tenant string  `bun:",nullzero,default:DEFAULT"` // the table knows it
	Posts  []*Post `bun:"rel:has-many,join:id=user_id"`
}

// Post is a row of a tenant's table posts.
type Post struct {
	bun.BaseModel `bun:"table:{{tables.posts}},alias:p"`

	ID     int64 `bun:",pk,autoincrement"`
	UserID int64
	Title  string
	Tenant string `bun:",nullzero,default:DEFAULT"`
	User   *User  `bun:"rel:belongs-to,join:user_id=id"`
}

// Note is a row of a tenant's table notes, which [CreateNotes] makes. Deleted notes stay in the table, and bun leaves them out.
type Note struct {
	bun.BaseModel `bun:"table:{{tables.notes}},alias:n"`

	ID        int64     `bun:",pk,autoincrement"`
	Text      string    `bun:",notnull"`
	DeletedAt time.Time `bun:",soft_delete,nullzero"`
}

// Open returns bun on a pool of the driver pgdbm.
func Open(pool *sql.DB) *bun.DB { return bun.NewDB(pool, pgdialect.New()) }

// CreateNotes creates the table notes of the context's tenant, unless there is one.
func CreateNotes(ctx context.Context, db bun.IDB) error {
	_, err := db.NewCreateTable().Model((*Note)(nil)).IfNotExists().Exec(ctx)
	return err
}

// Users is a repository that knows nothing of tenants: the context says whose users they are.
type Users struct{ db bun.IDB }

// NewUsers returns the users in a *bun.DB or a bun.Tx.
func NewUsers(db bun.IDB) *Users { return &Users{db: db} }

// Add adds users in one statement, and sets what the database gives them: ID and Tenant.
func (u *Users) Add(ctx context.Context, users ...*User) error {
	_, err := u.db.NewInsert().Model(&users).Returning("id, tenant").Exec(ctx)
	return err
}

// Upsert adds a user, or renames the one that has the email already.
func (u *Users) Upsert(ctx context.Context, user *User) error {
	_, err := u.db.NewInsert().Model(user).On("CONFLICT (email) DO UPDATE").Set("name = EXCLUDED.name").
		Returning("id, tenant").Exec(ctx)
	return err
}

// Named returns the users whose name begins with prefix, with their posts.
func (u *Users) Named(ctx context.Context, prefix string) (users []User, err error) {
	err = u.db.NewSelect().Model(&users).Relation("Posts", func(q *bun.SelectQuery) *bun.SelectQuery { return q.Order("p.id") }).
		Where("starts_with(u.name, ?)", prefix).Order("u.id").Scan(ctx)
	return users, err
}

// Posts returns all posts with their authors, whom bun joins.
func (u *Users) Posts(ctx context.Context) (posts []Post, err error) {
	err = u.db.NewSelect().Model(&posts).Relation("User").Order("p.id").Scan(ctx)
	return posts, err
}

// Rename gives a user another name, and reports whether there is one.
func (u *Users) Rename(ctx context.Context, id int64, name string) (bool, error) {
	result, err := u.db.NewUpdate().Model((*User)(nil)).Set("name = ?", name).Where("id = ?", id).Exec(ctx)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// Delete deletes the users with these ids.
func (u *Users) Delete(ctx context.Context, ids ...int64) error {
	_, err := u.db.NewDelete().Model((*User)(nil)).Where("id IN (?)", bun.List(ids)).Exec(ctx)
	return err
}
