package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// variants are the ways to call ApplyAll that lead to different locks and histories.
func variants() map[string][]migrations.Option {
	return map[string][]migrations.Option{
		"own":            nil,
		"module":         {migrations.Module("app")},
		"shared":         {migrations.SharedHistory(`Books "of" all`)},
		"module, shared": {migrations.Module("app"), migrations.SharedHistory("books")},
	}
}

// onVariants runs a test for variants, at the same time, in a new database each. For most tests two will do that differ in
// both locks and history.
func onVariants(t *testing.T, test func(t *testing.T, pool *sql.DB, opts ...migrations.Option), names ...string) {
	t.Helper()
	t.Parallel()
	if names == nil {
		names = []string{"own", "module, shared"}
	}
	for _, name := range names {
		opts := variants()[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newPool(t), slices.Clip(append([]migrations.Option{quiet}, opts...))...)
		})
	}
}

func TestApplyAllOnEachPool(t *testing.T) {
	t.Parallel()
	for _, name := range []string{driver.Name, "pgx"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := openPool(t, name, server.Database(t))
			first := applyAll(t, pool, abc(), slices.Values([]string{"one", oddSchema}), migrations.Module("app"))
			wantLists(t, first, lists{applied: []string{"one", oddSchema}})
			// The facade's own schema does not matter.
			second, err := migrations.ApplyAll(limited(t), schemadb.New(pool, "elsewhere"), abc(),
				slices.Values([]string{"one", "two"}), migrations.Module("app"), quiet)
			if err != nil {
				t.Fatal(err)
			}
			wantLists(t, second, lists{applied: []string{"two"}, upToDate: []string{"one"}})
			for _, schema := range []string{"one", "two", oddSchema} {
				wantABC(t, pool, schema, 3, migrations.Module("app"))
			}
			wantList(t, "tables elsewhere", tables(t, pool, "elsewhere"), nil)
		})
	}
}

func TestApplyAllSortsSchemas(t *testing.T) {
	onVariants(t, func(t *testing.T, pool *sql.DB, opts ...migrations.Option) {
		tooLong := strings.Repeat("x", 64)
		applyAll(t, pool, abc(), slices.Values([]string{"ready"}), opts...)
		execute(t, pool, "CREATE SCHEMA broken", "CREATE TABLE broken.b (id int)", "CREATE SCHEMA empty")

		names := []string{"one", "pg_x", oddSchema, "broken", "ready", "", "one", "empty", tooLong, "pg_x", "ready"}
		log, reports := &eventTexts{}, &reporter{}
		result, err := migrations.ApplyAll(limited(t), pool, abc(), slices.Values(names),
			append(opts, migrations.Progress(reports.add), migrations.Logger(log.logger()))...)
		wantLists(t, result, lists{applied: []string{"one", oddSchema, "empty"}, upToDate: []string{"ready"},
			failed: []string{"pg_x", "", tooLong, "broken"}})

		var all *migrations.AllError
		if !errors.As(err, &all) || len(all.Failed) != 4 || all.NotReached != 0 || all.Err != nil {
			t.Fatalf("got %v, want an AllError with four failures", err)
		}
		var failed *migrations.MigrationError
		if !errors.As(err, &failed) || failed.Schema != "broken" || failed.File != "002_b.sql" {
			t.Errorf("got %v, want that 002_b.sql has failed in broken", failed)
		}
		for _, f := range result.Failed {
			wantDone := 0
			if f.Schema == "broken" {
				wantDone = 1
			}
			if f.Err == nil || len(f.Done) != wantDone {
				t.Errorf("%q: got %d steps and the error %v, want %d steps and an error", f.Schema, len(f.Done), f.Err, wantDone)
			}
		}
		for _, schema := range []string{"one", oddSchema, "empty", "ready"} {
			wantABC(t, pool, schema, 3, opts...)
		}
		wantList(t, "history of broken", historyOf(t, migratorOf(t, pool, "broken", abc(), opts...)), abcFiles[:1])
		reports.check(t, result)
		wantList(t, "log", log.with("INFO"), sorted([]string{"INFO schema migrated: one", "INFO schema migrated: " + oddSchema,
			"INFO schema migrated: empty"}))
		wantList(t, "log", log.with("ERROR"), sorted([]string{"ERROR a schema has failed: pg_x", "ERROR a schema has failed: ",
			"ERROR a schema has failed: " + tooLong, "ERROR a schema has failed: broken"}))
		wantList(t, "log", log.with("DEBUG schema"), []string{"DEBUG schema is up to date: ready"})

		// What is left is done by the next run.
		execute(t, pool, "DROP TABLE broken.b")
		result = applyAll(t, pool, abc(), slices.Values([]string{"one", "broken"}), opts...)
		wantLists(t, result, lists{applied: []string{"broken"}, upToDate: []string{"one"}})
		wantList(t, "done in broken", result.Applied[0].Files(), abcFiles[1:])
	}, "own", "module", "shared", "module, shared")
}

