package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/migrations"
)

// drivers are those whose pools can be migrated on.
var drivers = []string{"pgx", "pgdbm"}

func TestRunsOfOneMigrator(t *testing.T) {
	t.Parallel()
	for _, driver := range drivers {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.exec(l.admin, marks)
			m := l.migrator(l.pool(driver, 6), "s", sqlFiles(
				"001_a.sql", "CREATE TABLE {{tables.a}} (x int);"+mark("1"),
				"002_b.sql", "-- pgdbm:no-transaction\nCREATE TABLE {{tables.b}} (x int);"+mark("2"),
				"003_c.sql", mark("3")),
				migrations.Go(4, "go", addMark("4"), nil))
			var runs []task
			for range 8 {
				runs = append(runs, beginApply(t.Context(), m))
			}
			for _, run := range runs {
				l.succeeds("a run", run)
			}
			l.checkMarks([]string{"s"}, "1 2 3 4")
			if n := l.count("s.schema_migrations"); n != 4 {
				t.Errorf("the history has %d rows", n)
			}
		})
	}
}

func TestModulesAtTheSameTime(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.exec(l.admin, marks)
	pool := l.pool("pgx", 0)
	var runs []task
	modules := []string{"ma", "mb", "mc", "md"}
	for _, module := range modules {
		m := l.migrator(pool, "s", sqlFiles(
			"001_a.sql", "CREATE TABLE {{tables."+module+"}} (x int);"+mark(module+"1"),
			"002_b.sql", "-- pgdbm:no-transaction\n"+mark(module+"2"),
			"003_c.sql", mark(module+"3")), migrations.Module(module))
		runs = append(runs, beginApply(t.Context(), m), beginApply(t.Context(), m))
	}
	for _, run := range runs {
		l.succeeds("a run", run)
	}
	l.checkMarks([]string{"s"}, "ma1 ma2 ma3 mb1 mb2 mb3 mc1 mc2 mc3 md1 md2 md3")
}

func TestSchemasAtTheSameTime(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.exec(l.admin, marks)
	pool := l.pool("pgdbm", 0)
	files := sqlFiles("001_a.sql", mark("1"), "003_c.sql", "-- pgdbm:no-transaction\n"+mark("3"))
	g := newGate(t)
	module := migrations.Module("m")
	first := beginApply(t.Context(), l.migrator(pool, "a", files, module, migrations.Go(2, "stop", g.migration, nil)))
	l.awaitReached(g, 1)
	l.succeeds("the run in another schema", beginApply(t.Context(), l.migrator(pool, "b", files, module)))
	hooked := beginApply(t.Context(), l.migrator(pool, "c", files, module, migrations.Before(g.hook)))
	l.awaitReached(g, 1)
	l.succeeds("the third run", beginApply(t.Context(), l.migrator(pool, "d", files, module)))
	g.open()
	l.succeeds("the first run", first)
	l.succeeds("the run with a hook", hooked)
	l.checkMarks([]string{"a", "b", "c", "d"}, "1 3")
}

// blocked is a lab where a run has stopped in a migration, and keeps others out.
type blocked struct {
	*lab
	open  func() // lets it go on
	other task
	again func(opts ...migrations.Option) *migrations.Migrator // another one of the same migrations
}

func newBlocked(t *testing.T, noTransaction bool) *blocked {
	t.Helper()
	l := newLab(t)
	l.exec(l.admin, marks)
	pool := l.pool("pgdbm", 0)
	g := newGate(t)
	b := &blocked{lab: l, open: g.open}
	if noTransaction {
		// The statement waits for a lock that the test has, and which only this statement takes.
		conn := l.connect()
		l.exec(conn, "CREATE TABLE public.door (x int)")
		l.exec(conn, "BEGIN; LOCK TABLE public.door")
		files := sqlFiles("001_a.sql", mark("1"), "002_b.sql", "-- pgdbm:no-transaction\n"+mark("2")+
			"INSERT INTO public.door VALUES (1);"+mark("3"))
		b.again = func(opts ...migrations.Option) *migrations.Migrator { return l.migrator(pool, "s", files, opts...) }
		b.other = beginApply(t.Context(), b.again())
		l.activity("wait_event_type = 'Lock' AND query LIKE 'INSERT INTO public.door%'")
		b.open = func() { l.exec(conn, "COMMIT") }
		return b
	}
	files := sqlFiles("001_a.sql", mark("1"), "003_c.sql", mark("3"))
	b.again = func(opts ...migrations.Option) *migrations.Migrator {
		return l.migrator(pool, "s", files, append(opts, migrations.Go(2, "stop", g.migration, nil))...)
	}
	b.other = beginApply(t.Context(), b.again())
	l.awaitReached(g, 1)
	return b
}

