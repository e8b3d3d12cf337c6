//go:build unix

package pgbouncer_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/pgbouncer"
	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/internal/supervise/supervisetest"
)

// socketDir returns the directory of PgBouncer's socket, which is the only one it has.
func socketDir(t *testing.T, dsn string) string {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if !supervisetest.Leftovers(config.Host) {
		t.Fatalf("%s: no trace of a running PgBouncer", config.Host)
	}
	return config.Host
}

func TestEndOfTheTestLeavesNothing(t *testing.T) {
	t.Parallel()
	direct := server.Database(t)
	var dir string
	t.Run("test", func(t *testing.T) {
		dsn := pgbouncer.Start(t, direct)
		dir = socketDir(t, dsn)
		// It does not wait for clients, not even in a transaction.
		exec(t, connect(t, dsn), "BEGIN")
	})
	if dir == "" || supervisetest.Leftovers(dir) {
		t.Errorf("something is left of %q", dir)
	}
}

func TestKilledProgramLeavesNothing(t *testing.T) {
	t.Parallel()
	program, output := supervisetest.Again(t, helperVariable+"="+server.Database(t))
	dsn, err := output.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	dsn = strings.TrimSpace(dsn)
	exec(t, connect(t, dsn), "BEGIN")
	dir := socketDir(t, dsn)
	program.Process.Kill()
	program.Wait()
	supervisetest.Eventually(t, "PgBouncer and its directory gone", func() bool { return !supervisetest.Leftovers(dir) })
}

func TestStrangeTemporaryDirectory(t *testing.T) { // not parallel, for Setenv
	t.Setenv("TMPDIR", supervisetest.PublicDir(t, "a 'b' %41+&=;#"))
	var s pgserver.Server // in that directory too
	t.Cleanup(func() { s.Stop() })
	dsn := pgbouncer.Start(t, s.Database(t))
	if dir := socketDir(t, dsn); !strings.Contains(dir, "%41+&=;#") {
		t.Errorf("PgBouncer is in %s, not in TMPDIR", dir)
	}
	if got := value[int](t, connect(t, dsn), "SELECT 1"); got != 1 {
		t.Errorf("got %d", got)
	}
}
