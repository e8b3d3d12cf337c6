package schemadb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

// surface is what *schemadb.DB, *schemadb.Tx and *schemadb.Conn have of sqlx.
type surface interface {
	schemadb.Querier
	sqlx.Ext
	Get(dest any, query string, args ...any) error
	Select(dest any, query string, args ...any) error
	MustExec(query string, args ...any) sql.Result
	MustExecContext(ctx context.Context, query string, args ...any) sql.Result
	NamedExec(query string, arg any) (sql.Result, error)
	NamedQuery(query string, arg any) (*sqlx.Rows, error)
	QueryRow(query string, args ...any) *sql.Row
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	Prepare(query string) (*sql.Stmt, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	Preparex(query string) (*schemadb.Stmt, error)
	PrepareNamed(query string) (*schemadb.NamedStmt, error)
	In(query string, args ...any) (string, []any, error)
}

const (
	// touch changes one row in the schema whose name is its argument, and none in another.
	touch      = "UPDATE {{tables.t}} SET owner = owner WHERE owner = $1 RETURNING owner"
	touchNamed = "UPDATE <<tables.t>> SET owner = owner WHERE owner = :owner RETURNING owner"
)

// way is a way to run a statement. It returns the owner of the row that the statement worked on.
type way struct {
	name string
	ctx  bool // it takes a context
	raw  bool // it hands out a *sql.Stmt
	run  func(ctx context.Context, q surface, want string) (string, error)
}

// stmtWay is a way to execute touch or touchNamed, prepared as an S.
type stmtWay[S any] struct {
	name string
	ctx  bool
	run  func(ctx context.Context, s S, want string) (string, error)
}

type owned struct{ Owner string }

func named(owner string) map[string]any { return map[string]any{"owner": owner} }

// updated returns want if a statement has changed one row.
func updated(result sql.Result, err error, want string) (string, error) {
	if err != nil {
		return "", err
	}
	if n, err := result.RowsAffected(); n != 1 || err != nil {
		return "", fmt.Errorf("it changed %d rows, %w", n, err)
	}
	return want, nil
}

// first returns the only value of the only row.
func first[R interface {
	Next() bool
	Scan(...any) error
	Err() error
	Close() error
}](rows R, err error) (owner string, _ error) {
	if err != nil {
		return "", err
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		if err := rows.Scan(&owner); err != nil {
			return "", err
		}
	}
	if n != 1 && rows.Err() == nil {
		return "", fmt.Errorf("there are %d rows", n)
	}
	return owner, rows.Err()
}

func scanned(row interface{ Scan(...any) error }) (owner string, err error) {
	err = row.Scan(&owner)
	return owner, err
}

func only(owners []string, err error) (string, error) {
	if err == nil && len(owners) != 1 {
		err = fmt.Errorf("there are %d rows", len(owners))
	}
	return strings.Join(owners, ""), err
}

// must is for methods that panic.
func must(f func() sql.Result, want string) (_ string, err error) {
	defer func() {
		if e, ok := recover().(error); ok {
			err = e
		}
	}()
	return updated(f(), nil, want)
}

// directWays are those without a prepared statement of ours.
var directWays = []way{
	{"Get", false, false, func(_ context.Context, q surface, _ string) (owner string, err error) {
		err = q.Get(&owner, ownerQuery)
		return owner, err
	}},
	{"GetContext", true, false, func(ctx context.Context, q surface, _ string) (string, error) {
		var row owned
		err := q.GetContext(ctx, &row, ownerQuery)
		return row.Owner, err
	}},
	{"Select", false, false, func(_ context.Context, q surface, _ string) (string, error) {
		var owners []string
		err := q.Select(&owners, ownerQuery)
		return only(owners, err)
	}},
	{"SelectContext", true, false, func(ctx context.Context, q surface, _ string) (string, error) {
		var owners []string
		err := q.SelectContext(ctx, &owners, "SELECT t.owner FROM {{schema}}.t JOIN <<tables.t>> u USING (id)")
		return only(owners, err)
	}},
	{"Exec", false, false, func(_ context.Context, q surface, want string) (string, error) {
		result, err := q.Exec(touch, want)
		return updated(result, err, want)
	}},
	{"ExecContext", true, false, func(ctx context.Context, q surface, want string) (string, error) {
		result, err := q.ExecContext(ctx, touch, want)
		return updated(result, err, want)
	}},
	{"MustExec", false, false, func(_ context.Context, q surface, want string) (string, error) {
		return must(func() sql.Result { return q.MustExec(touch, want) }, want)
	}},
	{"MustExecContext", true, false, func(ctx context.Context, q surface, want string) (string, error) {
		return must(func() sql.Result { return q.MustExecContext(ctx, touch, want) }, want)
	}},
	{"NamedExec", false, false, func(_ context.Context, q surface, want string) (string, error) {
		result, err := q.NamedExec(touchNamed, named(want))
		return updated(result, err, want)
	}},
	{"NamedExecContext", true, false, func(ctx context.Context, q surface, want string) (string, error) {
		result, err := q.NamedExecContext(ctx, touchNamed, owned{want})
		return updated(result, err, want)
	}},
	{"NamedQuery", false, false, func(_ context.Context, q surface, want string) (string, error) {
		return first(q.NamedQuery(touchNamed, owned{want}))
	}},
	{"NamedQueryContext", true, false, func(ctx context.Context, q surface, want string) (string, error) {
		return first(q.NamedQueryContext(ctx, touchNamed, named(want)))
	}},
	{"Query", false, false, func(_ context.Context, q surface, _ string) (string, error) {
		return first(q.Query(ownerQuery))
	}},
	{"QueryContext", true, false, func(ctx context.Context, q surface, _ string) (string, error) {
		return first(q.QueryContext(ctx, ownerQuery))
	}},
	{"QueryRow", false, false, func(_ context.Context, q surface, _ string) (string, error) {
		return scanned(q.QueryRow(ownerQuery))
	}},
	{"QueryRowContext", true, false, func(ctx context.Context, q surface, _ string) (string, error) {
		return scanned(q.QueryRowContext(ctx, ownerQuery))
	}},
	{"Queryx", false, false, func(_ context.Context, q surface, _ string) (string, error) {
		return first(q.Queryx(ownerQuery))
	}},
	{"QueryxContext", true, false, func(ctx context.Context, q surface, _ string) (string, error) {
		return first(q.QueryxContext(ctx, ownerQuery))
	}},
	{"QueryRowx", false, false, func(_ context.Context, q surface, _ string) (string, error) {
		return scanned(q.QueryRowx(ownerQuery))
	}},
	{"QueryRowxContext", true, false, func(ctx context.Context, q surface, _ string) (string, error) {
		var row owned
		err := q.QueryRowxContext(ctx, ownerQuery).StructScan(&row)
		return row.Owner, err
	}},
	{"In and Rebind", true, false, func(ctx context.Context, q surface, _ string) (owner string, _ error) {
		query, args, err := q.In("SELECT owner FROM {{tables.t}} WHERE id IN (?) AND id < ?", []int{1, 20}, 10)
		if err == nil {
			err = q.GetContext(ctx, &owner, q.Rebind(query), args...)
		}
		return owner, err
	}},
	{"sqlx.SelectContext", true, false, func(ctx context.Context, q surface, _ string) (string, error) {
		var rows []string
		err := sqlx.SelectContext(ctx, q, &rows, ownerQuery)
		return only(rows, err)
	}},
	{"sqlx.Get", false, false, func(_ context.Context, q surface, _ string) (owner string, err error) {
		err = sqlx.Get(q, &owner, ownerQuery)
		return owner, err
	}},
	{"sqlx.NamedExecContext", true, false, func(ctx context.Context, q surface, want string) (string, error) {
		result, err := sqlx.NamedExecContext(ctx, q, touchNamed, owned{want}) // DriverName decides that it is $1
		return updated(result, err, want)
	}},
	{"Prepare", true, true, func(ctx context.Context, q surface, want string) (string, error) {
		stmt, err := q.Prepare(touch)
		if err != nil {
			return "", err
		}
		defer stmt.Close()
		return first(stmt.QueryContext(ctx, want))
	}},
	{"PrepareContext", false, true, func(ctx context.Context, q surface, want string) (string, error) {
		stmt, err := q.PrepareContext(ctx, touch)
		if err != nil {
			return "", err
		}
		defer stmt.Close()
		return scanned(stmt.QueryRow(want))
	}},
}

var stmtWays = []stmtWay[*schemadb.Stmt]{
	{"Get", false, func(_ context.Context, s *schemadb.Stmt, want string) (owner string, err error) {
		err = s.Get(&owner, want)
		return owner, err
	}},
	{"GetContext", true, func(ctx context.Context, s *schemadb.Stmt, want string) (owner string, err error) {
		err = s.GetContext(ctx, &owner, want)
		return owner, err
	}},
	{"Select", false, func(_ context.Context, s *schemadb.Stmt, want string) (string, error) {
		var owners []string
		err := s.Select(&owners, want)
		return only(owners, err)
	}},
	{"SelectContext", true, func(ctx context.Context, s *schemadb.Stmt, want string) (string, error) {
		var owners []string
		err := s.SelectContext(ctx, &owners, want)
		return only(owners, err)
	}},
	{"Exec", false, func(_ context.Context, s *schemadb.Stmt, want string) (string, error) {
		result, err := s.Exec(want)
		return updated(result, err, want)
	}},
	{"ExecContext", true, func(ctx context.Context, s *schemadb.Stmt, want string) (string, error) {
		result, err := s.ExecContext(ctx, want)
		return updated(result, err, want)
	}},
	{"MustExec", false, func(_ context.Context, s *schemadb.Stmt, want string) (string, error) {
		return must(func() sql.Result { return s.MustExec(want) }, want)
	}},
	{"MustExecContext", true, func(ctx context.Context, s *schemadb.Stmt, want string) (string, error) {
		return must(func() sql.Result { return s.MustExecContext(ctx, want) }, want)
	}},
	{"Query", false, func(_ context.Context, s *schemadb.Stmt, want string) (string, error) {
		return first(s.Query(want))
	}},
	{"QueryContext", true, func(ctx context.Context, s *schemadb.Stmt, want string) (string, error) {
		return first(s.QueryContext(ctx, want))
	}},
	{"QueryRow", false, func(_ context.Context, s *schemadb.Stmt, want string) (string, error) {
		return scanned(s.QueryRow(want))
	}},
	{"QueryRowContext", true, func(ctx context.Context, s *schemadb.Stmt, want string) (string, error) {
		return scanned(s.QueryRowContext(ctx, want))
	}},
	{"Queryx", false, func(_ context.Context, s *schemadb.Stmt, want string) (string, error) {
		return first(s.Queryx(want))
	}},
	{"QueryxContext", true, func(ctx context.Context, s *schemadb.Stmt, want string) (string, error) {
		return first(s.QueryxContext(ctx, want))
	}},
	{"QueryRowx", false, func(_ context.Context, s *schemadb.Stmt, want string) (string, error) {
		return scanned(s.QueryRowx(want))
	}},
	{"QueryRowxContext", true, func(ctx context.Context, s *schemadb.Stmt, want string) (string, error) {
		return scanned(s.QueryRowxContext(ctx, want))
	}},
	{"Unsafe and GetContext", true, func(ctx context.Context, s *schemadb.Stmt, want string) (owner string, err error) {
		err = s.Unsafe().GetContext(ctx, &owner, want)
		return owner, err
	}},
	{"Unsafe and ExecContext", true, func(ctx context.Context, s *schemadb.Stmt, want string) (string, error) {
		result, err := s.Unsafe().ExecContext(ctx, want)
		return updated(result, err, want)
	}},
}

var namedStmtWays = []stmtWay[*schemadb.NamedStmt]{
	{"Get", false, func(_ context.Context, s *schemadb.NamedStmt, want string) (owner string, err error) {
		err = s.Get(&owner, named(want))
		return owner, err
	}},
	{"GetContext", true, func(ctx context.Context, s *schemadb.NamedStmt, want string) (owner string, err error) {
		err = s.GetContext(ctx, &owner, owned{want})
		return owner, err
	}},
	{"Select", false, func(_ context.Context, s *schemadb.NamedStmt, want string) (string, error) {
		var owners []string
		err := s.Select(&owners, &owned{want})
		return only(owners, err)
	}},
	{"SelectContext", true, func(ctx context.Context, s *schemadb.NamedStmt, want string) (string, error) {
		var owners []string
		err := s.SelectContext(ctx, &owners, named(want))
		return only(owners, err)
	}},
	{"Exec", false, func(_ context.Context, s *schemadb.NamedStmt, want string) (string, error) {
		result, err := s.Exec(named(want))
		return updated(result, err, want)
	}},
	{"ExecContext", true, func(ctx context.Context, s *schemadb.NamedStmt, want string) (string, error) {
		result, err := s.ExecContext(ctx, named(want))
		return updated(result, err, want)
	}},
	{"MustExec", false, func(_ context.Context, s *schemadb.NamedStmt, want string) (string, error) {
		return must(func() sql.Result { return s.MustExec(named(want)) }, want)
	}},
	{"MustExecContext", true, func(ctx context.Context, s *schemadb.NamedStmt, want string) (string, error) {
		return must(func() sql.Result { return s.MustExecContext(ctx, named(want)) }, want)
	}},
	{"Query", false, func(_ context.Context, s *schemadb.NamedStmt, want string) (string, error) {
		return first(s.Query(named(want)))
	}},
	{"QueryContext", true, func(ctx context.Context, s *schemadb.NamedStmt, want string) (string, error) {
		return first(s.QueryContext(ctx, named(want)))
	}},
	{"QueryRow", false, func(_ context.Context, s *schemadb.NamedStmt, want string) (string, error) {
		return scanned(s.QueryRow(named(want)))
	}},
	{"QueryRowContext", true, func(ctx context.Context, s *schemadb.NamedStmt, want string) (string, error) {
		return scanned(s.QueryRowContext(ctx, named(want)))
	}},
	{"Queryx", false, func(_ context.Context, s *schemadb.NamedStmt, want string) (string, error) {
		return first(s.Queryx(named(want)))
	}},
	{"QueryxContext", true, func(ctx context.Context, s *schemadb.NamedStmt, want string) (string, error) {
		return first(s.QueryxContext(ctx, named(want)))
	}},
	{"QueryRowx", false, func(_ context.Context, s *schemadb.NamedStmt, want string) (string, error) {
		return scanned(s.QueryRowx(named(want)))
	}},
	{"QueryRowxContext", true, func(ctx context.Context, s *schemadb.NamedStmt, want string) (string, error) {
		return scanned(s.QueryRowxContext(ctx, named(want)))
	}},
	{"Unsafe and GetContext", true, func(ctx context.Context, s *schemadb.NamedStmt, want string) (owner string, err error) {
		err = s.Unsafe().GetContext(ctx, &owner, named(want))
		return owner, err
	}},
}

// ways are all of them: with a prepared statement, each way to prepare it with each way to execute it.
var ways = slices.Concat(directWays,
	prepared("Preparex", stmtWays, func(_ context.Context, q surface) (*schemadb.Stmt, error) { return q.Preparex(touch) }),
	prepared("PreparexContext", stmtWays, func(ctx context.Context, q surface) (*schemadb.Stmt, error) {
		return q.PreparexContext(ctx, touch)
	}),
	prepared("PrepareNamed", namedStmtWays, func(_ context.Context, q surface) (*schemadb.NamedStmt, error) {
		return q.PrepareNamed(touchNamed)
	}),
	prepared("PrepareNamedContext", namedStmtWays, func(ctx context.Context, q surface) (*schemadb.NamedStmt, error) {
		return q.PrepareNamedContext(ctx, touchNamed)
	}),
)

func prepared[S interface{ Close() error }](
	name string, stmtWays []stmtWay[S], prepare func(context.Context, surface) (S, error),
) (all []way) {
	for _, w := range stmtWays {
		run := func(ctx context.Context, q surface, want string) (string, error) {
			stmt, err := prepare(ctx, q)
			if err != nil {
				return "", err
			}
			owner, err := w.run(ctx, stmt, want)
			return owner, errors.Join(err, stmt.Close())
		}
		all = append(all, way{name: name + ", " + w.name, ctx: w.ctx, run: run})
	}
	return all
}

// facade is a way from a DB to something that runs statements.
type facade struct {
	name string
	ctx  bool // it is a transaction that was begun with a context
	use  func(ctx context.Context, db *schemadb.DB, fn func(surface)) error
}

var facades = []facade{
	{"DB", false, func(_ context.Context, db *schemadb.DB, fn func(surface)) error { fn(db); return nil }},
	{"DB, Unsafe", false, func(_ context.Context, db *schemadb.DB, fn func(surface)) error { fn(db.Unsafe()); return nil }},
	{"Connx", false, func(ctx context.Context, db *schemadb.DB, fn func(surface)) error {
		return onConn(ctx, db, func(c *schemadb.Conn) error { fn(c); return nil })
	}},
	{"Connx, Unsafe", false, func(ctx context.Context, db *schemadb.DB, fn func(surface)) error {
		return onConn(ctx, db, func(c *schemadb.Conn) error { fn(c.Unsafe()); return nil })
	}},
	{"Beginx", false, func(_ context.Context, db *schemadb.DB, fn func(surface)) error { return inTx(fn)(db.Beginx()) }},
	{"BeginTxx", true, func(ctx context.Context, db *schemadb.DB, fn func(surface)) error {
		return inTx(fn)(db.BeginTxx(ctx, nil))
	}},
	{"MustBegin", false, func(_ context.Context, db *schemadb.DB, fn func(surface)) error {
		return inTx(fn)(db.MustBegin(), nil)
	}},
	{"MustBeginTx, Unsafe", true, func(ctx context.Context, db *schemadb.DB, fn func(surface)) error {
		return inTx(fn)(db.MustBeginTx(ctx, nil).Unsafe(), nil)
	}},
	{"Conn.Beginx", false, func(ctx context.Context, db *schemadb.DB, fn func(surface)) error {
		return onConn(ctx, db, func(c *schemadb.Conn) error { return inTx(fn)(c.Beginx()) })
	}},
	{"Conn.BeginTxx", true, func(ctx context.Context, db *schemadb.DB, fn func(surface)) error {
		return onConn(ctx, db, func(c *schemadb.Conn) error { return inTx(fn)(c.BeginTxx(ctx, nil)) })
	}},
	{"InTx, nested", true, func(ctx context.Context, db *schemadb.DB, fn func(surface)) error {
		return db.InTx(ctx, func(tx *schemadb.Tx) error {
			return tx.InTx(context.Background(), func(tx *schemadb.Tx) error { fn(tx); return nil })
		})
	}},
}

func onConn(ctx context.Context, db *schemadb.DB, fn func(*schemadb.Conn) error) error {
	conn, err := db.Connx(ctx)
	if err != nil {
		return err
	}
	return errors.Join(fn(conn), conn.Close())
}

func inTx(fn func(surface)) func(*schemadb.Tx, error) error {
	return func(tx *schemadb.Tx, err error) error {
		if err != nil {
			return err
		}
		fn(tx)
		return tx.Commit()
	}
}

// says is what a context says about the schema.
type says struct {
	schema string // "" for WithoutSchema
	ok     bool   // it says something
}

func (s says) context(ctx context.Context) context.Context {
	switch {
	case !s.ok:
		return ctx
	case s.schema == "":
		return driver.WithoutSchema(ctx)
	}
	return driver.WithSchema(ctx, s.schema)
}

// Every way to run a statement, on everything that has it, under contexts that ask for another schema.
func TestSurface(t *testing.T) {
	t.Parallel()
	inA, inOdd, inNone := says{"a", true}, says{odd, true}, says{"", true}
	tests := []struct {
		bound            string
		begin, statement says
	}{
		{"a", inOdd, inOdd},
		{odd, inA, inNone},
		{"", inA, inOdd},
		{"", inOdd, inNone},
		{"", inOdd, says{}},
		{"", says{}, says{}},
	}
	for _, name := range drivers {
		for _, test := range tests {
			t.Run(fmt.Sprint(name, test), func(t *testing.T) {
				t.Parallel()
				pool := openAs(t, name, server.Database(t))
				tenants(t, pool, "public", "a", odd)
				db := schemadb.New(pool, test.bound)
				for _, facade := range facades {
					err := facade.use(test.begin.context(t.Context()), db, func(q surface) {
						for _, way := range ways {
							if way.raw && name == "pgx" && test.bound == "" {
								continue // it is refused; see TestRefusedOnPgx
							}
							want := "public" // {{tables.t}} is t without a schema
							switch {
							case test.bound != "":
								want = test.bound
							case way.ctx && test.statement.ok:
								want = test.statement.schema
							case facade.ctx && test.begin.ok:
								want = test.begin.schema
							}
							if want == "" {
								want = "public"
							}
							got, err := way.run(test.statement.context(t.Context()), q, want)
							wantOwner(t, facade.name+": "+way.name, got, err, want)
						}
					})
					if err != nil {
						t.Errorf("%s: %v", facade.name, err)
					}
				}
			})
		}
	}
}

// omitted are the methods of sqlx and database/sql that we do not have, or have with other parameters, each with why.
var omitted = map[string]string{
	"DB.Conn":        "a *sql.Conn cannot be bound to a schema; Connx is",
	"Tx.Stmt":        "a *sql.Stmt cannot be bound to the transaction's schema; Stmtx takes one",
	"Tx.StmtContext": "as Tx.Stmt; StmtxContext takes one",
	"Conn.Raw":       "its fn would get the driver's connection, of another type on each driver; ours gets pgx's, and a context",
}

// sqlx's methods, with those of database/sql that it embeds, are all there and can be called in the same way.
func TestSurfaceIsThatOfSqlx(t *testing.T) {
	t.Parallel()
	ours := map[reflect.Type]reflect.Type{
		reflect.TypeFor[*sqlx.DB]():        reflect.TypeFor[*schemadb.DB](),
		reflect.TypeFor[*sqlx.Tx]():        reflect.TypeFor[*schemadb.Tx](),
		reflect.TypeFor[*sqlx.Conn]():      reflect.TypeFor[*schemadb.Conn](),
		reflect.TypeFor[*sqlx.Stmt]():      reflect.TypeFor[*schemadb.Stmt](),
		reflect.TypeFor[*sqlx.NamedStmt](): reflect.TypeFor[*schemadb.NamedStmt](),
	}
	same := func(theirs, our reflect.Type) bool { return our == theirs || our == ours[theirs] }
	left := len(omitted)
	for theirs, our := range ours {
		for i := range theirs.NumMethod() {
			m := theirs.Method(i)
			name := our.Elem().Name() + "." + m.Name
			if omitted[name] != "" {
				left--
				if o, ok := our.MethodByName(m.Name); ok && o.Type.NumIn() == m.Type.NumIn() {
					t.Errorf("%s exists; take it out of the list", name)
				}
				continue
			}
			o, ok := our.MethodByName(m.Name)
			if !ok {
				t.Errorf("%s is missing: %s", name, m.Type)
				continue
			}
			if !slices.EqualFunc(signature(m.Type), signature(o.Type), same) || o.Type.IsVariadic() != m.Type.IsVariadic() {
				t.Errorf("%s is %s, want %s", name, o.Type, m.Type)
			}
		}
	}
	if left != 0 {
		t.Errorf("%d of the omitted methods are none of sqlx's", left)
	}
}

// signature returns the types of what a function takes, a nil, and the types of what it returns.
func signature(f reflect.Type) (types []reflect.Type) {
	for i := range f.NumIn() {
		types = append(types, f.In(i))
	}
	types = append(types, nil)
	for i := range f.NumOut() {
		types = append(types, f.Out(i))
	}
	return types
}

// The methods that ask nobody give the same on everything.
func TestSurfaceWithoutServer(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "a")
		for _, facade := range facades {
			err := facade.use(t.Context(), db, func(q surface) {
				if got := q.Schema(); got != "a" {
					t.Errorf("%s: Schema is %q", facade.name, got)
				}
				if got := sqlx.BindType(q.DriverName()); got != sqlx.DOLLAR {
					t.Errorf("%s: sqlx's bind type is %d", facade.name, got)
				}
				const marks = "SELECT '?' FROM {{tables.t}} WHERE id IN (?) AND owner = ?"
				query, args, err := q.In(marks, []int{7, 8}, "x")
				if err != nil || !reflect.DeepEqual(args, []any{7, 8, "x"}) {
					t.Errorf("%s: In gives %v, %v", facade.name, args, err)
				}
				const want = "SELECT '?' FROM {{tables.t}} WHERE id IN ($1, $2) AND owner = $3"
				if got := q.Rebind(query); got != want {
					t.Errorf("%s: Rebind gives %s", facade.name, got)
				}
				query, args, err = q.BindNamed("SELECT {{tables.t}}, :owner::text, :owner", owned{"x"})
				if err != nil || query != "SELECT {{tables.t}}, $1::text, $2" || !reflect.DeepEqual(args, []any{"x", "x"}) {
					t.Errorf("%s: BindNamed gives %s, %v, %v", facade.name, query, args, err)
				}
			})
			if err != nil {
				t.Errorf("%s: %v", facade.name, err)
			}
		}
	})
}

