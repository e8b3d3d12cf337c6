package driver_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/pgbouncer"
)

// A statement that a program prepares at start, under no tenant, is executed under tenants: its tables need not exist anywhere else.
func TestPrepareBeforeThereIsATenant(t *testing.T) {
	t.Parallel()
	for option, settings := range differently {
		for _, way := range []schemaWay{byTemplate, byContext} {
			for _, pooler := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%t", option, way.name, pooler), func(t *testing.T) {
					t.Parallel()
					dsn := newTenants(t, "a", "b")
					admin(t, dsn, "DROP TABLE public.t")
					through := dsn
					if pooler {
						through = pgbouncer.Start(t, dsn, usualSettings...)
					}
					db := openDB(t, through+settings+way.options)
					db.SetMaxOpenConns(2)
					query, update := prepareAll(t, db, way.sql("SELECT owner FROM TABLE_T WHERE id = $1"), way.sql("UPDATE TABLE_T SET owner = owner WHERE id = $1"))
					for range 2 {
						for _, schema := range []string{"a", "b"} {
							ctx := driver.WithSchema(t.Context(), schema)
							if err := wantRow(query.QueryRowContext(ctx, 1), schema); err != nil {
								t.Error(err)
							}
							if err := wantChanged(update.ExecContext(ctx, 1)); err != nil {
								t.Error(err)
							}
							err := inTx(ctx, db, func(tx *sql.Tx) error { return wantRow(tx.StmtContext(ctx, query).QueryRow(1), schema) })
							if err != nil {
								t.Errorf("in a transaction: %v", err)
							}
						}
						if err := query.QueryRowContext(t.Context(), 1).Scan(new(string)); !hasCode(err, "42P01") {
							t.Errorf("under no tenant: %v", err)
						}
					}
					ctx := driver.WithSchema(t.Context(), "a")
					if _, err := query.QueryContext(ctx, 1, 2); err == nil {
						t.Error("two arguments for one parameter work")
					}
					if _, err := update.ExecContext(ctx); err == nil {
						t.Error("no argument for one parameter works")
					}
				})
			}
		}
	}
}

func prepareAll(t *testing.T, db *sql.DB, query, update string) (*sql.Stmt, *sql.Stmt) {
	t.Helper()
	return prepare(t.Context(), t, db, query), prepare(t.Context(), t, db, update)
}

// With cache_describe, on a direct connection, a Stmt of a program without schemas is prepared, as pgx does it.
func TestStmtIsPreparedWithCacheDescribe(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t)
	for _, name := range []string{"pgx", driver.Name} {
		db := openAs(t, name, dsn+"&default_query_exec_mode=cache_describe")
		db.SetMaxOpenConns(1)
		stmt := prepare(t.Context(), t, db, "SELECT owner FROM t WHERE id = $1")
		if err := wantRow(stmt.QueryRow(1), "public"); err != nil {
			t.Error(err)
		}
		if names := namesOf(t, db, "SELECT owner"); len(names) != 1 {
			t.Errorf("%s: prepared: %v", name, names)
		}
		_ = stmt.Close()
		if names := namesOf(t, db, "SELECT owner"); len(names) != 0 {
			t.Errorf("%s: still prepared: %v", name, names)
		}
	}
}

// Too many parameters give pgx's own error, or the server's, however the statement is sent.
func TestTooManyParameters(t *testing.T) {
	t.Parallel()
	const most = 65535
	list := make([]string, most+1)
	args := make([]any, most+1)
	for i := range list {
		list[i], args[i] = fmt.Sprint("$", i+1), i
	}
	query := "SELECT count(*) FROM TABLE_T WHERE id IN (" + strings.Join(list, ", ") + ")"
	dsn := newTenants(t, "a")
	plain := openAs(t, "pgx", dsn+"&search_path=a")
	ask := func(ctx context.Context, db *sql.DB, query string) map[string]string {
		got := map[string]string{"query": resultOf(ctx, db, query, args...), "stmt": resultOf(ctx, asStmt{db}, query, args...)}
		if _, err := db.ExecContext(ctx, query, args...); err != nil {
			got["exec"] = err.Error()
		}
		got["in a transaction"] = fmt.Sprint(inTx(ctx, db, func(tx *sql.Tx) error { return readAll(ctx, tx, query, args...) }))
		return got
	}
	want := ask(t.Context(), plain, strings.ReplaceAll(query, "TABLE_T", "t"))
	for option, settings := range differently {
		if option == "describe" {
			want = ask(t.Context(), openAs(t, "pgx", dsn+"&search_path=a"+settings), strings.ReplaceAll(query, "TABLE_T", "t"))
		}
		for _, way := range schemaWays {
			ctx, db := way.open(t, dsn+settings, 1, "a").of(t, "a")
			fill(t, db)
			for how, got := range ask(ctx, db, way.sql(query)) {
				if got != want[how] {
					t.Errorf("%s, %s, %s: %s, want %s", option, way.name, how, got, want[how])
				}
			}
			wantBareOrTemplate(ctx, t, db, way)
		}
	}
}

