package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
)

// namesOf returns the prepared statements of a session whose text contains a word: their names, with text and types.
func namesOf(t testing.TB, q querier, word string) map[string]string {
	t.Helper()
	const query = "SELECT name, statement || ' ' || parameter_types::text FROM pg_prepared_statements WHERE statement LIKE '%' || $1::text || '%'"
	rows, err := q.QueryContext(t.Context(), query, pgx.QueryExecModeExec, word)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names := make(map[string]string)
	for rows.Next() {
		var name, meaning string
		if err := rows.Scan(&name, &meaning); err != nil {
			t.Fatal(err)
		}
		names[name] = meaning
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}

// A name is the same statement in each session, in whatever order statements come to it, or does not exist there.
func TestNamesMeanTheSameInAllSessions(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b")
	admin(t, dsn, "CREATE SCHEMA c; CREATE TABLE c.t (id bigint, owner text)")
	queries := []string{"SELECT owner FROM {{tables.t}} WHERE id = $1", "DELETE FROM {{tables.t}} WHERE id > $1 + 10 RETURNING owner",
		"SELECT owner FROM t WHERE id = $1", "SELECT id FROM t WHERE id = $1"}
	for _, option := range []string{"", "&schema_mode=search_path"} {
		all := make(map[string]string)
		for session := range 4 {
			conn := holdConn(t.Context(), t, openDB(t, dsn+option))
			for i := range 12 {
				i = (i*(2*session+1) + session) % 12 // each session has its own order
				ctx := driver.WithSchema(t.Context(), []string{"a", "b", "c"}[i%3])
				for range 3 {
					_ = conn.QueryRowContext(ctx, queries[i/3], 1).Scan(new(string))
				}
			}
			for name, meaning := range namesOf(t, conn, "") {
				if all[name] == "" {
					all[name] = meaning
				}
				if all[name] != meaning {
					t.Errorf("%s: %s is %q in one session and %q in another", option, name, all[name], meaning)
				}
			}
		}
	}
}

// What decides the meaning of a text decides its name: the path, the role, the settings under which its literals are read.
func TestNamesTellContextsApart(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b", odd)
	role := "role_" + strings.ToLower(get[string](t.Context(), t, openAs(t, "pgx", dsn), "SELECT substr(md5(current_database()), 1, 12)"))
	admin(t, dsn, "CREATE ROLE "+role, "GRANT USAGE ON SCHEMA a, b TO "+role, "GRANT ALL ON ALL TABLES IN SCHEMA a, b, public TO "+role)
	t.Cleanup(func() { admin(t, dsn, "DROP OWNED BY "+role, "DROP ROLE "+role) })
	type session struct {
		what, options, schema string
		before                string
	}
	sessions := []session{
		{"a", "", "a", ""}, {"b", "", "b", ""}, {odd, "", odd, ""}, {"DSN's schema b, context a", "&schema=b", "a", ""},
		{"a, with another path behind it", "&search_path=b", "a", ""},
		{"a, as a role", "", "a", "SET ROLE " + role},
		{"a, other dates", "&datestyle=SQL,DMY", "a", ""}, {"a, other dates by SET", "", "a", "SET datestyle = 'SQL, DMY'"},
		{"a, other time zone", "&timezone=Asia/Tokyo", "a", ""}, {"a, other intervals", "&intervalstyle=sql_standard", "a", ""},
	}
	seen := make(map[string]string)
	for _, s := range sessions {
		for _, again := range []bool{false, true} {
			conn := holdConn(t.Context(), t, openDB(t, dsn+"&schema_mode=search_path"+s.options))
			if s.before != "" {
				exec(t.Context(), t, conn, s.before)
			}
			ctx := driver.WithSchema(t.Context(), s.schema)
			if again { // the order must not matter
				get[int](ctx, t, conn, "SELECT count(*) FROM t WHERE id = $1", 1)
			}
			for range 3 {
				get[string](ctx, t, conn, "SELECT '01/02/2024'::date::text || owner FROM t WHERE id = $1", 1)
			}
			for name := range namesOf(t, conn, "01/02/2024") {
				if of := seen[name]; of != "" && of != s.what && !strings.HasPrefix(of, "a, other dates") && !strings.HasPrefix(s.what, "DSN's") {
					t.Errorf("%s and %s share the name %s", of, s.what, name)
				}
				if seen[name] == "" {
					seen[name] = s.what
				}
			}
		}
	}
}

// A statement that the session has already under its name, as behind a pooler that forgets nobody's, can be used.
func TestNameThatExistsAlready(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	ctx := driver.WithSchema(t.Context(), "a")
	for _, query := range []string{"SELECT owner FROM {{tables.t}} WHERE id = $1", "SELECT owner FROM public.t WHERE id = $1"} {
		first := holdConn(t.Context(), t, openDB(t, dsn))
		for range 3 {
			get[string](ctx, t, first, query, 1)
		}
		names := namesOf(t, first, "owner FROM")
		if len(names) != 1 {
			t.Fatalf("prepared: %v", names)
		}
		config, err := pgx.ParseConfig(dsn)
		if err != nil {
			t.Fatal(err)
		}
		db := driver.OpenDB(*config, driver.WithStdlib(stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
			var errs []error
			for name := range names { // past pgx, which would know of it
				_, err := conn.PgConn().Prepare(ctx, name, expand(t, query, "a"), nil)
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		})))
		t.Cleanup(func() { db.Close() })
		db.SetMaxOpenConns(1)
		if query[len("SELECT owner FROM ")] != '{' { // so that another statement comes first, if names are a counter
			get[int](ctx, t, db, "SELECT count(*) FROM {{tables.t}} WHERE id = $1", 1)
		}
		for range 3 {
			if err := db.QueryRowContext(ctx, query, 1).Scan(new(string)); err != nil {
				t.Errorf("%s: %v", query, err)
			}
		}
	}
}

