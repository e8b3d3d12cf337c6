package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// sleeper is a statement that runs until it is stopped.
const sleeper = "SELECT pg_sleep(1000);"

const sleeping = "wait_event = 'PgSleep'"

// slowly is a migration in Go that runs until it is stopped.
func slowly(ctx context.Context, tx *schemadb.Tx) error {
	if err := addMark("2")(ctx, tx); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, sleeper)
	return err
}

// slow are the kinds of migration that a fault can hit in the middle: each leaves the mark 2, if anything.
var slow = map[string]struct {
	text  string
	opt   migrations.Option
	stays string // which marks are there after the fault
}{
	"transaction":    {mark("2") + sleeper, quiet, "1"},
	"copy":           {mark("2") + "CREATE TABLE {{tables.rows}} (x int); COPY {{tables.rows}} FROM stdin;\n1\n\\.\n" + sleeper, quiet, "1"},
	"go":             {"", migrations.Go(2, "slow", slowly, nil), "1"},
	"no transaction": {"-- pgdbm:no-transaction\n" + mark("2") + sleeper, quiet, "1 2"},
}

// slowRun is a lab in which a run is in the middle of a slow migration.
type slowRun struct {
	*lab
	pool *sql.DB
	run  task
	pid  int // of the backend that runs the statement
}

func newSlowRun(ctx context.Context, t *testing.T, driver, kind string, opts ...migrations.Option) *slowRun {
	t.Helper()
	l := newLab(t)
	l.exec(l.admin, marks)
	r := &slowRun{lab: l, pool: l.pool(driver, 3)}
	names := []string{"001_a.sql", mark("1"), "003_c.sql", mark("3")}
	if slow[kind].text != "" {
		names = append(names, "002_b.sql", slow[kind].text)
	}
	r.run = beginApply(ctx, l.migrator(r.pool, "s", sqlFiles(names...), append(opts, slow[kind].opt)...))
	r.pid = l.activity(sleeping)
	return r
}

// again runs what the corrected files say, and checks that each has run once.
func (r *slowRun) again(kind string) {
	r.Helper()
	r.checkMarks([]string{"s"}, slow[kind].stays)
	if got := read[int](r.lab, "SELECT count(*) FROM s.schema_migrations"); got != 1 {
		r.Errorf("the history has %d rows", got)
	}
	names, opt := []string{"001_a.sql", mark("1"), "003_c.sql", mark("3")}, migrations.Go(2, "slow", addMark("2"), nil)
	if text := slow[kind].text; text != "" {
		names, opt = append(names, "002_b.sql", strings.ReplaceAll(text, sleeper, "SELECT 1;")), quiet
	}
	r.succeeds("the next run", beginApply(r.Context(), r.migrator(r.pool, "s", sqlFiles(names...), opt)))
	r.checkMarks([]string{"s"}, "1 2 3")
}

func eachSlow(t *testing.T, fn func(t *testing.T, driver, kind string)) {
	for _, driver := range drivers {
		for kind := range slow {
			t.Run(driver+", "+kind, func(t *testing.T) {
				t.Parallel()
				fn(t, driver, kind)
			})
		}
	}
}

func TestConnectionCutInTheMiddle(t *testing.T) {
	t.Parallel()
	eachSlow(t, func(t *testing.T, driver, kind string) {
		r := newSlowRun(t.Context(), t, driver, kind)
		r.terminate(sleeping)
		var failed *migrations.MigrationError
		err := r.wait("the run", r.run)
		if !errors.As(err, &failed) || !strings.Contains(failed.File, "002_") {
			t.Errorf("error = %v", err)
		}
		r.again(kind)
	})
}

// TestHoldOfADeadMachine looks at what a hold has told the server: to ask the client's machine every now and then whether it
// is still there. (With the network cut, the lock was gone after 59 seconds; a test would need two machines.)
func TestHoldOfADeadMachine(t *testing.T) {
	t.Parallel()
	const kind = "transaction"
	r := newSlowRun(t.Context(), t, "pgdbm", kind)
	condition := "application_name = 'runs' AND state = 'idle in transaction'"
	for _, setting := range []string{"tcp_keepalives_idle', '30'", "tcp_keepalives_interval', '10'", "tcp_keepalives_count', '3'"} {
		condition += fmt.Sprintf(" AND position(%s in query) > 0", "'"+strings.ReplaceAll(setting, "'", "''")+"'")
	}
	r.activity(condition)
	r.terminate(sleeping)
	_ = r.wait("the run", r.run) // it has failed
	r.again(kind)
}

