package migrations_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/migrations"
)

// wantAll compares the schemas of a result, in any order.
func wantAll(t *testing.T, what string, got []string, wanted ...string) {
	t.Helper()
	slices.Sort(got)
	wantList(t, what, got, wanted)
}

func appliedIn(r *migrations.AllResult) []string {
	names := make([]string, len(r.Applied))
	for i, one := range r.Applied {
		names[i] = one.Schema
	}
	return names
}

func failedIn(failures []migrations.Failure) []string {
	names := make([]string, len(failures))
	for i, f := range failures {
		names[i] = f.Schema
	}
	return names
}

func TestCanary(t *testing.T) {
	t.Parallel()
	errNo := errors.New("no")
	for name, c := range map[string]struct {
		confirm          func(*migrations.AllResult) error
		sql              string
		applied, failed  []string
		notReached, seen int
	}{
		"yes": {func(*migrations.AllResult) error { return nil }, "SELECT 1", []string{"s01", "s02", "s03", "s04"}, nil, 0, 2},
		"no":  {func(*migrations.AllResult) error { return errNo }, "SELECT 1", []string{"s01", "s02"}, nil, 2, 2},
		"by itself": {nil, "CREATE TABLE {{tables.t}} ()",
			[]string{"s01"}, []string{"s02"}, 2, 0},
		"fine by itself": {nil, "SELECT 1", []string{"s01", "s02", "s03", "s04"}, nil, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := newPool(t)
			schemas := schemaNames(5)
			files := sqlFiles("001_a.sql", c.sql)
			execute(t, pool, "CREATE SCHEMA s02", "CREATE TABLE s02.t ()")
			applyAll(t, pool, files, slices.Values(schemas[:1]), module) // is up to date, and so not a canary
			seen := 0
			var confirm func(context.Context, *migrations.AllResult) error
			if c.confirm != nil {
				confirm = func(_ context.Context, r *migrations.AllResult) error {
					seen += len(r.Applied) + len(r.Failed)
					return c.confirm(r)
				}
			}
			result, err := migrations.ApplyAll(limited(t), pool, files, slices.Values(schemas), module, quiet, migrations.Canary(2, confirm))
			wantAll(t, "applied", appliedIn(result), c.applied...)
			wantAll(t, "failed", failedIn(result.Failed), c.failed...)
			wantAll(t, "up to date", result.UpToDate, "s00")
			if len(result.NotReached) != c.notReached || seen != c.seen || (err == nil) != (c.notReached == 0) {
				t.Errorf("%d were not reached, %d seen: %v", len(result.NotReached), seen, err)
			}
			if name == "no" && !errors.Is(err, errNo) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestOnlyFailed takes the result of a run that was stopped through JSON, and runs the rest.
func TestOnlyFailed(t *testing.T) {
	t.Parallel()
	pool, schemas := newPool(t), schemaNames(6)
	broken := sqlFiles("001_a.sql", "SELECT 1", "002_b.sql", "CREATE TABLE {{tables.t}} ()")
	execute(t, pool, "CREATE SCHEMA s02", "CREATE TABLE s02.t ()")
	first, err := migrations.ApplyAll(limited(t), pool, broken, slices.Values(schemas), module, quiet, migrations.StopOnError(), migrations.Parallel(1))
	wantAll(t, "failed", failedIn(first.Failed), "s02")
	text, marshalErr := json.Marshal(first)
	if err == nil || marshalErr != nil {
		t.Fatal(err, marshalErr)
	}
	var read migrations.AllResult
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(read)
	if err != nil || string(again) != string(text) || len(read.Applied) != 2 || !strings.Contains(read.Failed[0].Err.Error(), "already exists") ||
		read.Failed[0].Done[0].Migration.File != "001_a.sql" {
		t.Errorf("%v: %s\nis not\n%s", err, again, text)
	}
	second, err := migrations.ApplyAll(limited(t), pool, sqlFiles("001_a.sql", "SELECT 1", "002_b.sql", "SELECT 2"), slices.Values(append(schemas, "new")), module, quiet,
		migrations.OnlyFailed(&read))
	if err != nil {
		t.Fatal(err)
	}
	wantAll(t, "applied", appliedIn(second), "s02", "s03", "s04", "s05")
	if len(second.UpToDate) > 0 {
		t.Errorf("%v are in the result", second.UpToDate)
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	pool, schemas := newPool(t), schemaNames(5)
	result := applyAll(t, pool, sqlFiles("001_a.sql", "SELECT 1"), slices.Values(schemas), module, migrations.Parallel(1),
		migrations.Order(func(a, b string) int { return strings.Compare(b, a) }))
	slices.Reverse(schemas)
	wantList(t, "applied", appliedIn(result), schemas)
}

func TestOptionsOfRunsAreChecked(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]migrations.Option{"Canary(0)": migrations.Canary(0, nil), "OnlyFailed(nil)": migrations.OnlyFailed(nil), "Order(nil)": migrations.Order(nil)} {
		_, err := migrations.ApplyAll(t.Context(), newPool(t), sqlFiles("1_a.sql", "SELECT 1"), slices.Values([]string{"a"}), option)
		wantTexts(t, err, name)
		if _, err := migrations.New(nil, nil, option); err == nil {
			t.Error(name)
		}
	}
}

func TestStatusAll(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]migrations.Option{{module}, {module, inBooks}, nil} {
		t.Run(fmt.Sprint(len(opts)), func(t *testing.T) {
			t.Parallel()
			pool := newPool(t)
			two := sqlFiles("001_a.sql", "SELECT 1", "002_b.sql", "SELECT 1")
			three := sqlFiles("001_a.sql", "SELECT 1", "002_b.sql", "SELECT 1", "003_c.sql", "SELECT 1", "R__r.sql", "SELECT 1")
			applyAll(t, pool, two, slices.Values([]string{"old1", "old2"}), opts...)
			applyAll(t, pool, three, slices.Values([]string{"new1", "new2"}), opts...)
			applyAll(t, pool, sqlFiles("001_a.sql", "SELECT 1", "002_b.sql", "SELECT 2"), slices.Values([]string{"other"}), opts...)
			execute(t, pool, "CREATE SCHEMA bare")
			names := []string{"new1", "old1", "missing", "bare", "other", "old2", "new2"}
			if len(opts) != 2 {
				execute(t, pool, "CREATE SCHEMA foreigner", "CREATE TABLE foreigner.schema_migrations (version text)")
				names = append(names, "foreigner")
			}
			status, err := migrations.StatusAll(t.Context(), pool, three, slices.Values(names), opts...)
			if err != nil {
				t.Fatal(err)
			}
			var groups []string
			for _, g := range status.Groups {
				file := "none"
				if g.Migration != nil {
					file = g.Migration.File
				}
				groups = append(groups, file+": "+strings.Join(g.Schemas, " "))
			}
			wantList(t, "groups", groups, []string{"none: missing bare", "002_b.sql: old1 other old2", "003_c.sql: new1 new2"})
			var behind, differ []string
			for _, s := range status.Behind {
				behind = append(behind, fmt.Sprint(s.Schema, " ", s.Pending))
			}
			for _, s := range status.Differ {
				differ = append(differ, s.Schema+" "+strings.Join(s.Drift.Changed, " "))
			}
			wantList(t, "behind", behind, []string{"old1 2", "missing 4", "bare 4", "other 2", "old2 2"})
			wantList(t, "differ", differ, []string{"other 002_b.sql"})
			if len(opts) != 2 {
				wantAll(t, "failed", failedIn(status.Failed), "foreigner")
			}
			if _, err := json.Marshal(status); err != nil {
				t.Error(err)
			}
			if exists(t, pool, "missing.schema_migrations") || exists(t, pool, "bare.schema_migrations") {
				t.Error("a history was made")
			}
		})
	}
}

// TestStatusAllAsksOnce counts the messages.
func TestStatusAllAsksOnce(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]migrations.Option{{module, migrations.ChunkSize(10)}, {module, migrations.ChunkSize(1), inBooks}} {
		dsn, w := server.Database(t), &listener{}
		schemas, files := schemaNames(30), sqlFiles("001_a.sql", "SELECT 1")
		applyAll(t, openPool(t, "pgx", dsn), files, slices.Values(schemas), opts...)
		want := 3 // one for ten, and of a shared history for fifty times as many
		if len(opts) > 2 {
			want = 1
		}
		status, err := migrations.StatusAll(t.Context(), w.open(t, dsn), files, slices.Values(schemas), opts...)
		if err != nil || len(status.Groups) != 1 || len(status.Groups[0].Schemas) != len(schemas) {
			t.Errorf("%+v: %v", status, err)
		}
		if got := len(w.texts) - 1; got != want { // the first asks for the session's settings
			t.Errorf("%d messages were sent, want %d", got, want)
		}
	}
}