// reporter checks reports while they come.
type reporter struct {
	running atomic.Int32
	wrong   []string
	all     []migrations.Report
}

func (r *reporter) add(report migrations.Report) {
	if r.running.Add(1) != 1 {
		r.wrong = append(r.wrong, "it is called by two at once")
	}
	defer r.running.Add(-1)
	r.all = append(r.all, report)
	if seen := report.Applied + report.UpToDate + report.Failed; seen != len(r.all) || seen > report.Total {
		r.wrong = append(r.wrong, fmt.Sprintf("report %d counts %d schemas", len(r.all), seen))
	}
	if math.IsInf(report.PerSecond, 0) || math.IsNaN(report.PerSecond) || report.PerSecond < 0 || report.Left < 0 {
		r.wrong = append(r.wrong, fmt.Sprintf("the rate is %v, and %v are left", report.PerSecond, report.Left))
	}
}

// check compares the reports with the result.
func (r *reporter) check(t *testing.T, result *migrations.AllResult) {
	t.Helper()
	for _, wrong := range r.wrong {
		t.Error("Progress:", wrong)
	}
	var got lists
	for _, report := range r.all {
		switch {
		case report.Err != nil:
			got.failed = append(got.failed, report.Schema)
		case len(report.Steps) > 0:
			got.applied = append(got.applied, report.Schema)
		default:
			got.upToDate = append(got.upToDate, report.Schema)
		}
	}
	want := listsOf(result)
	wantList(t, "reported as applied", sorted(got.applied), want.applied)
	wantList(t, "reported as up to date", sorted(got.upToDate), want.upToDate)
	wantList(t, "reported as failed", sorted(got.failed), want.failed)
	last := r.all[len(r.all)-1]
	if last.Total != len(want.all()) || last.Applied != len(want.applied) || last.UpToDate != len(want.upToDate) ||
		last.Failed != len(want.failed) || len(want.notReached) == 0 && last.Left != 0 {
		t.Errorf("the last report is %+v, want that of %+v", last, want)
	}
}

func TestApplyAllIterators(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	t.Run("empty", func(t *testing.T) {
		result := applyAll(t, pool, abc(), slices.Values([]string(nil)))
		wantLists(t, result, lists{})
	})
	t.Run("nil", func(t *testing.T) {
		result, err := migrations.ApplyAll(t.Context(), pool, abc(), nil)
		if err == nil || result == nil || !strings.Contains(err.Error(), "nil") {
			t.Errorf("got %v and the error %v, want a result, and an error that says that the iterator is nil", result, err)
		}
	})
	t.Run("that reads the database", func(t *testing.T) {
		execute(t, pool, "CREATE SCHEMA t_one", "CREATE SCHEMA t_two")
		pool.SetMaxOpenConns(2)
		defer pool.SetMaxOpenConns(0)
		result := applyAll(t, pool, abc(), fromDatabase(t, pool))
		wantLists(t, result, lists{applied: []string{"t_one", "t_two"}})
	})
}

// fromDatabase yields the schemas whose names begin with t_ while it reads them.
func fromDatabase(t *testing.T, pool *sql.DB) iter.Seq[string] {
	return func(yield func(string) bool) {
		rows, err := pool.QueryContext(t.Context(), `SELECT nspname FROM pg_namespace WHERE nspname LIKE 't\_%'`)
		if err != nil {
			t.Error(err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				t.Error(err)
			}
			if !yield(name) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			t.Error(err)
		}
	}
}

