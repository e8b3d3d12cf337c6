package migrations_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// three are migrations that write into the table log, in which they can be seen.
var three = files{
	"1_log.sql":   "CREATE TABLE {{tables.log}} (n serial, what text)",
	"2_two.sql":   "INSERT INTO {{tables.log}} (what) VALUES ('two')",
	"3_three.sql": "INSERT INTO {{tables.log}} (what) VALUES ('three')",
}

func logged(t *testing.T, pool *sql.DB, schema string) string {
	t.Helper()
	return strings.ReplaceAll(query(t, pool, "SELECT what FROM "+quote(schema)+".log ORDER BY n"), "\n", " ")
}

func TestDrift(t *testing.T) {
	t.Parallel()
	pool := open(t)
	changed := three.with("2_two.sql", "INSERT INTO {{tables.log}} (what) VALUES ('2')")
	for name, test := range map[string]struct {
		files                        files
		changed, removed, outOfOrder string
		state                        migrations.State // of 2_two.sql
		message                      string
		allow                        migrations.Option
		applies, logs                string
	}{
		"changed": {files: changed, changed: "2_two.sql", state: migrations.Changed, message: "2_two.sql: changed since",
			allow: migrations.AllowChanged(), applies: "9_new.sql", logs: "two three new"},
		"removed": {files: three.without("2_two.sql"), removed: "2_two.sql", state: migrations.Removed, message: "2_two.sql: applied, but",
			allow: migrations.AllowRemoved(), applies: "9_new.sql", logs: "two three new"},
		"out_of_order": {files: three, outOfOrder: "2_two.sql", state: migrations.OutOfOrder, message: "2_two.sql: not applied, but",
			allow: migrations.AllowOutOfOrder(), applies: "2_two.sql 9_new.sql", logs: "three two new"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := schemadb.New(pool, name)
			if test.outOfOrder == "" {
				apply(t, db, three)
			} else {
				apply(t, db, three.without("2_two.sql"))
			}
			history := recorded(t, pool, name)
			f := test.files.with("9_new.sql", "INSERT INTO {{tables.log}} (what) VALUES ('new')")
			others := []migrations.Option{migrations.AllowChanged(), migrations.AllowRemoved(), migrations.AllowOutOfOrder()}
			for i, option := range []string{"changed", "removed", "out_of_order"} {
				if option == name { // the others must not allow it
					others = append(others[:i:i], others[i+1:]...)
				}
			}
			for _, opts := range [][]migrations.Option{nil, others} {
				m := migrator(t, db, f, opts...)
				calls := map[string]func() error{
					"Apply":     func() error { _, err := m.Apply(t.Context()); return err },
					"MigrateTo": func() error { _, err := m.MigrateTo(t.Context(), 9); return err },
					"Pending":   func() error { _, err := m.Pending(t.Context()); return err },
					"Plan":      func() error { _, err := m.Plan(t.Context()); return err },
				}
				for verb, call := range calls {
					err := call()
					var drift *migrations.DriftError
					if !errors.As(err, &drift) {
						t.Errorf("%s: the error is %v", verb, err)
						continue
					}
					wantFiles(t, "changed", drift.Changed, test.changed)
					wantFiles(t, "removed", drift.Removed, test.removed)
					wantFiles(t, "out of order", drift.OutOfOrder, test.outOfOrder)
					wantTexts(t, err, "pgdbm: module \""+name+"\" in schema \""+name+"\": nothing was done", "\n  "+test.message)
				}
			}
			want(t, "history", recorded(t, pool, name), history)

			m := migrator(t, db, f, test.allow)
			if err := m.Verify(t.Context()); !errors.As(err, new(*migrations.DriftError)) {
				t.Errorf("Verify: the error is %v", err)
			}
			statuses, err := m.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, status := range statuses {
				if status.Migration.File == "2_two.sql" && status.State != test.state {
					t.Errorf("the state is %s, want %s", status.State, test.state)
				}
			}
			wantFiles(t, "with the option", ran(t)(m.Apply(t.Context())), test.applies)
			want(t, "log", logged(t, pool, name), test.logs)
			wantFiles(t, "then", ran(t)(m.Apply(t.Context())), "")
		})
	}
}

