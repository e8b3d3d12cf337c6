package driver_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
)

// rawDatabases opens dsn in every way that gives a database of pgx.
func rawDatabases(t *testing.T, dsn string) map[string]*sql.DB {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	databases := map[string]*sql.DB{
		"pgdbm":                 openDB(t, dsn),
		"pgdbm, search_path":    openDB(t, withSchema(t, dsn, "app")),
		"pgdbm.OpenDB":          driver.OpenDB(*parsed(t, dsn)),
		"pgdbm on a pool":       driver.OpenDBFromPool(pool),
		"pgx":                   openAs(t, "pgx", dsn),
		"pgx/v5/stdlib.OpenDB":  stdlib.OpenDB(*parsed(t, dsn)),
		"pgx/v5/stdlib, a pool": stdlib.OpenDBFromPool(pool),
	}
	for _, db := range databases {
		t.Cleanup(func() { _ = db.Close() })
	}
	return databases
}

// TestRawCopies does what the package is asked for most: COPY and a batch, on a *sql.DB and on a *sql.Conn.
func TestRawCopies(t *testing.T) {
	t.Parallel()
	for name, db := range rawDatabases(t, newTenants(t, "app")) {
		t.Run(name, func(t *testing.T) {
			copyThenBatch := func(conn *pgx.Conn) error {
				if _, err := conn.Exec(t.Context(), "CREATE TEMPORARY TABLE n (i int)"); err != nil {
					return err
				}
				rows := pgx.CopyFromRows([][]any{{1}, {2}, {3}})
				if n, err := conn.CopyFrom(t.Context(), pgx.Identifier{"n"}, []string{"i"}, rows); n != 3 || err != nil {
					t.Errorf("CopyFrom: %d, %v", n, err)
				}
				batch := &pgx.Batch{}
				batch.Queue("DELETE FROM n WHERE i = $1", 1)
				batch.Queue("SELECT sum(i)::int FROM n").QueryRow(func(row pgx.Row) error {
					var sum int
					err := row.Scan(&sum)
					if sum != 5 {
						t.Errorf("the sum is %d", sum)
					}
					return err
				})
				batch.Queue("DROP TABLE n")
				return conn.SendBatch(t.Context(), batch).Close()
			}
			if err := driver.Raw(t.Context(), db, copyThenBatch); err != nil {
				t.Errorf("on the *sql.DB: %v", err)
			}
			conn := holdConn(t.Context(), t, db)
			if err := driver.Raw(t.Context(), conn, copyThenBatch); err != nil {
				t.Errorf("on the *sql.Conn: %v", err)
			}
			if err := conn.PingContext(t.Context()); err != nil {
				t.Errorf("the *sql.Conn is not usable any more: %v", err)
			}
		})
	}
}

func TestRawReturnsTheErrorAsItIs(t *testing.T) {
	t.Parallel()
	want := errors.New("mine")
	for name, db := range rawDatabases(t, newTenants(t, "app")) {
		fail := func(*pgx.Conn) error { return want }
		if err := driver.Raw(t.Context(), db, fail); err != want {
			t.Errorf("%s: on the *sql.DB: got %v", name, err)
		}
		if err := driver.Raw(t.Context(), holdConn(t.Context(), t, db), fail); err != want {
			t.Errorf("%s: on the *sql.Conn: got %v", name, err)
		}
	}
}