// surfaceReaders are the ways to read a struct.
var surfaceReaders = map[string]func(ctx context.Context, q surface, dest *owned) error{
	"Get": func(_ context.Context, q surface, dest *owned) error { return q.Get(dest, allQuery) },
	"Select": func(ctx context.Context, q surface, dest *owned) error {
		var all []owned
		err := q.SelectContext(ctx, &all, allQuery)
		if err == nil {
			*dest = all[0]
		}
		return err
	},
	"Queryx": func(ctx context.Context, q surface, dest *owned) error {
		return structScan(dest)(q.QueryxContext(ctx, allQuery))
	},
	"QueryRowx": func(_ context.Context, q surface, dest *owned) error {
		return q.QueryRowx(allQuery).StructScan(dest)
	},
	"NamedQuery": func(_ context.Context, q surface, dest *owned) error {
		return structScan(dest)(q.NamedQuery("SELECT * FROM {{tables.t}} WHERE id = :id", map[string]any{"id": 1}))
	},
	"One": func(ctx context.Context, q surface, dest *owned) (err error) {
		*dest, err = schemadb.One[owned](ctx, q, allQuery)
		return err
	},
	"Stmt, Get": func(ctx context.Context, q surface, dest *owned) error {
		return readStmt(ctx, q, dest, (*schemadb.Stmt).GetContext)
	},
	"Stmt, QueryRowx": func(ctx context.Context, q surface, dest *owned) error { return readStmt(ctx, q, dest, scanStmt) },
	"NamedStmt, Get": func(ctx context.Context, q surface, dest *owned) error {
		stmt, err := q.PrepareNamed("SELECT * FROM {{tables.t}} WHERE id = :id")
		if err != nil {
			return err
		}
		return errors.Join(stmt.GetContext(ctx, dest, map[string]any{"id": 1}), stmt.Close())
	},
}

