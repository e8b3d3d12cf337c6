package migrations_test

import (
	"database/sql"
	"errors"
	"slices"
	"testing"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// TestNames has the names of other tools, and versions that are no int64.
func TestNames(t *testing.T) {
	t.Parallel()
	f := files{
		"V1__a.sql": "CREATE TABLE {{tables.a}} (x int)", "U1__a.sql": "DROP TABLE {{tables.a}}",
		"V1.10__c.sql": "ALTER TABLE {{tables.a}} RENAME y TO z", "U1.10__c.sql": "ALTER TABLE {{tables.a}} RENAME z TO y",
		"V1.2__b.sql": "ALTER TABLE {{tables.a}} ADD y int", "down/U1.2__b.sql": "ALTER TABLE {{tables.a}} DROP y",
		"20180101120000123457-e.sql": "ALTER TABLE {{tables.d}} ADD y int", "down/20180101120000123457-e.sql": "ALTER TABLE {{tables.d}} DROP y",
		"20180101120000123456.up.sql": "CREATE TABLE {{tables.d}} (x int)", "20180101120000123456.down.sql": "DROP TABLE {{tables.d}}",
	}
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "app")
		const all = "V1__a.sql V1.2__b.sql V1.10__c.sql 20180101120000123456.up.sql 20180101120000123457-e.sql"
		wantFiles(t, "Apply", apply(t, db, f), all)
		m := migrator(t, db, f)
		wantFiles(t, "again", ran(t)(m.Apply(t.Context())), "")
		want(t, "history", recorded(t, pool, "app"), "V1__a.sql V1.2__b.sql V1.10__c.sql 20180101120000123456.up.sql 20180101120000123457-e.sql")
		wantFiles(t, "MigrateTo", ran(t)(m.MigrateTo(t.Context(), 1)), "20180101120000123457-e.sql 20180101120000123456.up.sql")
		wantFiles(t, "Rollback", ran(t)(m.Rollback(t.Context(), 3)), "V1.10__c.sql V1.2__b.sql V1__a.sql")
		wantFiles(t, "Baseline", ran(t)(m.Baseline(t.Context(), 1)), "V1__a.sql V1.2__b.sql V1.10__c.sql")
		wantFiles(t, "the rest", ran(t)(m.Apply(t.Context())), "20180101120000123456.up.sql 20180101120000123457-e.sql")
	})
}

// TestNamesOutOfOrder has versions that differ in what Version does not tell.
func TestNamesOutOfOrder(t *testing.T) {
	t.Parallel()
	for late, f := range map[string]files{
		"V1.2__b.sql":                {"V1__a.sql": "SELECT 1", "V1.10__c.sql": "SELECT 3"},
		"20180101120000123456_b.sql": {"1_a.sql": "SELECT 1", "20180101120000123457_c.sql": "SELECT 3"},
	} {
		db := schemadb.New(open(t), "app")
		apply(t, db, f)
		_, err := migrator(t, db, f.with(late, "SELECT 2")).Apply(t.Context())
		var drift *migrations.DriftError
		if !errors.As(err, &drift) || !slices.Equal(drift.OutOfOrder, []string{late}) {
			t.Errorf("%s: %v", late, err)
		}
		wantFiles(t, late, apply(t, db, f.with(late, "SELECT 2"), migrations.AllowOutOfOrder()), late)
	}
}

func TestFolders(t *testing.T) {
	t.Parallel()
	f := files{
		"sql/2018-01-02-120000_a/up.sql": "CREATE TABLE {{tables.a}} (x int)", "sql/2018-01-02-120000_a/down.sql": "DROP TABLE {{tables.a}}",
		"sql/20210101120000_b/migration.sql": "-- pgdbm:no-transaction\nALTER TABLE {{tables.a}} ADD y int", "sql/20210101120000_b/down.sql": "-- Down\nALTER TABLE {{tables.a}} DROP y",
		"sql/migration_lock.toml": "",
	}
	const all = "2018-01-02-120000_a/up.sql 20210101120000_b/migration.sql"
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "app")
		m := migrator(t, db, f, migrations.Folders())
		wantFiles(t, "Apply", ran(t)(m.Apply(t.Context())), all)
		want(t, "history", recorded(t, pool, "app"), all)
		wantFiles(t, "Redo", ran(t)(m.Redo(t.Context())), "20210101120000_b/migration.sql 20210101120000_b/migration.sql")
		wantFiles(t, "MigrateTo", ran(t)(m.MigrateTo(t.Context(), 0)), "20210101120000_b/migration.sql 2018-01-02-120000_a/up.sql")
		result, err := migrations.ApplyAll(t.Context(), pool, f.fs(), slices.Values([]string{"app", "other"}), migrations.Folders())
		if err != nil || len(result.Applied) != 2 {
			t.Errorf("ApplyAll: %+v, %v", result, err)
		}
	})
	_, err := migrations.New(schemadb.New(open(t), "app"), f.fs())
	var refused *migrations.SourceError
	if !errors.As(err, &refused) {
		t.Fatalf("without the option: %v", err)
	}
	wantTexts(t, err, "pgdbm: sql/2018-01-02-120000_a/down.sql: ", "migrations.Folders")
}

// TestUndosThatPythonRuns has undos beside their migrations where the Python library has been at work too.
func TestUndosThatPythonRuns(t *testing.T) {
	t.Parallel()
	beside := files{"V1__a.sql": "SELECT 1", "U1__a.sql": "SELECT 2", "V2__b.sql": "SELECT 3"}
	sum := "(SELECT checksum FROM ours.schema_migrations WHERE filename = 'V1__a.sql')"
	for name, test := range map[string]struct {
		row     string
		f       files
		refused bool
	}{
		"without a module": {"'V1__a.sql', " + sum + ", NULL", beside, true},
		"it has run one":   {"'U1__a.sql', 'x', 'app'", beside, true},
		"down is not read": {"'V1__a.sql', " + sum + ", NULL", beside.without("U1__a.sql").with("down/U1__a.sql", "SELECT 2"), false},
		"no undo":          {"'V1__a.sql', " + sum + ", NULL", beside.without("U1__a.sql"), false},
		"our own":          {"'V1__a.sql', " + sum + ", 'app'", beside, false},
		"another module":   {"'U1__a.sql', 'x', 'other'", beside, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := open(t)
			apply(t, schemadb.New(pool, "ours"), beside)
			createPythonHistory(t, pool, "app")
			execOn(t, pool, "INSERT INTO app.schema_migrations (filename, checksum, module_name) VALUES ("+test.row+")")
			_, err := migrator(t, schemadb.New(pool, "app"), test.f).Apply(t.Context())
			if !test.refused {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var refused *migrations.HistoryError
			if !errors.As(err, &refused) {
				t.Fatalf("the error is %v", err)
			}
			wantTexts(t, err, `pgdbm: the history "app".schema_migrations: `, "the Python library", "U1__name.sql", "the folder down")
			_, err = migrations.ApplyAll(t.Context(), pool, test.f.fs(), slices.Values([]string{"app"}))
			wantTexts(t, err, "the Python library")
		})
	}
}
