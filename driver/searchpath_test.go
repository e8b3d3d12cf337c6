package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/driver"
)

// bareQuery is ownerQuery with a bare name.
const bareQuery = "SELECT owner FROM t WHERE id = 1"

func wantBareOwner(ctx context.Context, t *testing.T, q querier, want string) {
	t.Helper()
	if got := get[string](ctx, t, q, bareQuery); got != want {
		t.Fatalf("the bare name is the table of schema %q, want %q", got, want)
	}
}

// wantMissing fails the test unless err is that of a statement whose schema is missing.
func wantMissing(t *testing.T, how string, err error, schema string) {
	t.Helper()
	var missing *driver.MissingSchemaError
	var pgErr *pgconn.PgError
	if !errors.As(err, &missing) || missing.Schema != schema || !errors.As(err, &pgErr) {
		t.Errorf("%s: %v, want a *MissingSchemaError", how, err)
	}
}

// tryBare reads by a bare name.
func tryBare(ctx context.Context, q querier) error {
	return q.QueryRowContext(ctx, bareQuery).Scan(new(string))
}

func TestModeAndPath(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b")
	plain := get[string](t.Context(), t, openAs(t, "pgx", dsn), "SHOW search_path")
	for _, test := range []struct{ keys, path, bare, templated string }{
		{"", plain, "public", "public"},
		{"&search_path=b", "b", "b", "b"},
		{"&schema_mode=template", plain, "public", "public"},
		{"&schema_mode=search_path", plain, "public", "public"},
		{"&schema=a", `"a", public, pg_temp`, "a", "a"},
		{"&schema=a&schema_mode=search_path", `"a", public, pg_temp`, "a", "a"},
		{"&schema=a&search_path=b,public", `"a", b,public, pg_temp`, "a", "a"},
		{"&schema=a&search_path=", `"a", "", pg_temp`, "a", "a"},
		{"&schema=a&schema_mode=template", plain, "public", "a"},
		{"&schema=a&schema_mode=template&search_path=b", "b", "b", "a"},
	} {
		t.Run(test.keys, func(t *testing.T) {
			t.Parallel()
			db := openDB(t, dsn+test.keys)
			wantOwner(t.Context(), t, db, test.templated)
			wantBareOwner(t.Context(), t, db, test.bare)
			if got := get[string](t.Context(), t, db, "SHOW search_path"); got != test.path {
				t.Errorf("search_path %s, want %s", got, test.path)
			}
		})
	}
}

// With search_path= in the DSN nothing follows a context's schema either, whose tables may be missing.
func TestNothingFollows(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b")
	admin(t, dsn, "DROP TABLE b.t")
	for _, keys := range []string{"&schema_mode=search_path&search_path=", "&schema=a&search_path="} {
		db := openDB(t, dsn+keys)
		wantBareOwner(driver.WithSchema(t.Context(), "a"), t, db, "a")
		for _, ctx := range []context.Context{driver.WithSchema(t.Context(), "b"), driver.WithoutSchema(t.Context())} {
			if err := tryBare(ctx, db); !hasCode(err, "42P01") {
				t.Errorf("%s: %v, want undefined_table", keys, err)
			}
		}
	}
}

func TestTemplateModeLeavesPathAlone(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", odd)
	plain := get[string](t.Context(), t, openAs(t, "pgx", dsn), "SHOW search_path")
	db := openOne(t, dsn)
	for _, ctx := range []context.Context{
		t.Context(), driver.WithSchema(t.Context(), odd), driver.WithSchema(t.Context(), "a"), driver.WithoutSchema(t.Context()),
	} {
		tx := begin(ctx, t, db)
		exec(ctx, t, tx, "CREATE SCHEMA x; CREATE TABLE {{schema}}.x (); DROP SCHEMA x")
		if got := get[string](ctx, t, tx, "SHOW search_path"); got != plain {
			t.Errorf("search_path %s, want %s", got, plain)
		}
		wantBareOwner(ctx, t, tx, "public")
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

func TestSearchPathOfOddNames(t *testing.T) {
	t.Parallel()
	names := []string{odd, `a,b`, `a b`, `a"b`, `"`, `a'b`, `a\b`, `public,x`, `UPPER`, `日本`, ` a`, `a&b=c%d+e?f`, `$`}
	dsn := newTenants(t, names...)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openDB(t, withSchema(t, dsn, name))
			wantBareOwner(t.Context(), t, db, name)
			wantEverywhere(t.Context(), t, db, name)
			exec(t.Context(), t, db, "CREATE TABLE new ()")
			const where = "SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = 'new'::regclass"
			if got := get[string](t.Context(), t, db, where); got != name {
				t.Errorf("a new table is in schema %q", got)
			}
		})
	}
}

