package driver_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/pgdbm/pgdbm/driver"
)

// noCache keeps pgx from preparing statements of its own, so that those on the server are the ones of *sql.Stmt.
const noCache = "&default_query_exec_mode=exec"

// serverStatements returns the number of statements prepared on the server of conn.
func serverStatements(t *testing.T, conn querier) int {
	t.Helper()
	return get[int](driver.WithoutSchema(t.Context()), t, conn, "SELECT count(*) FROM pg_prepared_statements")
}

func wantStmtOwner(ctx context.Context, t *testing.T, stmt *sql.Stmt, want string) {
	t.Helper()
	var got string
	if err := stmt.QueryRowContext(ctx).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("the statement read the row of schema %q, want %q", got, want)
	}
}

func TestStmtFollowsContext(t *testing.T) {
	t.Parallel()
	dsn := withSchema(t, newTenants(t, "a", "b", odd), "a") + "&schema_mode=template"
	for _, mode := range []string{"", noCache, "&default_query_exec_mode=simple_protocol"} {
		for _, connections := range []int{1, 3} {
			t.Run(fmt.Sprint(mode, connections), func(t *testing.T) {
				t.Parallel()
				db := openDB(t, dsn+mode)
				db.SetMaxOpenConns(connections)
				for _, first := range []func(context.Context) context.Context{same, in("b"), driver.WithoutSchema} {
					stmt := prepare(first(t.Context()), t, db, ownerQuery)
					for range 3 {
						wantStmtOwner(driver.WithSchema(t.Context(), "b"), t, stmt, "b")
						wantStmtOwner(driver.WithSchema(t.Context(), odd), t, stmt, odd)
						wantStmtOwner(t.Context(), t, stmt, "a")
						wantStmtOwner(driver.WithoutSchema(t.Context()), t, stmt, "public")
					}
				}
			})
		}
	}
}

func TestStmtOnEachConnection(t *testing.T) {
	t.Parallel()
	db := openDB(t, newTenants(t, "a", odd))
	ctx := driver.WithSchema(t.Context(), "a")
	stmt := prepare(ctx, t, db, ownerQuery)
	for range 4 { // each holds one connection, so the statement has to go to another one
		wantOwner(ctx, t, holdConn(ctx, t, db), "a")
		wantStmtOwner(driver.WithSchema(ctx, odd), t, stmt, odd)
		wantStmtOwner(ctx, t, stmt, "a")
	}
}

