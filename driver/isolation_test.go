package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/pgdbm/pgdbm/driver"
)

// in returns what [driver.WithSchema] does to a context.
func in(schema string) func(context.Context) context.Context {
	return func(ctx context.Context) context.Context { return driver.WithSchema(ctx, schema) }
}

// same leaves a context as it is.
func same(ctx context.Context) context.Context { return ctx }

// wantEverywhere fails the test unless every kind of statement works on the table of schema want.
func wantEverywhere(ctx context.Context, t *testing.T, q querier, want string) {
	t.Helper()
	wantOwner(ctx, t, q, want)
	const update = "UPDATE {{tables.t}} SET owner = owner WHERE owner = $1"
	checkUpdate := func(how string, result sql.Result, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		if n, _ := result.RowsAffected(); n != 1 {
			t.Errorf("%s does not work on schema %q", how, want)
		}
	}
	result, err := q.ExecContext(ctx, update, want)
	checkUpdate("Exec", result, err)
	result, err = prepare(ctx, t, q, update).ExecContext(ctx, want)
	checkUpdate("Exec of a prepared statement", result, err)

	rows, err := q.QueryContext(ctx, ownerQuery)
	checkOwners(t, "Query", rows, err, want)
	rows, err = prepare(ctx, t, q, ownerQuery).QueryContext(ctx)
	checkOwners(t, "Query of a prepared statement", rows, err, want)
}

func checkOwners(t *testing.T, how string, rows *sql.Rows, err error, want string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", how, err)
	}
	defer func() { _ = rows.Close() }()
	n := 0
	for ; rows.Next(); n++ {
		var got string
		if err := rows.Scan(&got); err != nil || got != want {
			t.Errorf("%s read the row of schema %q (%v), want %q", how, got, err, want)
		}
	}
	if err := rows.Err(); err != nil || n != 1 {
		t.Errorf("%s: %d rows, %v", how, n, err)
	}
}

func TestSchemaOfStatement(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", odd)
	for _, test := range []struct {
		name, dsnSchema string
		change          func(context.Context) context.Context
		want            string
	}{
		{"none", "", same, "public"},
		{"DSN", "a", same, "a"},
		{"odd DSN", odd, same, odd},
		{"context", "", in(odd), odd},
		{"context over DSN", "a", in(odd), odd},
		{"WithoutSchema over DSN", "a", driver.WithoutSchema, "public"},
		{"inner WithSchema counts", "", func(ctx context.Context) context.Context { return in("a")(in(odd)(ctx)) }, "a"},
		{"WithSchema in WithoutSchema", odd,
			func(ctx context.Context) context.Context { return in("a")(driver.WithoutSchema(ctx)) }, "a"},
		{"WithoutSchema in WithSchema", odd,
			func(ctx context.Context) context.Context { return driver.WithoutSchema(in("a")(ctx)) }, "public"},
		{"good context from a poisoned one", odd,
			func(ctx context.Context) context.Context { return in("a")(in("")(ctx)) }, "a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dsn := dsn
			if test.dsnSchema != "" {
				dsn = withSchema(t, dsn, test.dsnSchema) + "&schema_mode=template"
			}
			db, ctx := openDB(t, dsn), test.change(t.Context())
			wantEverywhere(ctx, t, db, test.want)
			wantEverywhere(ctx, t, holdConn(t.Context(), t, db), test.want)
			tx := begin(t.Context(), t, db)
			wantEverywhere(ctx, t, tx, test.want)
			if err := tx.Rollback(); err != nil { // it has locked the row
				t.Fatal(err)
			}
			wantEverywhere(t.Context(), t, begin(ctx, t, db), test.want)
		})
	}
}

