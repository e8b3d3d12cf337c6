//go:build unix

package migrations_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"testing"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/migrations"
)

// signalled is the variable with the DSN for the process that TestApplyAllSIGINT interrupts.
const signalled = "PGDBM_TEST_SIGNALLED"

// The process is this program, which does not get to its tests then.
func init() {
	if dsn := os.Getenv(signalled); dsn != "" {
		if err := untilSignal(dsn, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// slowInThird is abc, and a file that takes a minute in tenant_002 when wanted.
func slowInThird(seconds int) []string {
	return []string{"004_d.sql", fmt.Sprintf(`CREATE TABLE {{tables.d}} (id int);
SELECT pg_sleep(%d) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = '{{tables.d}}'::regclass AND n.nspname = 'tenant_002'`, seconds)}
}

// childReport is what the process reports.
type childReport struct {
	Applied, Failed, NotReached []string
	Canceled                    bool
}

// untilSignal says that it is in the middle, and at the end what it has done.
func untilSignal(dsn string, out io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	pool, err := sql.Open(driver.Name, dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	tell := migrations.Before(func(_ context.Context, s migrations.Step) error {
		if s.Schema == "tenant_002" && s.Migration.Version == 4 {
			fmt.Fprintln(out, "in the middle")
		}
		return nil
	})
	result, err := migrations.ApplyAll(ctx, pool, abcAnd(slowInThird(60)...), slices.Values(tenantNames(5)), tell,
		migrations.Parallel(1), quiet, migrations.AllowChanged())
	l := listsOf(result)
	return json.NewEncoder(out).Encode(childReport{l.applied, l.failed, l.notReached, errors.Is(err, context.Canceled)})
}

func TestApplyAllSIGINT(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	pool := openPool(t, driver.Name, dsn)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(limited(t), self)
	child.Env = append(os.Environ(), signalled+"="+dsn)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "in the middle\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	if err := child.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var got childReport
	if err := json.NewDecoder(lines).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil || !got.Canceled {
		t.Errorf("the process has ended with %v and reports %+v", err, got)
	}
	names := tenantNames(5)
	wantList(t, "applied", got.Applied, names[:2])
	wantList(t, "failed", got.Failed, names[2:3])
	wantList(t, "not reached", got.NotReached, names[3:])
	wantList(t, "tables", tables(t, pool, names[2]), []string{"a", "b", "c"})
	rest := applyAll(t, pool, abcAnd(slowInThird(0)...), slices.Values(names), migrations.AllowChanged())
	wantLists(t, rest, lists{applied: names[2:], upToDate: names[:2]})
}
