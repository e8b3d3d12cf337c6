package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// undoable are the three migrations with undos.
var undoable = three.with("down/1_log.sql", "DROP TABLE {{tables.log}}").
	with("down/2_two.sql", "INSERT INTO {{tables.log}} (what) VALUES ('not two')").
	with("down/3_three.sql", "INSERT INTO {{tables.log}} (what) VALUES ('not three')")

// TestVerbsThatOnlyLook compares the catalog before and after, where nothing exists yet and where something does.
func TestVerbsThatOnlyLook(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		look := func(f files, opts ...migrations.Option) (plan []migrations.Planned) {
			t.Helper()
			m := migrator(t, schemadb.New(pool, odd), f, opts...)
			before := catalog(t, pool)
			statuses, err := m.Status(t.Context())
			if err != nil || len(statuses) != 4 {
				t.Errorf("Status: %+v, %v", statuses, err)
			}
			if _, err := m.History(t.Context()); err != nil {
				t.Errorf("History: %v", err)
			}
			if err := m.Verify(t.Context()); err != nil {
				t.Errorf("Verify: %v", err)
			}
			pending, err := m.Pending(t.Context())
			if err != nil {
				t.Errorf("Pending: %v", err)
			}
			if plan, err = m.Plan(t.Context()); err != nil || len(plan) != len(pending) {
				t.Errorf("Plan: %d files, want %d, %v", len(plan), len(pending), err)
			}
			want(t, "catalog", catalog(t, pool), before)
			return plan
		}
		f := undoable.with("R__r.sql", "SELECT '{{schema}}'; -- {{tables.x}}\nSELECT 2 -- two")
		if plan := look(f); len(plan) != 4 {
			t.Errorf("the plan has %d files", len(plan))
		} else {
			want(t, "first", plan[0].SQL, `CREATE TABLE "Größe-""7""".log (n serial, what text)`+"\n;\n")
			want(t, "last", plan[3].SQL, `SELECT 'Größe-"7"';`+"\nSELECT 2\n;\n")
			if plan[3].File != "R__r.sql" || plan[3].Kind != migrations.Repeatable || plan[0].Version != 1 || !plan[0].Undoable {
				t.Errorf("the plan is %+v", plan)
			}
		}
		execOn(t, pool, "CREATE SCHEMA "+quote(odd))
		look(f)
		look(f, migrations.SharedHistory("books"))
		apply(t, schemadb.New(pool, odd), f.without("3_three.sql", "down/3_three.sql", "R__r.sql"))
		if plan := look(f); len(plan) != 2 || plan[0].File != "3_three.sql" {
			t.Errorf("the plan is %+v", plan)
		}
		look(f, migrations.SharedHistory("books"))
	})
}

// TestPlanRuns sees that what Plan shows is what Apply does.
func TestPlanRuns(t *testing.T) {
	t.Parallel()
	pool := open(t)
	f := files{"1_a.sql": "CREATE TABLE {{tables.a}} (x text) -- comment", "2_b.sql": "BEGIN; INSERT INTO {{tables.a}} VALUES (';'); COMMIT;",
		"3_c.sql": "COPY {{tables.a}} FROM stdin;\n{{tables.a}}\n\\.\nSELECT 1;"}
	plan, err := migrator(t, schemadb.New(pool, "app"), f, migrations.Go(4, "fn", nothing, nil)).Plan(t.Context())
	if err != nil || len(plan) != 4 {
		t.Fatalf("%+v, %v", plan, err)
	}
	want(t, "a function", plan[3].SQL, "")
	want(t, "rows", plan[2].SQL, "COPY \"app\".a FROM stdin;\n{{tables.a}}\n\\.\nSELECT 1;\n")
	execOn(t, pool, "CREATE SCHEMA app")
	execOn(t, pool, plan[0].SQL)
	execOn(t, pool, plan[1].SQL)
	want(t, "rows", query(t, pool, "SELECT x FROM app.a"), ";")
}

func nothing(context.Context, *schemadb.Tx) error { return nil }