func TestTemporaryTableShadowsNothing(t *testing.T) {
	t.Parallel()
	db := openOne(t, withSchema(t, newTenants(t, "a"), "a"))
	exec(t.Context(), t, db, "CREATE TEMP TABLE t (id int, owner text)")
	exec(t.Context(), t, db, "INSERT INTO pg_temp.t VALUES (1, 'temporary')")
	wantBareOwner(t.Context(), t, db, "a")
	wantEverywhere(t.Context(), t, db, "a")
}

// newMissing returns a database whose schema public has what a missing schema could fall through to, and its DSN.
func newMissing(t *testing.T, schema string) (*sql.DB, string) {
	t.Helper()
	dsn := newTenants(t)
	admin(t, dsn, "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE TYPE mood AS ENUM ('fine')",
		"CREATE DOMAIN d AS int", "CREATE SEQUENCE s", "CREATE VIEW v AS SELECT * FROM t")
	return openDB(t, withSchema(t, dsn, schema)), dsn
}

func TestMissingSchemaDoesNotFallThrough(t *testing.T) {
	t.Parallel()
	db, dsn := newMissing(t, odd)
	for _, query := range []string{
		bareQuery, ownerQuery, "TABLE v", "INSERT INTO t VALUES (2, 'lost')", "INSERT INTO {{tables.t}} VALUES (2, 'lost')",
		"UPDATE t SET owner = 'lost'", "DELETE FROM t", "TRUNCATE t", "DROP TABLE t", "ALTER TABLE t ADD x int",
		"CREATE INDEX ON t (id)", "CREATE TABLE n ()", "CREATE TABLE {{tables.n}} ()", "CREATE TABLE IF NOT EXISTS t ()",
		"CREATE VIEW w AS SELECT 1", "CREATE SEQUENCE q", "CREATE TYPE k AS ENUM ('a')", "CREATE DOMAIN e AS int",
		"CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'", "SELECT f()", "SELECT 'fine'::mood", "SELECT 1::d",
		"SELECT nextval('s')", "SELECT 't'::regclass", "GRANT SELECT ON t TO PUBLIC", "COMMENT ON TABLE t IS 'x'",
		"WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "SELECT 1; DELETE FROM t",
	} {
		_, err := db.ExecContext(t.Context(), query)
		wantMissing(t, "exec "+query, err, odd)
		wantMissing(t, "in a transaction "+query, inTx(t.Context(), db, func(tx *sql.Tx) error {
			return second(tx.Exec(query))
		}), odd)
		if strings.Contains(query, ";") {
			continue
		}
		rows, err := db.QueryContext(t.Context(), query)
		if err == nil {
			_ = rows.Close()
		}
		wantMissing(t, "query "+query, err, odd)
		wantMissing(t, "prepared "+query, prepareAndExec(t.Context(), db, query), odd)
	}
	wantOwners(t, dsn, "public", "public")
	if got := get[int](t.Context(), t, db, "SELECT count(*) FROM public.t"); got != 1 {
		t.Errorf("a qualified name finds %d rows", got)
	}
}

func prepareAndExec(ctx context.Context, q querier, query string) error {
	stmt, err := q.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	return errors.Join(second(stmt.ExecContext(ctx)), stmt.Close())
}

// createTable creates the table t of newTenants by its bare name.
const createTable = "CREATE TABLE t (id int PRIMARY KEY, owner text NOT NULL); INSERT INTO t VALUES (1, 'new')"

