package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/driver"
)

// modeQuestions give other answers in the modes exec and simple_protocol than if they are prepared, or work in one of them only.
var modeQuestions = []struct {
	query string
	args  []any
}{
	{"SELECT owner FROM t WHERE id = $1", []any{1}},
	{"UPDATE t SET owner = $1 RETURNING owner", []any{"it's \\ a"}},
	{"SELECT $1", []any{[]byte("x")}},
	{"SELECT $1::bytea", []any{[]byte{0, 1, 255}}},
	{"SELECT $1::jsonb", []any{[]byte(`{"a": 1}`)}},
	{"SELECT $1::int + 1", []any{"7"}},
	{"SELECT $1, $2", []any{1.5, "text"}},
	{"SELECT $1::timestamptz, $2::timestamp", []any{instant, instant}},
	{"SELECT 1 - $1", []any{-1}},
	{"SELECT $1::text IS NULL, $2::bool", []any{nil, true}},
	{"SELECT $1::int[]", []any{[]int{1, 2}}},
	{"SELECT 'none'", nil},
	{"COMMENT ON TABLE t IS $1", []any{"it's a comment"}},
	{"NOTIFY channel, $1", []any{"it's a message"}},
	{"SET LOCAL my.x = $1", []any{"it's set"}},
	{"SELECT nothing FROM t WHERE id = $1", []any{1}},
	{"SELECT owner FROM t WHERE id = $1", []any{"abc"}},
	{"SELECT owner FROM t WHERE id = $1 AND id = $2", []any{1}},
}

// In search_path mode under a context the modes exec and simple_protocol count, by call and in the DSN, as in plain pgx.
func TestModesCountUnderAContext(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]pgx.QueryExecMode{"exec": pgx.QueryExecModeExec, "simple_protocol": pgx.QueryExecModeSimpleProtocol} {
		for _, perCall := range []bool{false, true} {
			for _, inTransaction := range []bool{false, true} {
				t.Run(strings.Join([]string{name, map[bool]string{true: "by call", false: "by DSN"}[perCall],
					map[bool]string{true: "in a transaction", false: "outside"}[inTransaction]}, "/"), func(t *testing.T) {
					t.Parallel()
					option := "&default_query_exec_mode=" + name
					if perCall {
						option = ""
					}
					ours, theirs := newTenants(t, "a"), newTenants(t, "a")
					db := openOne(t, ours+"&schema_mode=search_path"+option)
					plain := openAs(t, "pgx", theirs+"&search_path=a,public,pg_temp"+option)
					for _, q := range modeQuestions {
						args := q.args
						if perCall {
							args = append([]any{mode}, args...)
						}
						for range 2 {
							got := inOrOut(driver.WithSchema(t.Context(), "a"), t, db, inTransaction, q.query, args)
							if want := inOrOut(t.Context(), t, plain, inTransaction, q.query, args); got != want {
								t.Errorf("%s %v\ngives %s\nwant  %s", q.query, q.args, got, want)
							}
						}
					}
				})
			}
		}
	}
}

// inOrOut returns what a statement gives as a query and as Exec, and what it has left behind.
func inOrOut(ctx context.Context, t *testing.T, db *sql.DB, inTransaction bool, query string, args []any) string {
	t.Helper()
	ask := func(q querier) string {
		got := resultOf(ctx, q, query, args...)
		if inTransaction && strings.Contains(got, "error") {
			return got
		}
		if result, err := q.ExecContext(ctx, query, args...); err == nil {
			n, _ := result.RowsAffected()
			got += "; " + string(rune('0'+n)) + " rows"
		}
		const left = "SELECT coalesce(obj_description('a.t'::regclass), ''), current_setting('my.x', true)"
		if inTransaction || !strings.HasPrefix(query, "SET") {
			got += "; left " + resultOf(ctx, q, left)
		}
		return got
	}
	if !inTransaction {
		return ask(db)
	}
	tx := begin(ctx, t, db)
	got := ask(tx)
	if err := tx.Commit(); err != nil && !errors.Is(err, pgx.ErrTxCommitRollback) {
		t.Error(err)
	}
	return got
}