func TestWaitingForAnotherRun(t *testing.T) {
	t.Parallel()
	for name, noTransaction := range map[string]bool{"transaction": false, "no transaction": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBlocked(t, noTransaction)
			j := newJournal()
			waiting := beginApply(t.Context(), b.again(j.option()))
			b.awaitEvent(j, "waiting for another run", "schema=s", "module=s", "pid ", "application runs")
			b.open()
			b.succeeds("the first run", b.other)
			b.succeeds("the one that has waited", waiting)
			want := "1 3"
			if noTransaction {
				want = "1 2 3"
			}
			b.checkMarks([]string{"s"}, want)
		})
	}
}

// TestHoldWhileWaiting looks at the transaction in which a waiting run keeps the Python library out: a CREATE INDEX
// CONCURRENTLY of the other run that has seen it take the lock waits for its end.
func TestHoldWhileWaiting(t *testing.T) {
	t.Parallel()
	for _, noTransaction := range []bool{false, true} {
		t.Run(fmt.Sprintf("%t", noTransaction), func(t *testing.T) {
			t.Parallel()
			b := newBlocked(t, noTransaction)
			const holds = "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted " +
				"AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
			other := read[string](b.lab, holds)
			waiting := beginApply(t.Context(), b.again())
			seen := map[string]bool{}
			b.await("another transaction of the waiting run's", func() bool {
				if vxid := read[string](b.lab, "SELECT COALESCE(max(v), '') FROM ("+holds+" AND virtualtransaction <> $1) x (v)", other); vxid != "" {
					seen[vxid] = true
				}
				return len(seen) > 1
			})
			if now := read[string](b.lab, holds+" AND virtualtransaction = $1", other); now != other {
				t.Errorf("the hold of the run that works has changed: %s", now)
			}
			b.open()
			b.succeeds("the run that works", b.other)
			b.succeeds("the waiting run", waiting)
		})
	}
}

func TestWaitLimit(t *testing.T) {
	t.Parallel()
	for name, noTransaction := range map[string]bool{"transaction": false, "no transaction": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBlocked(t, noTransaction)
			for _, limit := range []time.Duration{0, 300 * time.Millisecond} {
				err := b.wait("the run", beginApply(t.Context(), b.again(migrations.WaitLimit(limit))))
				var waited *migrations.WaitError
				if !errors.As(err, &waited) {
					t.Fatalf("WaitLimit(%v): error = %v", limit, err)
				}
				if waited.Schema != "s" || waited.Module != "s" || waited.Waited < limit || len(waited.Holders) == 0 {
					t.Errorf("WaitLimit(%v): %+v", limit, waited)
				}
				b.checkHolder(waited.Holders)
			}
			b.open()
			b.succeeds("the first run", b.other)
		})
	}
}