func TestRawPanicLeaksNoConnection(t *testing.T) {
	t.Parallel()
	panics := func(call func() error) (value any) {
		defer func() { value = recover() }()
		return call()
	}
	for name, db := range rawDatabases(t, newTenants(t, "app")) {
		t.Run(name, func(t *testing.T) {
			db.SetMaxOpenConns(1)
			boom := func(*pgx.Conn) error { panic("boom") }
			if got := panics(func() error { return driver.Raw(t.Context(), db, boom) }); got != "boom" {
				t.Errorf("on the *sql.DB: got %v", got)
			}
			if n := db.Stats().InUse; n != 0 {
				t.Fatalf("%d connections are in use", n)
			}
			conn, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := panics(func() error { return driver.Raw(t.Context(), conn, boom) }); got != "boom" {
				t.Errorf("on the *sql.Conn: got %v", got)
			}
			_ = conn.Close()
			if n := db.Stats().InUse; n != 0 {
				t.Fatalf("%d connections are in use", n)
			}
			if err := db.PingContext(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestRawNests(t *testing.T) {
	t.Parallel()
	db := openDB(t, newTenants(t, "app"))
	ctx := driver.WithSchema(t.Context(), "app")
	err := driver.Raw(ctx, db, func(outer *pgx.Conn) error {
		wantOwner(ctx, t, db, "app")
		return driver.Raw(ctx, db, func(inner *pgx.Conn) error {
			if inner == outer {
				t.Error("both have the same connection")
			}
			return inner.Ping(ctx)
		})
	})
	if err != nil {
		t.Error(err)
	}
	if n := db.Stats().InUse; n != 0 {
		t.Errorf("%d connections are in use", n)
	}
}

// Under a schema, what fn leaves in the session must not reach the next borrower; without one it may, as with pgx.
func TestRawUnderASchemaClosesTheConnection(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "app")
	tests := []struct {
		name string
		ctx  context.Context
		kept bool
	}{
		{"no schema", t.Context(), true},
		{"WithSchema", driver.WithSchema(t.Context(), "app"), false},
		{"WithoutSchema", driver.WithoutSchema(t.Context()), false},
	}
	for _, test := range tests {
		db := openOne(t, dsn)
		err := driver.Raw(test.ctx, db, func(conn *pgx.Conn) error {
			_, err := conn.Exec(test.ctx, "SET search_path = app")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := get[string](t.Context(), t, db, "SHOW search_path") == "app"; got != test.kept {
			t.Errorf("%s: the next borrower has the search_path: %v, want %v", test.name, got, test.kept)
		}
	}
}

func TestRawRefusesAPoisonedContext(t *testing.T) {
	t.Parallel()
	ctx := driver.WithSchema(t.Context(), "")
	for name, db := range rawDatabases(t, newTenants(t, "app")) {
		called := false
		err := driver.Raw(ctx, db, func(*pgx.Conn) error { called = true; return nil })
		var schemaErr *driver.SchemaError
		if !errors.As(err, &schemaErr) || called {
			t.Errorf("%s: got %v, called: %v; want a *SchemaError", name, err, called)
		}
	}
}

func TestRawOnClosed(t *testing.T) {
	t.Parallel()
	db := openDB(t, server.Database(t))
	conn := holdConn(t.Context(), t, db)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	never := func(*pgx.Conn) error { t.Error("called"); return nil }
	if err := driver.Raw(t.Context(), conn, never); !errors.Is(err, sql.ErrConnDone) {
		t.Errorf("on a closed *sql.Conn: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := driver.Raw(t.Context(), db, never); err == nil {
		t.Error("no error on a closed *sql.DB")
	}
}

// otherDriver is a driver that has nothing to do with pgx.
type otherDriver struct{}

type otherConn struct{ sqldriver.Conn }

func (otherDriver) Connect(context.Context) (sqldriver.Conn, error) { return otherConn{}, nil }
func (otherDriver) Driver() sqldriver.Driver                        { return nil }
func (otherConn) Close() error                                      { return nil }

func TestRawOnAnotherDriver(t *testing.T) {
	t.Parallel()
	db := sql.OpenDB(otherDriver{})
	defer db.Close()
	err := driver.Raw(t.Context(), db, func(*pgx.Conn) error { t.Error("called"); return nil })
	if err == nil || !strings.Contains(err.Error(), "not one of pgx") || !strings.Contains(err.Error(), "otherConn") {
		t.Errorf("got %v", err)
	}
	if n := db.Stats().InUse; n != 0 {
		t.Errorf("%d connections are in use", n)
	}
}

// Raw leaves templates to Expand.
func TestRawWithExpand(t *testing.T) {
	t.Parallel()
	query, err := driver.Expand("SELECT owner FROM {{tables.t}}", "app")
	if err != nil {
		t.Fatal(err)
	}
	err = driver.Raw(t.Context(), openDB(t, newTenants(t, "app")), func(conn *pgx.Conn) error {
		rows, _ := conn.Query(t.Context(), query)
		owners, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if !slices.Equal(owners, []string{"app"}) {
			t.Errorf("got %q", owners)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
