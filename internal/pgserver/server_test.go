package pgserver_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/internal/supervise/supervisetest"
)

// needOwnServer skips a test of what only a server of our own does.
func needOwnServer(t *testing.T) {
	t.Helper()
	if !server.Own(t.Context()) {
		t.Skip("the environment names a server")
	}
}

// queryRow connects to dsn and returns the only value that query gives.
func queryRow[T any](t *testing.T, dsn, query string, args ...any) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var value T
	if err := conn.QueryRow(t.Context(), query, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

func exists(t *testing.T, database string) bool {
	t.Helper()
	dsn, err := server.DSN(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return queryRow[bool](t, dsn, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database)
}

// socketDir returns the directory of the server's socket.
func socketDir(t *testing.T, dsn string) string {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return config.Host
}

func TestDSNCanBeContinued(t *testing.T) {
	t.Parallel()
	needOwnServer(t)
	dsn, err := server.DSN(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, dsn := range []string{dsn, server.Database(t)} {
		if !strings.Contains(dsn, "?") {
			t.Errorf("%s has no query part", dsn)
		}
		if got := queryRow[string](t, dsn+"&search_path=somewhere", "SHOW search_path"); got != "somewhere" {
			t.Errorf("search_path = %q", got)
		}
	}
}

func TestServerSettings(t *testing.T) {
	t.Parallel()
	needOwnServer(t)
	dsn := server.Database(t)
	for name, want := range map[string]string{
		"listen_addresses":           "",
		"fsync":                      "off",
		"max_connections":            "1000",
		"dynamic_shared_memory_type": "mmap",
		"server_encoding":            "UTF8",
	} {
		if got := queryRow[string](t, dsn, "SELECT current_setting($1)", name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	info, err := os.Stat(socketDir(t, dsn))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("mode of the directory = %o: other users can enter it", got)
	}
}

func TestDatabaseIsDroppedAfterTest(t *testing.T) {
	t.Parallel()
	var name string
	t.Run("test", func(t *testing.T) {
		dsn := server.Database(t)
		name = queryRow[string](t, dsn, "SELECT current_database()")
		if !exists(t, name) {
			t.Errorf("%s does not exist in the test", name)
		}
	})
	if exists(t, name) {
		t.Errorf("%s exists after the test", name)
	}
}

func TestDropCutsConnections(t *testing.T) {
	t.Parallel()
	dsn, drop, err := server.CreateDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for range 2 { // again is no error
		if err := drop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("the connection is still there")
	}
}

func TestDatabasesInParallel(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]bool{}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			dsn, drop, err := server.CreateDatabase(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			seen[dsn] = true
			mu.Unlock()
			if err := drop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if len(seen) != 8 {
		t.Errorf("%d different databases, want 8", len(seen))
	}
}

func TestStopLeavesNothing(t *testing.T) {
	t.Parallel()
	needOwnServer(t)
	// Two at once, each with an open connection and a database not dropped.
	var servers [2]pgserver.Server
	var dirs [2]string
	for i := range servers {
		dsn, drop, err := servers[i].CreateDatabase(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		dirs[i] = socketDir(t, dsn)
		if !supervisetest.Leftovers(dirs[i]) {
			t.Errorf("%s: no trace of a running server: the check is wrong", dirs[i])
		}
		defer func() {
			if err := drop(t.Context()); err != nil {
				t.Errorf("drop after Stop: %v", err)
			}
		}()
	}
	if dirs[0] == dirs[1] {
		t.Errorf("both servers are in %s", dirs[0])
	}
	for i := range servers {
		for range 2 { // again is no error
			if err := servers[i].Stop(); err != nil {
				t.Error(err)
			}
		}
		if supervisetest.Leftovers(dirs[i]) {
			t.Errorf("something is left of %s", dirs[i])
		}
		if _, err := servers[i].DSN(t.Context()); err == nil {
			t.Error("DSN after Stop gives no error")
		}
	}
}

func TestStopOfUnused(t *testing.T) {
	t.Parallel()
	var s pgserver.Server
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

func TestFirstCallersShareOneServer(t *testing.T) {
	t.Parallel()
	needOwnServer(t)
	var s pgserver.Server
	defer s.Stop()
	var group sync.WaitGroup
	dsns := make([]string, 20)
	for i := range dsns {
		group.Go(func() {
			var err error
			if dsns[i], err = s.DSN(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, dsn := range dsns {
		if dsn != dsns[0] {
			t.Errorf("%s and %s", dsn, dsns[0])
		}
	}
}

func TestContextBoundsTheWaitingOnly(t *testing.T) {
	t.Parallel()
	needOwnServer(t)
	var s pgserver.Server
	defer s.Stop()
	for _, limit := range []time.Duration{-1, time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		if _, err := s.DSN(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with %v: error = %v", limit, err)
		}
	}
	if _, err := s.DSN(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestStopDuringStart(t *testing.T) {
	t.Parallel()
	needOwnServer(t)
	var s pgserver.Server
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.DSN(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error = %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := s.DSN(t.Context()); err == nil {
		t.Error("DSN after Stop gives no error")
	}
}

type codeRunner int

func (c codeRunner) Run() int { return int(c) }

func TestRunReturnsCode(t *testing.T) {
	t.Parallel()
	var s pgserver.Server
	if got := s.Run(codeRunner(3)); got != 3 {
		t.Errorf("code = %d, want 3", got)
	}
}