// checkHolder compares the pids with those that have the key of the target, which is not the Python library's.
func (b *blocked) checkHolder(holders []string) {
	b.Helper()
	pids := read[[]string](b.lab, "SELECT array_agg(DISTINCT concat('pid ', pid)) FROM pg_locks WHERE locktype = 'advisory' AND "+
		"mode = 'ExclusiveLock' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
	for _, pid := range pids {
		if !slices.ContainsFunc(holders, func(h string) bool { return strings.HasPrefix(h, pid+" ") }) {
			b.Errorf("the holders %q do not have %s", holders, pid)
		}
	}
}

// TestHoldersAreNotThoseWhoShare has another run of the module, in another schema. It is not in the way.
func TestHoldersAreNotThoseWhoShare(t *testing.T) {
	t.Parallel()
	for name, noTransaction := range map[string]bool{"transaction": false, "no transaction": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBlocked(t, noTransaction)
			sharer := b.connect()
			b.exec(sharer, "SELECT pg_advisory_lock_shared(hashtext('pgdbm_migration_s'))")
			err := b.wait("the run", beginApply(t.Context(), b.again(migrations.WaitLimit(0))))
			var waited *migrations.WaitError
			if !errors.As(err, &waited) || len(waited.Holders) != 1 || strings.HasPrefix(waited.Holders[0], pidOf(sharer)) {
				t.Errorf("error = %v, want one holder, which is not %s", err, pidOf(sharer))
			}
			b.exec(sharer, "SELECT pg_advisory_unlock_all()")
			b.open()
			b.succeeds("the first run", b.other)
		})
	}
}

// TestWaitIsLoggedOnce has a run that tries several times while it waits.
func TestWaitIsLoggedOnce(t *testing.T) {
	t.Parallel()
	b := newBlocked(t, false)
	j := newJournal()
	waiting := beginApply(t.Context(), b.again(j.option()))
	b.awaitEvent(j, "waiting for another run")
	const attempts = "SELECT COALESCE(string_agg(virtualtransaction, ' ' ORDER BY virtualtransaction), '') FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' " +
		"AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
	for range 4 { // each time it takes the module's lock in another transaction
		last := read[string](b.lab, attempts)
		b.await("another attempt", func() bool {
			now := read[string](b.lab, attempts)
			return now != last && strings.Contains(now, " ") // both runs have it
		})
	}
	b.open()
	b.succeeds("the first run", b.other)
	b.succeeds("the one that has waited", waiting)
	for len(j.events) > 0 {
		if event := <-j.events; strings.Contains(event, "waiting for another run") {
			t.Errorf("it is logged again: %s", event)
		}
	}
}

// TestWaitLimitBeginsAnew shows that who gets on is not in the way for ever.
func TestWaitLimitBeginsAnew(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.exec(l.admin, marks)
	pool := l.pool("pgx", 0)
	gates := []*gate{newGate(t), newGate(t)}
	opts := []migrations.Option{migrations.Go(2, "one", gates[0].migration, nil), migrations.Go(3, "two", gates[1].migration, nil)}
	files := sqlFiles("001_a.sql", mark("1"))
	other := beginApply(t.Context(), l.migrator(pool, "s", files, opts...))
	l.awaitReached(gates[0], 1)
	j := newJournal()
	waiting := beginApply(t.Context(), l.migrator(pool, "s", files, append(opts, j.option(), migrations.WaitLimit(time.Hour))...))
	l.awaitEvent(j, "waiting for another run")
	gates[0].open()
	l.awaitReached(gates[1], 1)
	gates[1].open()
	l.succeeds("the first run", other)
	l.succeeds("the one that has waited", waiting)
}

func TestCancelWhileWaiting(t *testing.T) {
	t.Parallel()
	for name, noTransaction := range map[string]bool{"transaction": false, "no transaction": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBlocked(t, noTransaction)
			ctx, cancel := context.WithCancelCause(t.Context())
			j := newJournal()
			waiting := beginApply(ctx, b.again(j.option()))
			b.awaitEvent(j, "waiting for another run")
			reason := errors.New("no longer wanted")
			cancel(reason)
			if err := b.wait("the run", waiting); !errors.Is(err, reason) {
				t.Errorf("error = %v", err)
			}
			b.open()
			b.succeeds("the first run", b.other)
		})
	}
}