func TestNamesThatNeedQuoting(t *testing.T) {
	t.Parallel()
	names := []string{
		`a'b`, `a"b`, `a$1b`, `$2`, `$1$2'`, `a@n b`, `a;b--`, `a/*b`, `$$`, `a\b`, ` a`, `UPPER`, `upper`, `日本`, `%s`, `a?b`, `select`,
		strings.Repeat("ü", 31),
	}
	dsn := server.Database(t)
	for _, name := range names {
		ident := pgx.Identifier{name}.Sanitize()
		admin(t, dsn, "CREATE SCHEMA "+ident, "CREATE TABLE "+ident+".t (id int)")
	}
	db := openDB(t, dsn)
	under := openDB(t, dsn+"&schema_mode=search_path")
	for _, name := range names {
		ctx := driver.WithSchema(t.Context(), name)
		exec(ctx, t, under, "DROP TABLE IF EXISTS mark; CREATE TABLE mark AS SELECT current_schema() AS name")
		if got := get[string](ctx, t, under, "SELECT name FROM mark WHERE name = $1", name); got != name {
			t.Errorf("under the path of %q: %q", name, got)
		}
	}
	const query = "SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace " +
		"WHERE c.oid = '{{tables.t}}'::regclass AND NOT EXISTS (SELECT FROM {{tables.t}} WHERE id = "
	for _, name := range names {
		ctx := driver.WithSchema(t.Context(), name)
		for how, got := range map[string]string{
			"$1":       get[string](ctx, t, db, query+"$1)", 1),
			"simple":   get[string](ctx, t, db, query+"$1)", pgx.QueryExecModeSimpleProtocol, 1),
			"named":    get[string](ctx, t, db, query+"@n)", pgx.NamedArgs{"n": 1}),
			"constant": get[string](ctx, t, db, query+"1)"),
		} {
			if got != name {
				t.Errorf("schema %q, argument %s: reads the table of %q", name, how, got)
			}
		}
	}
}

func TestPoisonedContext(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	for _, name := range []string{
		"", strings.Repeat("x", 64), "pg_toast", "$user", "information_schema", "a\x00b", "\xff", "a{{b",
	} {
		for _, mode := range []string{"template", "search_path"} {
			t.Run(fmt.Sprintf("%.12q/%s", name, mode), func(t *testing.T) {
				t.Parallel()
				testPoisonedContext(t, dsn, mode, name)
			})
		}
	}
}

func testPoisonedContext(t *testing.T, dsn, mode, name string) {
	const insert = "INSERT INTO {{tables.t}} VALUES (2, 'lost')"
	db := openDB(t, withSchema(t, dsn, "a")+"&schema_mode="+mode)
	ctx := driver.WithSchema(t.Context(), name)
	stmt := prepare(t.Context(), t, db, insert)
	conn, tx := holdConn(t.Context(), t, db), begin(t.Context(), t, db)
	raw := func(*pgx.Conn) error { return errors.New("Raw called its function") }
	for how, err := range map[string]error{
		"Exec":       second(db.ExecContext(ctx, insert)),
		"plain Exec": second(db.ExecContext(ctx, "INSERT INTO a.t VALUES (2, 'lost')")),
		"Query":      second(db.QueryContext(ctx, insert+" RETURNING 1")),
		"QueryRow":   db.QueryRowContext(ctx, insert+" RETURNING 1").Scan(new(int)),
		"Prepare":    second(db.PrepareContext(ctx, insert)),
		"stmt":       second(stmt.ExecContext(ctx)),
		"BeginTx":    second(db.BeginTx(ctx, nil)),
		"Raw":        driver.Raw(ctx, db, raw),
		"conn Raw":   driver.Raw(ctx, conn, raw),
		"pgx's Raw":  driver.Raw(ctx, openAs(t, "pgx", dsn), raw),
		"conn":       second(conn.ExecContext(ctx, insert)),
		"conn begin": second(conn.BeginTx(ctx, nil)),
		"tx":         second(tx.ExecContext(ctx, insert)),
		"tx stmt":    second(tx.StmtContext(ctx, stmt).ExecContext(ctx)),
		"tx prepare": second(tx.PrepareContext(ctx, insert)),
	} {
		var schemaErr *driver.SchemaError
		if !errors.As(err, &schemaErr) || schemaErr.Name != name {
			t.Errorf("%s: %v, want a *SchemaError for the name", how, err)
		}
	}
	wantOwner(t.Context(), t, tx, "a")
	if err := errors.Join(tx.Commit(), conn.Close()); err != nil {
		t.Error(err)
	}
	wantOwner(t.Context(), t, db, "a")
	wantOwners(t, dsn, "a", "a")
	wantIdle(t, db)
}