func TestStatusAndHistory(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "app")
		begun := time.Now().Truncate(time.Microsecond)
		wantFiles(t, "Apply", apply(t, db, files{"1_a.sql": "SELECT pg_sleep(0.02)", "2_b.sql": "SELECT 1", "4_d.sql": "SELECT 1"}), "1_a.sql 2_b.sql 4_d.sql")
		m := migrator(t, db, files{"1_a.sql": "SELECT pg_sleep(0.02)", "3_c.sql": "SELECT 1", "4_d.sql": "SELECT 2", "5_e.sql": "SELECT 1"})
		statuses, err := m.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, s := range statuses {
			lines = append(lines, fmt.Sprintf("%s %s %t", s.Migration.File, s.State, s.Record != nil))
		}
		want(t, "Status", strings.Join(lines, "\n"), "1_a.sql applied true\n3_c.sql out of order false\n4_d.sql changed true\n"+
			"5_e.sql pending false\n2_b.sql removed true")
		records, err := m.History(t.Context())
		if err != nil || len(records) != 3 {
			t.Fatalf("%+v, %v", records, err)
		}
		user := query(t, pool, "SELECT current_user")
		for i, r := range records {
			if r.File != []string{"1_a.sql", "2_b.sql", "4_d.sql"}[i] || r.ID != int64(i+1) || r.Module == nil || *r.Module != "app" ||
				r.AppliedBy == nil || *r.AppliedBy != user || r.TookMS == nil || len(r.Checksum) != 64 {
				t.Errorf("a record is %+v", r)
			}
			if r.AppliedAt.Before(begun) || r.AppliedAt.After(time.Now()) {
				t.Errorf("applied at %v, want after %v", r.AppliedAt, begun)
			}
		}
		if took := records[0].Duration(); took < 20*time.Millisecond || took > time.Minute {
			t.Errorf("it took %v", took)
		}
		if (migrations.Record{}).Duration() != 0 {
			t.Error("an unknown duration is not 0")
		}
	})
}

// TestHistoryWithAMapper has a facade that maps the names of fields in another way.
func TestHistoryWithAMapper(t *testing.T) {
	t.Parallel()
	db := schemadb.New(open(t), "app")
	db.MapperFunc(strings.ToUpper)
	apply(t, db, three)
	if records, err := migrator(t, db, three).History(t.Context()); err != nil || len(records) != 3 || records[0].Checksum == "" {
		t.Errorf("%+v, %v", records, err)
	}
}

func TestMigrateTo(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "app")
		m := migrator(t, db, undoable.with("R__a.sql", "SELECT 1").with("R__b.sql", "SELECT 1"))
		to := func(version int64) string {
			t.Helper()
			result, err := m.MigrateTo(t.Context(), version)
			if err != nil {
				t.Fatal(err)
			}
			var steps []string
			for _, s := range result.Steps {
				if s.Undo {
					s.Migration.File = "-" + s.Migration.File
				}
				steps = append(steps, s.Migration.File)
			}
			return strings.Join(steps, " ")
		}
		want(t, "to 0, empty", to(0), "")
		want(t, "no schema", query(t, pool, "SELECT to_regnamespace('app') IS NULL"), "true")
		want(t, "to 2", to(2), "1_log.sql 2_two.sql")
		want(t, "to 2 again", to(2), "")
		want(t, "to 3", to(3), "3_three.sql R__a.sql R__b.sql")
		want(t, "to 1", to(1), "-3_three.sql -2_two.sql")
		want(t, "log", logged(t, pool, "app"), "two three not three not two")
		want(t, "history", recorded(t, pool, "app"), "1_log.sql")
		want(t, "to 0", to(0), "-1_log.sql")
		want(t, "to 3", to(3), "1_log.sql 2_two.sql 3_three.sql R__a.sql R__b.sql")
		want(t, "history", recorded(t, pool, "app"), "1_log.sql 2_two.sql 3_three.sql R__a.sql R__b.sql")

		_, err := m.MigrateTo(t.Context(), 7)
		var unknown *migrations.VersionError
		if !errors.As(err, &unknown) || unknown.Version != 7 || fmt.Sprint(unknown.Versions) != "[1 2 3]" {
			t.Errorf("the error is %v", err)
		}
		want(t, "error", fmt.Sprint(err), "pgdbm: no migration has version 7; there are 1, 2, 3")
	})
}