func TestHistoryLockedByOthers(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"ACCESS EXCLUSIVE", "EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "ROW EXCLUSIVE"} {
		for name, text := range map[string]string{"transaction": "", "no transaction": "-- pgdbm:no-transaction\n", "go": "go"} {
			t.Run(mode+", "+name, func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				l.exec(l.admin, marks)
				pool := l.pool("pgdbm", 0)
				l.succeeds("the first run", beginApply(t.Context(), l.migrator(pool, "s", sqlFiles("001_a.sql", mark("1")))))
				files, opts := sqlFiles("001_a.sql", mark("1"), "002_b.sql", text+mark("2")), []migrations.Option(nil)
				if text == "go" {
					files, opts = sqlFiles("001_a.sql", mark("1")), []migrations.Option{migrations.Go(2, "b", addMark("2"), nil)}
				}
				other := l.connect()
				l.exec(other, "BEGIN; LOCK TABLE s.schema_migrations IN "+mode+" MODE")
				err := l.wait("the run that gives up", beginApply(t.Context(), l.migrator(pool, "s", files,
					append(opts, migrations.WaitLimit(50*time.Millisecond))...)))
				var waited *migrations.WaitError
				if !errors.As(err, &waited) || !strings.Contains(waited.Error(), pidOf(other)) {
					t.Errorf("error = %v, want a *WaitError with %s", err, pidOf(other))
				}
				j := newJournal()
				run := beginApply(t.Context(), l.migrator(pool, "s", files, append(opts, j.option())...))
				l.awaitEvent(j, "waiting for another run", pidOf(other))
				l.checkMarks([]string{"s"}, "1")
				l.exec(other, "COMMIT")
				l.succeeds("the run", run)
				l.checkMarks([]string{"s"}, "1 2")
			})
		}
	}
}

// TestHookAndErrorOfAWait look at a run that has not got at the history: nothing has run, and the error says why.
func TestHookAndErrorOfAWait(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"transaction": "", "no transaction": "-- pgdbm:no-transaction\n", "rows": "COPY public.marks FROM stdin;\n\\.\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.exec(l.admin, marks)
			pool := l.pool("pgx", 0)
			l.succeeds("the first run", beginApply(t.Context(), l.migrator(pool, "s", sqlFiles("001_a.sql", mark("1")))))
			other := l.connect()
			l.exec(other, "BEGIN; LOCK TABLE s.schema_migrations IN ROW EXCLUSIVE MODE") // which lets others read
			var before, after []string
			err := l.wait("the run", beginApply(t.Context(), l.migrator(pool, "s", sqlFiles("001_a.sql", mark("1"), "002_b.sql", text+mark("2")),
				migrations.WaitLimit(0),
				migrations.Before(func(_ context.Context, s migrations.Step) error {
					before = append(before, s.Migration.File)
					return nil
				}),
				migrations.After(func(_ context.Context, s migrations.Step, _ error) { after = append(after, s.Migration.File) }))))
			var waited *migrations.WaitError
			var cause *pgconn.PgError
			if !errors.As(err, &waited) || !errors.As(waited.Err, &cause) || cause.Code != "55P03" {
				t.Errorf("error = %v, want a *WaitError because of the lock", err)
			}
			wantTexts(t, err, pidOf(other), "the last attempt", "55P03")
			wantFiles(t, "Before", before, "002_b.sql")
			wantFiles(t, "After", after, "")
			l.exec(other, "COMMIT")
			l.checkMarks([]string{"s"}, "1")
		})
	}
}

// TestHistoryLockedBeforeItMoves has a session that writes to the schema's own history when that is to go to the shared one.
func TestHistoryLockedBeforeItMoves(t *testing.T) {
	t.Parallel()
	for name, more := range map[string][]string{"nothing pending": nil, "a file pending": {"002_b.sql", mark("2")},
		"without a transaction": {"002_b.sql", "-- pgdbm:no-transaction\n" + mark("2")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.exec(l.admin, marks)
			pool := l.pool("pgdbm", 0)
			names := []string{"001_a.sql", mark("1")}
			l.succeeds("the first run", beginApply(t.Context(), l.migrator(pool, "s", sqlFiles(names...))))
			other := l.connect()
			l.exec(other, "BEGIN; LOCK TABLE s.schema_migrations IN ROW EXCLUSIVE MODE")
			files := sqlFiles(append(names, more...)...)
			err := l.wait("the run that gives up", beginApply(t.Context(), l.migrator(pool, "s", files, inBooks, migrations.WaitLimit(0))))
			if !errors.As(err, new(*migrations.WaitError)) {
				t.Errorf("error = %v, want a *WaitError", err)
			}
			l.exec(other, "COMMIT")
			l.succeeds("the next run", beginApply(t.Context(), l.migrator(pool, "s", files, inBooks)))
			if read[bool](l, "SELECT to_regclass('s.schema_migrations') IS NOT NULL") {
				t.Error("the history has not moved")
			}
		})
	}
}

