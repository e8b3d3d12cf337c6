package schemadb_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/schemadb"
)

// statementLog is a tracer that keeps the statements whose context has its key.
type statementLog struct {
	mu   sync.Mutex
	list []string
}

func (l *statementLog) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if ctx.Value(l) == nil {
		return ctx
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, data.SQL)
	return ctx
}

func (*statementLog) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (l *statementLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.list
	l.list = nil
	return list
}

// openDB opens a DB until the test ends.
func openDB(t testing.TB, ctx context.Context, c schemadb.Config) *schemadb.DB {
	t.Helper()
	db, err := schemadb.Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestBeforeConnectSetsTracer has statements that go through pgx itself, and those that go through database/sql.
func TestBeforeConnectSetsTracer(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", "&schema=app&schema_mode=search_path"} {
		dsn := server.Database(t)
		admin(t, dsn, "CREATE SCHEMA app", "CREATE SCHEMA other", "CREATE TABLE app.t (id int)", "CREATE TABLE other.t (id int)")
		log := new(statementLog)
		ctx := context.WithValue(t.Context(), log, true)
		db := openDB(t, ctx, schemadb.Config{DSN: dsn + mode, Schema: "app", MinConns: -1, InitCommands: []string{"SELECT '{{schema}}'"},
			BeforeConnect: func(_ context.Context, config *pgx.ConnConfig) error {
				config.Tracer = log
				return nil
			}})
		wantStatements(t, log, `SELECT '{{schema}}'`)
		var ids []int
		for _, query := range []string{"SELECT id FROM {{tables.t}}", "SELECT id FROM <<tables.t>>"} {
			if err := db.SelectContext(ctx, &ids, query); err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(ctx, query); err != nil {
				t.Fatal(err)
			}
			wantStatements(t, log, `SELECT id FROM "app".t`, `SELECT id FROM "app".t`)
		}
		err := db.InTx(ctx, func(tx *schemadb.Tx) error { return tx.SelectContext(ctx, &ids, "SELECT id FROM {{tables.t}}") })
		if err != nil {
			t.Fatal(err)
		}
		wantStatements(t, log, "begin", `SELECT id FROM "app".t`, "commit")
		if mode == "" {
			if _, err := db.ForSchema("other").ExecContext(ctx, "DELETE FROM {{tables.t}}"); err != nil {
				t.Fatal(err)
			}
			wantStatements(t, log, `DELETE FROM "other".t`)
		}
	}
}

func wantStatements(t testing.TB, log *statementLog, want ...string) {
	t.Helper()
	if got := log.take(); !slices.Equal(got, want) {
		t.Errorf("the tracer saw %q, want %q", got, want)
	}
}

// TestBeforeConnectIsCalledForEachConnection changes what it gets, which must not be there the next time.
func TestBeforeConnectIsCalledForEachConnection(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var names []string
	pool := mustOpenPool(t, schemadb.Config{DSN: server.Database(t) + "&application_name=a", MinConns: 3,
		BeforeConnect: func(_ context.Context, config *pgx.ConnConfig) error {
			mu.Lock()
			defer mu.Unlock()
			names = append(names, config.RuntimeParams["application_name"])
			config.RuntimeParams["application_name"] += "b"
			return nil
		}})
	if want := []string{"a", "a", "a"}; !slices.Equal(names, want) {
		t.Errorf("got application_name %q, want %q", names, want)
	}
	if got := queryText(t, pool, "SHOW application_name"); got != "ab" {
		t.Errorf("application_name is %s", got)
	}
}

func TestBeforeConnectFails(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	for attempts, cause := range map[int]error{1: errors.New("no secret"), 3: &net.OpError{Op: "dial", Err: errors.New("no secret")}} {
		calls := 0
		var log logBuffer
		err := failOpenPool(t, schemadb.Config{DSN: dsn, Logger: log.logger(),
			BeforeConnect: func(context.Context, *pgx.ConnConfig) error {
				calls++
				return cause
			}})
		wantOpenError(t, err, attempts, "")
		wantConfigError(t, err, "BeforeConnect", "no secret")
		if !errors.Is(err, cause) || calls != attempts {
			t.Errorf("got %v after %d calls", err, calls)
		}
	}
}

// TestBeforeConnectCannotLeaveTheSchema takes the search_path away that the tables of the DSN's schema are found by. Then each
// statement has it with it.
func TestBeforeConnectCannotLeaveTheSchema(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	admin(t, dsn, "CREATE SCHEMA app", "CREATE TABLE app.t AS SELECT 'app' AS owner", "CREATE TABLE t AS SELECT 'public' AS owner")
	pool := mustOpenPool(t, schemadb.Config{DSN: dsn + "&schema=app&schema_mode=search_path",
		BeforeConnect: func(_ context.Context, config *pgx.ConnConfig) error {
			delete(config.RuntimeParams, "search_path")
			return nil
		}})
	if got := queryText(t, pool, "SELECT owner FROM t"); got != "app" {
		t.Errorf("the row is that of %s", got)
	}
}
