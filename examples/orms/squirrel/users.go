// Package squirrel shows the query builder squirrel on pgdbm. Its statements reach the driver as they are written, so both ways
// work: templates as table names, and bare names with schema_mode=search_path.
package squirrel

import (
	"context"

	sq "github.com/Masterminds/squirrel"
)

// User is a row of a tenant's table users.
type User struct {
	ID     int64
	Name   string
	Tenant string
}

// Users is a repository that knows nothing of tenants: the context says whose users they are.
type Users struct {
	builder sq.StatementBuilderType
	table   string
}

// NewUsers returns the users in a table: {{tables.users}}, or users with schema_mode=search_path. DB is a *sql.DB or *sql.Tx, or a
// *schemadb.DB or *schemadb.Tx.
func NewUsers(db sq.StdSqlCtx, table string) *Users {
	builder := sq.StatementBuilder.PlaceholderFormat(sq.Dollar).RunWith(sq.WrapStdSqlCtx(db))
	return &Users{builder: builder, table: table}
}

// Add adds a user and returns the id.
func (u *Users) Add(ctx context.Context, email, name string) (id int64, err error) {
	row := u.builder.Insert(u.table).Columns("email", "name").Values(email, name).Suffix("RETURNING id").QueryRowContext(ctx)
	err = row.Scan(&id)
	return id, err
}

// Named returns the users whose name begins with prefix.
func (u *Users) Named(ctx context.Context, prefix string) ([]User, error) {
	rows, err := u.builder.Select("id", "name", "tenant").From(u.table).Where(sq.Like{"name": prefix + "%"}).OrderBy("id").
		QueryContext(ctx)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []User
	for rows.Next() {
		var user User
		if err := rows.Scan(&user.ID, &user.Name, &user.Tenant); err != nil {
			return nil, err
		}
		all = append(all, user)
	}
	return all, rows.Err()
}

// Rename gives a user another name, and reports whether there is one.
func (u *Users) Rename(ctx context.Context, id int64, name string) (bool, error) {
	result, err := u.builder.Update(u.table).Set("name", name).Where(sq.Eq{"id": id}).ExecContext(ctx)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// Delete deletes the users with these ids.
func (u *Users) Delete(ctx context.Context, ids ...int64) error {
	_, err := u.builder.Delete(u.table).Where(sq.Eq{"id": ids}).ExecContext(ctx)
	return err
}
