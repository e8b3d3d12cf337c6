// Package supervisetest helps the tests of packages that run a server below package supervise.
package supervisetest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Eventually waits for a condition that other processes bring about, and fails the test if they do not.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	limit := time.After(30 * time.Second)
	for !condition() {
		select {
		case <-poll.C:
		case <-limit:
			t.Fatalf("still not: %s", what)
		}
	}
}

// Again starts this test program once more, with variables added to its environment, and returns its output. Its standard input ends
// when the test's own process does; when the test ends, it is killed.
func Again(t testing.TB, env ...string) (program *exec.Cmd, output *bufio.Reader) {
	t.Helper()
	program = exec.Command(os.Args[0])
	program.Env = append(os.Environ(), env...)
	if _, err := program.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = program.Process.Kill() // it may have ended
		_ = program.Wait()
	})
	return program, bufio.NewReader(stdout)
}

// PublicDir makes a temporary directory that every user can write to, as the user that the server runs as may be another
// one. It is removed when the test ends. The pattern is that of os.MkdirTemp.
func PublicDir(t testing.TB, pattern string) string {
	t.Helper()
	return DirIn(t, "/tmp", pattern)
}

// DirIn is PublicDir in another directory.
func DirIn(t testing.TB, parent, pattern string) string {
	t.Helper()
	dir, err := os.MkdirTemp(parent, pattern)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Leftovers reports whether dir exists or a process runs in it or names it.
func Leftovers(dir string) bool {
	if _, err := os.Lstat(dir); err == nil {
		return true
	}
	if runtime.GOOS != "linux" {
		list, err := exec.Command("ps", "-A", "-o", "args=").Output()
		return err != nil || strings.Contains(string(list), dir)
	}
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		// Errors: the process has just ended.
		args, _ := os.ReadFile(process + "/cmdline")
		cwd, _ := os.Readlink(process + "/cwd")
		if strings.Contains(string(args), dir) || strings.HasPrefix(cwd, dir) {
			return true
		}
	}
	return false
}
