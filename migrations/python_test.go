package migrations_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/migrations"
)

// The Python library takes this lock before a run and gives it back afterwards, on a session.
const (
	pythonLock   = "SELECT pg_advisory_lock(hashtext('pgdbm_migration_m'))"
	pythonTry    = "SELECT pg_try_advisory_lock(hashtext('pgdbm_migration_m'))"
	pythonUnlock = "SELECT pg_advisory_unlock(hashtext('pgdbm_migration_m'))"
)

var module = migrations.Module("m")

func TestPythonKeepsUsOut(t *testing.T) {
	t.Parallel()
	files := sqlFiles("001_a.sql", mark("1"), "002_b.sql", "-- pgdbm:no-transaction\n"+mark("2"))
	for _, driver := range drivers {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.exec(l.admin, marks)
			python := l.connect()
			l.exec(python, pythonLock)
			pool := l.pool(driver, 0)

			var waited *migrations.WaitError
			err := l.wait("the run that gives up", beginApply(t.Context(), l.migrator(pool, "s", files, module, migrations.WaitLimit(0))))
			if !errors.As(err, &waited) || waited.Schema != "" || waited.Module != "m" || !strings.Contains(err.Error(), pidOf(python)) {
				t.Errorf("error = %v, want a *WaitError with %s", err, pidOf(python))
			}
			one, all := newJournal(), newJournal()
			runs := []task{
				beginApply(t.Context(), l.migrator(pool, "s", files, module, one.option())),
				beginApplyAll(t.Context(), pool, files, []string{"a", "b"}, module, all.option()),
			}
			l.awaitEvent(one, "waiting for another run", "module=m", pidOf(python))
			l.awaitEvent(all, "waiting for another run", "module=m", pidOf(python))
			l.succeeds("a run of another module", beginApply(t.Context(), l.migrator(pool, "s", sqlFiles("001_a.sql", mark("0")),
				migrations.Module("other"))))
			l.checkMarks([]string{"s"}, "0")
			l.exec(python, pythonUnlock)
			for _, run := range runs {
				l.succeeds("a run", run)
			}
			l.checkMarks([]string{"s"}, "0 1 2")
			l.checkMarks([]string{"a", "b"}, "1 2")
		})
	}
}