// second returns the error of a call that returns something else too.
func second[T any](_ T, err error) error { return err }

func TestSchemaRequired(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", odd)
	for _, test := range []struct {
		required, dsnSchema string
		tx, statement       func(context.Context) context.Context
		refused             bool
	}{
		{"false", "", same, same, false},
		{"true", "", same, same, true},
		{"true", "", same, driver.WithoutSchema, true},
		{"true", "", same, in(odd), false},
		{"true", "", in(odd), same, false},
		{"true", "", in(odd), driver.WithoutSchema, true},
		{"true", "a", same, same, false},
		{"true", "a", same, driver.WithoutSchema, true},
		{"true", "a", driver.WithoutSchema, same, true},
		{"context", "a", same, same, true},
		{"context", "a", same, driver.WithoutSchema, true},
		{"context", "a", same, in(odd), false},
		{"context", "a", in(odd), same, false},
		{"context", "a", in(odd), driver.WithoutSchema, true},
	} {
		dsn := dsn
		if test.dsnSchema != "" {
			dsn = withSchema(t, dsn, test.dsnSchema)
		}
		db := openDB(t, dsn+"&schema_mode=template&schema_required="+test.required)
		tx, ctx := begin(test.tx(t.Context()), t, db), test.statement(t.Context())
		stmt := prepare(in("a")(ctx), t, tx, ownerQuery)
		for how, err := range map[string]error{
			"Exec":      second(tx.ExecContext(ctx, ownerQuery)),
			"plain SQL": second(tx.ExecContext(ctx, "SELECT 1")),
			"QueryRow":  tx.QueryRowContext(ctx, ownerQuery).Scan(new(string)),
			"Prepare":   second(tx.PrepareContext(ctx, ownerQuery)),
			"stmt":      stmt.QueryRowContext(ctx).Scan(new(string)),
		} {
			if refused := errors.Is(err, driver.ErrSchemaRequired); refused != test.refused || !refused && err != nil {
				t.Errorf("%+v: %s: %v", test, how, err)
			}
		}
		exec(ctx, t, tx, "SAVEPOINT s; ROLLBACK TO s")
		if err := tx.Commit(); err != nil {
			t.Errorf("%+v: commit: %v", test, err)
		}
	}
}

func TestTemplatesBraces(t *testing.T) {
	t.Parallel()
	dsn, ctx := newTenants(t, "a"), driver.WithSchema(t.Context(), "a")
	const shift, angles = "SELECT 8 <<tables.id>> 1 FROM {{tables.t}} AS tables", "SELECT owner FROM <<tables.t>>"
	for _, test := range []struct{ key, works, fails string }{
		{"", angles, shift}, {"&templates=both", angles, shift}, {"&templates=braces", shift, angles},
	} {
		db := openDB(t, dsn+test.key)
		if _, err := db.ExecContext(ctx, test.works); err != nil {
			t.Errorf("%s: %v", test.key, err)
		}
		if _, err := db.ExecContext(ctx, test.fails); err == nil {
			t.Errorf("%s: %s works", test.key, test.fails)
		}
	}
}

// TestManyTenantsAtOnce does whatever the driver can do, in random order, on few connections.
func TestManyTenantsAtOnce(t *testing.T) {
	t.Parallel()
	for mode, table := range map[string]string{"template": "{{tables.t}}", "search_path": "t"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			testManyTenants(t, mode, soak{table})
		})
	}
}