// wantBareOrTemplate fails the test unless db still works.
func wantBareOrTemplate(ctx context.Context, t *testing.T, db *sql.DB, way schemaWay) {
	t.Helper()
	if err := wantRow(db.QueryRowContext(ctx, way.sql("SELECT owner FROM TABLE_T WHERE id = $1"), 1), "a"); err != nil {
		t.Errorf("%s: afterwards: %v", way.name, err)
	}
}

// An error of the switch is returned, however the statement comes: here the login may not call set_config.
func TestErrorOfTheSwitchIsReturned(t *testing.T) {
	t.Parallel()
	for option, settings := range differently {
		dsn := newTenants(t, "a")
		login := newLogin(t, dsn, "GRANT USAGE ON SCHEMA a TO THE_LOGIN", "GRANT ALL ON ALL TABLES IN SCHEMA a TO THE_LOGIN")
		admin(t, dsn, "REVOKE EXECUTE ON FUNCTION pg_catalog.set_config FROM PUBLIC")
		db, ctx := openOne(t, login+"&schema_mode=search_path"+settings), driver.WithSchema(t.Context(), "a")
		const query = "SELECT owner FROM t WHERE id = $1"
		for how, err := range map[string]error{
			"query":   readAll(ctx, db, query, 1),
			"exec":    second(db.ExecContext(ctx, "UPDATE t SET owner = owner WHERE id = $1", 1)),
			"text":    second(db.ExecContext(ctx, "UPDATE t SET owner = owner")),
			"prepare": readAll(ctx, asStmt{db}, query, 1),
			"tx":      inTx(ctx, db, func(tx *sql.Tx) error { return readAll(ctx, tx, query, 1) }),
		} {
			if !hasCode(err, "42501") || !strings.Contains(err.Error(), "set_config") {
				t.Errorf("%s, %s: %v", option, how, err)
			}
		}
	}
}

// Another borrower of a pgxpool makes the server forget what is prepared. One transaction may find that out, no more.
func TestForgottenOnAPgxpool(t *testing.T) {
	t.Parallel()
	for _, forget := range []string{"DISCARD ALL", "DEALLOCATE ALL"} {
		for option, settings := range differently {
			t.Run(forget+"/"+option, func(t *testing.T) {
				t.Parallel()
				pool := openPool(t, newTenants(t, "a", "b")+settings, 1)
				db := openFromPool(t, pool)
				both := func() error {
					return inTx(t.Context(), db, func(tx *sql.Tx) error {
						for _, schema := range []string{"a", "b"} { // up to the first error, as programs do it
							ctx := driver.WithSchema(t.Context(), schema)
							if err := wantRow(tx.QueryRowContext(ctx, "SELECT owner FROM {{tables.t}} WHERE id = $1", 1), schema); err != nil {
								return err
							}
							if err := wantChanged(tx.ExecContext(ctx, "UPDATE {{tables.t}} SET owner = owner WHERE id = $1", 1)); err != nil {
								return err
							}
						}
						return wantRow(tx.QueryRow("SELECT 5 WHERE 1 = $1", 1), 5)
					})
				}
				for range 3 {
					if err := both(); err != nil {
						t.Fatal(err)
					}
				}
				for range 2 {
					if _, err := pool.Exec(t.Context(), forget); err != nil {
						t.Fatal(err)
					}
					var failed []error
					for range 6 {
						if err := both(); err != nil {
							failed = append(failed, err)
						}
					}
					if len(failed) > 1 {
						t.Errorf("%d transactions fail: %v", len(failed), failed[len(failed)-1])
					}
				}
			})
		}
	}
}
