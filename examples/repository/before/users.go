// Package users keeps the users of an application in PostgreSQL.
package users

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// Tables creates what a Repository works on.
const Tables = `
	CREATE TABLE users (
		id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		email   text NOT NULL UNIQUE,
		name    text NOT NULL,
		created timestamptz NOT NULL DEFAULT now(),
		seen    timestamptz
	);
	CREATE TABLE renames (
		id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		user_id bigint NOT NULL REFERENCES users (id),
		name    text NOT NULL
	);`

// User is one of them.
type User struct {
	ID      int64      `db:"id"`
	Email   string     `db:"email"`
	Name    string     `db:"name"`
	Created time.Time  `db:"created"`
	Seen    *time.Time `db:"seen"` // nil if never
}

// Repository reads and writes users.
type Repository struct{ db *sqlx.DB }

// New returns a repository of the users in a database.
func New(db *sqlx.DB) *Repository { return &Repository{db} }

// Create adds a user by email and name, and sets the other fields.
func (r *Repository) Create(ctx context.Context, u *User) error {
	rows, err := r.db.NamedQueryContext(ctx,
		`INSERT INTO users (email, name) VALUES (:email, :name) RETURNING *`, u)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.StructScan(u); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Import adds many users by email and name, all of them or none, and returns how many.
func (r *Repository) Import(ctx context.Context, users []User) (int64, error) {
	result, err := r.db.NamedExecContext(ctx, `INSERT INTO users (email, name) VALUES (:email, :name)`, users)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// ByEmail returns the user with an address, and whether there is one.
func (r *Repository) ByEmail(ctx context.Context, email string) (u User, found bool, err error) {
	err = r.db.GetContext(ctx, &u, `SELECT * FROM users WHERE email = $1`, email)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, false, nil
	}
	return u, err == nil, err
}

// WithIDs returns those of the users that exist, in the order of their ids.
func (r *Repository) WithIDs(ctx context.Context, ids []int64) ([]User, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	query, args, err := sqlx.In(`SELECT * FROM users WHERE id IN (?) ORDER BY id`, ids)
	if err != nil {
		return nil, err
	}
	var users []User
	err = r.db.SelectContext(ctx, &users, r.db.Rebind(query), args...)
	return users, err
}

// Names returns everybody's name by email.
func (r *Repository) Names(ctx context.Context) (map[string]string, error) {
	rows, err := r.db.QueryxContext(ctx, `SELECT email, name FROM users`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names := make(map[string]string)
	for rows.Next() {
		var u User
		if err := rows.StructScan(&u); err != nil {
			return nil, err
		}
		names[u.Email] = u.Name
	}
	return names, rows.Err()
}

// Rename gives a user another name, and remembers the old one.
func (r *Repository) Rename(ctx context.Context, id int64, name string) error {
	tx, err := r.db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	var u User
	if err := tx.GetContext(ctx, &u, `SELECT * FROM users WHERE id = $1 FOR UPDATE`, id); err != nil {
		return fmt.Errorf("rename user %d: %w", id, err)
	}
	_, err = tx.NamedExecContext(ctx, `INSERT INTO renames (user_id, name) VALUES (:id, :name)`, u)
	if err != nil {
		return err
	}
	u.Name = name
	_, err = tx.NamedExecContext(ctx, `UPDATE users SET name = :name WHERE id = :id`, u)
	if err != nil {
		return err
	}
	return tx.Commit()
}

// OldNames returns the names that a user had before, the oldest first.
func (r *Repository) OldNames(ctx context.Context, id int64) ([]string, error) {
	var names []string
	err := r.db.SelectContext(ctx, &names, `SELECT name FROM renames WHERE user_id = $1 ORDER BY id`, id)
	return names, err
}

// Seen notes when users were seen last, by email.
func (r *Repository) Seen(ctx context.Context, visits map[string]time.Time) error {
	stmt, err := r.db.PrepareNamedContext(ctx,
		`UPDATE users SET seen = greatest(seen, :at) WHERE email = :email`)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for email, at := range visits {
		if _, err := stmt.ExecContext(ctx, map[string]any{"email": email, "at": at}); err != nil {
			return err
		}
	}
	return nil
}
