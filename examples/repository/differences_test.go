package repository_test

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	before "github.com/pgdbm/pgdbm/examples/repository/before"
	"github.com/pgdbm/pgdbm/schemadb"
)

// database is what *sqlx.DB and *schemadb.DB have in common, as far as these tests use it.
type database interface {
	Get(dest any, query string, args ...any) error
	Select(dest any, query string, args ...any) error
	NamedExec(query string, arg any) (sql.Result, error)
	Rebind(query string) string
	Begin() (*sql.Tx, error)
}

type (
	person map[string]any
	named  struct{ Name string }
)

// behaviours are the statements that one of the two takes and the other one does not.
var behaviours = []struct {
	what   string
	run    func(db database) error
	sqlx   bool // whether sqlx takes it; the facade does the opposite
	reason any  // a pointer to the facade's error, if it has a type
}{
	{"two columns for one field", func(db database) error {
		return db.Get(new(named), `SELECT 'Ada' AS name, 'Grace' AS name`)
	}, true, new(*schemadb.ScanError)},
	{"a key that the statement does not use", func(db database) error {
		return exec(db, `SELECT lower(:name)`, person{"name": "Ada", "mail": "ada@example.com"})
	}, true, new(*schemadb.NamedError)},
	{"a *sql.Tx on plain pgx", func(db database) error {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		return tx.Rollback()
	}, true, new(*schemadb.RefusedError)},

	{"a cast", func(db database) error {
		return exec(db, `SELECT id::text FROM public.users WHERE name = :name`, person{"name": "Ada"})
	}, false, nil},
	{"a colon in a literal", func(db database) error {
		return exec(db, `SELECT '12:30' || :name`, person{"name": "Ada"})
	}, false, nil},
	{"an operator with a question mark", func(db database) error {
		return db.Get(new(bool), db.Rebind(`SELECT '{"a": 1}'::jsonb ? 'a' AND lower(?) = 'ada'`), "Ada")
	}, false, nil},
	{"an array", func(db database) error {
		return db.Get(new([]string), `SELECT ARRAY['Ada', 'Grace']`)
	}, false, nil},
	{"a map", func(db database) error {
		return db.Get(new(map[string]any), `SELECT 1 AS a, 2 AS b`)
	}, false, nil},
}

func exec(db database, query string, arg any) error {
	_, err := db.NamedExec(query, arg)
	return err
}

// TestDifferences shows that README.md tells the truth about both sides.
func TestDifferences(t *testing.T) {
	t.Parallel()
	old, db := both(t)
	for _, b := range behaviours {
		if err := b.run(old); (err == nil) != b.sqlx {
			t.Errorf("%s: sqlx returned %v", b.what, err)
		}
		err := b.run(db)
		if (err == nil) == b.sqlx {
			t.Errorf("%s: the facade returned %v", b.what, err)
		}
		if b.reason != nil && !errors.As(err, b.reason) {
			t.Errorf("%s: the facade returned %T; want %T", b.what, err, b.reason)
		}
	}
	if err := behaviours[0].run(db.Unsafe()); err != nil {
		t.Errorf("%s, with Unsafe: %v", behaviours[0].what, err)
	}
}

// TestDestinations fails while rows are read.
func TestDestinations(t *testing.T) {
	t.Parallel()
	old, db := both(t)
	for _, c := range []struct {
		name string
		db   database
		want string
	}{{"sqlx", old, "[3 6]"}, {"the facade", db, "[7]"}} {
		numbers := []int{7}
		err := c.db.Select(&numbers, `SELECT 6/(3-n) FROM generate_series(1, 4) AS n`)
		if got := fmt.Sprint(numbers); err == nil || got != c.want {
			t.Errorf("Select of %s left %s, %v; want %s and an error", c.name, got, err, c.want)
		}
	}
}

// TestFunctions calls one of sqlx's functions with the facade, in the facade's schema.
func TestFunctions(t *testing.T) {
	t.Parallel()
	_, db := both(t)
	db.MustExec(`CREATE TABLE {{tables.users}} AS SELECT 'Ada' AS name`)
	var name string
	if err := sqlx.Get(db, &name, `SELECT name FROM {{tables.users}}`); err != nil || name != "Ada" {
		t.Errorf("sqlx.Get read %q, %v", name, err)
	}
}

// TestMethods compares the methods of sqlx with those of the facade.
func TestMethods(t *testing.T) {
	t.Parallel()
	var other []string
	for _, pair := range [][2]any{
		{new(sqlx.DB), new(schemadb.DB)},
		{new(sqlx.Tx), new(schemadb.Tx)},
		{new(sqlx.Conn), new(schemadb.Conn)},
		{new(sqlx.Stmt), new(schemadb.Stmt)},
		{new(sqlx.NamedStmt), new(schemadb.NamedStmt)},
	} {
		theirs, ours := reflect.TypeOf(pair[0]), reflect.TypeOf(pair[1])
		for i := range theirs.NumMethod() {
			method := theirs.Method(i)
			same, ok := ours.MethodByName(method.Name)
			if !ok || signature(same) != signature(method) {
				other = append(other, theirs.Elem().Name()+"."+method.Name)
			}
		}
	}
	if want := []string{"DB.Conn", "Tx.Stmt", "Tx.StmtContext", "Conn.Raw"}; !slices.Equal(other, want) {
		t.Errorf("other than in sqlx are %q; README.md says %q", other, want)
	}
}

// signature returns a method's type as it is written with sqlx.
func signature(method reflect.Method) string {
	return strings.ReplaceAll(method.Type.String(), "*schemadb.", "*sqlx.")
}

// both returns a pool of plain pgx with the tables, and the facade on it.
func both(t *testing.T) (*sqlx.DB, *schemadb.DB) {
	t.Helper()
	old, err := sqlx.Open("pgx", server.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { old.Close() })
	old.MustExec(before.Tables)
	db := schemadb.New(old.DB, "office")
	if err := db.EnsureSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	return old, db
}
