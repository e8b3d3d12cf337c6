package driver_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/driver"
)

// openConnector opens a database with options until the test ends.
func openConnector(t *testing.T, dsn string, opts ...driver.Option) *sql.DB {
	t.Helper()
	connector, err := driver.NewConnector(dsn, opts...)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

const (
	countTables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = $1 AND table_name = $2"
	findClass   = "SELECT to_regclass($1)::oid = '{{tables.t}}'::regclass::oid"
)

func TestSchemaArgs(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", odd)
	admin(t, dsn, "CREATE TABLE a.only_a ()", `CREATE TABLE "Größe-""7""".only_odd ()`)
	for _, keys := range []string{"schema_mode=template", "schema_mode=search_path", "default_query_exec_mode=cache_describe"} {
		t.Run(keys, func(t *testing.T) {
			t.Parallel()
			db := openConnector(t, dsn+"&"+keys, driver.WithSchemaArgs())
			for _, tenant := range []struct{ schema, own, others string }{{"a", "only_a", "only_odd"}, {odd, "only_odd", "only_a"}} {
				ctx := driver.WithSchema(t.Context(), tenant.schema)
				wantSchemaArgs(ctx, t, db, tenant.own, tenant.others)
				wantSchemaArgs(t.Context(), t, begin(ctx, t, db), tenant.own, tenant.others)
			}
		})
	}
}

// wantSchemaArgs fails the test unless arguments are found in the schema with the table own, and not in the one with others.
func wantSchemaArgs(ctx context.Context, t *testing.T, q querier, own, others string) {
	t.Helper()
	stmt := prepare(ctx, t, q, countTables)
	for _, table := range []struct {
		name string
		n    int
	}{{own, 1}, {others, 0}, {"t", 1}} {
		for _, args := range [][]any{
			{"{{schema}}", table.name}, {"<<schema>>", table.name}, {"{{schema}}", "{{tables." + table.name + "}}"}, {"{{tables", table.name + "}}"},
		} {
			if got := get[int](ctx, t, q, countTables, args...); got != table.n {
				t.Errorf("%q: %d tables, want %d", args, got, table.n)
			}
			var got int
			if err := stmt.QueryRowContext(ctx, args...).Scan(&got); err != nil || got != table.n {
				t.Errorf("prepared, %q: %d tables, %v, want %d", args, got, err, table.n)
			}
		}
	}
	const apart = "SELECT count(*) FROM information_schema.tables WHERE table_name = $1 AND table_type = $2 AND table_schema = $3"
	if got := get[int](ctx, t, q, apart, own+"}}", "BASE TABLE", "{{tables"); got != 1 {
		t.Errorf("two arguments that do not stand side by side: %d tables, want 1", got)
	}
	for _, args := range [][]any{{"{{tables.t}}"}, {pgx.QueryExecModeExec, "{{tables.t}}"}, {pgx.QueryExecModeSimpleProtocol, "<<tables.t>>"}} {
		if !get[bool](ctx, t, q, findClass, args...) {
			t.Errorf("%q is another table", args)
		}
	}
	result, err := q.ExecContext(ctx, "UPDATE {{tables.t}} SET owner = owner WHERE tableoid = to_regclass($1)", "{{tables.t}}")
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := result.RowsAffected(); n == 0 {
		t.Error("Exec finds another table")
	}
}

// Values that only look like it, and all values without the option, are data.
func TestSchemaArgsLeaveDataAlone(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	ctx := driver.WithSchema(t.Context(), "a")
	with, without := openConnector(t, dsn, driver.WithSchemaArgs()), openDB(t, dsn)
	for _, value := range []string{" {{schema}}", "{{schema}}.t", "{{tables.t}} is it", "{{tables", "t}}", "{{", "", "<<schema>", "{{Schema}}"} {
		if got := get[string](ctx, t, with, "SELECT $1::text", value); got != value {
			t.Errorf("%q became %q", value, got)
		}
	}
	for _, value := range []string{"{{schema}}", "{{tables.t}}", "<<tables.t>>"} {
		if got := get[string](ctx, t, without, "SELECT $1::text", value); got != value {
			t.Errorf("without the option %q became %q", value, got)
		}
	}
	braces := openConnector(t, dsn+"&templates=braces", driver.WithSchemaArgs())
	if got := get[string](ctx, t, braces, "SELECT $1::text", "<<schema>>"); got != "<<schema>>" {
		t.Errorf("with templates=braces <<schema>> became %q", got)
	}
	args := []any{"{{schema}}"}
	if got := get[string](ctx, t, with, "SELECT $1::text", args...); got != "a" || args[0] != "{{schema}}" {
		t.Errorf("read %q, and the caller's argument is %q", got, args[0])
	}
}

// Many rows of data that look like a half of a template take no longer than others.
func TestSchemaArgsOfManyRows(t *testing.T) {
	t.Parallel()
	db := openConnector(t, newTenants(t, "a"), driver.WithSchemaArgs())
	const rows = 30_000
	args, places := make([]any, rows), make([]string, rows)
	for i := range rows {
		args[i], places[i] = "{{tables", fmt.Sprintf("($%d)", i+1)
	}
	ctx, cancel := context.WithTimeout(driver.WithSchema(t.Context(), "a"), 20*time.Second) // it was minutes
	defer cancel()
	exec(ctx, t, db, "CREATE TABLE {{tables.many}} (value text)")
	if _, err := db.ExecContext(ctx, "INSERT INTO {{tables.many}} VALUES "+strings.Join(places, ", "), args...); err != nil {
		t.Fatal(err)
	}
	if n := get[int](ctx, t, db, "SELECT count(*) FROM {{tables.many}} WHERE value = $1", "{{tables"); n != rows {
		t.Errorf("%d rows have the value, want %d", n, rows)
	}
}

// Without a schema the names are those of public.
func TestSchemaArgsWithoutSchema(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t)
	admin(t, dsn, "CREATE TABLE IF NOT EXISTS public.t (id int, owner text)")
	db := openConnector(t, dsn, driver.WithSchemaArgs())
	if n := get[int](t.Context(), t, db, countTables, "{{schema}}", "{{tables.t}}"); n != 1 {
		t.Errorf("%d tables, want the one of public", n)
	}
	if !get[bool](t.Context(), t, db, findClass, "{{tables.t}}") {
		t.Error("to_regclass finds another table")
	}
}
