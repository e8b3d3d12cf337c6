package schemadb_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/schemadb"
)

func TestOpenOpensMinConns(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	for _, test := range []struct {
		config schemadb.Config
		want   int
	}{
		{schemadb.Config{}, 10},
		{schemadb.Config{MinConns: 7}, 7},
		{schemadb.Config{MinConns: -1}, 1},
		{schemadb.Config{MaxOpenConns: 3}, 3},
		{schemadb.Config{MaxIdleConns: 2}, 2},
		{schemadb.Config{MaxOpenConns: -1, MinConns: 23}, 23},
	} {
		test.config.DSN = dsn
		pool, err := schemadb.OpenPool(t.Context(), test.config)
		if err != nil {
			t.Fatal(err)
		}
		if s := pool.Stats(); s.OpenConnections != test.want || s.Idle != test.want {
			t.Errorf("%v: %d connections open and %d idle, want %d", test.config, s.OpenConnections, s.Idle, test.want)
		}
		n := queryText(t, pool, "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database()")
		if got, _ := strconv.Atoi(n); got < test.want { // sessions of the pool before may still be ending
			t.Errorf("%v: the server has %d sessions, want %d", test.config, got, test.want)
		}
		_ = pool.Close()
	}
}

// A role's limit of connections stands for the server's, whose error is the same.
func TestOpenSaysWhenMinConnsDoNotFit(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	role := "limited_" + pgxConfig(t, dsn).Database
	admin(t, dsn, "CREATE ROLE "+role+" LOGIN CONNECTION LIMIT 2")
	t.Cleanup(func() { admin(t, dsn, "DROP ROLE "+role) })
	config := pgxConfig(t, dsn)
	c := schemadb.Config{Host: config.Host, Port: int(config.Port), Database: config.Database, User: role, MinConns: 5,
		RetryAttempts: 2, Logger: slog.New(slog.DiscardHandler)}
	err := failOpenPool(t, c)
	wantOpenError(t, err, 2, "53300")
	var connect *pgconn.ConnectError
	if !errors.As(err, &connect) {
		t.Errorf("got %v", err)
	}
	untilTrue(t, "all connections of the failed pool are closed", func() bool { return sessions(t, dsn, role) == 0 })
}

// sessions returns the number of a role's sessions in the database.
func sessions(t testing.TB, dsn, role string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	const query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = $1 AND pid <> pg_backend_pid()"
	if err := conn.QueryRow(t.Context(), query, role).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPoolLimits(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	for open, want := range map[int]int{0: 20, 4: 4, -1: 0} {
		pool := mustOpenPool(t, schemadb.Config{DSN: dsn, MaxOpenConns: open})
		if got := pool.Stats().MaxOpenConnections; got != want {
			t.Errorf("MaxOpenConns %d became %d, want %d", open, got, want)
		}
	}
	for idle, want := range map[int]int{0: 6, 2: 2, 9: 6, -1: 0} {
		pool := mustOpenPool(t, schemadb.Config{DSN: dsn, MaxOpenConns: 6, MaxIdleConns: idle})
		var conns []*sql.Conn
		for range 6 {
			conn, err := pool.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, conn)
		}
		for _, conn := range conns {
			_ = conn.Close()
		}
		if got := pool.Stats().Idle; got != want {
			t.Errorf("MaxIdleConns %d of MaxOpenConns 6 kept %d, want %d", idle, got, want)
		}
	}
}

func TestConnectionsExpire(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	idle := mustOpenPool(t, schemadb.Config{DSN: dsn, MinConns: 2, ConnMaxIdleTime: time.Millisecond})
	old := mustOpenPool(t, schemadb.Config{DSN: dsn, MinConns: 2, ConnMaxLifetime: time.Millisecond})
	untilTrue(t, "idle connections are closed", func() bool { return idle.Stats().MaxIdleTimeClosed > 0 })
	untilTrue(t, "old connections are closed", func() bool { return old.Stats().MaxLifetimeClosed > 0 })
}

func TestConnMaxUses(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	for uses, want := range map[int]int{1: 12, 2: 6, 3: 4, 6: 2, 12: 1, 13: 1, -1: 1, 0: 1} {
		// One borrow is Open's.
		pool := mustOpenPool(t, schemadb.Config{DSN: dsn, ConnMaxUses: uses})
		backends := make(map[string]int)
		first := ""
		for i := range 11 {
			pid := queryText(t, pool, "SELECT pg_backend_pid()::text")
			backends[pid]++
			if i == 0 {
				first = pid
			}
		}
		if uses == 1 {
			backends["of Open"]++
		}
		if len(backends) != want {
			t.Errorf("ConnMaxUses %d: 12 borrows had %d connections, want %d", uses, len(backends), want)
		}
		if uses > 1 && uses < 12 && backends[first] != uses-1 {
			t.Errorf("ConnMaxUses %d: the first connection was borrowed %d times after Open", uses, backends[first])
		}
	}
}

// Database/sql gives the third refused connection's error to the caller.
func TestConnMaxUsesNeverFailsACaller(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	for _, uses := range []int{1, 2, 3} {
		pool := mustOpenPool(t, schemadb.Config{DSN: dsn, ConnMaxUses: uses, MaxOpenConns: 3, MinConns: 3})
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				for range 40 {
					if _, err := pool.ExecContext(t.Context(), "SELECT 1"); err != nil {
						t.Errorf("ConnMaxUses %d: %v", uses, err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestSecondPoolIsWarnedOfOnce(t *testing.T) {
	t.Parallel()
	var log logBuffer
	c := schemadb.Config{DSN: server.Database(t), Logger: log.logger()}
	wantWarnings := func(want int) {
		t.Helper()
		if got := log.count("another pool"); got != want {
			t.Errorf("%d warnings, want %d", got, want)
		}
	}
	first := mustOpenPool(t, c)
	wantWarnings(0)
	other := c
	other.DSN = server.Database(t)
	mustOpenPool(t, other)
	wantWarnings(0)
	second := mustOpenPool(t, c)
	wantWarnings(1)
	if log.count("schemadb.New(pool, schema)") != 1 || log.count(pgxConfig(t, c.DSN).Database) != 1 {
		t.Error("the warning does not name the database and the way out")
	}
	mustOpenPool(t, c)
	wantWarnings(1)
	_, _ = first.Close(), second.Close()
	mustOpenPool(t, c)
	wantWarnings(1)
}

func TestClosedPoolsAreForgotten(t *testing.T) {
	t.Parallel()
	var log logBuffer
	c := schemadb.Config{DSN: server.Database(t), Logger: log.logger()}
	bad := c
	bad.InitCommands = []string{"SELECT 1/0"}
	for range 3 {
		_ = failOpenPool(t, bad)
		pool := mustOpenPool(t, c)
		_, _ = pool.Close(), pool.Close()
	}
	if n := log.count("another pool"); n != 0 {
		t.Errorf("%d warnings of pools that were never open at the same time", n)
	}
}

func TestOpenRefusesBadConfig(t *testing.T) {
	t.Parallel()
	_, err := schemadb.OpenPool(context.Background(), schemadb.Config{DSN: "host=h", Schema: "pg_x"})
	wantConfigError(t, err, "Schema")
}
