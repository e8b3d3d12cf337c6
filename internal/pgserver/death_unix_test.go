//go:build unix

package pgserver_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/internal/supervise/supervisetest"
)

// helper starts a program that uses a server in tempDir.
func helper(t *testing.T, way, tempDir string, env ...string) (program *exec.Cmd, lines *bufio.Reader) {
	t.Helper()
	return supervisetest.Again(t, append([]string{helperVariable + "=" + way, "TMPDIR=" + tempDir}, env...)...)
}

func TestDeathOfTheProgramLeavesNothing(t *testing.T) {
	t.Parallel()
	needOwnServer(t)
	for _, way := range []string{"kill", "panic", "exit"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			// Names that need care in a shell and in a connection string.
			program, lines := helper(t, way, supervisetest.PublicDir(t, "a b%20+&?"))
			dsn, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			dir := socketDir(t, strings.TrimSpace(dsn))
			if !strings.Contains(dir, "a b%20+&?") {
				t.Errorf("the server is in %s, not in TMPDIR", dir)
			}
			if way == "kill" {
				if !supervisetest.Leftovers(dir) {
					t.Errorf("%s: no trace of a running server", dir)
				}
				program.Process.Kill()
			}
			program.Wait()
			supervisetest.Eventually(t, "server and directory gone", func() bool { return !supervisetest.Leftovers(dir) })
		})
	}
}

func TestDeathDuringInitdbLeavesNothing(t *testing.T) {
	t.Parallel()
	needOwnServer(t)
	tempDir := supervisetest.PublicDir(t, "pgserver-test-")
	program, _ := helper(t, "kill", tempDir)
	var dirs []string
	supervisetest.Eventually(t, "initdb has begun", func() bool {
		dirs, _ = filepath.Glob(tempDir + "/pgdbm-*/data/base")
		return len(dirs) == 1
	})
	program.Process.Kill()
	program.Wait()
	dir := strings.TrimSuffix(dirs[0], "/data/base")
	supervisetest.Eventually(t, "server and directory gone", func() bool { return !supervisetest.Leftovers(dir) })
}

func TestServerInStrangeDirectory(t *testing.T) {
	needOwnServer(t) // and not parallel, for Setenv
	t.Setenv("TMPDIR", supervisetest.PublicDir(t, "a 'b' %41+&=#"))
	// The server would not start if these came through to it.
	t.Setenv("PGDATA", "/nowhere")
	t.Setenv("PGDATESTYLE", "nonsense")
	var s pgserver.Server
	t.Cleanup(func() { s.Stop() })
	dsn := s.Database(t)
	if dir := socketDir(t, dsn); !strings.Contains(dir, "%41+&=#") {
		t.Errorf("the server is in %s, not in TMPDIR", dir)
	}
	if got := queryRow[int](t, dsn, "SELECT 1"); got != 1 {
		t.Errorf("got %d", got)
	}
}

// TestRacingProcesses starts ten programs at once, which share a server, and kills them.
func TestRacingProcesses(t *testing.T) {
	t.Parallel()
	needOwnServer(t)
	tempDir := supervisetest.PublicDir(t, "pgserver-test-")
	const n = 10
	programs, lines := make([]*exec.Cmd, n), make([]*bufio.Reader, n)
	for i := range n {
		programs[i], lines[i] = helper(t, "kill", tempDir, sharedVariable+"=1")
	}
	var first string
	for i := range n {
		dsn, err := lines[i].ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = dsn
		}
		if dsn != first {
			t.Errorf("two servers: %s and %s", first, dsn)
		}
	}
	for i, program := range programs {
		if i == n-1 {
			queryRow[int](t, strings.TrimSpace(first), "SELECT 1") // one user is enough
		}
		program.Process.Kill()
		program.Wait()
	}
	supervisetest.Eventually(t, "nothing is left", func() bool {
		entries, err := os.ReadDir(tempDir)
		return err == nil && len(entries) == 0
	})
}
