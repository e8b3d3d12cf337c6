package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// roundTrips runs ApplyAll where nothing is to do. It returns how often that waits for an answer.
func roundTrips(t *testing.T, pool *sql.DB, w *wire, files fs.FS, names []string, opts ...migrations.Option) int64 {
	t.Helper()
	flights, connections := w.during(func() {
		result := applyAll(t, pool, files, slices.Values(names), opts...)
		wantLists(t, result, lists{upToDate: names})
	})
	if connections != 0 {
		t.Errorf("%d connections were made", connections)
	}
	return flights
}

func TestNothingToDo(t *testing.T) {
	t.Parallel()
	for name, opts := range variants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t)
			pool, w := countingPool(t, dsn)
			names, one := tenantNames(40), sqlFiles("001_a.sql", "SELECT 1")
			if name == "module" {
				names = tenantNames(150)
			}
			applyAll(t, openPool(t, driver.Name, dsn), one, slices.Values(names), opts...)
			applyAll(t, pool, one, slices.Values(names), opts...) // connects

			want := int64(3) // one question, and one to each of the two connections whether it is alive
			if migratorOf(t, pool, "x", one, opts...).Module() != "" {
				want = 5 // and the lock, there and back
			}
			for _, n := range []int{1, 10, 39, len(names)} {
				if got := roundTrips(t, pool, w, one, names[:n], opts...); got != want {
					t.Errorf("%d schemas take %d round trips, want %d", n, got, want)
				}
			}
			if name == "own" {
				if got := roundTrips(t, pool, w, one, names, migrations.ChunkSize(10), migrations.Parallel(1)); got != want+3 {
					t.Errorf("four chunks take %d round trips, want %d", got, want+3)
				}
			}
			if name == "shared" {
				if got := roundTrips(t, pool, w, one, names, append(opts, migrations.ChunkSize(1))...); got != want {
					t.Errorf("one chunk takes %d round trips, want %d", got, want)
				}
			}
		})
	}
}

// oddNames are files whose names sort differently in most languages than by their bytes.
func oddNames() fs.FS {
	return sqlFiles("1_b.sql", "SELECT 1", "02_B.sql", "SELECT 2", "10_a.sql", "SELECT 10", "9_Z_9.sql", "SELECT 9", "11_ä.sql", "SELECT 11",
		"12_Ä.sql", "SELECT 12", "V3__x.sql", "SELECT 3", "V4__日本.sql", "SELECT 4", "R__a.sql", "SELECT 5", "R__B.sql", "SELECT 6",
		"R___.sql", "SELECT 7", "R__ab.sql", "SELECT 8", "R__a b.sql", "SELECT 8", "R__a-b.sql", "SELECT 8", "R__é.sql", "SELECT 8",
		"R__𝒳.sql", "SELECT 8", "R__ｘ.sql", "SELECT 8", "R__a,b 'c'.sql", "SELECT 8")
}