func testManyTenants(t *testing.T, mode string, s soak) {
	const goroutines, operations, connections = 16, 250, 4
	schemas := []string{odd}
	for i := range 19 {
		schemas = append(schemas, fmt.Sprint("tenant ", i))
	}
	db := openDB(t, withSchema(t, newTenants(t, schemas...), odd)+"&schema_mode="+mode)
	db.SetMaxOpenConns(connections)
	stmt := prepare(t.Context(), t, db, s.query())

	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			for range operations {
				ctx, schema := t.Context(), schemas[rand.IntN(len(schemas))]
				if schema != odd || rand.IntN(2) == 0 {
					ctx = driver.WithSchema(ctx, schema)
				}
				kind := rand.IntN(40)
				if kind >= len(soakKinds) { // most are cheap
					kind %= 3
				}
				if err := soakKinds[kind](ctx, s, db, stmt, schema); err != nil {
					t.Errorf("operation %d, schema %q: %v", kind, schema, err)
				}
			}
		})
	}
	group.Wait()
	wantIdle(t, db)
}

// soak is for operations on a table that is named in one way.
type soak struct{ table string }

func (s soak) query() string { return "SELECT owner FROM " + s.table + " WHERE id = 1" }

// soakKinds are operations that find the row of schema, which is the one of ctx.
var soakKinds = []func(ctx context.Context, s soak, db *sql.DB, stmt *sql.Stmt, schema string) error{
	func(ctx context.Context, s soak, db *sql.DB, _ *sql.Stmt, schema string) error {
		return checkRow(db.QueryRowContext(ctx, s.query()), schema)
	},
	func(ctx context.Context, _ soak, _ *sql.DB, stmt *sql.Stmt, schema string) error {
		return checkRow(stmt.QueryRowContext(ctx), schema)
	},
	func(ctx context.Context, s soak, db *sql.DB, stmt *sql.Stmt, schema string) error {
		return s.tx(ctx, db, stmt, schema)
	},
	func(ctx context.Context, s soak, db *sql.DB, _ *sql.Stmt, schema string) error {
		return checkRow(db.QueryRowContext(ctx, "SELECT set_config('my.owner', owner, false) FROM "+s.table), schema)
	},
	func(ctx context.Context, s soak, db *sql.DB, _ *sql.Stmt, schema string) error {
		var left string
		err := db.QueryRowContext(ctx, "SELECT coalesce(current_setting('my.owner', true), '')").Scan(&left)
		_, bound := driver.SchemaFromContext(ctx)
		if left != "" && (bound || left != odd) {
			err = fmt.Errorf("found the setting of schema %q", left)
		}
		return errors.Join(err, checkRow(db.QueryRowContext(ctx, s.query()), schema))
	},
	func(ctx context.Context, s soak, db *sql.DB, _ *sql.Stmt, schema string) error {
		if err := db.QueryRowContext(driver.WithSchema(ctx, ""), s.query()).Scan(new(string)); err == nil {
			return errors.New("a poisoned context found a row")
		}
		_, err := db.ExecContext(ctx, "SELECT 1 / (length(owner) - length(owner)) FROM "+s.table)
		if err == nil {
			return errors.New("a division by zero works")
		}
		return checkRow(db.QueryRowContext(ctx, s.query()), schema)
	},
}

// tx reads a schema's row in a transaction, between those of another and of none, and ends it in one of two ways.
func (s soak) tx(ctx context.Context, db *sql.DB, stmt *sql.Stmt, schema string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	err = errors.Join(
		checkRow(tx.QueryRow(s.query()), schema),
		checkRow(tx.QueryRowContext(driver.WithSchema(ctx, "tenant 3"), s.query()), "tenant 3"),
		checkRow(tx.StmtContext(ctx, stmt).QueryRow(), schema),
		checkRow(tx.QueryRowContext(driver.WithoutSchema(ctx), s.query()), "public"),
		checkRow(tx.QueryRow("UPDATE "+s.table+" SET owner = owner WHERE id = 1 RETURNING owner"), schema))
	if rand.IntN(2) == 0 {
		return errors.Join(err, tx.Rollback())
	}
	return errors.Join(err, tx.Commit())
}

func checkRow(row *sql.Row, want string) error {
	var got string
	if err := row.Scan(&got); err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("read the row of schema %q, want %q", got, want)
	}
	return nil
}