// TestMigrateToUndoesAndApplies has one migration to undo and one to apply.
func TestMigrateToUndoesAndApplies(t *testing.T) {
	t.Parallel()
	pool := open(t)
	db := schemadb.New(pool, "app")
	apply(t, db, undoable.without("2_two.sql", "down/2_two.sql"))
	wantFiles(t, "to 2", ran(t)(migrator(t, db, undoable, migrations.AllowOutOfOrder()).MigrateTo(t.Context(), 2)), "3_three.sql 2_two.sql")
	want(t, "log", logged(t, pool, "app"), "three not three two")
}

func TestVersionZero(t *testing.T) {
	t.Parallel()
	db := schemadb.New(open(t), "app")
	m := migrator(t, db, files{"000_a.sql": "SELECT 1", "001_b.sql": "SELECT 1", "down/000_a.sql": "SELECT 1", "down/001_b.sql": "SELECT 1"})
	wantFiles(t, "Apply", ran(t)(m.Apply(t.Context())), "000_a.sql 001_b.sql")
	wantFiles(t, "to 0", ran(t)(m.MigrateTo(t.Context(), 0)), "001_b.sql")
}

func TestRollback(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "app")
		m := migrator(t, db, undoable.without("down/1_log.sql"))
		wantFiles(t, "of nothing", ran(t)(m.Rollback(t.Context(), 1)), "")
		wantFiles(t, "Apply", ran(t)(m.Apply(t.Context())), "1_log.sql 2_two.sql 3_three.sql")
		wantFiles(t, "0", ran(t)(m.Rollback(t.Context(), 0)), "")
		result, err := m.Rollback(t.Context(), 1)
		wantFiles(t, "1", ran(t)(result, err), "3_three.sql")
		if !result.Steps[0].Undo {
			t.Error("the step is no undo")
		}
		want(t, "history", recorded(t, pool, "app"), "1_log.sql 2_two.sql")

		_, err = m.Rollback(t.Context(), 2)
		var missing *migrations.UndoError
		if !errors.As(err, &missing) || missing.Schema != "app" || missing.Module != "app" {
			t.Fatalf("the error is %v", err)
		}
		wantFiles(t, "missing", missing.Files, "1_log.sql")
		wantTexts(t, err, `pgdbm: module "app" in schema "app": nothing was undone`, "down", "1_log.sql")
		_, err = m.MigrateTo(t.Context(), 0)
		if !errors.As(err, &missing) {
			t.Errorf("MigrateTo: the error is %v", err)
		}
		want(t, "history", recorded(t, pool, "app"), "1_log.sql 2_two.sql")
		want(t, "log", logged(t, pool, "app"), "two three not three")

		_, err = m.Rollback(t.Context(), -1)
		wantTexts(t, err, "pgdbm: ", "negative")
		m = migrator(t, db, undoable)
		wantFiles(t, "more than there are", ran(t)(m.Rollback(t.Context(), 100)), "2_two.sql 1_log.sql")
		want(t, "history", recorded(t, pool, "app"), "")
	})
}

// TestUndoFileOfGolangMigrate has its .up.sql and .down.sql.
func TestUndoFileOfGolangMigrate(t *testing.T) {
	t.Parallel()
	pool := open(t)
	db := schemadb.New(pool, "app")
	f := files{"001_a.up.sql": "CREATE TABLE {{tables.a}} ()", "001_a.down.sql": "DROP TABLE {{tables.a}}"}
	m := migrator(t, db, f)
	wantFiles(t, "Apply", ran(t)(m.Apply(t.Context())), "001_a.up.sql")
	wantFiles(t, "Rollback", ran(t)(m.Rollback(t.Context(), 1)), "001_a.up.sql")
	if exists(t, pool, "app.a") {
		t.Error("the undo has not run")
	}
}

func TestRedo(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "app")
		_, err := migrator(t, db, undoable).Redo(t.Context())
		wantTexts(t, err, "pgdbm: ", "Redo", "no migration is applied")
		apply(t, db, undoable)
		changed := undoable.with("3_three.sql", "INSERT INTO {{tables.log}} (what) VALUES ('3')")
		wantFiles(t, "Redo", ran(t)(migrator(t, db, changed).Redo(t.Context())), "3_three.sql 3_three.sql")
		want(t, "log", logged(t, pool, "app"), "two three not three 3")
		wantFiles(t, "up to date", apply(t, db, changed), "")
		_, err = migrator(t, db, changed.without("down/3_three.sql")).Redo(t.Context())
		if !errors.As(err, new(*migrations.UndoError)) {
			t.Errorf("the error is %v", err)
		}
		want(t, "log", logged(t, pool, "app"), "two three not three 3")
	})
}