func TestApplyAllRefuses(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	one := slices.Values([]string{"one"})
	for name, call := range map[string]func() (*migrations.AllResult, error){
		"a nil *sql.DB": func() (*migrations.AllResult, error) {
			return migrations.ApplyAll(t.Context(), (*sql.DB)(nil), abc(), one)
		},
		"a nil *schemadb.DB": func() (*migrations.AllResult, error) {
			return migrations.ApplyAll(t.Context(), (*schemadb.DB)(nil), abc(), one)
		},
		"no files":     func() (*migrations.AllResult, error) { return migrations.ApplyAll(t.Context(), pool, sqlFiles(), one) },
		"a nil option": func() (*migrations.AllResult, error) { return migrations.ApplyAll(t.Context(), pool, abc(), one, nil) },
		"no workers": func() (*migrations.AllResult, error) {
			return migrations.ApplyAll(t.Context(), pool, abc(), one, migrations.Parallel(0))
		},
		"DependsOn": func() (*migrations.AllResult, error) {
			return migrations.ApplyAll(t.Context(), pool, abc(), one, migrations.DependsOn("other"))
		},
	} {
		result, err := call()
		if err == nil || result == nil || !strings.HasPrefix(err.Error(), "pgdbm: ") {
			t.Errorf("%s: got %v and the error %v, want a result and an error of pgdbm", name, result, err)
		}
	}
	wantList(t, "schemas", column(t, pool, "SELECT nspname::text FROM pg_namespace WHERE nspname = 'one'"), nil)
	for _, option := range []migrations.Option{migrations.Parallel(2), migrations.StopOnError(), migrations.Progress(func(migrations.Report) {})} {
		if _, err := migrations.New(schemadb.New(pool, "one"), abc(), option); err == nil {
			t.Error("New takes an option of ApplyAll")
		}
	}
}

// crowd lets size callers through when so many are there, and counts.
type crowd struct {
	size int
	mu   sync.Mutex
	in   int
	most int
	full chan struct{} // of the present group
	came int
}

