//go:build unix

package pgserver

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/supervise/supervisetest"
)

// meeting returns the settings of processes that share a server in a directory of the test's own.
func meeting(t *testing.T) *settings {
	t.Helper()
	if givenServer().dsn != "" {
		t.Skip("the environment names a server")
	}
	with := environment()
	with.tempDir = supervisetest.PublicDir(t, "pgserver-test-")
	with.linger = 100 * time.Millisecond
	t.Cleanup(func() { awaitEmpty(t, with.tempDir) })
	return &with
}

// homeFor returns where the processes with these settings meet.
func homeFor(t *testing.T, with *settings) home {
	t.Helper()
	o := Order{Source: sourceLocal, Path: with.path, Globs: with.globs, TempDir: with.tempDir}
	key, err := local.Check(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return homeOf(o, key)
}

// awaitEmpty waits until the keeper and the server are gone.
func awaitEmpty(t testing.TB, dir string) {
	t.Helper()
	supervisetest.Eventually(t, "nothing is left in "+dir, func() bool {
		entries, err := os.ReadDir(dir)
		return err == nil && len(entries) == 0
	})
}

// joined uses a shared server and returns when it was started, by its own account.
func joined(t *testing.T, with *settings) (s *Server, began string) {
	t.Helper()
	s = &Server{Shared: true, settings: with}
	t.Cleanup(func() { _ = s.Stop() })
	dsn, err := s.DSN(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s, startTime(t, dsn)
}

func startTime(t *testing.T, dsn string) (began string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if err := conn.QueryRow(t.Context(), "SELECT pg_postmaster_start_time()::text").Scan(&began); err != nil {
		t.Fatal(err)
	}
	return began
}

func TestSharedWithinAProcess(t *testing.T) {
	t.Parallel()
	with := meeting(t)
	var wg sync.WaitGroup
	began := make([]string, 8)
	servers := make([]*Server, len(began))
	for i := range began {
		wg.Go(func() { servers[i], began[i] = joined(t, with) })
	}
	wg.Wait()
	for i := range began {
		if began[i] != began[0] {
			t.Errorf("two servers: %s and %s", began[0], began[i])
		}
	}
	for _, s := range servers[1:] {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
	dsn, err := servers[0].DSN(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if now := startTime(t, dsn); now != began[0] {
		t.Error("the server has not waited for its last user")
	}
}

func TestSharedLingers(t *testing.T) {
	t.Parallel()
	with := meeting(t)
	with.linger = time.Minute
	s, before := joined(t, with)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	_, after := joined(t, with)
	if before != after {
		t.Errorf("there is another server: %s, %s", before, after)
	}
	// The test does not wait for the minute: without its server the keeper ends too.
	kill(t, with)
}

// kill kills the shared server, but not its keeper.
func kill(t *testing.T, with *settings) {
	t.Helper()
	pids, err := filepath.Glob(with.tempDir + "/pgdbm-*/data/postmaster.pid")
	if err != nil || len(pids) != 1 {
		t.Fatalf("%v: %v", pids, err)
	}
	text, err := os.ReadFile(pids[0])
	if err != nil {
		t.Fatal(err)
	}
	pid, _, _ := strings.Cut(string(text), "\n")
	if out, err := exec.Command("kill", "-QUIT", pid).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	awaitEmpty(t, with.tempDir)
}

func TestSharedAfterTheServerIsKilled(t *testing.T) {
	t.Parallel()
	with := meeting(t)
	_, before := joined(t, with)
	kill(t, with)
	if _, after := joined(t, with); before == after {
		t.Error("the dead server is still there")
	}
}

func TestSharedThatDoesNotStart(t *testing.T) {
	t.Parallel()
	broken, parent := fakeServer(t, map[string]string{"initdb": "echo no space >&2; exit 7", "postgres": "exit 1"})
	broken.Shared = true
	broken.settings.linger = time.Minute
	t.Cleanup(func() { awaitEmpty(t, parent) })
	_, err := broken.DSN(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("error = %v", err)
	}
	awaitEmpty(t, parent) // and not only after the minute
}

// TestSharedStartIsGivenUp has a server that never comes, and nobody who waits for it.
func TestSharedStartIsGivenUp(t *testing.T) {
	t.Parallel()
	hanging, parent := fakeServer(t, map[string]string{"initdb": "exec sleep 1000", "postgres": ""})
	hanging.Shared = true
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		supervisetest.Eventually(t, "the start has begun", func() bool {
			dirs, _ := filepath.Glob(parent + "/pgdbm-*/server")
			return len(dirs) == 1
		})
		cancel()
	}()
	if _, err := hanging.DSN(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	if err := hanging.Stop(); err != nil {
		t.Error(err)
	}
	awaitEmpty(t, parent) // and not only after startLimit
}

// TestHomes has orders that need different servers.
func TestHomes(t *testing.T) {
	t.Parallel()
	seen := map[home]bool{}
	for _, o := range []Order{
		{TempDir: "/tmp"},
		{TempDir: "/var/tmp"},
		{TempDir: "/tmp", Source: "docker"},
		{TempDir: "/tmp", Request: Request{Version: "17"}},
		{TempDir: "/tmp", Request: Request{TLS: true}},
	} {
		for _, key := range []string{"", "17", "other"} {
			seen[homeOf(o, key)] = true
		}
	}
	if len(seen) != 15 {
		t.Errorf("%d homes for 15 different servers", len(seen))
	}
}

func TestSharedHomeOfSomebodyElse(t *testing.T) {
	t.Parallel()
	with := meeting(t)
	h := homeFor(t, with)
	if err := os.Mkdir(string(h), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(string(h), 0o777); err != nil { // whatever the umask
		t.Fatal(err)
	}
	s := Server{Shared: true, settings: with}
	if _, err := s.DSN(t.Context()); err == nil || !strings.Contains(err.Error(), string(h)) {
		t.Errorf("error = %v", err)
	}
	if err := os.Remove(string(h)); err != nil {
		t.Error(err)
	}
}

// TestSharedAfterTheKeeperIsKilled kills the keeper and the supervisor of its server, so that nobody cleans up.
func TestSharedAfterTheKeeperIsKilled(t *testing.T) {
	t.Parallel()
	with := meeting(t)
	h := homeFor(t, with)
	_, before := joined(t, with)
	dir, err := os.ReadFile(h.server())
	if err != nil {
		t.Fatal(err)
	}
	killAll(t, string(h), string(dir))
	s, after := joined(t, with)
	if before == after {
		t.Error("the old server is still in use")
	}
	if _, err := os.Stat(string(dir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old server's directory is still there: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

// killAll kills the processes that have one of the texts in their environment or arguments.
func killAll(t *testing.T, texts ...string) {
	t.Helper()
	processes, _ := filepath.Glob("/proc/[0-9]*")
	if len(processes) == 0 {
		t.Skip("this test finds processes in /proc")
	}
	for _, process := range processes {
		pid, _ := strconv.Atoi(filepath.Base(process)) // the pattern has only numbers
		if pid == os.Getpid() {
			continue
		}
		args, _ := os.ReadFile(process + "/cmdline") // errors: it has just ended
		env, _ := os.ReadFile(process + "/environ")
		for _, text := range texts {
			if strings.Contains(string(args), text) || strings.Contains(string(env), text) {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone
			}
		}
	}
}
