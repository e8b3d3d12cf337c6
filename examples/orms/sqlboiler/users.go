// Package sqlboiler shows SQLBoiler's query builder on pgdbm. Its statements reach the driver as they are written, so both
// ways work: templates as table names, and bare names with schema_mode=search_path. The models that SQLBoiler generates
// from the schema public, or with its option no-output-schema, have bare names, and so need schema_mode=search_path.
//
// In a join, say which columns you want. Where you do not, the builder takes all columns of the tables in FROM, but only if it
// recognizes their names, and a template it does not: it writes SELECT FROM, which is valid and has no columns.
package sqlboiler

import (
	"context"

	"github.com/aarondl/sqlboiler/v4/boil"
	"github.com/aarondl/sqlboiler/v4/drivers"
	"github.com/aarondl/sqlboiler/v4/queries"
	"github.com/aarondl/sqlboiler/v4/queries/qm"
)

// User is a row of a tenant's table users.
type User struct {
	ID     int64
	Name   string
	Tenant string
}

// Users is a repository that knows nothing of tenants: the context says whose users they are.
type Users struct {
	db           boil.ContextExecutor
	table, posts string
}

// NewUsers returns the users in a table and their posts in another: {{tables.users}} and {{tables.posts}}, or users and
// posts with schema_mode=search_path. DB is a *sql.DB or *sql.Tx, or a *schemadb.DB or *schemadb.Tx.
func NewUsers(db boil.ContextExecutor, table, posts string) *Users {
	return &Users{db: db, table: table, posts: posts}
}

// query begins a statement in PostgreSQL's dialect.
func query(mods ...qm.QueryMod) *queries.Query {
	q := new(queries.Query)
	queries.SetDialect(q, &drivers.Dialect{LQ: '"', RQ: '"', UseIndexPlaceholders: true})
	qm.Apply(q, mods...)
	return q
}

// Add adds a user and returns the id. The builder has no INSERT; those of SQLBoiler's models come from its generator.
func (u *Users) Add(ctx context.Context, email, name string) (id int64, err error) {
	insert := "INSERT INTO " + u.table + " (email, name) VALUES ($1, $2) RETURNING id"
	err = queries.Raw(insert, email, name).QueryRowContext(ctx, u.db).Scan(&id)
	return id, err
}

// Named returns the users whose name begins with prefix.
func (u *Users) Named(ctx context.Context, prefix string) ([]User, error) {
	var all []User
	err := query(
		qm.Select("u.id", "u.name", "u.tenant"),
		qm.From(u.table+" u"),
		qm.Where("u.name LIKE ?", prefix+"%"),
		qm.OrderBy("u.id"),
	).Bind(ctx, u.db, &all)
	return all, err
}

// Titles returns the titles of the posts of the users whose name begins with prefix.
func (u *Users) Titles(ctx context.Context, prefix string) ([]string, error) {
	var posts []struct{ Title string }
	err := query(
		qm.Select("p.title AS title"),
		qm.From(u.table+" u"),
		qm.InnerJoin(u.posts+" p ON p.user_id = u.id"),
		qm.Where("u.name LIKE ?", prefix+"%"),
		qm.OrderBy("p.id"),
	).Bind(ctx, u.db, &posts)
	var titles []string
	for _, post := range posts {
		titles = append(titles, post.Title)
	}
	return titles, err
}

// Rename gives a user another name, and reports whether there is one.
func (u *Users) Rename(ctx context.Context, id int64, name string) (bool, error) {
	q := query(qm.From(u.table), qm.Where("id = ?", id))
	queries.SetUpdate(q, map[string]any{"name": name})
	result, err := q.ExecContext(ctx, u.db)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// Delete deletes the users with these ids.
func (u *Users) Delete(ctx context.Context, ids ...any) error {
	q := query(qm.From(u.table), qm.WhereIn("id IN ?", ids...))
	queries.SetDelete(q)
	_, err := q.ExecContext(ctx, u.db)
	return err
}
