package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
)

// openFromPool opens a database on a pool until the test ends.
func openFromPool(t *testing.T, pool *pgxpool.Pool, opts ...driver.Option) *sql.DB {
	t.Helper()
	db := driver.OpenDBFromPool(pool, opts...)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestPoolSharedBySchemas(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b", odd)
	for _, size := range []int32{1, 2} {
		pool := openPool(t, dsn, size)
		dbs := map[string]*sql.DB{
			"a": openFromPool(t, pool, driver.DefaultSchema("a")), odd: openFromPool(t, pool, driver.DefaultSchema(odd)),
			"public": openFromPool(t, pool),
		}
		for range 3 {
			for schema, db := range dbs {
				wantOwner(t.Context(), t, db, schema)
				if err := inTx(t.Context(), db, func(tx *sql.Tx) error {
					wantEverywhere(t.Context(), t, tx, schema)
					return nil
				}); err != nil {
					t.Error(err)
				}
				wantOwner(driver.WithSchema(t.Context(), "b"), t, db, "b")
				wantOwner(driver.WithoutSchema(t.Context()), t, db, "public")
				wantBareOwner(t.Context(), t, db, "public") // template mode
			}
		}
	}
}

func TestPoolStmtFollowsContext(t *testing.T) {
	t.Parallel()
	db := openFromPool(t, openPool(t, newTenants(t, "a", "b", odd), 2), driver.DefaultSchema("a"))
	stmt := prepare(driver.WithSchema(t.Context(), "b"), t, db, ownerQuery)
	for range 3 {
		wantStmtOwner(t.Context(), t, stmt, "a")
		wantStmtOwner(driver.WithSchema(t.Context(), odd), t, stmt, odd)
	}
}

// TestLeftInPool has no borrower of a pool see what another one left, whatever decided about its schema: the next may
// be of another database.
func TestLeftInPool(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", odd)
	for i, leaver := range leavers {
		for j, way := range boundWays {
			if i > 0 && j > 0 {
				continue // every leaver in one way, and one in every way
			}
			t.Run(leaver.name+"/"+way.name, func(t *testing.T) {
				t.Parallel()
				pool := openPool(t, dsn, 1)
				one, two := openFromPool(t, pool, driver.DefaultSchema("a")), openFromPool(t, pool, driver.DefaultSchema(odd))
				for _, ctx := range []context.Context{t.Context(), driver.WithSchema(t.Context(), odd)} {
					pid := backend(t.Context(), t, two)
					if err := way.run(ctx, t.Context(), one, leaver.query); err != nil {
						t.Fatal(err)
					}
					wantFresh(t.Context(), t, two, pid)
				}
			})
		}
	}
}

func TestLeftInPoolByRaw(t *testing.T) {
	t.Parallel()
	pool := openPool(t, newTenants(t, "a", odd), 1)
	one, two := openFromPool(t, pool, driver.DefaultSchema("a")), openFromPool(t, pool)
	for range 2 {
		pid := backend(t.Context(), t, two)
		if err := driver.Raw(t.Context(), one, leave(t.Context())); err != nil {
			t.Fatal(err)
		}
		wantFresh(t.Context(), t, two, pid)
	}
}

// TestLeftForOneThatWaits hands a connection on from borrower to borrower of one database, past the pool.
func TestLeftForOneThatWaits(t *testing.T) {
	t.Parallel()
	db := openFromPool(t, openPool(t, newTenants(t, "a"), 1), driver.DefaultSchema("a"))
	db.SetMaxOpenConns(1)
	conn := holdConn(t.Context(), t, db)
	exec(t.Context(), t, conn, "SET my.trace = 'behind'")
	left := make(chan error)
	go func() {
		var seen bool
		err := db.QueryRowContext(t.Context(), leftQuery).Scan(&seen)
		if seen {
			err = errors.New("it sees what was left")
		}
		left <- err
	}()
	eventually(t, "a borrower waits", func() bool { return db.Stats().WaitCount == 1 })
	if err := errors.Join(conn.Close(), <-left); err != nil {
		t.Error(err)
	}
}

func TestPoolKeepsConnections(t *testing.T) {
	t.Parallel()
	pool := openPool(t, newTenants(t, "a", odd), 1)
	one, two := openFromPool(t, pool, driver.DefaultSchema("a")), openFromPool(t, pool, driver.DefaultSchema(odd))
	pid := backend(t.Context(), t, one)
	for _, query := range []string{
		ownerQuery, "SELECT set_config('my.trace', 'x', true)", "UPDATE {{tables.t}} SET owner = owner",
		"BEGIN; SET LOCAL my.trace = 'x'; ROLLBACK",
	} {
		exec(t.Context(), t, one, query)
		exec(driver.WithSchema(t.Context(), "a"), t, two, query)
		if backend(t.Context(), t, two) != pid {
			t.Fatalf("%s: the connection is not kept", query)
		}
	}
}

func TestPoolOutlivesDB(t *testing.T) {
	t.Parallel()
	pool := openPool(t, newTenants(t, "a"), 1)
	db := driver.OpenDBFromPool(pool, driver.DefaultSchema("a"))
	pid := backend(t.Context(), t, db)
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	var got int
	if err := pool.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&got); err != nil || got != pid {
		t.Errorf("the pool has backend %d, %v; it had %d", got, err, pid)
	}
}