const allQuery = "SELECT * FROM {{tables.t}} WHERE id = 1" // its id has no field in owned

func structScan(dest any) func(*sqlx.Rows, error) error {
	return func(rows *sqlx.Rows, err error) error {
		if err != nil {
			return err
		}
		defer rows.Close()
		rows.Next()
		return errors.Join(rows.StructScan(dest), rows.Err())
	}
}

func readStmt(
	ctx context.Context, q surface, dest *owned, read func(*schemadb.Stmt, context.Context, any, ...any) error,
) error {
	stmt, err := q.Preparex(allQuery)
	if err != nil {
		return err
	}
	return errors.Join(read(stmt, ctx, dest), stmt.Close())
}

func scanStmt(stmt *schemadb.Stmt, ctx context.Context, dest any, _ ...any) error {
	return stmt.QueryRowxContext(ctx).StructScan(dest)
}

// A column without a field is an error, unless the view is Unsafe. The views that it was made from stay strict.
func TestUnsafeOnEveryForm(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		a := tenants(t, pool, "a")[0]
		lax := a.Unsafe()
		for _, db := range []*schemadb.DB{a, lax, lax.ForSchema("a")} {
			for _, facade := range facades {
				unsafe := db != a || strings.HasSuffix(facade.name, "Unsafe")
				err := facade.use(t.Context(), db, func(q surface) {
					for name, read := range surfaceReaders {
						var got owned
						err := read(t.Context(), q, &got)
						if unsafe {
							wantOwner(t, facade.name+": "+name, got.Owner, err, "a")
						} else {
							wantError(t, facade.name+": "+name, err, "id", "owned")
						}
					}
				})
				if err != nil {
					t.Errorf("%s: %v", facade.name, err)
				}
			}
		}
		stmt, err := a.Preparex(allQuery)
		if err != nil {
			t.Fatal(err)
		}
		defer stmt.Close()
		var got owned
		err = stmt.Unsafe().Get(&got)
		wantOwner(t, "Stmt.Unsafe, Get", got.Owner, err, "a")
		got = owned{}
		err = stmt.Unsafe().QueryRowx().StructScan(&got)
		wantOwner(t, "Stmt.Unsafe, QueryRowx", got.Owner, err, "a")
		wantError(t, "the statement itself", stmt.Get(&got), "id")
		tx := a.MustBegin()
		defer tx.Rollback()
		got = owned{}
		err = tx.Unsafe().Stmtx(stmt).QueryRowx().StructScan(&got)
		wantOwner(t, "Stmtx of Tx.Unsafe, QueryRowx", got.Owner, err, "a")
		wantError(t, "Stmtx of the Tx itself", tx.Stmtx(stmt).QueryRowx().StructScan(&got), "id")
	})
}