// TestDriftOfEveryKind sees that one error lists all of it, in the order of the versions.
func TestDriftOfEveryKind(t *testing.T) {
	t.Parallel()
	pool := open(t)
	db := schemadb.New(pool, "app")
	f := files{}
	for _, name := range []string{"1_a.sql", "2_a.sql", "10_a.sql", "11_a.sql", "20_a.sql", "21_a.sql", "30_a.sql"} {
		f[name] = "SELECT 1"
	}
	apply(t, db, f.without("1_a.sql", "2_a.sql"))
	now := f.with("30_a.sql", "SELECT 2").with("10_a.sql", "SELECT 2").without("21_a.sql", "11_a.sql")
	_, err := migrator(t, db, now).Apply(t.Context())
	var drift *migrations.DriftError
	if !errors.As(err, &drift) {
		t.Fatal(err)
	}
	wantFiles(t, "changed", drift.Changed, "10_a.sql 30_a.sql")
	wantFiles(t, "removed", drift.Removed, "11_a.sql 21_a.sql")
	wantFiles(t, "out of order", drift.OutOfOrder, "1_a.sql 2_a.sql")
	if drift.Schema != "app" || drift.Module != "app" {
		t.Errorf("schema %q, module %q", drift.Schema, drift.Module)
	}
	wantFiles(t, "allowed", apply(t, db, now, migrations.AllowChanged(), migrations.AllowRemoved(), migrations.AllowOutOfOrder()), "1_a.sql 2_a.sql")
}

func TestRepeatable(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "app")
		f := three.with("R__b.sql", "INSERT INTO {{tables.log}} (what) VALUES ('b')").with("R__a.sql", "INSERT INTO {{tables.log}} (what) VALUES ('a')")
		wantFiles(t, "first", apply(t, db, f), "1_log.sql 2_two.sql 3_three.sql R__a.sql R__b.sql")
		wantFiles(t, "second", apply(t, db, f), "")
		f = f.with("R__b.sql", "INSERT INTO {{tables.log}} (what) VALUES ('b2')").with("4_four.sql", "INSERT INTO {{tables.log}} (what) VALUES ('four')")
		statuses, err := migrator(t, db, f).Status(t.Context())
		if err != nil || len(statuses) != 6 || statuses[5].State != migrations.Changed || statuses[4].State != migrations.Applied {
			t.Errorf("Status: %+v, %v", statuses, err)
		}
		if err := migrator(t, db, f).Verify(t.Context()); err != nil {
			t.Errorf("Verify: %v", err)
		}
		wantFiles(t, "changed", apply(t, db, f), "4_four.sql R__b.sql")
		wantFiles(t, "after it", apply(t, db, f), "")
		want(t, "log", logged(t, pool, "app"), "two three a b four b2")
		want(t, "rows", query(t, pool, "SELECT count(*), count(DISTINCT filename) FROM app.schema_migrations"), "6|6")
		f = f.without("R__b.sql")
		_, err = migrator(t, db, f).Apply(t.Context())
		wantTexts(t, err, "R__b.sql: applied, but the file is gone")
	})
}

// TestDriftBesideRepeatable has a repeatable file in the history. It has no version that others could be lower than.
func TestDriftBesideRepeatable(t *testing.T) {
	t.Parallel()
	db := schemadb.New(open(t), "app")
	f := three.with("R__r.sql", "SELECT 1")
	apply(t, db, f.without("2_two.sql"))
	_, err := migrator(t, db, f).Apply(t.Context())
	wantTexts(t, err, "2_two.sql: not applied, but")
}

// TestRowOfRepeatable sees that all of the row is new when the file runs again.
func TestRowOfRepeatable(t *testing.T) {
	t.Parallel()
	pool := open(t)
	db := schemadb.New(pool, "app")
	f := files{"R__a.sql": "SELECT 1", "R__b.sql": alone("SELECT 1")}
	apply(t, db, f)
	execOn(t, pool, "UPDATE app.schema_migrations SET applied_by = 'nobody', applied_at = '2001-02-03', execution_time_ms = -1")
	wantFiles(t, "changed", apply(t, db, f.with("R__a.sql", "SELECT 2").with("R__b.sql", alone("SELECT 2"))), "R__a.sql R__b.sql")
	want(t, "rows", query(t, pool, "SELECT filename, applied_by = current_user, applied_at > '2001-02-03', execution_time_ms >= 0 FROM app.schema_migrations ORDER BY 1"),
		"R__a.sql|true|true|true\nR__b.sql|true|true|true")
}