func TestWeKeepPythonOut(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.exec(l.admin, marks)
	python := l.connect()
	pool := l.pool("pgdbm", 0)
	try := func() (got bool) {
		if err := python.QueryRow(t.Context(), pythonTry).Scan(&got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	files := sqlFiles("001_a.sql", mark("1"))
	inFunction, inHook, inAll := newGate(t), newGate(t), newGate(t)
	runs := []task{
		beginApply(t.Context(), l.migrator(pool, "a", files, module, migrations.Go(2, "stop", inFunction.migration, nil))),
		beginApply(t.Context(), l.migrator(pool, "b", files, module, migrations.Before(inHook.hook))),
		beginApplyAll(t.Context(), pool, files, []string{"c", "d"}, module, migrations.Before(inAll.hook)),
	}
	// They share the lock, so all of them are at work at the same time.
	for i, g := range []*gate{inFunction, inHook, inAll} {
		l.awaitReached(g, 1)
		if try() {
			t.Errorf("the Python library gets the lock while %d runs are at work", i+1)
		}
	}
	for i, g := range []*gate{inFunction, inHook, inAll} {
		if try() {
			t.Errorf("the Python library gets the lock while %d runs are at work", len(runs)-i)
		}
		g.open()
		l.succeeds("a run", runs[i])
	}
	if !try() {
		t.Error("the Python library does not get the lock after the runs")
	}
	l.exec(python, pythonUnlock)
}

// TestWithoutAModuleTheSchemaIsIt shows that a schema is the module where none is named, also for ApplyAll.
func TestWithoutAModuleTheSchemaIsIt(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.exec(l.admin, marks)
	python := l.connect()
	l.exec(python, "SELECT pg_advisory_lock(hashtext('pgdbm_migration_s'))")
	pool := l.pool("pgx", 0)
	files := sqlFiles("001_a.sql", mark("1"))
	one, all := newJournal(), newJournal()
	single := beginApply(t.Context(), l.migrator(pool, "s", files, one.option()))
	many := beginApplyAll(t.Context(), pool, files, []string{"s", "other"}, all.option())
	l.awaitEvent(one, "waiting for another run", "module=s", pidOf(python))
	l.awaitEvent(all, "waiting for another run", "module=s", pidOf(python))
	l.await("the other schema is migrated", func() bool {
		return read[int](l, "SELECT count(*) FROM public.marks WHERE schema ~ 'other'") == 1
	})
	l.exec(python, "SELECT pg_advisory_unlock_all()")
	l.succeeds("the run", single)
	l.succeeds("the run over all", many)
	l.checkMarks([]string{"s", "other"}, "1")
}

// block makes a session wait for the lock, as the Python library does. The task ends when it has it.
func (l *lab) block(python *pgx.Conn) task {
	l.Helper()
	blocked := start(func() error {
		_, err := python.Exec(l.Context(), pythonLock, pgx.QueryExecModeSimpleProtocol)
		return err
	})
	l.activity("wait_event = 'advisory' AND query = $$" + pythonLock + "$$")
	return blocked
}

func TestPythonBlocksInTheWayOfConcurrently(t *testing.T) {
	t.Parallel()
	files := sqlFiles("001_a.sql", big, "002_b.sql", concurrently+mark("2"), "003_c.sql", mark("3"))
	newRun := func(t *testing.T) (*lab, func(...migrations.Option) *migrations.Migrator) {
		l := newLab(t)
		l.exec(l.admin, marks)
		pool := l.pool("pgdbm", 0)
		l.succeeds("the first run", beginApply(t.Context(), l.migrator(pool, "s", sqlFiles("001_a.sql", big), module)))
		return l, func(opts ...migrations.Option) *migrations.Migrator {
			return l.migrator(pool, "s", files, append(opts, module)...)
		}
	}
	check := func(l *lab, delay, python *pgx.Conn, run, blocked task, again *migrations.Migrator) {
		var e *migrations.BlockedError
		err := l.wait("the run", run)
		if !errors.As(err, &e) || e.Module != "m" || len(e.Waiters) != 1 || !strings.HasPrefix(e.Waiters[0], pidOf(python)) {
			l.Errorf("error = %v, want a *BlockedError with %s", err, pidOf(python))
		}
		l.succeeds("the Python library", blocked) // because the run has ended
		l.exec(python, pythonUnlock)
		l.exec(delay, "COMMIT")
		l.succeeds("the next run", beginApply(l.Context(), again))
		l.checkIndex("s.big_x")
		l.checkMarks([]string{"s"}, "2 3")
	}
	t.Run("before", func(t *testing.T) {
		t.Parallel()
		l, migrator := newRun(t)
		g := newGate(t)
		run := beginApply(t.Context(), migrator(migrations.Before(g.hook)))
		l.awaitReached(g, 1)
		python := l.connect()
		blocked := l.block(python)
		g.open()
		check(l, l.connect(), python, run, blocked, migrator())
	})
	t.Run("during", func(t *testing.T) {
		t.Parallel()
		l, migrator := newRun(t)
		delay := l.delay("s.big")
		run := beginApply(t.Context(), migrator())
		l.activity(indexing)
		python := l.connect()
		blocked := l.block(python)
		l.exec(delay, "COMMIT") // so the statement goes on, and then waits for the Python library
		check(l, delay, python, run, blocked, migrator())
	})
	t.Run("again", func(t *testing.T) { // while the next run removes what is left of the index
		t.Parallel()
		l, migrator := newRun(t)
		delay := l.delay("s.big")
		python := l.connect()
		run := beginApply(t.Context(), migrator())
		l.activity(indexing)
		blocked := l.block(python)
		var e *migrations.BlockedError
		if err := l.wait("the run", run); !errors.As(err, &e) {
			t.Errorf("error = %v", err)
		}
		l.succeeds("the Python library", blocked)
		l.exec(python, pythonUnlock)
		run = beginApply(t.Context(), migrator())
		l.activity("wait_event_type = 'Lock' AND query ~ 'INDEX CONCURRENTLY'")
		blocked = l.block(python)
		check(l, delay, python, run, blocked, migrator())
	})
}

// TestPythonWaitsForAPlainStatement shows that only CONCURRENTLY is stopped.
func TestPythonWaitsForAPlainStatement(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.exec(l.admin, marks)
	l.exec(l.admin, "CREATE TABLE public.door (x int)")
	delay := l.connect()
	l.exec(delay, "BEGIN; LOCK TABLE public.door")
	j := newJournal()
	run := beginApply(t.Context(), l.migrator(l.pool("pgx", 0), "s", sqlFiles("001_a.sql",
		"-- pgdbm:no-transaction\nINSERT INTO public.door VALUES (1);"+mark("1")), module, j.option()))
	l.activity("wait_event_type = 'Lock' AND query LIKE 'INSERT INTO public.door%'")
	python := l.connect()
	blocked := l.block(python)
	// The run asks about every half second who blocks; let it do so once.
	asked := time.Now()
	l.activity("application_name = 'runs' AND query ~ 'SHOW transaction_isolation' AND state_change > '" + asked.UTC().Format(time.RFC3339Nano) + "'")
	l.exec(delay, "COMMIT")
	l.succeeds("the run", run)
	l.succeeds("the Python library", blocked)
	l.exec(python, pythonUnlock)
	l.checkMarks([]string{"s"}, "1")
}
