// Package scany shows the row scanner scany on pgdbm. It hands SQL on as it is written, so both ways work: templates as table
// names, and bare names with schema_mode=search_path.
package scany

import (
	"context"
	"database/sql"
	"iter"

	"github.com/georgysavva/scany/v2/sqlscan"
)

// User is a row of a tenant's table users.
type User struct {
	ID     int64
	Name   string
	Tenant string
}

// Author is a user with one of the user's posts, whose columns a query calls "post.id" and so on.
type Author struct {
	User
	Post Post
}

// Post is a row of a tenant's table posts.
type Post struct {
	ID     int64
	Title  string
	Tenant string
}

// DB is a *sql.DB, *sql.Conn or *sql.Tx, or a *schemadb.DB or *schemadb.Tx.
type DB interface {
	sqlscan.Querier
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Users is a repository that knows nothing of tenants: the context says whose users they are.
type Users struct {
	db           DB
	users, posts string
}

// NewUsers returns the users in a table, and their posts in another: {{tables.users}} and {{tables.posts}}, or users and posts
// with schema_mode=search_path.
func NewUsers(db DB, users, posts string) *Users { return &Users{db: db, users: users, posts: posts} }

// Add adds a user and returns the row.
func (u *Users) Add(ctx context.Context, email, name string) (user User, err error) {
	query := "INSERT INTO " + u.users + " (email, name) VALUES ($1, $2) RETURNING id, name, tenant"
	err = sqlscan.Get(ctx, u.db, &user, query, email, name)
	return user, err
}

// Get returns a user. Without one the error is sql.ErrNoRows.
func (u *Users) Get(ctx context.Context, id int64) (user User, err error) {
	err = sqlscan.Get(ctx, u.db, &user, "SELECT id, name, tenant FROM "+u.users+" WHERE id = $1", id)
	return user, err
}

// Named returns the users whose name begins with prefix.
func (u *Users) Named(ctx context.Context, prefix string) (users []User, err error) {
	query := "SELECT id, name, tenant FROM " + u.users + " WHERE starts_with(name, $1) ORDER BY id"
	err = sqlscan.Select(ctx, u.db, &users, query, prefix)
	return users, err
}

// Authors returns all posts with their authors, row by row.
func (u *Users) Authors(ctx context.Context) iter.Seq2[Author, error] {
	query := `SELECT u.id, u.name, u.tenant, p.id AS "post.id", p.title AS "post.title", p.tenant AS "post.tenant"
		FROM ` + u.posts + " AS p JOIN " + u.users + " AS u ON u.id = p.user_id ORDER BY p.id"
	return func(yield func(Author, error) bool) {
		rows, err := u.db.QueryContext(ctx, query)
		if err != nil {
			yield(Author{}, err)
			return
		}
		defer rows.Close()
		scanner := sqlscan.NewRowScanner(rows)
		for rows.Next() {
			var author Author
			err := scanner.Scan(&author)
			if !yield(author, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Author{}, err)
		}
	}
}

// Delete deletes a user.
func (u *Users) Delete(ctx context.Context, id int64) error {
	_, err := u.db.ExecContext(ctx, "DELETE FROM "+u.users+" WHERE id = $1", id)
	return err
}