func TestBaseline(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "app")
		execOn(t, pool, "CREATE SCHEMA app; CREATE TABLE app.log (n serial, what text)")
		m := migrator(t, db, three.with("R__r.sql", "SELECT 1"))
		_, err := m.Baseline(t.Context(), 7)
		if !errors.As(err, new(*migrations.VersionError)) {
			t.Errorf("the error is %v", err)
		}
		if exists(t, pool, "app.schema_migrations") {
			t.Error("there is a history")
		}
		result, err := m.Baseline(t.Context(), 2)
		wantFiles(t, "Baseline", ran(t)(result, err), "1_log.sql 2_two.sql")
		if !result.Steps[0].RecordOnly {
			t.Error("the step is not RecordOnly")
		}
		want(t, "log", logged(t, pool, "app"), "")
		before := query(t, pool, "SELECT id, xmin::text FROM app.schema_migrations ORDER BY id")
		wantFiles(t, "again", ran(t)(m.Baseline(t.Context(), 2)), "")
		want(t, "rows", query(t, pool, "SELECT id, xmin::text FROM app.schema_migrations ORDER BY id"), before)
		wantFiles(t, "Apply", ran(t)(m.Apply(t.Context())), "3_three.sql R__r.sql")

		fresh := migrator(t, schemadb.New(pool, "fresh"), three)
		wantFiles(t, "all", ran(t)(fresh.Baseline(t.Context(), math.MaxInt64)), "1_log.sql 2_two.sql 3_three.sql")
		if pending, err := fresh.Pending(t.Context()); err != nil || len(pending) != 0 {
			t.Errorf("pending: %v, %v", pending, err)
		}
	})
}

func TestForget(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "app")
		m := migrator(t, db, three.without("2_two.sql"))
		_, err := m.Forget(t.Context(), "1_log.sql")
		if !errors.Is(err, migrations.ErrNotApplied) {
			t.Errorf("the error is %v", err)
		}
		want(t, "schema", query(t, pool, "SELECT to_regnamespace('app') IS NULL"), "true")
		apply(t, db, three)
		_, err = m.Forget(t.Context(), "4_four.sql")
		if !errors.Is(err, migrations.ErrNotApplied) {
			t.Errorf("the error is %v", err)
		}
		wantTexts(t, err, `"4_four.sql"`)
		result, err := m.Forget(t.Context(), "2_two.sql") // whose file is gone
		wantFiles(t, "Forget", ran(t)(result, err), "2_two.sql")
		if !result.Steps[0].RecordOnly {
			t.Error("the step is not RecordOnly")
		}
		wantFiles(t, "Forget", ran(t)(m.Forget(t.Context(), "3_three.sql")), "3_three.sql")
		want(t, "history", recorded(t, pool, "app"), "1_log.sql")
		want(t, "log", logged(t, pool, "app"), "two three")
		wantFiles(t, "Apply", ran(t)(m.Apply(t.Context())), "3_three.sql")
	})
}