func TestMapperFuncOnEveryForm(t *testing.T) {
	t.Parallel()
	type row struct{ XID int64 }
	const query = `SELECT id AS "XID!" FROM {{tables.t}}`
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		a := tenants(t, pool, "a")[0]
		before := a.ForSchema("a")
		view := a.ForSchema("a")
		view.MapperFunc(func(name string) string { return name + "!" })
		for _, db := range []*schemadb.DB{view, view.ForSchema("a"), view.Unsafe()} {
			for _, facade := range facades {
				err := facade.use(t.Context(), db, func(q surface) {
					var got, scanned row
					if err := q.Get(&got, query); err != nil || got.XID != 1 {
						t.Errorf("%s: Get gives %v, %v", facade.name, got, err)
					}
					if err := q.QueryRowx(query).StructScan(&scanned); err != nil || scanned.XID != 1 {
						t.Errorf("%s: StructScan gives %v, %v", facade.name, scanned, err)
					}
					stmt, err := q.Preparex(query)
					if err != nil {
						t.Fatal(err)
					}
					defer stmt.Close()
					scanned = row{}
					if err := stmt.QueryRowx().StructScan(&scanned); err != nil || scanned.XID != 1 {
						t.Errorf("%s: StructScan of a statement gives %v, %v", facade.name, scanned, err)
					}
					_, args, err := q.BindNamed("SELECT :xid", row{})
					if err == nil {
						t.Errorf("%s: BindNamed finds a field under its old name: %v", facade.name, args)
					}
				})
				if err != nil {
					t.Errorf("%s: %v", facade.name, err)
				}
			}
		}
		for _, db := range []*schemadb.DB{a, before} {
			wantError(t, "Get of a view that was there before", db.Get(new(row), query), "XID!")
			wantError(t, "StructScan of a view that was there before", db.QueryRowx(query).StructScan(new(row)), "XID!")
		}
	})
}