func TestStmtOfTransaction(t *testing.T) {
	t.Parallel()
	db := openOne(t, withSchema(t, newTenants(t, "a", "b", odd), "a")+"&schema_mode=template")
	ofDB := prepare(driver.WithSchema(t.Context(), "b"), t, db, ownerQuery)
	tx := begin(driver.WithSchema(t.Context(), odd), t, db)
	for name, stmt := range map[string]*sql.Stmt{
		"Stmt":           tx.Stmt(ofDB),
		"StmtContext":    tx.StmtContext(driver.WithSchema(t.Context(), "b"), ofDB),
		"PrepareContext": prepare(driver.WithSchema(t.Context(), "b"), t, tx, ownerQuery),
		"Prepare":        prepare(t.Context(), t, tx, ownerQuery),
	} {
		t.Log(name)
		wantStmtOwner(t.Context(), t, stmt, odd)
		wantStmtOwner(driver.WithSchema(t.Context(), "b"), t, stmt, "b")
		wantStmtOwner(driver.WithoutSchema(t.Context()), t, stmt, "public")
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	wantStmtOwner(t.Context(), t, ofDB, "a")
}

func TestStmtOfConn(t *testing.T) {
	t.Parallel()
	db := openDB(t, newTenants(t, "a", odd))
	conn := holdConn(t.Context(), t, db)
	stmt := prepare(driver.WithSchema(t.Context(), "a"), t, conn, ownerQuery)
	wantStmtOwner(t.Context(), t, stmt, "public")
	tx := begin(driver.WithSchema(t.Context(), odd), t, conn)
	wantStmtOwner(t.Context(), t, tx.Stmt(stmt), odd)
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	wantStmtOwner(t.Context(), t, stmt, "public")
	wantStmtOwner(driver.WithSchema(t.Context(), "a"), t, stmt, "a")
}

func TestStmtKeepsFewSchemasPrepared(t *testing.T) {
	t.Parallel()
	const maxPrepared = 16
	var schemas []string
	for i := range maxPrepared + 5 {
		schemas = append(schemas, fmt.Sprint("Tenant ", i))
	}
	db := openDB(t, newTenants(t, schemas...)+noCache)
	conn := holdConn(t.Context(), t, db)
	stmt := prepare(driver.WithSchema(t.Context(), schemas[0]), t, conn, ownerQuery)
	for round := range 3 {
		for i, schema := range schemas {
			wantStmtOwner(driver.WithSchema(t.Context(), schema), t, stmt, schema)
			want := min(round*maxPrepared+i+1, maxPrepared)
			if n := serverStatements(t, conn); n != want {
				t.Fatalf("round %d, schema %d: %d statements are prepared, want %d", round, i, n, want)
			}
		}
	}
	if err := stmt.Close(); err != nil {
		t.Error(err)
	}
	if n := serverStatements(t, conn); n != 0 {
		t.Errorf("after Close %d statements are prepared", n)
	}
}

// TestStmtKeepsWhatIsUsed executes a statement in one schema between those in many others.
func TestStmtKeepsWhatIsUsed(t *testing.T) {
	t.Parallel()
	var schemas []string
	for i := range 40 {
		schemas = append(schemas, fmt.Sprint("t", i))
	}
	conn := holdConn(t.Context(), t, openDB(t, newTenants(t, schemas...)+noCache))
	stmt := prepare(driver.WithSchema(t.Context(), "t0"), t, conn, ownerQuery)
	const prepareTime = `SELECT prepare_time FROM pg_prepared_statements WHERE statement LIKE '%"t0"%'`
	first := get[string](t.Context(), t, conn, prepareTime)
	for _, schema := range schemas {
		wantStmtOwner(driver.WithSchema(t.Context(), schema), t, stmt, schema)
		wantStmtOwner(driver.WithSchema(t.Context(), "t0"), t, stmt, "t0")
	}
	if last := get[string](t.Context(), t, conn, prepareTime); last != first {
		t.Error("the statement that was used all the time was prepared again")
	}
}

func TestStmtWithoutTemplatesIsPreparedOnce(t *testing.T) {
	t.Parallel()
	db := openDB(t, newTenants(t)+noCache)
	conn := holdConn(t.Context(), t, db)
	stmt := prepare(t.Context(), t, conn, "SELECT owner FROM public.t")
	for _, schema := range []string{"a", "b", odd} {
		wantStmtOwner(driver.WithSchema(t.Context(), schema), t, stmt, "public")
		if n := serverStatements(t, conn); n != 1 {
			t.Errorf("%d statements are prepared", n)
		}
	}
}

// TestSameTextTwice closes one of two statements whose expansions are the same on the server.
func TestSameTextTwice(t *testing.T) {
	t.Parallel()
	conn := holdConn(t.Context(), t, openDB(t, newTenants(t, "a")+noCache))
	ctx := driver.WithSchema(t.Context(), "a")
	one, two := prepare(ctx, t, conn, ownerQuery), prepare(ctx, t, conn, ownerQuery)
	if err := one.Close(); err != nil {
		t.Error(err)
	}
	wantStmtOwner(ctx, t, two, "a")
	if err := two.Close(); err != nil {
		t.Error(err)
	}
	if n := serverStatements(t, conn); n != 0 {
		t.Errorf("after Close %d statements are prepared", n)
	}
}

func TestStmtArguments(t *testing.T) {
	t.Parallel()
	db := openDB(t, newTenants(t, "a", odd))
	stmt := prepare(driver.WithSchema(t.Context(), "a"), t, db, "SELECT owner FROM {{tables.t}} WHERE id = $1 AND owner = $2")
	for _, schema := range []string{"a", odd} {
		ctx, got := driver.WithSchema(t.Context(), schema), ""
		if err := stmt.QueryRowContext(ctx, 1, schema).Scan(&got); err != nil || got != schema {
			t.Errorf("read %q, %v", got, err)
		}
		if _, err := stmt.ExecContext(ctx, 1); err == nil {
			t.Error("one argument is enough for two parameters")
		}
	}
}

func TestStmtFromManyGoroutines(t *testing.T) {
	t.Parallel()
	schemas := []string{odd}
	for i := range 19 {
		schemas = append(schemas, fmt.Sprint("t", i))
	}
	db := openDB(t, withSchema(t, newTenants(t, schemas...), odd)+"&schema_mode=template")
	db.SetMaxOpenConns(4)
	stmt := prepare(t.Context(), t, db, ownerQuery)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 100 {
				schema := schemas[rand.IntN(len(schemas))]
				ctx := driver.WithSchema(t.Context(), schema)
				if schema == odd {
					ctx = t.Context()
				}
				if err := checkRow(stmt.QueryRowContext(ctx), schema); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// TestAllocations compares with what plain pgx needs for the expanded query. It is not parallel: it counts what the
// whole program allocates.
func TestAllocations(t *testing.T) {
	dsn := newTenants(t, "a")
	const templated, expanded = "SELECT owner FROM {{tables.t}} WHERE id = $1", `SELECT owner FROM "a".t WHERE id = $1`
	want := allocations(t.Context(), t, openAs(t, "pgx", dsn), expanded)
	inA := driver.WithSchema(t.Context(), "a")
	for how, got := range map[string]float64{
		"DSN, templates":   allocations(t.Context(), t, openDB(t, withSchema(t, dsn, "a")+"&schema_mode=template"), templated),
		"DSN, search_path": allocations(t.Context(), t, openDB(t, withSchema(t, dsn, "a")), templated),
		"context":          allocations(inA, t, openDB(t, dsn), templated),
	} {
		if got > want+0.5 { // half a one is noise: the race detector empties a sync.Pool at random
			t.Errorf("%s: %.2f allocations per query, plain pgx has %.2f", how, got, want)
		}
	}
}

// allocations returns how many allocations a query by primary key takes on average.
func allocations(ctx context.Context, t *testing.T, db *sql.DB, query string) float64 {
	t.Helper()
	db.SetMaxOpenConns(1)
	const runs = 1000
	var before, after runtime.MemStats
	for run := range runs + 10 {
		if run == 10 { // by now all is prepared and cached
			runtime.ReadMemStats(&before)
		}
		var owner string
		if err := db.QueryRowContext(ctx, query, 1).Scan(&owner); err != nil || owner != "a" {
			t.Fatalf("read %q, %v", owner, err)
		}
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / runs
}
