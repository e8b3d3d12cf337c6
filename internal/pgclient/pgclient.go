// Package pgclient runs PostgreSQL's client programs, pg_dump and psql, in tests.
package pgclient

import (
	"cmp"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/needs"
)

// debian matches the directories of Debian's packages, one for each major version. The program of the same name in PATH is
// a wrapper there, and takes that of an older server.
const debian = "/usr/lib/postgresql/*/bin"

// Program returns the path of a program of PostgreSQL's: of the newest version where Debian keeps several, else that in
// PATH. Without one it ends the test: see [needs.Missing].
func Program(t testing.TB, name string) string {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(debian, name)) // the pattern is good
	if len(found) > 0 {
		return slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(version(a), version(b)) })
	}
	path, err := exec.LookPath(name)
	if err != nil {
		needs.Missing(t, fmt.Errorf("this test needs PostgreSQL's program %s, which is on the machine of the server only: %w", name, err))
	}
	return path
}

// version is the major version in the path of a program of Debian's.
func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 is older than all
	return n
}

// Dump returns what pg_dump writes about a database. It fails the test if pg_dump fails.
func Dump(t testing.TB, dsn string, options ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Program(t, "pg_dump"), append(options, "-d", dsn)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pg_dump: %v: %s", err, stderr.String())
	}
	return string(out)
}

// Unrestricted returns a dump without the lines \restrict and \unrestrict, whose key is another one each time.
func Unrestricted(dump string) string {
	var kept strings.Builder
	for line := range strings.Lines(dump) {
		if !strings.HasPrefix(line, `\restrict `) && !strings.HasPrefix(line, `\unrestrict `) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