// TestDigest shows by the round trips that one question suffices if all is as it should be, and only then.
func TestDigest(t *testing.T) {
	t.Parallel()
	function := migrations.Go(20, "fill_Über", func(context.Context, *schemadb.Tx) error { return nil }, nil)
	for name, opts := range variants() {
		if migratorOf(t, nil, "x", oddNames(), opts...).Module() == "" {
			continue // as with a module
		}
		table, columns, values, where := "one.schema_migrations", "", "", " WHERE module_name = 'app'"
		if name == "module, shared" {
			table, columns, values, where = "books.schema_migrations_shared", "schema_name, ", "'one', ", where+" AND schema_name = 'one'"
		}
		insert := "INSERT INTO " + table + " (" + columns + "filename, checksum, module_name) VALUES (" + values
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t)
			pool, w := countingPool(t, dsn)
			opts := append(slices.Clone(opts), function)
			names := []string{"one", "two", oddSchema}
			applyAll(t, pool, oddNames(), slices.Values(names), opts...)
			fast := roundTrips(t, pool, w, oddNames(), names, opts...)
			if fast != 5 {
				t.Fatalf("the first look takes %d round trips, want 5", fast)
			}
			for _, c := range []struct {
				change   string
				upToDate bool // so it stays up to date, at one look
				failed   bool
			}{
				{change: "UPDATE " + table + " SET applied_at = '2001-01-01', applied_by = 'me', execution_time_ms = NULL", upToDate: true},
				{change: insert + "'1_b.sql', 'x', 'other'), (" + values + "'0_x.sql', 'x', 'other')", upToDate: true},
				{change: "DELETE FROM " + table + "" + where + " AND filename = 'R__a b.sql'"},
				{change: "UPDATE " + table + " SET checksum = md5('')" + where + " AND filename = 'R__é.sql'"},
				{change: "UPDATE " + table + " SET checksum = md5('')" + where + " AND filename = '12_Ä.sql'", failed: true},
				{change: "UPDATE " + table + " SET filename = 'r__B.sql'" + where + " AND filename = 'R__B.sql'", failed: true},
				{change: insert + "'999_new.sql', 'x', 'app')", failed: true},
			} {
				execute(t, pool, "CREATE TABLE kept AS SELECT * FROM "+table, c.change)
				var result *migrations.AllResult
				var err error
				flights, _ := w.during(func() {
					result, err = migrations.ApplyAll(limited(t), pool, oddNames(), slices.Values(names), append(opts, quiet)...)
				})
				want := lists{upToDate: names[1:]}
				switch {
				case c.upToDate:
					want.upToDate = names
				case c.failed:
					want.failed = names[:1]
				default:
					want.applied = names[:1]
				}
				wantLists(t, result, want)
				var drift *migrations.DriftError
				if (flights == fast) != c.upToDate || errors.As(err, &drift) != c.failed {
					t.Errorf("%s: %d round trips instead of %d, and the error %v", c.change, flights, fast, err)
				}
				execute(t, pool, "DELETE FROM "+table, "INSERT INTO "+table+" OVERRIDING SYSTEM VALUE SELECT * FROM kept",
					"DROP TABLE kept")
			}
		})
	}
}

// The Python library takes rows without a module for everybody's.
func TestDigestWithoutModule(t *testing.T) {
	t.Parallel()
	pool, w := countingPool(t, server.Database(t))
	module, names := migrations.Module("app"), []string{"one", "two"}
	for range 2 { // the second time for the connections
		applyAll(t, pool, abc(), slices.Values(names), module)
	}
	fast := roundTrips(t, pool, w, abc(), names, module)
	execute(t, pool, "UPDATE one.schema_migrations SET module_name = NULL WHERE filename <> '002_b.sql'",
		"UPDATE two.schema_migrations SET module_name = NULL")
	if got := roundTrips(t, pool, w, abc(), names, module); got != fast {
		t.Errorf("%d round trips, want %d", got, fast)
	}
	// A file that is there twice needs a closer look.
	execute(t, pool, "INSERT INTO one.schema_migrations (filename, checksum) SELECT filename, checksum FROM one.schema_migrations")
	wantLists(t, applyAll(t, pool, abc(), slices.Values(names), module), lists{upToDate: names})
}

// TestDigestWithDuplicates has as many rows as there are files, but one file is there twice and another one is not.
func TestDigestWithDuplicates(t *testing.T) {
	t.Parallel()
	pool, one := newPool(t), []string{"one"}
	applyAll(t, pool, abc(), slices.Values(one))
	execute(t, pool, "DELETE FROM one.schema_migrations WHERE filename = '003_c.sql'", "DROP TABLE one.c",
		"INSERT INTO one.schema_migrations (filename, checksum) SELECT filename, checksum FROM one.schema_migrations WHERE filename = '001_a.sql'")
	wantLists(t, applyAll(t, pool, abc(), slices.Values(one)), lists{applied: one})
	wantList(t, "tables", tables(t, pool, "one"), []string{"a", "b", "c"})
}
