// Package ent shows the ORM ent on pgdbm. Its generated code has bare names, as for any program, which schema_mode=search_path
// looks up in the tenant's schema, and the automatic migration works there too. In the other mode the client is told that the
// tables are in the schema {{schema}}, which needs the generator's feature sql/schemaconfig. A table cannot be called
// {{tables.users}}, because ent makes names in Go from it.
package ent

import (
	"context"
	"database/sql"
	"errors"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"github.com/pgdbm/pgdbm/examples/orms/ent/ent"
	"github.com/pgdbm/pgdbm/examples/orms/ent/ent/post"
	"github.com/pgdbm/pgdbm/examples/orms/ent/ent/user"
)

// Open returns a client whose statements have bare names, on a pool with schema_mode=search_path.
func Open(pool *sql.DB) *ent.Client {
	return ent.NewClient(ent.Driver(entsql.OpenDB(dialect.Postgres, pool)))
}

// OpenTemplates returns a client whose statements have templates, "{{schema}}"."users", on a pool in either mode.
func OpenTemplates(pool *sql.DB) *ent.Client {
	tables := ent.SchemaConfig{User: "{{schema}}", Post: "{{schema}}"}
	return ent.NewClient(ent.Driver(entsql.OpenDB(dialect.Postgres, pool)), ent.AlternateSchema(tables))
}

// Users is a repository that knows nothing of tenants: the context says whose users they are.
type Users struct{ client *ent.Client }

// NewUsers returns the users of a client. In a transaction that is tx.Client().
func NewUsers(client *ent.Client) *Users { return &Users{client: client} }

// Add adds a user and a post.
func (u *Users) Add(ctx context.Context, email, name, title string) (id int64, err error) {
	added, err := u.client.User.Create().SetEmail(email).SetName(name).Save(ctx)
	if err != nil {
		return 0, err
	}
	return added.ID, u.client.Post.Create().SetTitle(title).SetUser(added).Exec(ctx)
}

// Upsert adds users in one statement, and renames those whose email is there already.
func (u *Users) Upsert(ctx context.Context, names map[string]string) error {
	var users []*ent.UserCreate
	for email, name := range names {
		users = append(users, u.client.User.Create().SetEmail(email).SetName(name))
	}
	return u.client.User.CreateBulk(users...).OnConflictColumns(user.FieldEmail).Update(func(set *ent.UserUpsert) {
		set.UpdateName()
	}).Exec(ctx)
}

// Named returns the users whose name begins with prefix, with their posts.
func (u *Users) Named(ctx context.Context, prefix string) ([]*ent.User, error) {
	return u.client.User.Query().Where(user.NameHasPrefix(prefix)).WithPosts().Order(user.ByID()).All(ctx)
}

// Authors returns the users who have written a post, which ent finds with a join.
func (u *Users) Authors(ctx context.Context) ([]*ent.User, error) {
	return u.client.Post.Query().QueryUser().Order(user.ByID()).All(ctx)
}

// Rename gives a user another name.
func (u *Users) Rename(ctx context.Context, id int64, name string) error {
	return u.client.User.UpdateOneID(id).SetName(name).Exec(ctx)
}

// Delete deletes users with an email, and their posts, in the order of the foreign key.
func (u *Users) Delete(ctx context.Context, emails ...string) error {
	if _, err := u.client.Post.Delete().Where(post.HasUserWith(user.EmailIn(emails...))).Exec(ctx); err != nil {
		return err
	}
	_, err := u.client.User.Delete().Where(user.EmailIn(emails...)).Exec(ctx)
	return err
}

// InTx runs a function in a transaction.
func InTx(ctx context.Context, client *ent.Client, fn func(*ent.Client) error) error {
	tx, err := client.Tx(ctx)
	if err != nil {
		return err
	}
	if err := fn(tx.Client()); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
