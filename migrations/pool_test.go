package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// everyKind is a set of migrations of each kind, and kinds what they leave in the marks.
func allKinds() (files []string, opt migrations.Option) {
	return []string{
		"001_a.sql", "CREATE TABLE {{tables.a}} (x int);" + mark("1"),
		"002_b.sql", "-- pgdbm:no-transaction\n" + mark("2") + "CREATE INDEX CONCURRENTLY a_x ON {{tables.a}} (x);",
		"003_c.sql", "COPY {{tables.a}} FROM stdin;\n1\n\\.\n" + mark("3"),
		"005_e.sql", "SET search_path = '';" + mark("5"),
		"R__v.sql", "CREATE VIEW {{tables.v}} AS SELECT 1 AS one;" + mark("R"),
	}, migrations.Go(4, "d", addMark("4"), nil)
}

const kinds = "1 2 3 4 5 R"

func TestPoolOfOne(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	pool := l.pool("pgdbm", 1)
	files := sqlFiles("001_a.sql", "SELECT 1")
	for name, run := range map[string]task{
		"Apply":    beginApply(t.Context(), l.migrator(pool, "s", files)),
		"ApplyAll": beginApplyAll(t.Context(), pool, files, schemaNames(3)),
	} {
		var few *migrations.PoolError
		if err := l.wait(name, run); !errors.As(err, &few) || few.Need != 2 || few.Max != 1 || few.Waited != 0 {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}

func TestSmallPools(t *testing.T) {
	t.Parallel()
	names, opt := allKinds()
	files := sqlFiles(names...)
	for _, driver := range drivers {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.exec(l.admin, marks)
			pool := l.pool(driver, 2)
			l.succeeds("a run on two", beginApply(t.Context(), l.migrator(pool, "one", files, opt)))
			l.checkMarks([]string{"one"}, kinds)
			pool = l.pool(driver, 2)
			l.succeeds("a run over all on two", beginApplyAll(t.Context(), pool, files, []string{"a", "b"}, opt, migrations.Parallel(8)))
			l.succeeds("a run of a module over all on two", beginApplyAll(t.Context(), pool, files, []string{"c", "d"}, opt, module))
			l.checkMarks([]string{"a", "b", "c", "d"}, kinds)
			pool = l.pool(driver, 3)
			schemas := schemaNames(8)
			l.succeeds("a run over all on three", beginApplyAll(t.Context(), pool, files, schemas, opt, module, migrations.Parallel(8)))
			l.checkMarks(schemas, kinds)
		})
	}
}

// TestRunsOnOneSmallPool shows that runs which wait for each other's connections come to an end.
func TestRunsOnOneSmallPool(t *testing.T) {
	t.Parallel()
	names, opt := allKinds()
	files := sqlFiles(names...)
	for _, most := range []int{2, 3} {
		for _, driver := range drivers {
			t.Run(driver, func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				l.exec(l.admin, marks)
				pool := l.pool(driver, most)
				schemas := []string{"a", "b", "c"}
				var runs []task
				for _, schema := range schemas {
					m := l.migrator(pool, schema, files, opt, module)
					runs = append(runs, beginApply(t.Context(), m), beginApply(t.Context(), m))
				}
				for _, run := range runs {
					l.succeeds("a run", run)
				}
				l.checkMarks(schemas, kinds)
			})
		}
	}
}

// TestFunctionWithoutConnection lets the application take the connection that a Go function was to have.
func TestFunctionWithoutConnection(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	pool := l.pool("pgdbm", 2)
	var other task
	taken := newGate(t)
	takeNext := func() {
		waiting := pool.Stats().WaitCount
		other = start(func() error {
			conn, err := pool.Conn(t.Context())
			if err != nil {
				return err
			}
			return errors.Join(taken.pass(t.Context()), conn.Close())
		})
		l.await("the application in the pool's queue", func() bool { return pool.Stats().WaitCount > waiting })
	}
	function := func(context.Context, *schemadb.Tx) error { return errors.New("not to be called") }
	m := l.migrator(pool, "s", sqlFiles("001_a.sql", "SELECT 1"), migrations.Go(2, "go", function, nil),
		migrations.Before(func(_ context.Context, s migrations.Step) error {
			if s.Migration.Version == 2 {
				takeNext()
			}
			return nil
		}), migrations.WaitLimit(50*time.Millisecond))
	_, err := m.Apply(t.Context())
	taken.open()
	l.succeeds("the application", other)
	var few *migrations.PoolError
	if !errors.As(err, &few) || few.Need != 2 || few.Max != 2 || few.Waited < 50*time.Millisecond {
		t.Errorf("got %v, want a PoolError after the limit", err)
	}
	if n := l.count("s.schema_migrations"); n != 1 {
		t.Errorf("the history has %d rows", n)
	}
}

// busy takes connections of the pool, as the application would. The returned function gives them back.
func (l *lab) busy(pool *sql.DB, n int) (release func()) {
	l.Helper()
	var taken []*sql.Conn
	release = func() {
		for _, conn := range taken {
			conn.Close()
		}
		taken = nil
	}
	l.Cleanup(release)
	for range n {
		conn, err := pool.Conn(l.Context())
		if err != nil {
			l.Fatal(err)
		}
		taken = append(taken, conn)
	}
	return release
}

func TestBusyPool(t *testing.T) {
	t.Parallel()
	files := sqlFiles("001_a.sql", mark("1"))
	for _, busy := range []int{2, 3} { // one connection is free, or none
		t.Run("", func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.exec(l.admin, marks)
			pool := l.pool("pgdbm", 3)
			m := l.migrator(pool, "s", files)
			release := l.busy(pool, busy)

			var few *migrations.PoolError
			err := l.wait("the run that gives up", beginApply(t.Context(), l.migrator(pool, "s", files, migrations.WaitLimit(20*time.Millisecond))))
			if !errors.As(err, &few) || few.Need != 2 || few.Max != 3 || few.Waited < 20*time.Millisecond {
				t.Errorf("error = %v, want a *PoolError", err)
			}
			err = l.wait("the run that does not wait", beginApply(t.Context(), l.migrator(pool, "s", files, migrations.WaitLimit(0))))
			if !errors.As(err, &few) {
				t.Errorf("error = %v, want a *PoolError", err)
			}

			reason := errors.New("no longer wanted")
			ctx, cancel := context.WithCancelCause(t.Context())
			before := pool.Stats().WaitCount
			cancelled := beginApply(ctx, m)
			l.await("it waits", func() bool { return pool.Stats().WaitCount > before })
			cancel(reason)
			if err := l.wait("the cancelled run", cancelled); !errors.Is(err, reason) {
				t.Errorf("error = %v", err)
			}

			before = pool.Stats().WaitCount
			run := beginApply(t.Context(), m)
			l.await("it waits", func() bool { return pool.Stats().WaitCount > before })
			release()
			l.succeeds("the run", run)
			l.checkMarks([]string{"s"}, "1")
		})
	}
}

// TestWaitLimitOfZeroConnects shows that a new connection may take its time, even if nothing is waited for.
func TestWaitLimitOfZeroConnects(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.exec(l.admin, marks)
	for i, most := range []int{0, 2} {
		m := l.migrator(l.pool("pgx", most), schemaNames(2)[i], sqlFiles("001_a.sql", mark("1")), migrations.WaitLimit(0))
		l.succeeds("the run", beginApply(t.Context(), m))
	}
	l.checkMarks(schemaNames(2), "1")
}
