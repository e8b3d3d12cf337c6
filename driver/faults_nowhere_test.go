package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/driver"
)

// nowhere is a session in which no schema of the path can be used.
type nowhere struct {
	name    string
	prepare []string // through plain pgx
	options string
	schema  string // the context's
}

var nowheres = []nowhere{
	{"the context's schema is missing", nil, "&schema_mode=search_path", "missing"},
	{"the context's schema may not be used", []string{"CREATE SCHEMA locked; CREATE TABLE locked.t (id int, owner text)"},
		"&schema_mode=search_path", "locked"},
	{"the context's schema is missing, over the DSN's", nil, "&schema=a", "missing"},
	{"the DSN's schema is missing", nil, "&schema=missing", ""},
	{"the DSN's schema may not be used", []string{"CREATE SCHEMA locked; CREATE TABLE locked.t (id int, owner text)"}, "&schema=locked", ""},
	{"WithoutSchema, no public", []string{"DROP SCHEMA public CASCADE"}, "&schema=a", "none"},
	{"another path, whose schema is missing", nil, "&schema=a&search_path=elsewhere", "none"},
}

func (n nowhere) context(ctx context.Context) context.Context {
	switch n.schema {
	case "":
		return ctx
	case "none":
		return driver.WithoutSchema(ctx)
	}
	return driver.WithSchema(ctx, n.schema)
}

// newLogin creates a role that may log in and owns nothing, and returns dsn for it. In the
// grants it is THE_LOGIN.
func newLogin(t testing.TB, dsn string, grants ...string) string {
	t.Helper()
	role := "login_" + strings.ToLower(get[string](t.Context(), t, openAs(t, "pgx", dsn), "SELECT substr(md5(random()::text), 1, 12)"))
	admin(t, dsn, "CREATE ROLE "+role+" LOGIN PASSWORD 'x'")
	for _, grant := range grants {
		admin(t, dsn, strings.ReplaceAll(grant, "THE_LOGIN", role))
	}
	t.Cleanup(func() { admin(t, dsn, "DROP OWNED BY "+role, "DROP ROLE "+role) })
	return dsn + "&user=" + role + "&password=x"
}

// Where no schema can be used, a name without a template is not found and CREATE TABLE fails: nothing lands in pg_temp, where the next
// tenant would read it, and nothing that is there already is found.
func TestNoSchemaCanBeUsed(t *testing.T) {
	t.Parallel()
	for _, n := range nowheres {
		for option, settings := range differently {
			for _, inTransaction := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%t", n.name, option, inTransaction), func(t *testing.T) {
					t.Parallel()
					dsn := newTenants(t, "a")
					admin(t, dsn, n.prepare...)
					db := openOne(t, newLogin(t, dsn, "GRANT USAGE ON SCHEMA a TO THE_LOGIN", "GRANT ALL ON ALL TABLES IN SCHEMA a TO THE_LOGIN")+n.options+settings)
					ctx := n.context(t.Context())
					conn := holdConn(ctx, t, db)
					for _, leftover := range []bool{false, true} {
						if leftover {
							exec(driver.WithSchema(t.Context(), "a"), t, conn, "CREATE TEMP TABLE t (id int, owner text); INSERT INTO pg_temp.t VALUES (1, 'leftover')")
						}
						for what, try := range nowhereStatements {
							err := onConn(ctx, conn, inTransaction, try)
							if err == nil || strings.Contains(err.Error(), "WRONG") {
								t.Errorf("%s, temporary table %t: error = %v", what, leftover, err)
							}
						}
						wantNoneInTemp(t, conn)
					}
				})
			}
		}
	}
}

// wantNoneInTemp fails the test if there are other temporary tables than t. The session's own path may find nothing.
func wantNoneInTemp(t *testing.T, conn *sql.Conn) {
	t.Helper()
	err := conn.Raw(func(c any) error {
		const query = "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relname <> 't'"
		var n int
		err := c.(interface{ Conn() *pgx.Conn }).Conn().QueryRow(t.Context(), query, pgx.QueryExecModeExec).Scan(&n)
		if n > 0 {
			t.Errorf("%d tables have landed in pg_temp", n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// nowhereStatements must fail where no schema can be used.
var nowhereStatements = map[string]func(ctx context.Context, q querier) error{
	"read": tryBare,
	"read with $1": func(ctx context.Context, q querier) error {
		return readAll(ctx, q, "SELECT owner FROM t WHERE id = $1", 1)
	},
	"write": func(ctx context.Context, q querier) error {
		return second(q.ExecContext(ctx, "UPDATE t SET owner = $1", "x"))
	},
	"text": func(ctx context.Context, q querier) error { return second(q.ExecContext(ctx, "DELETE FROM t")) },
	"stmt": func(ctx context.Context, q querier) error {
		return readAll(ctx, asStmt{q}, "SELECT owner FROM t WHERE id = $1", 1)
	},
	"create": func(ctx context.Context, q querier) error {
		return second(q.ExecContext(ctx, "CREATE TABLE new_one (id int)"))
	},
	"create as": func(ctx context.Context, q querier) error {
		return second(q.ExecContext(ctx, "CREATE TABLE new_two AS SELECT 1"))
	},
	"select into": func(ctx context.Context, q querier) error {
		return second(q.ExecContext(ctx, "SELECT 1 AS x INTO new_three"))
	},
	"create view": func(ctx context.Context, q querier) error {
		return second(q.ExecContext(ctx, "CREATE VIEW new_four AS SELECT 1"))
	},
	"sequence": func(ctx context.Context, q querier) error {
		return second(q.ExecContext(ctx, "CREATE SEQUENCE new_five"))
	},
	"create, stmt": func(ctx context.Context, q querier) error {
		return prepareAndExec(ctx, q, "CREATE TABLE new_six (id int)")
	},
	"create, query": func(ctx context.Context, q querier) error { return readAll(ctx, q, "CREATE TABLE new_seven (id int)") },
}

// onConn tries something, in a transaction that is rolled back or in none.
func onConn(ctx context.Context, conn *sql.Conn, inTransaction bool, try func(context.Context, querier) error) error {
	if !inTransaction {
		return try(ctx, conn)
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	return errors.Join(try(context.WithoutCancel(ctx), tx), tx.Rollback())
}