func TestPoolErrors(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	pool := openPool(t, dsn, 1)
	for name, db := range map[string]*sql.DB{
		"nil pool":        driver.OpenDBFromPool(nil),
		"bad schema":      driver.OpenDBFromPool(pool, driver.DefaultSchema("pg_toast")),
		"two schemas":     driver.OpenDBFromPool(pool, driver.DefaultSchema("a"), driver.DefaultSchema("b")),
		"schema":          driver.OpenDBFromPool(openPool(t, dsn+"&schema=a", 1)),
		"schema_mode":     driver.OpenDBFromPool(openPool(t, dsn+"&schema_mode=search_path", 1)),
		"schema_required": driver.OpenDBFromPool(openPool(t, dsn+"&schema_required=true", 1)),
		"templates":       driver.OpenDBFromPool(openPool(t, dsn+"&templates=braces", 1), driver.DefaultSchema("a")),
	} {
		err := db.PingContext(t.Context())
		var dsnErr *driver.DSNError
		if isKey := errors.As(err, &dsnErr) && dsnErr.Key == name; err == nil || isKey != (name[0] == 's' || name == "templates") {
			t.Errorf("%s: %v", name, err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
	}
}

// breaker makes connections that stop writing.
type breaker struct {
	mu    sync.Mutex
	conns []*breakableConn
}

type breakableConn struct {
	net.Conn
	broken, closed atomic.Bool
}

func (c *breakableConn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

func (c *breakableConn) Write(b []byte) (int, error) {
	if c.broken.Load() {
		return 0, errors.New("broken")
	}
	return c.Conn.Write(b)
}

func (b *breaker) config(t *testing.T, dsn string) pgx.ConnConfig {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		inner, err := dial(ctx, network, addr)
		conn := &breakableConn{Conn: inner}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.conns = append(b.conns, conn)
		return conn, err
	}
	return *config
}

// breakAll breaks the connections that there are now.
func (b *breaker) breakAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, conn := range b.conns {
		conn.broken.Store(true)
	}
}

// wantClosed fails the test unless there were connections and all are closed.
func (b *breaker) wantClosed(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, conn := range b.conns {
		if !conn.closed.Load() {
			t.Error("a connection is still open")
		}
	}
	if len(b.conns) == 0 {
		t.Error("there was no connection")
	}
}

// TestBrokenIdleConnection has database/sql retry on another connection what plain pgx lets it retry, and all if a ping
// finds out in time.
func TestBrokenIdleConnection(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	inA := withSchema(t, dsn, "a")
	ping := stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return true })
	open := func(dsn string, opts ...driver.Option) map[string]bool {
		var b breaker
		return survivors(t, &b, driver.OpenDB(b.config(t, dsn), opts...))
	}
	var b breaker
	want := survivors(t, &b, stdlib.OpenDB(b.config(t, dsn)))
	for mode, got := range map[string]map[string]bool{
		"template": open(inA + "&schema_mode=template"), "search_path": open(inA),
	} {
		if !maps.Equal(got, want) || !got["Exec"] {
			t.Errorf("%s: what works after the connection broke: %v; with pgx: %v", mode, got, want)
		}
	}
	for how, works := range open(inA, driver.WithStdlib(ping)) {
		if !works {
			t.Errorf("%s fails in spite of the ping", how)
		}
	}
}