// countedPool opens a pool that counts what its connections write to the server.
func countedPool(t *testing.T, name, dsn string) (*sql.DB, *atomic.Int64) {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	writes := new(atomic.Int64)
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return countedConn{conn, writes}, err
	}
	pool := stdlib.OpenDB(*config)
	if name == driver.Name {
		pool = driver.OpenDB(*config)
	}
	t.Cleanup(func() { pool.Close() })
	return pool, writes
}

type countedConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countedConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// silent are the methods that send nothing, or that only end something.
var silent = strings.Fields(`Schema DriverName Mapper MapperFunc Rebind BindNamed In Unsafe ForSchema Pool Stats Driver
	SetMaxOpenConns SetMaxIdleConns SetConnMaxLifetime SetConnMaxIdleTime Close Commit Rollback
	Stmtx StmtxContext NamedStmt NamedStmtContext`) // the last ones return a statement that fails

// callAll calls every method of v that takes a context, or every one that could send something if ctx says nothing, with
// arguments that it can work with. It hands what each returns, or panics with, to check.
func callAll(ctx context.Context, t *testing.T, v any, check func(t testing.TB, how string, err error)) {
	t.Helper()
	_, poisoned := driver.SchemaFromContext(ctx)
	poisoned = !poisoned && ctx != t.Context()
	n := 0
	for i := range reflect.TypeOf(v).NumMethod() {
		m, f := reflect.TypeOf(v).Method(i), reflect.ValueOf(v).Method(i)
		takes := f.Type().NumIn() > 0 && f.Type().In(0) == reflect.TypeFor[context.Context]()
		if slices.Contains(silent, m.Name) || poisoned && !takes {
			continue
		}
		n++
		how := fmt.Sprintf("%T.%s", v, m.Name)
		check(t, how, call(f, arguments(ctx, t, m.Name, f.Type())))
	}
	if n < 8 {
		t.Errorf("%T has only %d methods", v, n)
	}
	if q, ok := v.(schemadb.Querier); ok {
		check(t, "One", second(schemadb.One[string](ctx, q, insert)))
		check(t, "Value", second(schemadb.Value[string](ctx, q, insert)))
		check(t, "Collect", second(schemadb.Collect[string](ctx, q, insert)))
		for _, err := range schemadb.Each[string](ctx, q, insert) {
			check(t, "Each", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// insert leaves a row if it is executed.
const insert = "INSERT INTO {{tables.t}} (owner) VALUES ('nobody') RETURNING owner"

func arguments(ctx context.Context, t *testing.T, method string, f reflect.Type) (args []reflect.Value) {
	fixed := f.NumIn()
	if f.IsVariadic() {
		fixed--
	}
	dest := any(map[string]any{}) // the argument of Named methods
	switch {
	case strings.HasPrefix(method, "Get"):
		dest = new(string)
	case strings.HasPrefix(method, "Select"):
		dest = new([]string)
	case method == "CopyFrom" || method == "ExecMany":
		dest = [][]any{{"nobody"}}
	}
	for i := range fixed {
		switch in := f.In(i); {
		case in == reflect.TypeFor[context.Context]():
			args = append(args, reflect.ValueOf(ctx))
		case in.Kind() == reflect.String && (method == "CopyFrom" || method == "TableExists"):
			args = append(args, reflect.ValueOf("t"))
		case in.Kind() == reflect.String:
			args = append(args, reflect.ValueOf(insert))
		case in == reflect.TypeFor[[]string]():
			args = append(args, reflect.ValueOf([]string{"owner"}))
		case in == reflect.TypeFor[any]():
			args = append(args, reflect.ValueOf(dest))
			dest = map[string]any{}
		case in.Kind() == reflect.Func:
			args = append(args, reflect.MakeFunc(in, func([]reflect.Value) []reflect.Value {
				t.Errorf("%s calls its closure", method)
				return []reflect.Value{reflect.Zero(reflect.TypeFor[error]())}
			}))
		default:
			args = append(args, reflect.Zero(in))
		}
	}
	return args
}

// call returns the error that f returns, has in its row, or panics with.
func call(f reflect.Value, args []reflect.Value) (err error) {
	defer func() {
		if r := recover(); r != nil {
			var ok bool
			if err, ok = r.(error); !ok || strings.Contains(fmt.Sprintf("%T", err), "runtime.") {
				panic(r)
			}
		}
	}()
	out := f.Call(args)
	switch last := out[len(out)-1].Interface().(type) {
	case error:
		return last
	case interface{ Scan(...any) error }:
		return last.Scan(new(string))
	}
	return nil
}

// wantSchemaError fails the test unless err says that a name is no schema's.
func wantSchemaError(t testing.TB, how string, err error) {
	t.Helper()
	if strings.HasSuffix(how, ".DropSchema") && err != nil {
		return // an unbound facade drops nothing in any case
	}
	var schemaErr *driver.SchemaError
	if !errors.As(err, &schemaErr) {
		t.Errorf("%s: error %v, want a *driver.SchemaError", how, err)
	}
}

// wantSilence fails the test if anything was written to the server since before, or is in the table t.
func wantSilence(t *testing.T, db *schemadb.DB, writes *atomic.Int64, before int64) {
	t.Helper()
	if n := writes.Load() - before; n != 0 {
		t.Errorf("%d messages were sent", n)
	}
	if n := value[int](t, db, "SELECT count(*) FROM {{tables.t}}"); n != 1 {
		t.Errorf("the table has %d rows, want 1", n)
	}
}

// Nothing is sent under a context whose schema's name got lost, not even in a transaction, whose own schema is right.
func TestPoisonedContext(t *testing.T) {
	t.Parallel()
	for _, name := range drivers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, writes := countedPool(t, name, server.Database(t))
			a := tenants(t, pool, "a")[0]
			db := schemadb.New(pool, "")
			good := driver.WithSchema(t.Context(), "a")
			tx := db.MustBeginTx(good, nil)
			defer tx.Rollback()
			conn, err := db.Connx(good)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			stmt, err := db.PreparexContext(good, insert)
			if err != nil {
				t.Fatal(err)
			}
			defer stmt.Close()
			namedStmt, err := tx.PrepareNamedContext(good, insert)
			if err != nil {
				t.Fatal(err)
			}
			defer namedStmt.Close()
			raw, err := a.Prepare(insert)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			inTx := tx.Stmtx(raw)
			before := writes.Load()
			for _, bad := range []string{"", "pg_x", "a\x00", strings.Repeat("ö", 32)} {
				poisoned := driver.WithSchema(good, bad)
				for _, v := range []any{
					db, db.Unsafe(), tx, conn, stmt, stmt.Unsafe(), namedStmt, tx.StmtxContext(poisoned, stmt), inTx, inTx.Unsafe(),
				} {
					callAll(poisoned, t, v, wantSchemaError)
				}
			}
			wantSilence(t, a, writes, before)
			got, err := schemadb.Value[string](t.Context(), tx, ownerQuery)
			wantOwner(t, "the transaction goes on", got, err, "a")
		})
	}
}

// A facade with an invalid name fails everywhere, and does not fall back to the context or the DSN.
func TestInvalidName(t *testing.T) {
	t.Parallel()
	for _, name := range drivers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, writes := countedPool(t, name, server.Database(t))
			a := tenants(t, pool, "a")[0]
			tx := a.MustBegin()
			defer tx.Rollback()
			before := writes.Load()
			for _, bad := range []string{"pg_x", "information_schema", "$user", "a\x00", "{{a", strings.Repeat("ö", 32)} {
				for _, v := range []any{schemadb.New(pool, bad), a.ForSchema(bad), a.ForSchema(bad).Unsafe(), tx.ForSchema(bad)} {
					callAll(t.Context(), t, v, wantSchemaError)
				}
				got, err := a.ForSchema(bad).ForSchema("a").Expand(ownerQuery)
				if want := strings.Replace(ownerQuery, "{{tables.t}}", `"a".t`, 1); err != nil || got != want {
					t.Errorf("a good view of the bad one expands to %s, %v", got, err)
				}
			}
			wantSilence(t, a, writes, before)
		})
	}
}
