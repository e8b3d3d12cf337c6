// Package goqu shows the query builder goqu on pgdbm. Its tables are templates, as From("{{tables.users}}") or
// S("{{schema}}").Table("users"), or bare names with schema_mode=search_path.
//
// Call the methods that take a context: the others, such as ScanStructs and Exec, have no tenant outside of a transaction. So has
// WithTx. The DSN's key schema_required=context makes them fail.
package goqu

import (
	"context"

	"github.com/doug-martin/goqu/v9"
	"github.com/doug-martin/goqu/v9/exec"
	"github.com/doug-martin/goqu/v9/exp"

	_ "github.com/doug-martin/goqu/v9/dialect/postgres" // the dialect of Open
)

// User is a row of a tenant's table users.
type User struct {
	ID     int64  `db:"id" goqu:"skipinsert"`
	Email  string `db:"email"`
	Name   string `db:"name"`
	Tenant string `db:"tenant" goqu:"skipinsert"`
}

// Open returns goqu on a *sql.DB or a *schemadb.DB.
func Open(db goqu.SQLDatabase) *goqu.Database { return goqu.New("postgres", db) }

// Executor is a *goqu.Database or a *goqu.TxDatabase.
type Executor interface {
	From(from ...any) *goqu.SelectDataset
	Insert(table any) *goqu.InsertDataset
	Update(table any) *goqu.UpdateDataset
	Delete(table any) *goqu.DeleteDataset
}

// Users is a repository that knows nothing of tenants: the context says whose users they are.
type Users struct {
	db       Executor
	table    exp.IdentifierExpression
	prepared bool
}

// NewUsers returns the users in a table: goqu.T("{{tables.users}}"), goqu.S("{{schema}}").Table("users"), or goqu.T("users") with
// schema_mode=search_path. Prepared says whether values are sent as arguments, or written into the SQL, as goqu does by default.
func NewUsers(db Executor, table exp.IdentifierExpression, prepared bool) *Users {
	return &Users{db: db, table: table, prepared: prepared}
}

// Add adds users in one statement, and returns them as they are in the table.
func (u *Users) Add(ctx context.Context, users ...User) (added []User, err error) {
	err = u.db.Insert(u.table).Prepared(u.prepared).Rows(users).Returning("*").Executor().ScanStructsContext(ctx, &added)
	return added, err
}

// Upsert adds a user, or renames the one that has the email already, and returns the id.
func (u *Users) Upsert(ctx context.Context, user User) (id int64, err error) {
	rename := goqu.DoUpdate("email", goqu.Record{"name": goqu.I("excluded.name")})
	_, err = u.db.Insert(u.table).Prepared(u.prepared).Rows(user).OnConflict(rename).Returning("id").Executor().
		ScanValContext(ctx, &id)
	return id, err
}

// Named returns the users whose name begins with prefix.
func (u *Users) Named(ctx context.Context, prefix string) (users []User, err error) {
	err = u.db.From(u.table.As("u")).Prepared(u.prepared).Where(goqu.Func("starts_with", goqu.I("u.name"), prefix)).
		Order(goqu.I("u.id").Asc()).ScanStructsContext(ctx, &users)
	return users, err
}

// Rename gives a user another name, and reports whether there is one.
func (u *Users) Rename(ctx context.Context, id int64, name string) (bool, error) {
	return changed(ctx, u.db.Update(u.table).Prepared(u.prepared).Set(goqu.Record{"name": name}).
		Where(goqu.C("id").Eq(id)).Executor())
}

// Delete deletes the users with these ids, and reports whether there were any.
func (u *Users) Delete(ctx context.Context, ids ...int64) (bool, error) {
	return changed(ctx, u.db.Delete(u.table).Prepared(u.prepared).Where(goqu.C("id").In(ids)).Executor())
}

func changed(ctx context.Context, query exec.QueryExecutor) (bool, error) {
	result, err := query.ExecContext(ctx)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}