// survivors tells which uses of a connection that has broken succeed all the same.
func survivors(t *testing.T, b *breaker, db *sql.DB) map[string]bool {
	t.Helper()
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	works := make(map[string]bool)
	for how, use := range map[string]func(context.Context) error{
		"Ping":    db.PingContext,
		"Exec":    func(ctx context.Context) error { return second(db.ExecContext(ctx, "SELECT 1")) },
		"Query":   func(ctx context.Context) error { return tryBare(ctx, db) },
		"BeginTx": func(ctx context.Context) error { return inTx(ctx, db, func(*sql.Tx) error { return nil }) },
		"Prepare": func(ctx context.Context) error { return prepareAndExec(ctx, db, bareQuery) },
	} {
		// Twice, because pgx pings when a connection is used again for the first time.
		if err := errors.Join(tryBare(t.Context(), db), tryBare(t.Context(), db)); err != nil {
			t.Fatal(err)
		}
		b.breakAll()
		works[how] = use(t.Context()) == nil
	}
	return works
}

// openings are the ways to open a database.
func openings(t *testing.T, dsn string) map[string]*sql.DB {
	t.Helper()
	return map[string]*sql.DB{
		"template": openDB(t, dsn), "search_path": openDB(t, withSchema(t, dsn, "a")),
		"pool": openFromPool(t, openPool(t, dsn, 2), driver.DefaultSchema("a")), "pgx": openAs(t, "pgx", dsn),
	}
}

func TestTerminatedInTransaction(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	for name, db := range openings(t, dsn) {
		t.Run(name, func(t *testing.T) {
			tx := begin(t.Context(), t, db)
			admin(t, dsn, fmt.Sprintf("SELECT pg_terminate_backend(%d)", backend(t.Context(), t, tx)))
			for range 2 {
				eventually(t, "a statement fails", func() bool { return tryBare(t.Context(), tx) != nil })
			}
			if err := tx.Commit(); err == nil {
				t.Error("the transaction commits")
			}
			if err := tryBare(t.Context(), db); err != nil {
				t.Error(err)
			}
			wantIdle(t, db)
		})
	}
}

func TestCancelledQuery(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	watch := openAs(t, "pgx", dsn)
	const sleeping = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
	for name, db := range openings(t, dsn) {
		t.Run(name, func(t *testing.T) {
			for how, query := range map[string]func(context.Context) error{
				"Exec": func(ctx context.Context) error { return second(db.ExecContext(ctx, "SELECT pg_sleep(60)")) },
				"stmt": func(ctx context.Context) error { return prepareAndExec(ctx, db, "SELECT pg_sleep(60)") },
				"tx": func(ctx context.Context) error {
					return inTx(ctx, db, func(tx *sql.Tx) error { return tx.QueryRowContext(ctx, "SELECT pg_sleep(60)").Err() })
				},
			} {
				ctx, cancel := context.WithCancel(t.Context())
				result := make(chan error)
				go func() { result <- query(ctx) }()
				eventually(t, "the query runs", func() bool { return get[int](t.Context(), t, watch, sleeping) == 1 })
				cancel()
				if err := <-result; !errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", how, err)
				}
				eventually(t, "the query has ended", func() bool { return get[int](t.Context(), t, watch, sleeping) == 0 })
				wantIdle(t, db)
				if err := tryBare(t.Context(), db); err != nil {
					t.Errorf("%s: afterwards: %v", how, err)
				}
			}
		})
	}
}