func TestCreateMissingSchema(t *testing.T) {
	t.Parallel()
	for name, create := range map[string]func(ctx context.Context, conn *sql.Conn) error{
		"Exec": func(ctx context.Context, conn *sql.Conn) error {
			return second(conn.ExecContext(ctx, "CREATE SCHEMA new"))
		},
		"Query": func(ctx context.Context, conn *sql.Conn) error {
			rows, err := conn.QueryContext(ctx, "CREATE SCHEMA IF NOT EXISTS {{schema}}")
			return errors.Join(err, rows.Close())
		},
		"Prepare": func(ctx context.Context, conn *sql.Conn) error {
			return prepareAndExec(ctx, conn, "CREATE SCHEMA new")
		},
		"rename": func(ctx context.Context, conn *sql.Conn) error {
			return second(conn.ExecContext(ctx, "CREATE SCHEMA newer; ALTER SCHEMA newer RENAME TO new"))
		},
		"function": func(ctx context.Context, conn *sql.Conn) error {
			return second(conn.ExecContext(ctx, "DO $$ BEGIN EXECUTE 'CREATE SCHEMA new'; END $$"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, dsn := newMissing(t, "new")
			one, two := holdConn(t.Context(), t, db), holdConn(t.Context(), t, db)
			wantMissing(t, "before", tryBare(t.Context(), one), "new")
			wantMissing(t, "before", tryBare(t.Context(), two), "new")
			if err := create(t.Context(), one); err != nil {
				t.Fatal(err)
			}
			exec(t.Context(), t, one, createTable)
			for _, q := range []querier{one, two, db} {
				wantBareOwner(t.Context(), t, q, "new")
				wantEverywhere(t.Context(), t, q, "new")
				get[int](t.Context(), t, q, "SELECT f()") // of schema public
			}
			wantOwners(t, dsn, "public", "public")
		})
	}
}

func TestCreateMissingSchemaInTransaction(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		statements []string
		end        func(*sql.Tx) error
		committed  bool
	}{
		"commit":      {[]string{"CREATE SCHEMA new", createTable}, (*sql.Tx).Commit, true},
		"one text":    {[]string{"CREATE SCHEMA new; " + createTable}, (*sql.Tx).Commit, true},
		"rollback":    {[]string{"CREATE SCHEMA new", createTable}, (*sql.Tx).Rollback, false},
		"own commit":  {[]string{"CREATE SCHEMA new", createTable, "COMMIT"}, (*sql.Tx).Rollback, true},
		"abort":       {[]string{"CREATE SCHEMA new", createTable, "ABORT"}, (*sql.Tx).Rollback, false},
		"savepoint":   {[]string{"SAVEPOINT s", "CREATE SCHEMA new", createTable, "ROLLBACK TO s"}, (*sql.Tx).Commit, false},
		"and back to": {[]string{"CREATE SCHEMA new", "SAVEPOINT s", "DROP SCHEMA new", "ROLLBACK TO s", createTable}, (*sql.Tx).Commit, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, dsn := newMissing(t, "new")
			db.SetMaxOpenConns(2)
			other := holdConn(t.Context(), t, db)
			tx := begin(t.Context(), t, db)
			for _, statement := range test.statements {
				exec(t.Context(), t, tx, statement)
			}
			if name != "own commit" {
				wantMissing(t, "another connection meanwhile", tryBare(t.Context(), other), "new")
			}
			if name == "savepoint" {
				wantMissing(t, "behind ROLLBACK TO", tryBare(t.Context(), tx), "new")
			}
			_ = test.end(tx)
			for _, q := range []querier{db, other} {
				if test.committed {
					wantBareOwner(t.Context(), t, q, "new")
					continue
				}
				wantMissing(t, "SELECT", tryBare(t.Context(), q), "new")
				wantMissing(t, "CREATE TABLE", second(q.ExecContext(t.Context(), "CREATE TABLE n ()")), "new")
			}
			wantOwners(t, dsn, "public", "public")
		})
	}
}

func TestMissingSchemaIsCreatedElsewhere(t *testing.T) {
	t.Parallel()
	db, dsn := newMissing(t, "new")
	conn := holdConn(t.Context(), t, db)
	for _, q := range []querier{db, conn} {
		wantMissing(t, "before", tryBare(t.Context(), q), "new")
	}
	newSchemas(t, dsn, "new")
	for _, q := range []querier{db, conn} {
		wantBareOwner(t.Context(), t, q, "new")
	}
}