// A statement in these modes takes one round trip under a context too.
func TestModesTakeOneRoundTrip(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]pgx.QueryExecMode{"exec": pgx.QueryExecModeExec, "simple_protocol": pgx.QueryExecModeSimpleProtocol} {
		for _, option := range []string{"", "&default_query_exec_mode=" + name} {
			db, flights := countingDB(t, newTenants(t, "a", "b")+"&schema_mode=search_path"+option)
			get[int](t.Context(), t, db, "SELECT 1")
			for _, schema := range []string{"a", "b", "a"} {
				ctx, args := driver.WithSchema(t.Context(), schema), []any{1}
				if option == "" {
					args = []any{mode, 1}
				}
				before := flights.Load()
				if err := wantRow(db.QueryRowContext(ctx, "SELECT owner FROM t WHERE id = $1", args...), schema); err != nil {
					t.Error(err)
				}
				exec(ctx, t, db, "UPDATE t SET owner = owner WHERE id = $1", args...)
				if got := flights.Load() - before; got != 2 {
					t.Errorf("%s%s: two statements took %d round trips", name, option, got)
				}
			}
			if n := len(namesOf(t, db, "owner")); n > 0 {
				t.Errorf("%s%s: %d statements are prepared", name, option, n)
			}
		}
	}
}

// A path that comes from the options, the role or the database stays behind the schema, as the DSN's own does.
func TestPathFromElsewhereStaysBehind(t *testing.T) {
	t.Parallel()
	for from, setup := range map[string]struct{ option, grant string }{
		"the DSN's key":              {"&search_path=extra", ""},
		"options":                    {"&options=-c%20search_path%3Dextra", ""},
		"options, among others":      {"&options=-c%20statement_timeout%3D1min%20-csearch_path%3Dextra", ""},
		"options, in the long form":  {"&options=--search_path%3Dextra", ""},
		"the role":                   {"", "ALTER ROLE THE_LOGIN SET search_path = extra"},
		"the database":               {"", "ALTER DATABASE THE_DATABASE SET search_path = extra"},
		"the role, in this database": {"", "ALTER ROLE THE_LOGIN IN DATABASE THE_DATABASE SET search_path = extra"},
		"the role, two schemas":      {"", `ALTER ROLE THE_LOGIN SET search_path = "$user", extra`},
	} {
		for _, schema := range []string{"", "&schema=a", "&schema=b"} {
			t.Run(from+schema, func(t *testing.T) {
				t.Parallel()
				dsn := newTenants(t, "a", "b")
				database := pgx.Identifier{get[string](t.Context(), t, openAs(t, "pgx", dsn), "SELECT current_database()")}.Sanitize()
				admin(t, dsn, "CREATE SCHEMA extra", "CREATE TABLE extra.only_extra AS SELECT 'extra' AS owner", "CREATE TABLE public.only_public ()",
					"CREATE TABLE extra.t AS SELECT 1 AS id, 'extra' AS owner")
				grants := []string{"GRANT USAGE, CREATE ON SCHEMA a, b, extra TO THE_LOGIN", "GRANT ALL ON ALL TABLES IN SCHEMA a, b, extra TO THE_LOGIN"}
				if setup.grant != "" {
					grants = append(grants, strings.ReplaceAll(setup.grant, "THE_DATABASE", database))
				}
				db := openOne(t, newLogin(t, dsn, grants...)+"&schema_mode=search_path"+setup.option+schema)
				contexts := map[string]context.Context{"a": in("a")(t.Context()), "b": in("b")(t.Context()), "extra": driver.WithoutSchema(t.Context())}
				if schema != "" {
					contexts[schema[len("&schema="):]] = t.Context()
				}
				for owner, ctx := range contexts {
					wantBareOwner(ctx, t, db, owner)
					if got := resultOf(ctx, db, "SELECT owner FROM only_extra"); got != `string("extra")` {
						t.Errorf("under %s: what followed has gone: %s", owner, got)
					}
					if got := resultOf(ctx, db, "SELECT FROM only_public"); !strings.Contains(got, "42P01") {
						t.Errorf("under %s: public is searched, which the path does not name: %q", owner, got)
					}
				}
			})
		}
	}
}
