package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// failIn is a Go migration that makes the table d, and ends with fail in one schema.
func failIn(schema string, fail func(context.Context, *schemadb.Tx) error) migrations.Option {
	return migrations.Go(2000, "fail", func(ctx context.Context, tx *schemadb.Tx) error {
		if _, err := tx.ExecContext(ctx, "CREATE TABLE {{tables.d}} (id int)"); err != nil {
			return err
		}
		if name, err := tx.Expand("{{schema}}"); err != nil || strings.Trim(name, `"`) != schema {
			return err
		}
		return fail(ctx, tx)
	}, nil)
}

// wantClean checks that each schema has the tables of its history and no others, as many as its list says, and that the
// next run does the rest.
func wantClean(t *testing.T, pool *sql.DB, files fs.FS, result *migrations.AllResult, names []string, opts ...migrations.Option) {
	t.Helper()
	got := listsOf(result)
	wantList(t, "all lists", got.all(), sorted(names))
	for _, schema := range names {
		have := tables(t, pool, schema)
		history := historyOf(t, migratorOf(t, pool, schema, files, opts...))
		wantList(t, "tables of "+schema, have, []string{"a", "b", "c", "d"}[:len(history)])
		if slices.Contains(got.applied, schema) && len(have) != 4 || slices.Contains(got.notReached, schema) && len(have) != 0 {
			t.Errorf("%s has the tables %q, and the lists are %+v", schema, have, got)
		}
	}
	rest := applyAll(t, pool, files, slices.Values(names), opts...)
	wantLists(t, rest, lists{applied: slices.Concat(got.failed, got.notReached), upToDate: slices.Concat(got.applied, got.upToDate)})
	for _, schema := range names {
		wantList(t, "tables of "+schema, tables(t, pool, schema), []string{"a", "b", "c", "d"})
	}
}

var errMine = errors.New("what the test does")

func TestStopOnError(t *testing.T) {
	t.Parallel()
	pool, names := newPool(t), tenantNames(8)
	broken, slow := names[0], names[1]
	begun, seen := make(chan struct{}), make(chan struct{})
	fail := migrations.Go(1, "fail", func(ctx context.Context, tx *schemadb.Tx) error {
		schema, err := tx.Expand("{{schema}}")
		switch strings.Trim(schema, `"`) {
		case broken:
			<-begun
			return errMine
		case slow:
			close(begun)
			select {
			case <-seen:
			case <-ctx.Done():
			}
		}
		return err
	}, nil)
	result, err := migrations.ApplyAll(limited(t), pool, nil, slices.Values(names), fail, quiet, migrations.Parallel(2),
		migrations.StopOnError(), migrations.Progress(func(r migrations.Report) {
			if r.Schema == broken {
				close(seen)
			}
		}))
	wantLists(t, result, lists{applied: []string{slow}, failed: []string{broken}, notReached: names[2:]})
	var all *migrations.AllError
	if !errors.As(err, &all) || all.NotReached != 6 || all.Err != nil || !errors.Is(err, errMine) {
		t.Errorf("got %v, want an AllError with six that were not reached, and the function's error", err)
	}
}

func TestApplyAllInterruptedByProgress(t *testing.T) {
	onVariants(t, func(t *testing.T, pool *sql.DB, opts ...migrations.Option) {
		ctx, cancel := context.WithCancel(limited(t))
		defer cancel()
		seen, names, files := 0, tenantNames(12), abcAnd("004_d.sql", "CREATE TABLE {{tables.d}} (id int)")
		reports := &reporter{}
		result, err := migrations.ApplyAll(ctx, pool, files, slices.Values(names), append(opts, migrations.Parallel(2),
			migrations.Progress(func(r migrations.Report) {
				reports.add(r)
				if seen++; seen == 3 {
					cancel()
				}
			}))...)
		var all *migrations.AllError
		if !errors.Is(err, context.Canceled) || !errors.As(err, &all) || !errors.Is(all.Err, context.Canceled) {
			t.Errorf("got %v, want an AllError that says that the context has ended", err)
		}
		// Two more may have been under way.
		if n := len(result.NotReached); n < len(names)-5 || n > len(names)-3 || all.NotReached != n {
			t.Errorf("%d schemas were not reached, want 7 to 9", n)
		}
		reports.check(t, result)
		wantClean(t, pool, files, result, names, opts...)
	})
}

func TestApplyAllInterruptedByMigration(t *testing.T) {
	onVariants(t, func(t *testing.T, pool *sql.DB, opts ...migrations.Option) {
		ctx, cancel := context.WithCancelCause(limited(t))
		defer cancel(nil)
		names := tenantNames(6)
		stop := failIn(names[2], func(context.Context, *schemadb.Tx) error {
			cancel(errMine)
			return nil // it does not notice
		})
		result, err := migrations.ApplyAll(ctx, pool, abc(), slices.Values(names), append(opts, stop, migrations.Parallel(1))...)
		if !errors.Is(err, errMine) {
			t.Errorf("got %v, want the cause of the context's end", err)
		}
		wantLists(t, result, lists{applied: names[:2], failed: names[2:3], notReached: names[3:]})
		if files := result.Failed[0].Done; len(files) != 3 {
			t.Errorf("%d migrations are noted as done in %s, want 3", len(files), names[2])
		}
		wantClean(t, pool, abc(), result, names, append(opts, failIn("", nil))...)
	})
}

func TestApplyAllWithEndedContext(t *testing.T) {
	onVariants(t, func(t *testing.T, pool *sql.DB, opts ...migrations.Option) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		result, err := migrations.ApplyAll(ctx, pool, abc(), slices.Values(tenantNames(3)), opts...)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that the context has ended", err)
		}
		wantLists(t, result, lists{notReached: tenantNames(3)})
	})
}

// loseHold ends the connection that holds the Python library's key.
func loseHold(ctx context.Context, tx *schemadb.Tx) error {
	_, err := tx.ExecContext(ctx, `SELECT pg_terminate_backend(l.pid) FROM pg_locks l
		WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND l.pid <> pg_backend_pid()
		AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	<-ctx.Done()
	return errors.Join(err, context.Cause(ctx))
}

func TestApplyAllLosesHold(t *testing.T) {
	onVariants(t, func(t *testing.T, pool *sql.DB, opts ...migrations.Option) {
		names := tenantNames(6)
		var once atomic.Bool
		lose := failIn(names[2], func(ctx context.Context, tx *schemadb.Tx) error {
			if once.Swap(true) {
				return nil
			}
			return loseHold(ctx, tx)
		})
		opts = append(opts, lose)
		result, err := migrations.ApplyAll(limited(t), pool, abc(), slices.Values(names), append(opts, migrations.Parallel(1))...)
		if err == nil || !strings.Contains(err.Error(), "the connection that keeps other runs out is lost: run again") {
			t.Errorf("got %v, want that the hold is lost", err)
		}
		var all *migrations.AllError
		if !errors.As(err, &all) {
			t.Fatalf("got %v, want an AllError", err)
		}
		if migratorOf(t, pool, "x", abc(), opts...).Module() == "" {
			// Each schema has a lock of its own, so the others go on.
			wantLists(t, result, lists{applied: slices.Concat(names[:2], names[3:]), failed: names[2:3]})
			if all.Err != nil {
				t.Errorf("the run has ended early: %v", all.Err)
			}
		} else {
			wantLists(t, result, lists{applied: names[:2], failed: names[2:3], notReached: names[3:]})
			if all.Err == nil {
				t.Error("the error does not say why the run has ended early")
			}
		}
		wantClean(t, pool, abc(), result, names, opts...)
	})
}