func TestApplyModules(t *testing.T) {
	t.Parallel()
	pool := open(t)
	one := files{"1_a.sql": "SELECT 1"}
	module := func(schema, name string, on ...string) *migrations.Migrator {
		return migrator(t, schemadb.New(pool, schema), one, migrations.Module(name), migrations.DependsOn(on...))
	}
	names := func(results []*migrations.Result) (names []string) {
		for _, r := range results {
			names = append(names, r.Module)
		}
		return names
	}
	results, err := migrations.ApplyModules(t.Context(), module("s1", "orders", "users", "mail"), module("s1", "alone"),
		module("s2", "mail", "users"), module("s2", "users"))
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, "order", names(results), "users mail orders alone")
	want(t, "separate histories", query(t, pool, "SELECT module_name, filename FROM s1.schema_migrations ORDER BY id"), "orders|1_a.sql\nalone|1_a.sql")

	_, err = migrations.ApplyModules(t.Context(), module("c", "x"), module("c", "a", "b"), module("c", "b", "c"), module("c", "c", "b"))
	var cycle *migrations.CycleError
	if !errors.As(err, &cycle) {
		t.Fatalf("the error is %v", err)
	}
	wantFiles(t, "cycle", cycle.Modules, "b c b")
	wantTexts(t, err, "pgdbm: ", "b -> c -> b")
	_, err = migrations.ApplyModules(t.Context(), module("c", "self", "self"))
	wantTexts(t, err, "self -> self")
	_, err = migrations.ApplyModules(t.Context(), module("c", "a", "missing"))
	wantTexts(t, err, "pgdbm: ", `"a"`, `"missing"`)
	_, err = migrations.ApplyModules(t.Context(), module("c", "a"), module("d", "a"))
	wantTexts(t, err, "pgdbm: ", `two modules "a"`)
	_, err = migrations.ApplyModules(t.Context(), module("c", "a"), migrator(t, schemadb.New(pool, "c"), one))
	wantTexts(t, err, "pgdbm: ", "number 2", "Module")
	_, err = migrations.ApplyModules(t.Context(), nil)
	wantTexts(t, err, "pgdbm: ", "number 1")
	want(t, "schema", query(t, pool, "SELECT to_regnamespace('c') IS NULL"), "true")

	bad := migrator(t, schemadb.New(pool, "s3"), files{"1_bad.sql": "SELECT 1/0"}, migrations.Module("bad"))
	results, err = migrations.ApplyModules(t.Context(), module("s3", "late", "bad"), module("s3", "early"), bad)
	wantTexts(t, err, "1_bad.sql")
	wantFiles(t, "begun", names(results), "bad")
	if m := module("x", "named"); m.Module() != "named" {
		t.Errorf("Module: %q", m.Module())
	}
}

// TestMigrateToAndRepeatables shows that repeatable migrations, which are written for the last version, wait for it.
func TestMigrateToAndRepeatables(t *testing.T) {
	t.Parallel()
	db := schemadb.New(open(t), "app")
	f := files{"1_a.sql": "SELECT 1", "2_b.sql": "SELECT 2", "down/2_b.sql": "SELECT -2", "R__r.sql": "SELECT 3", "R__s.sql": "SELECT 4"}
	m := migrator(t, db, f)
	wantFiles(t, "up, a part", ran(t)(m.MigrateTo(t.Context(), 1)), "1_a.sql")
	wantFiles(t, "up, all", ran(t)(m.MigrateTo(t.Context(), 2)), "2_b.sql R__r.sql R__s.sql")
	edited := migrator(t, db, f.with("R__r.sql", "SELECT 5"))
	wantFiles(t, "down", ran(t)(edited.MigrateTo(t.Context(), 1)), "2_b.sql")
	wantFiles(t, "and up again", ran(t)(edited.MigrateTo(t.Context(), 2)), "2_b.sql R__r.sql R__s.sql")
}

// TestUndoTakesRepeatables has undos that drop what a repeatable migration has made.
func TestUndoTakesRepeatables(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"transaction": "DROP VIEW {{tables.v}}; DROP TABLE {{tables.u}}",
		"no transaction": alone("DROP VIEW {{tables.v}}", "DROP TABLE {{tables.u}}")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := open(t)
			m := migrator(t, schemadb.New(pool, "app"), files{"1_a.sql": "SELECT 1", "2_u.sql": "CREATE TABLE {{tables.u}} (x int)",
				"R__v.sql": "CREATE OR REPLACE VIEW {{tables.v}} AS SELECT x FROM {{tables.u}}", "down/2_u.sql": text})
			ran(t)(m.Apply(t.Context()))
			wantFiles(t, "Redo", ran(t)(m.Redo(t.Context())), "2_u.sql 2_u.sql R__v.sql")
			if !exists(t, pool, "app.v") {
				t.Error("Redo has lost the view")
			}
			wantFiles(t, "Rollback", ran(t)(m.Rollback(t.Context(), 1)), "2_u.sql")
			want(t, "history", recorded(t, pool, "app"), "1_a.sql")
			wantFiles(t, "Apply", ran(t)(m.Apply(t.Context())), "2_u.sql R__v.sql")
		})
	}
}