func TestDropSchema(t *testing.T) {
	t.Parallel()
	for name, drop := range map[string]func(ctx context.Context, db *sql.DB, other querier) error{
		"Exec": func(ctx context.Context, db *sql.DB, _ querier) error {
			return second(db.ExecContext(ctx, "DROP SCHEMA {{schema}} CASCADE"))
		},
		"Prepare": func(ctx context.Context, db *sql.DB, _ querier) error {
			return prepareAndExec(ctx, db, "DROP SCHEMA a CASCADE")
		},
		"transaction": func(ctx context.Context, db *sql.DB, other querier) error {
			return inTx(ctx, db, func(tx *sql.Tx) error {
				_, err := tx.Exec("DROP SCHEMA a CASCADE")
				return errors.Join(err, second(other.ExecContext(ctx, "SELECT 'it is still there'")))
			})
		},
		"DO": func(ctx context.Context, db *sql.DB, _ querier) error {
			return second(db.ExecContext(ctx, "DO $$ BEGIN DROP SCHEMA a CASCADE; END $$"))
		},
		"rename": func(ctx context.Context, db *sql.DB, _ querier) error {
			return second(db.ExecContext(ctx, "ALTER SCHEMA a RENAME TO elsewhere"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := newTenants(t, "a")
			db := openDB(t, withSchema(t, dsn, "a"))
			one, two := holdConn(t.Context(), t, db), holdConn(t.Context(), t, db)
			stmt := prepare(t.Context(), t, two, bareQuery)
			for _, q := range []querier{one, two, db} {
				wantBareOwner(t.Context(), t, q, "a")
			}
			wantStmtOwner(t.Context(), t, stmt, "a")
			if err := drop(t.Context(), db, two); err != nil {
				t.Fatal(err)
			}
			for _, q := range []querier{one, two, db} {
				wantMissing(t, "afterwards", tryBare(t.Context(), q), "a")
			}
			wantMissing(t, "prepared before", stmt.QueryRow().Scan(new(string)), "a")
			newSchemas(t, dsn, "a")
			for _, q := range []querier{one, two, db} {
				wantBareOwner(t.Context(), t, q, "a")
			}
			wantStmtOwner(t.Context(), t, stmt, "a")
		})
	}
}

// TestPathAfterSessionState has the session itself take away what the driver knows about it.
func TestPathAfterSessionState(t *testing.T) {
	t.Parallel()
	const setPath = "SET search_path = b"
	for name, change := range map[string]func(ctx context.Context, conn *sql.Conn) error{
		"DO": func(ctx context.Context, conn *sql.Conn) error {
			return second(conn.ExecContext(ctx, "DO $$ BEGIN DROP SCHEMA a CASCADE; END $$"))
		},
		"Raw": func(ctx context.Context, conn *sql.Conn) error {
			return driver.Raw(ctx, conn, func(c *pgx.Conn) error { return second(c.Exec(ctx, "DROP SCHEMA a CASCADE")) })
		},
		"SET ROLE": func(ctx context.Context, conn *sql.Conn) error {
			return second(conn.ExecContext(ctx, "GRANT SELECT ON public.t TO PUBLIC; SET ROLE pg_monitor"))
		},
		"prepared SET ROLE": func(ctx context.Context, conn *sql.Conn) error {
			return prepareAndExec(ctx, conn, "SELECT set_config('role', 'pg_monitor', false)")
		},
		"RESET": func(ctx context.Context, conn *sql.Conn) error {
			return second(conn.ExecContext(ctx, "DROP SCHEMA a CASCADE; RESET search_path"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openOne(t, withSchema(t, newTenants(t, "a", "b"), "a"))
			conn := holdConn(t.Context(), t, db)
			wantBareOwner(t.Context(), t, conn, "a")
			if err := change(t.Context(), conn); err != nil {
				t.Fatal(err)
			}
			wantMissing(t, "the same borrower", tryBare(t.Context(), conn), "a")
		})
	}
	for name, set := range map[string]string{
		"SET LOCAL ROLE":   "SET LOCAL ROLE pg_monitor",
		"local set_config": "SELECT set_config('role', 'pg_monitor', true)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openOne(t, withSchema(t, newTenants(t, "a"), "a"))
			exec(t.Context(), t, db, "GRANT SELECT ON public.t TO PUBLIC")
			if err := inTx(t.Context(), db, func(tx *sql.Tx) error {
				exec(t.Context(), t, tx, set)
				wantMissing(t, "the same transaction", tryBare(t.Context(), tx), "a")
				return errRollback
			}); !errors.Is(err, errRollback) {
				t.Fatal(err)
			}
			wantBareOwner(t.Context(), t, db, "a")
		})
	}
	t.Run(setPath, func(t *testing.T) {
		t.Parallel()
		db := openOne(t, withSchema(t, newTenants(t, "a", "b"), "a"))
		conn := holdConn(t.Context(), t, db)
		exec(t.Context(), t, conn, setPath)
		wantBareOwner(t.Context(), t, conn, "b") // who names a path gets it
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		wantBareOwner(t.Context(), t, db, "a")
		exec(t.Context(), t, db, setPath)
		wantBareOwner(t.Context(), t, db, "a")
	})
}