// TestHistoryLockedUnderApplyAll shows that one locked history does not hold up the other schemas.
func TestHistoryLockedUnderApplyAll(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.exec(l.admin, marks)
	pool := l.pool("pgx", 0)
	schemas := schemaNames(5)
	files := sqlFiles("001_a.sql", mark("1"))
	l.succeeds("the first run", beginApplyAll(t.Context(), pool, files, schemas, migrations.Module("m")))
	other := l.connect()
	l.exec(other, "BEGIN; LOCK TABLE s02.schema_migrations")
	files = sqlFiles("001_a.sql", mark("1"), "002_b.sql", mark("2"))
	ready := make(chan string, len(schemas))
	run := beginApplyAll(t.Context(), pool, files, schemas, migrations.Module("m"), migrations.Parallel(2),
		migrations.Progress(func(r migrations.Report) { ready <- r.Schema }))
	for range 4 {
		select {
		case schema := <-ready:
			if schema == "s02" {
				t.Error("s02 is ready although its history is locked")
			}
		case <-time.After(patience):
			t.Fatal("the other schemas do not get ready")
		}
	}
	l.exec(other, "COMMIT")
	l.succeeds("the run", run)
	l.checkMarks(schemas, "1 2")
}

// big is a table, and concurrently a file that indexes it.
const (
	big          = "CREATE TABLE {{tables.big}} (x int); INSERT INTO {{tables.big}} SELECT generate_series(1, 1000);"
	concurrently = "-- pgdbm:no-transaction\nCREATE INDEX CONCURRENTLY big_x ON {{tables.big}} (x);\n"
)

// delay makes CREATE INDEX CONCURRENTLY on the table wait, until the returned session ends its transaction.
func (l *lab) delay(table string) *pgx.Conn {
	l.Helper()
	conn := l.connect()
	l.exec(conn, "BEGIN; LOCK TABLE "+table+" IN ROW EXCLUSIVE MODE")
	return conn
}

const indexing = "wait_event_type = 'Lock' AND query LIKE 'CREATE INDEX CONCURRENTLY%'"

func (l *lab) checkIndex(index string) {
	l.Helper()
	if got := read[string](l, "SELECT COALESCE(string_agg(indexrelid::regclass::text || ' ' || indisvalid, ','), 'none') "+
		"FROM pg_index WHERE indexrelid = to_regclass($1)", index); got != index+" true" {
		l.Errorf("index %s: %s", index, got)
	}
}

func TestConcurrentlyWhileOthersWait(t *testing.T) {
	t.Parallel()
	for _, driver := range drivers {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.exec(l.admin, marks)
			pool := l.pool(driver, 0)
			l.succeeds("the first run", beginApply(t.Context(), l.migrator(pool, "s", sqlFiles("001_a.sql", big))))
			delay := l.delay("s.big")
			files := sqlFiles("001_a.sql", big, "002_b.sql", concurrently+mark("2"), "003_c.sql", mark("3"))
			runs := []task{beginApply(t.Context(), l.migrator(pool, "s", files))}
			l.activity(indexing)
			for range 5 {
				j := newJournal()
				runs = append(runs, beginApply(t.Context(), l.migrator(pool, "s", files, j.option())))
				l.awaitEvent(j, "waiting for another run")
			}
			// A run of the same module in another schema, in the middle of a migration without a transaction, and one that waits
			// in a hook: they keep their locks open too.
			g := newGate(t)
			hooked := beginApply(t.Context(), l.migrator(pool, "other", files, migrations.Module("s"), migrations.Before(g.hook)))
			l.awaitReached(g, 1)
			l.exec(delay, "COMMIT")
			for _, run := range runs {
				l.succeeds("a run", run)
			}
			l.checkIndex("s.big_x")
			g.open()
			l.succeeds("the run in the other schema", hooked)
			l.checkMarks([]string{"s", "other"}, "2 3")
		})
	}
}