func TestHoldLost(t *testing.T) {
	t.Parallel()
	eachSlow(t, func(t *testing.T, driver, kind string) {
		r := newSlowRun(t.Context(), t, driver, kind)
		if n := r.terminate("application_name = 'runs' AND state = 'idle in transaction'"); n != 1 {
			t.Errorf("%d backends hold locks", n)
		}
		err := r.wait("the run", r.run)
		if err == nil || !strings.Contains(err.Error(), "the connection that keeps other runs out is lost") {
			t.Errorf("error = %v", err)
		}
		r.await("the statement has ended", func() bool {
			return read[int](r.lab, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "+sleeping) == 0
		})
		r.again(kind)
	})
}

func TestHoldLostInAHook(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.exec(l.admin, marks)
	pool := l.pool("pgx", 0)
	g := newGate(t)
	files := sqlFiles("001_a.sql", mark("1"))
	run := beginApply(t.Context(), l.migrator(pool, "s", files, migrations.Before(g.hook)))
	l.awaitReached(g, 1)
	l.terminate("application_name = 'runs' AND state = 'idle in transaction'")
	if err := l.wait("the run", run); err == nil { // the hook's context has ended
		t.Error("the run has succeeded")
	}
	l.checkMarks([]string{"s"}, "")
	l.succeeds("the next run", beginApply(t.Context(), l.migrator(pool, "s", files)))
}

func TestIdleConnectionsCut(t *testing.T) {
	t.Parallel()
	names, opt := allKinds()
	for _, driver := range drivers {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.exec(l.admin, marks)
			pool := l.pool(driver, 8)
			pool.SetMaxIdleConns(8)
			for _, run := range []func(schema string) task{
				func(schema string) task {
					return beginApply(t.Context(), l.migrator(pool, schema, sqlFiles(names...), opt))
				},
				func(schema string) task {
					return beginApplyAll(t.Context(), pool, sqlFiles(names...), []string{schema}, opt, module)
				},
			} {
				l.busy(pool, 6)()
				if n := l.terminate("application_name = 'runs' AND state = 'idle'"); n < 6 {
					t.Errorf("%d connections were cut", n)
				}
				schema := schemaNames(9)[l.count("public.marks")%9]
				l.succeeds("the run", run(schema))
				l.checkMarks([]string{schema}, kinds)
			}
		})
	}
}

func TestCancelledStatement(t *testing.T) {
	t.Parallel()
	eachSlow(t, func(t *testing.T, driver, kind string) {
		reason := errors.New("no longer wanted")
		ctx, cancel := context.WithCancelCause(t.Context())
		r := newSlowRun(ctx, t, driver, kind)
		cancel(reason)
		err := r.wait("the run", r.run)
		if !errors.Is(err, reason) {
			t.Errorf("error = %v", err)
		}
		if n := r.pool.Stats().InUse; n != 0 {
			t.Errorf("%d connections are in use", n)
		}
		r.await("the statement has ended", func() bool {
			return read[int](r.lab, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "+sleeping) == 0
		})
		r.again(kind)
	})
}

// TestCancelHitsNobodyElse uses the pool at once after the cancellation: no statement of others fails.
func TestCancelHitsNobodyElse(t *testing.T) {
	t.Parallel()
	for _, driver := range drivers {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			pool := l.pool(driver, 2)
			m := l.migrator(pool, "s", sqlFiles("001_a.sql", sleeper))
			for range 10 {
				ctx, cancel := context.WithCancel(t.Context())
				run := beginApply(ctx, m)
				l.activity(sleeping)
				cancel()
				if err := l.wait("the run", run); !errors.Is(err, context.Canceled) {
					t.Fatalf("error = %v", err)
				}
				for range 20 {
					if _, err := pool.ExecContext(t.Context(), "SELECT pg_sleep(0.0005)"); err != nil {
						t.Fatalf("somebody else's statement: %v", err)
					}
				}
			}
		})
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.exec(l.admin, marks)
	pool := l.pool("pgx", 0)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	schemas := schemaNames(20)
	result, err := migrations.ApplyAll(ctx, pool, sqlFiles("001_a.sql", mark("1")+sleeper), func(yield func(string) bool) {
		for _, schema := range schemas {
			if !yield(schema) {
				return
			}
		}
	}, quiet)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v", err)
	}
	if got := len(result.Failed) + len(result.NotReached); got != len(schemas) {
		t.Errorf("%d schemas have failed or were not reached", got)
	}
	l.checkMarks(schemas, "")
}

// TestThirdStatementFails shows that a migration without a transaction goes on where it has stopped.
func TestThirdStatementFails(t *testing.T) {
	t.Parallel()
	for _, driver := range drivers {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.exec(l.admin, marks)
			pool := l.pool(driver, 0)
			text := "-- pgdbm:no-transaction\n" + mark("1") + mark("2") + "SELECT 1/x FROM public.divisor;\n" + mark("4")
			l.exec(l.admin, "CREATE TABLE public.divisor AS SELECT 0 AS x")
			m := l.migrator(pool, "s", sqlFiles("001_a.sql", text, "002_b.sql", mark("5")))
			for range 2 {
				var failed *migrations.MigrationError
				var pgErr *pgconn.PgError
				err := l.wait("the run", beginApply(t.Context(), m))
				if !errors.As(err, &failed) || failed.Line != 4 || !errors.As(err, &pgErr) || pgErr.Code != "22012" {
					t.Fatalf("error = %v", err)
				}
				if !strings.Contains(failed.Note, "its first 2 statements are done") {
					t.Errorf("note = %s", failed.Note)
				}
				l.checkMarks([]string{"s"}, "1 2")
			}
			l.exec(l.admin, "UPDATE public.divisor SET x = 1")
			l.succeeds("the next run", beginApply(t.Context(), m))
			l.checkMarks([]string{"s"}, "1 2 4 5")
			if n := l.count("s.schema_migrations_progress"); n != 0 {
				t.Errorf("%d rows of progress are left", n)
			}
		})
	}
}