var errRollback = errors.New("roll back")

func TestSchemaIsDroppedElsewhere(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	db := openDB(t, withSchema(t, dsn, "a"))
	wantBareOwner(t.Context(), t, db, "a")
	admin(t, dsn, "DROP SCHEMA a CASCADE")
	var err error
	eventually(t, "a borrower is refused", func() bool {
		err = tryBare(t.Context(), db)
		return err != nil
	})
	wantMissing(t, "afterwards", err, "a")
}

func TestSchemaWithoutUsage(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	role := "role_of_" + strings.TrimPrefix(u.Path, "/")
	admin(t, dsn, "CREATE ROLE "+role+" LOGIN PASSWORD 'secret'", "GRANT ALL ON ALL TABLES IN SCHEMA public, a TO PUBLIC")
	t.Cleanup(func() { admin(t, dsn, "DROP ROLE "+role) })
	config, err := pgx.ParseConfig(withSchema(t, dsn, "a"))
	if err != nil {
		t.Fatal(err)
	}
	config.User, config.Password = role, "secret"
	db := driver.OpenDB(*config)
	t.Cleanup(func() { _ = db.Close() })

	wantMissing(t, "SELECT", tryBare(t.Context(), db), "a")
	wantMissing(t, "CREATE TABLE", second(db.ExecContext(t.Context(), "CREATE TABLE n ()")), "a")
	admin(t, dsn, "GRANT USAGE ON SCHEMA a TO PUBLIC")
	wantBareOwner(t.Context(), t, db, "a")
}

func TestStandardConformingStrings(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	for _, keys := range []string{"", "&schema=a", "&schema=a&schema_mode=template"} {
		var b breaker
		db := driver.OpenDB(b.config(t, dsn+keys+"&standard_conforming_strings=off"))
		defer func() { _ = db.Close() }()
		if err := db.PingContext(t.Context()); err == nil || !strings.Contains(err.Error(), "standard_conforming_strings=off") {
			t.Errorf("%s: connecting: %v", keys, err)
		}
		b.wantClosed(t)

		conn := holdConn(t.Context(), t, openDB(t, dsn+keys))
		want := get[string](t.Context(), t, conn, ownerQuery)
		stmt := prepare(t.Context(), t, conn, ownerQuery)
		exec(t.Context(), t, conn, "SET standard_conforming_strings = off")
		for how, err := range map[string]error{
			"Exec": second(conn.ExecContext(t.Context(), ownerQuery)), "prepared": stmt.QueryRow().Scan(new(string)),
			"context": second(conn.ExecContext(driver.WithSchema(t.Context(), "a"), ownerQuery)),
		} {
			if err == nil || !strings.Contains(err.Error(), "standard_conforming_strings=off") {
				t.Errorf("%s: %s: %v", keys, how, err)
			}
		}
		if got := get[string](t.Context(), t, conn, `SELECT '\''`); got != "'" {
			t.Errorf("%s: a plain statement reads %q", keys, got)
		}
		exec(t.Context(), t, conn, "SET standard_conforming_strings = on")
		wantOwner(t.Context(), t, conn, want)
	}
}
