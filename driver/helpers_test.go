package driver_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgdbm/pgdbm/driver"
)

// odd is a schema name that has to be quoted, and that is longer in bytes than in characters.
const odd = `Größe-"7"`

// ownerQuery reads the row that says to which schema its table belongs.
const ownerQuery = "SELECT owner FROM {{tables.t}} WHERE id = 1"

// querier is what *sql.DB, *sql.Conn and *sql.Tx have in common.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// openDB opens dsn with this driver until the test ends.
func openDB(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	return openAs(t, driver.Name, dsn)
}

// openAs is openDB with another driver, such as plain pgx.
func openAs(t testing.TB, name, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(name, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// openOne is openDB with at most one connection, so that each borrower gets what the last one left.
func openOne(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db := openDB(t, dsn)
	db.SetMaxOpenConns(1)
	return db
}

// openPool opens a pgxpool with at most size connections until the test ends, when none of them must be in use.
func openPool(t testing.TB, dsn string, size int32) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = size
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Pgx closes a connection whose query was cancelled in its own time.
		eventually(t, "no connection of the pool is in use", func() bool { return pool.Stat().AcquiredConns() == 0 })
		pool.Close()
	})
	return pool
}

// newTenants returns the DSN of a new database in which each schema has a table t with one row: (1, name of the
// schema). The schema public is always among them.
func newTenants(t testing.TB, schemas ...string) string {
	t.Helper()
	dsn := server.Database(t)
	newSchemas(t, dsn, append([]string{"public"}, schemas...)...)
	return dsn
}

// newSchemas creates, through plain pgx, schemas with a table t and its row, as newTenants has them.
func newSchemas(t testing.TB, dsn string, schemas ...string) {
	t.Helper()
	for _, schema := range schemas {
		name := pgx.Identifier{schema}.Sanitize()
		owner := strings.ReplaceAll(schema, "'", "''")
		admin(t, dsn, "CREATE SCHEMA IF NOT EXISTS "+name,
			"CREATE TABLE "+name+".t (id int PRIMARY KEY, owner text NOT NULL)",
			fmt.Sprintf("INSERT INTO %s.t VALUES (1, '%s')", name, owner))
	}
}

// admin executes statements on a connection of plain pgx, as another process would.
func admin(t testing.TB, dsn string, statements ...string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// withSchema returns dsn with the key schema.
func withSchema(t testing.TB, dsn, schema string) string {
	t.Helper()
	dsn, err := driver.AddSchema(dsn, schema)
	if err != nil {
		t.Fatal(err)
	}
	return dsn
}

// exec executes a statement, which must succeed.
func exec(ctx context.Context, t testing.TB, q querier, query string, args ...any) {
	t.Helper()
	if _, err := q.ExecContext(ctx, query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// get returns the only value of the only row of a query, which must succeed.
func get[T any](ctx context.Context, t testing.TB, q querier, query string, args ...any) T {
	t.Helper()
	var value T
	if err := q.QueryRowContext(ctx, query, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// wantOwner fails the test unless a templated query reads the row of schema want.
func wantOwner(ctx context.Context, t testing.TB, q querier, want string) {
	t.Helper()
	if got := get[string](ctx, t, q, ownerQuery); got != want {
		t.Fatalf("read the row of schema %q, want %q", got, want)
	}
}

// wantOwners fails the test unless the table t of schema, read through plain pgx, has exactly these owners.
func wantOwners(t testing.TB, dsn, schema string, want ...string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, _ := conn.Query(ctx, "SELECT owner FROM "+pgx.Identifier{schema, "t"}.Sanitize()+" ORDER BY id, owner")
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("schema %q has the rows %q, want %q", schema, got, want)
	}
}

// backend returns the process id of the server behind q, which tells its physical connections apart.
func backend(ctx context.Context, t testing.TB, q querier) int {
	t.Helper()
	return get[int](ctx, t, q, "SELECT pg_backend_pid()")
}

// wantIdle waits until no connection of db is in use, nor one that database/sql still opens for somebody who has got
// another one meanwhile.
func wantIdle(t testing.TB, db *sql.DB) {
	t.Helper()
	eventually(t, "all connections are back", func() bool { return db.Stats().InUse == 0 })
}

// holdConn borrows a connection until the test ends.
func holdConn(ctx context.Context, t testing.TB, db *sql.DB) *sql.Conn {
	t.Helper()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// begin begins a transaction that is rolled back when the test ends, unless the test has ended it.
func begin(ctx context.Context, t testing.TB, db interface {
	BeginTx(context.Context, *sql.TxOptions) (*sql.Tx, error)
}) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

// prepare prepares a statement until the test ends.
func prepare(ctx context.Context, t testing.TB, q querier, query string) *sql.Stmt {
	t.Helper()
	stmt, err := q.PrepareContext(ctx, query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	t.Cleanup(func() { _ = stmt.Close() })
	return stmt
}

// eventually waits for what the server does on its own time, such as the end of a session.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 10 s still not: %s", what)
		}
	}
}