// Behind a pooler that shares prepared statements by their text, no tenant gets the types of another one.
func TestTrackingPoolerSharesNoTypes(t *testing.T) {
	t.Parallel()
	tracking(t, func(t *testing.T, start func(string, ...string) string) {
		types := map[string]string{"a": "float8", "b": "bigint", "c": "numeric", "d": "int", "e": "text", "f": "timestamptz", "g": "timestamp"}
		values := map[string]any{"a": 5.5, "b": 5, "c": "5.25", "d": 5, "e": "5", "f": instant, "g": instant}
		var schemas []string
		for schema := range types {
			schemas = append(schemas, schema)
		}
		slices.Sort(schemas)
		for _, way := range schemaWays {
			dsn := server.Database(t)
			for schema, sqlType := range types {
				admin(t, dsn, fmt.Sprintf("CREATE SCHEMA %s; CREATE TABLE %[1]s.t (id int PRIMARY KEY, n %s); INSERT INTO %[1]s.t VALUES (1)", schema, sqlType))
			}
			through := start(dsn, "default_pool_size=1", "ignore_startup_parameters=search_path")
			dbs, plain := way.open(t, through, 2, schemas...), openAs(t, "pgx", dsn)
			for round := range 3 {
				for _, schema := range schemas {
					ctx, db := dbs.of(t, schema)
					update, read := way.sql("UPDATE TABLE_T SET n = $1 RETURNING n"), way.sql("SELECT n FROM TABLE_T WHERE n = $1")
					store := way.sql("UPDATE TABLE_T SET n = $1 WHERE id = $2") // without rows that would show the difference
					if _, err := db.ExecContext(ctx, store, values[schema], 1); err != nil {
						t.Errorf("%s, round %d, schema %s: %s: %v", way.name, round, schema, store, err)
					}
					queries := []string{read, update, read}
					for i, q := range []querier{db, db, asStmt{db}} {
						got := resultOf(ctx, q, queries[i], values[schema])
						want := resultOf(t.Context(), plain, strings.ReplaceAll(queries[i], way.table, schema+".t"), values[schema])
						if i == 0 { // what was stored
							want = resultOf(t.Context(), plain, "SELECT $1::"+types[schema], values[schema])
						}
						if got != want {
							t.Errorf("%s, round %d, schema %s: %s gives %s, want %s", way.name, round, schema, queries[i], got, want)
						}
					}
				}
			}
		}
	})
}

// Behind a tracking pooler nothing is lost for equal tables, under load.
func TestTrackingPoolerUnderLoad(t *testing.T) {
	t.Parallel()
	tracking(t, func(t *testing.T, start func(string, ...string) string) {
		for _, way := range allWays {
			t.Run(way.name, func(t *testing.T) {
				t.Parallel()
				tenants := []string{"a", "b", "c", "d", "e"}
				dsn := newTenants(t, tenants...)
				l := &load{dbs: way.open(t, start(dsn, "default_pool_size=3", "ignore_startup_parameters=search_path"), 4, tenants...),
					tenants: tenants, until: time.Now().Add(time.Second)}
				l.run(t)
				for _, tenant := range tenants {
					l.checkTable(t, dsn, tenant)
				}
			})
		}
	})
}

// Such a pooler gives a statement that has gone stale back whoever prepares it anew. A change costs one error at most.
func TestTrackingPoolerAfterChange(t *testing.T) {
	t.Parallel()
	tracking(t, func(t *testing.T, start func(string, ...string) string) {
		for _, way := range allWays {
			dsn := newTenants(t, "a")
			ctx, db := way.open(t, start(dsn, "default_pool_size=2", "ignore_startup_parameters=search_path"), 2, "a").of(t, "a")
			query := way.sql("SELECT * FROM TABLE_T WHERE id = $1")
			for change := range 3 {
				for range 3 {
					_ = count(ctx, db, query)
				}
				admin(t, dsn, fmt.Sprintf("ALTER TABLE a.t ADD COLUMN extra%d int", change))
				var errs []error
				for range 5 {
					errs = append(errs, count(ctx, db, query))
				}
				for range 3 {
					errs = append(errs, inTx(ctx, db, func(tx *sql.Tx) error { return count(ctx, tx, query) }))
				}
				if failed := slices.DeleteFunc(errs, func(err error) bool { return err == nil }); len(failed) > 1 {
					t.Errorf("%s: %d statements failed for one change: %v", way.name, len(failed), failed)
				}
			}
		}
	})
}

// count reads all rows of a query with the argument 1.
func count(ctx context.Context, q querier, query string) error {
	rows, err := q.QueryContext(ctx, query, 1)
	if err != nil {
		return err
	}
	for rows.Next() {
		continue // only the end matters
	}
	return errors.Join(rows.Err(), rows.Close())
}