// meet waits for the others.
func (c *crowd) meet(ctx context.Context) error {
	c.mu.Lock()
	if c.full == nil {
		c.full = make(chan struct{})
	}
	full := c.full
	c.in++
	c.most = max(c.most, c.in)
	if c.came++; c.came == c.size {
		c.came, c.full = 0, nil
		close(full)
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.in--
		c.mu.Unlock()
	}()
	select {
	case <-full:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func TestApplyAllBound(t *testing.T) {
	onVariants(t, func(t *testing.T, pool *sql.DB, opts ...migrations.Option) {
		const workers, schemas = 3, 12
		together := &crowd{size: workers}
		var mostInUse, withoutLock atomic.Int64
		up := func(ctx context.Context, tx *schemadb.Tx) error {
			err := together.meet(ctx)
			inUse := int64(pool.Stats().InUse)
			for old := mostInUse.Load(); inUse > old && !mostInUse.CompareAndSwap(old, inUse); {
				old = mostInUse.Load()
			}
			if held, heldErr := moduleIsHeld(ctx, tx); heldErr != nil || !held {
				withoutLock.Add(1)
			}
			return err
		}
		bound := int64(2 * workers)
		if m := migratorOf(t, pool, "x", abc(), opts...); m.Module() != "" {
			bound = workers + 1
		}
		result := applyAll(t, pool, abc(), slices.Values(tenantNames(schemas)),
			append(opts, migrations.Parallel(workers), migrations.Go(2_000, "meet", up, nil))...)
		wantLists(t, result, lists{applied: tenantNames(schemas)})
		if together.most != workers {
			t.Errorf("%d migrations ran at once, want %d", together.most, workers)
		}
		if got := mostInUse.Load(); got > bound {
			t.Errorf("%d connections were in use, want %d at most", got, bound)
		}
		if n := withoutLock.Load(); n != 0 {
			t.Errorf("%d migrations ran without the Python library's lock", n)
		}
	})
}

// moduleIsHeld reports whether another connection holds the Python library's key of tx's module, shared.
func moduleIsHeld(ctx context.Context, tx *schemadb.Tx) (bool, error) {
	schema, err := tx.Expand("{{schema}}")
	if err != nil {
		return false, err
	}
	return schemadb.Value[bool](ctx, tx, `SELECT EXISTS (SELECT FROM pg_locks l
		WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND l.granted AND l.pid <> pg_backend_pid()
		AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND (l.classid::int8 << 32 | l.objid::int8) IN (hashtext('pgdbm_migration_app'), hashtext('pgdbm_migration_' || $1)))`,
		strings.Trim(schema, `"`))
}

func TestApplyAllPools(t *testing.T) {
	t.Parallel()
	function := func(context.Context, *schemadb.Tx) error { return nil }
	names := []string{"one", "two", "three"}
	for _, module := range [][]migrations.Option{nil, {migrations.Module("app")}} {
		for most := 1; most <= 5; most++ {
			t.Run(fmt.Sprintf("%d of %d", most, len(module)), func(t *testing.T) {
				t.Parallel()
				pool := newPool(t)
				pool.SetMaxOpenConns(most)
				opts := append([]migrations.Option{quiet, migrations.Go(7, "nothing", function, nil)}, module...)
				result, err := migrations.ApplyAll(limited(t), pool, abc(), slices.Values(names), opts...)
				if most == 1 {
					wantPoolError(t, err, 2, 1)
					wantLists(t, result, lists{notReached: names})
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				wantLists(t, result, lists{applied: names})

				without := sqlFiles("001_a.sql", "-- pgdbm:no-transaction\nCREATE TABLE {{tables.other}} (id int)")
				other := append([]migrations.Option{quiet, migrations.AllowRemoved()}, module...)
				if len(module) == 1 {
					other = append(other, migrations.Module("other"))
				} else {
					execute(t, pool, "DROP TABLE one.schema_migrations, two.schema_migrations, three.schema_migrations")
				}
				result, err = migrations.ApplyAll(limited(t), pool, without, slices.Values(names), other...)
				if err != nil {
					t.Fatal(err)
				}
				wantLists(t, result, lists{applied: names})
			})
		}
	}
}

func wantPoolError(t *testing.T, err error, need, most int) {
	t.Helper()
	var pool *migrations.PoolError
	if !errors.As(err, &pool) || pool.Need != need || pool.Max != most || pool.Waited != 0 {
		t.Errorf("got %v, want a PoolError at once: %d needed, %d there", err, need, most)
	}
}

func TestApplyAllOtherSchemasAreUndisturbed(t *testing.T) {
	t.Parallel()
	names := []string{"one", "two", "three", "four", "five"}
	for name, c := range map[string]struct {
		spoil string
		want  lists
	}{
		"a schema without history": {"DROP TABLE three.schema_migrations, three.a, three.b, three.c",
			lists{applied: []string{"three"}, upToDate: []string{"one", "two", "four", "five"}}},
		"a dropped schema": {"DROP SCHEMA three CASCADE",
			lists{applied: []string{"three"}, upToDate: []string{"one", "two", "four", "five"}}},
		"a table of another tool": {"DROP TABLE three.schema_migrations; CREATE TABLE three.schema_migrations (version int8, dirty bool)",
			lists{failed: []string{"three"}, upToDate: []string{"one", "two", "four", "five"}}},
		"a view of that name": {"DROP TABLE three.schema_migrations; CREATE VIEW three.schema_migrations AS SELECT 1",
			lists{failed: []string{"three"}, upToDate: []string{"one", "two", "four", "five"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := newPool(t)
			applyAll(t, pool, abc(), slices.Values(names))
			for spoil := range strings.SplitSeq(c.spoil, ";") {
				execute(t, pool, spoil)
			}
			result, err := migrations.ApplyAll(limited(t), pool, abc(), slices.Values(names), quiet)
			wantLists(t, result, c.want)
			var history *migrations.HistoryError
			if c.want.failed != nil && !errors.As(err, &history) {
				t.Errorf("got %v, want a HistoryError", err)
			}
		})
	}
}

func TestApplyAllWhileSchemasDisappear(t *testing.T) {
	onVariants(t, func(t *testing.T, pool *sql.DB, opts ...migrations.Option) {
		names := []string{"one", "two", "three"}
		applyAll(t, pool, abc(), slices.Values(names), opts...)
		more := abcAnd("004_d.sql", "CREATE TABLE {{tables.d}} (id int)")
		var once sync.Once
		drop := migrations.Before(func(context.Context, migrations.Step) error {
			once.Do(func() { execute(t, pool, "DROP SCHEMA two CASCADE") }) // it was looked at already
			return nil
		})
		result := applyAll(t, pool, more, slices.Values(names), append(opts, drop, migrations.Parallel(1))...)
		wantLists(t, result, lists{applied: names})
		for _, schema := range names {
			wantList(t, "tables of "+schema, tables(t, pool, schema), []string{"a", "b", "c", "d"})
		}
	})
}

func TestApplyAllRecyclesConnections(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql   string
		after int
		want  string // backends for six schemas
	}{
		"after two schemas":                {"SELECT 1", 2, "3"},
		"never":                            {"SELECT 1", 100, "1"},
		"after each change of the session": {"SET search_path = public", 100, "6"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := newPool(t)
			execute(t, pool, "CREATE TABLE public.seen (pid int)")
			files := sqlFiles("001_a.sql", c.sql+"; INSERT INTO public.seen VALUES (pg_backend_pid())")
			result := applyAll(t, pool, files, slices.Values(tenantNames(6)),
				migrations.Module("app"), migrations.Parallel(1), migrations.RecycleAfter(c.after))
			wantLists(t, result, lists{applied: tenantNames(6)})
			want(t, "backends", query(t, pool, "SELECT count(DISTINCT pid) FROM public.seen"), c.want)
		})
	}
}
