package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/pgbouncer"
)

// wantBareEverywhere fails the test unless every kind of statement with bare names works on the table of schema want.
func wantBareEverywhere(ctx context.Context, t *testing.T, q querier, want string) {
	t.Helper()
	checkUpdate := func(how string, result sql.Result, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		if n, _ := result.RowsAffected(); n != 1 {
			t.Errorf("%s does not work on schema %q", how, want)
		}
	}
	const update = "UPDATE t SET owner = owner WHERE owner = $1"
	literal := "'" + strings.ReplaceAll(want, "'", "''") + "'"
	for range 2 { // the second time it is known
		wantBareOwner(ctx, t, q, want)
		result, err := q.ExecContext(ctx, update, want)
		checkUpdate("Exec", result, err)
		result, err = q.ExecContext(ctx, "UPDATE t SET owner = owner WHERE owner = "+literal)
		checkUpdate("Exec without arguments", result, err)
		result, err = q.ExecContext(ctx, "SELECT 1/count(*) FROM t; UPDATE t SET owner = owner WHERE owner = "+literal)
		checkUpdate("Exec of two statements", result, err)
		result, err = prepare(ctx, t, q, update).ExecContext(ctx, want)
		checkUpdate("Exec of a prepared statement", result, err)
		rows, err := q.QueryContext(ctx, "SELECT owner FROM t WHERE id = $1", 1)
		checkOwners(t, "Query", rows, err, want)
		rows, err = q.QueryContext(ctx, "SELECT owner FROM t WHERE id = @id", pgx.NamedArgs{"id": 1})
		checkOwners(t, "Query with names", rows, err, want)
		rows, err = q.QueryContext(ctx, "SELECT owner FROM t WHERE id = $1", pgx.QueryExecModeExec, pgx.QueryResultFormatsByOID{}, 1)
		checkOwners(t, "Query with options", rows, err, want)
		rows, err = prepare(ctx, t, q, bareQuery).QueryContext(ctx)
		checkOwners(t, "Query of a prepared statement", rows, err, want)
		if got := get[string](ctx, t, q, "SELECT owner FROM {{tables.t}}"); got != want {
			t.Errorf("the template is the table of %q, want %q", got, want)
		}
	}
}

func TestPathFollowsTheContext(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", odd)
	for _, mode := range []string{"", "&default_query_exec_mode=cache_describe", "&default_query_exec_mode=exec", "&statement_cache_capacity=2"} {
		for _, test := range []struct {
			name, dsnSchema string
			change          func(context.Context) context.Context
			want            string
		}{
			{"none", "", same, "public"},
			{"DSN", "a", same, "a"},
			{"context", "", in(odd), odd},
			{"context over DSN", "a", in(odd), odd},
			{"context that names the DSN's", "a", in("a"), "a"},
			{"WithoutSchema over DSN", "a", driver.WithoutSchema, "public"},
			{"WithoutSchema", "", driver.WithoutSchema, "public"},
		} {
			t.Run(test.name+mode, func(t *testing.T) {
				t.Parallel()
				dsn := dsn + "&schema_mode=search_path" + mode
				base := "public"
				if test.dsnSchema != "" {
					dsn, base = withSchema(t, dsn, test.dsnSchema), test.dsnSchema
				}
				db, ctx := openOne(t, dsn), test.change(t.Context())
				path := get[string](t.Context(), t, db, "SHOW search_path")
				wantBareEverywhere(ctx, t, db, test.want)
				wantBareEverywhere(t.Context(), t, db, base)

				tx := begin(t.Context(), t, db)
				wantBareEverywhere(ctx, t, tx, test.want)
				wantBareEverywhere(t.Context(), t, tx, base)
				exec(t.Context(), t, tx, "SAVEPOINT s")
				wantBareEverywhere(ctx, t, tx, test.want)
				exec(t.Context(), t, tx, "ROLLBACK TO SAVEPOINT s")
				wantBareEverywhere(t.Context(), t, tx, base)
				wantBareEverywhere(driver.WithSchema(ctx, "a"), t, tx, "a")
				if err := tx.Commit(); err != nil {
					t.Fatal(err)
				}
				tx = begin(ctx, t, db)
				wantBareEverywhere(t.Context(), t, tx, test.want) // as it was begun
				if err := tx.Rollback(); err != nil {
					t.Fatal(err)
				}
				if got := get[string](t.Context(), t, db, "SHOW search_path"); got != path {
					t.Errorf("the session's search_path is %s, want %s", got, path)
				}
			})
		}
	}
}

// A prepared statement runs where its context says, whatever it was prepared under.
func TestStmtFollowsThePath(t *testing.T) {
	t.Parallel()
	db := openOne(t, withSchema(t, newTenants(t, "a", "b", odd), "a"))
	for _, from := range []func(context.Context) context.Context{same, in("b")} {
		stmt := prepare(from(t.Context()), t, db, "SELECT owner FROM t WHERE id = $1")
		for range 3 {
			for _, schema := range []string{"b", "a", odd} {
				if err := checkRow(stmt.QueryRowContext(driver.WithSchema(t.Context(), schema), 1), schema); err != nil {
					t.Error(err)
				}
			}
			if err := checkRow(stmt.QueryRowContext(t.Context(), 1), "a"); err != nil {
				t.Error(err)
			}
		}
		if _, err := stmt.QueryContext(driver.WithSchema(t.Context(), "b"), 1, 2); err == nil {
			t.Error("two arguments for one parameter work")
		}
	}
	if _, err := db.PrepareContext(driver.WithSchema(t.Context(), "b"), "SELECT missing FROM t"); !hasCode(err, "42703") {
		t.Errorf("preparing what cannot work: %v", err)
	}
}

func hasCode(err error, code string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == code
}

// Switch and statement take one round trip together; what has never been sent takes another one, to be prepared.
func TestPathRoundTrips(t *testing.T) {
	t.Parallel()
	dsn := withSchema(t, newTenants(t, "a", "b", odd), "a")
	for way, option := range differently {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			db, flights := countingDB(t, dsn+option)
			fill(t, db)
			stmt := prepare(t.Context(), t, db, bareQuery)
			asks := map[string]func(context.Context){
				"Query":   func(ctx context.Context) { get[string](ctx, t, db, "SELECT owner FROM t WHERE id = $1", 1) },
				"Exec":    func(ctx context.Context) { exec(ctx, t, db, "UPDATE t SET owner = owner WHERE id = $1", 1) },
				"no args": func(ctx context.Context) { exec(ctx, t, db, "UPDATE t SET owner = owner; DELETE FROM t WHERE id = 7") },
				"stmt": func(ctx context.Context) {
					if err := stmt.QueryRowContext(ctx).Scan(new(string)); err != nil {
						t.Fatal(err)
					}
				},
			}
			for range 3 {
				for _, schema := range []string{"b", odd} {
					for _, ask := range asks {
						ask(driver.WithSchema(t.Context(), schema))
					}
				}
			}
			for what, ask := range asks {
				for _, schema := range []string{"b", odd, "b", "a"} {
					fill(t, db) // else what is cold may become hot
					before := flights.Load()
					ask(driver.WithSchema(t.Context(), schema))
					if got := flights.Load() - before; got != 1 && schema != "a" {
						t.Errorf("%s in schema %q: %d round trips", what, schema, got)
					}
				}
			}
			fill(t, db)
			tx := begin(driver.WithSchema(t.Context(), "b"), t, db)
			before := flights.Load()
			for range 5 {
				get[string](t.Context(), t, tx, "SELECT owner FROM t WHERE id = $1", 1)
			}
			// What is not prepared may be described once in the transaction.
			if got := flights.Load() - before; got != 5 && (way == "hot" || got != 6) {
				t.Errorf("five queries in a transaction: %d round trips", got)
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestPathOfMissingSchema(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	db, ctx := openOne(t, withSchema(t, dsn, "a")), driver.WithSchema(t.Context(), "missing")
	stmt := prepare(t.Context(), t, db, bareQuery)
	tx := func(fn func(*sql.Tx) error) error { return inTx(ctx, db, fn) }
	for range 2 {
		for how, err := range map[string]error{
			"Query":        tryBare(ctx, db),
			"Exec":         second(db.ExecContext(ctx, "UPDATE t SET id = $1", 1)),
			"text":         second(db.ExecContext(ctx, "DELETE FROM t")),
			"two":          second(db.ExecContext(ctx, "SELECT 1; DELETE FROM t")),
			"CREATE TABLE": second(db.ExecContext(ctx, "CREATE TABLE n (id int)")),
			"Prepare":      second(db.PrepareContext(ctx, bareQuery)),
			"no table":     db.QueryRowContext(ctx, "SELECT 1").Scan(new(int)),
			"no table, tx": tx(func(tx *sql.Tx) error { return tx.QueryRow("SELECT $1::int", 1).Scan(new(int)) }),
			"stmt":         stmt.QueryRowContext(ctx).Scan(new(string)),
			"tx":           tx(func(tx *sql.Tx) error { return tryBare(t.Context(), tx) }),
		} {
			wantMissing(t, how, err, "missing")
		}
		wantBareOwner(t.Context(), t, db, "a")
	}
	exec(ctx, t, db, "CREATE SCHEMA {{schema}}")
	exec(ctx, t, db, "CREATE TABLE t (id int, owner text); INSERT INTO t VALUES (1, 'missing')")
	wantBareOwner(ctx, t, db, "missing")
	exec(ctx, t, db, "DROP SCHEMA {{schema}} CASCADE")
	wantMissing(t, "after DROP SCHEMA", tryBare(ctx, db), "missing")
	wantOwners(t, dsn, "public", "public")
	wantOwners(t, dsn, "a", "a")
}

// A schema is dropped while a statement waits for its table. PostgreSQL looks the name up again then, and finds public's.
func TestSchemaIsDroppedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, option := range differently {
		dsn := newTenants(t, "a")
		db, other := openDB(t, withSchema(t, dsn, "a")+option), openAs(t, "pgx", dsn)
		for how, update := range map[string]func(ctx context.Context) error{
			"Exec": func(ctx context.Context) error { return second(db.ExecContext(ctx, "UPDATE t SET owner = $1", "lost")) },
			"text": func(ctx context.Context) error {
				return second(db.ExecContext(ctx, "UPDATE t SET owner = 'lost' -- comment"))
			},
			"tx": func(ctx context.Context) error {
				return inTx(ctx, db, func(tx *sql.Tx) error { return second(tx.Exec("UPDATE t SET owner = $1", "lost")) })
			},
			"Query": func(ctx context.Context) error {
				return db.QueryRowContext(ctx, "UPDATE t SET owner = $1 RETURNING id", "lost").Scan(new(int))
			},
		} {
			newSchemas(t, dsn, "b")
			ctx := driver.WithSchema(t.Context(), "b")
			wantBareEverywhere(ctx, t, db, "b")
			drop := begin(t.Context(), t, other)
			exec(t.Context(), t, drop, "DROP SCHEMA b CASCADE")
			done := make(chan error)
			go func() { done <- update(ctx) }()
			eventually(t, "the statement waits", func() bool {
				return get[int](t.Context(), t, other, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 1
			})
			if err := drop.Commit(); err != nil {
				t.Fatal(err)
			}
			wantMissing(t, how, <-done, "b")
			wantOwners(t, dsn, "public", "public")
		}
	}
}

// PostgreSQL leaves a schema out of the path if the role may not use it; its neighbours are not searched instead.
func TestPathWithoutUsage(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	db := openOne(t, dsn+"&schema_mode=search_path")
	name := "reader_" + strings.ToLower(get[string](t.Context(), t, db, "SELECT substr(md5(current_database()), 1, 12)"))
	admin(t, dsn, "CREATE ROLE "+name, "GRANT ALL ON ALL TABLES IN SCHEMA public, a TO PUBLIC")
	t.Cleanup(func() { admin(t, dsn, "DROP ROLE "+name) })
	conn := holdConn(t.Context(), t, db)
	exec(t.Context(), t, conn, "SET ROLE "+name)
	wantMissing(t, "SELECT", tryBare(driver.WithSchema(t.Context(), "a"), conn), "a")
	wantBareOwner(t.Context(), t, conn, "public")
}

// Tenants whose tables differ get their own rows from the same text; the server never finds that a plan has changed.
func TestPathOfDifferentTables(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	schemas := []string{"a"}
	for i := range 8 {
		name := fmt.Sprint("s", i)
		schemas = append(schemas, name)
		columns := "id int, owner text"
		if i%2 == 1 {
			columns = "extra numeric, owner varchar(20), id bigint"
		}
		admin(t, dsn, "CREATE SCHEMA "+name, "CREATE TABLE "+name+".t ("+columns+")", "INSERT INTO "+name+".t (id, owner) VALUES (1, '"+name+"')")
	}
	for _, option := range differently {
		db := openOne(t, withSchema(t, dsn, "a")+option)
		tx := begin(t.Context(), t, db)
		for range 100 {
			schema := schemas[rand.IntN(len(schemas))]
			rows, err := tx.QueryContext(driver.WithSchema(t.Context(), schema), "SELECT * FROM t WHERE id = $1", 1)
			if err != nil {
				t.Fatal(err)
			}
			row := map[string]any{}
			columns, _ := rows.Columns()
			dest := make([]any, len(columns))
			for i := range dest {
				dest[i] = new(any)
			}
			for rows.Next() {
				if err := rows.Scan(dest...); err != nil {
					t.Fatal(err)
				}
				for i, column := range columns {
					row[column] = *dest[i].(*any)
				}
			}
			if err := rows.Err(); err != nil || row["owner"] != schema || row["id"] != int64(1) {
				t.Fatalf("schema %s: %v, %v", schema, row, err)
			}
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

// What cannot share a transaction with its switch has a session of its own, which nobody else gets.
func TestStatementsOfTheirOwnSession(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", odd)
	admin(t, dsn, "CREATE PROCEDURE public.twice(n int) LANGUAGE plpgsql AS "+
		"$$BEGIN UPDATE t SET owner = owner || n; COMMIT; UPDATE t SET owner = owner || n; END$$")
	for what, query := range map[string]string{
		"VACUUM":                    "VACUUM t",
		"CREATE INDEX CONCURRENTLY": "CREATE INDEX CONCURRENTLY ON t (owner)",
		"DO":                        "DO $$BEGIN PERFORM 1 / count(*) FROM t; END$$",
		"CALL":                      "CALL twice(1)",
		"text that commits":         "BEGIN; UPDATE t SET owner = owner || '-'; COMMIT; UPDATE t SET owner = owner || '-'",
		"text that rolls back":      "BEGIN; DELETE FROM t; ROLLBACK; UPDATE t SET owner = owner || '-'",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t)
			newSchemas(t, dsn, "public", "a", odd)
			admin(t, dsn, "CREATE PROCEDURE public.twice(n int) LANGUAGE plpgsql AS "+
				"$$BEGIN UPDATE t SET owner = owner || n; COMMIT; UPDATE t SET owner = owner || n; END$$")
			db, ctx := openOne(t, withSchema(t, dsn, "a")), driver.WithSchema(t.Context(), odd)
			conn := holdConn(t.Context(), t, db)
			pid := backend(t.Context(), t, conn)
			if _, err := conn.ExecContext(ctx, query); err != nil {
				t.Fatal(err)
			}
			wantBareOwner(t.Context(), t, conn, "a") // on the same connection
			wantBareEverywhere(driver.WithoutSchema(t.Context()), t, conn, "public")
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			if backend(t.Context(), t, db) == pid {
				t.Error("somebody else gets the session")
			}
			wantBareOwner(t.Context(), t, db, "a")
			wantOwners(t, dsn, "a", "a")
			wantOwners(t, dsn, "public", "public")
			suffix := map[string]string{"CALL": "11", "text that commits": "--", "text that rolls back": "-"}[what]
			if got := get[string](ctx, t, db, bareQuery); got != odd+suffix {
				t.Errorf("the row is %q", got)
			}
		})
	}
	db := openOne(t, withSchema(t, dsn, "a"))
	ctx := driver.WithSchema(t.Context(), odd)
	exec(ctx, t, db, "CALL twice($1)", 1)
	if got := get[string](ctx, t, db, bareQuery); got != odd+"11" {
		t.Errorf("the row is %q", got)
	}
	err := inTx(ctx, db, func(tx *sql.Tx) error {
		_, err := tx.Exec("COMMIT; DELETE FROM t")
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "one by one") {
		t.Errorf("a text that ends the transaction and goes on: %v", err)
	}
	wantOwners(t, dsn, "a", "a")
}

// Raw's function has the path, in a transaction and outside of one.
func TestRawFollowsThePath(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", odd)
	db, ctx := openOne(t, withSchema(t, dsn, "a")), driver.WithSchema(t.Context(), odd)
	copyRow := func(id int) func(*pgx.Conn) error {
		return func(conn *pgx.Conn) error {
			_, err := conn.CopyFrom(t.Context(), pgx.Identifier{"t"}, []string{"id", "owner"}, pgx.CopyFromRows([][]any{{id, odd}}))
			return err
		}
	}
	if err := driver.Raw(ctx, db, copyRow(2)); err != nil {
		t.Fatal(err)
	}
	conn := holdConn(t.Context(), t, db)
	exec(t.Context(), t, conn, "BEGIN")
	if err := driver.Raw(ctx, conn, copyRow(3)); err != nil {
		t.Fatal(err)
	}
	wantBareOwner(t.Context(), t, conn, "a")
	if err := driver.Raw(t.Context(), conn, func(conn *pgx.Conn) error {
		var owner string
		err := conn.QueryRow(t.Context(), bareQuery).Scan(&owner)
		if owner != "a" {
			err = errors.Join(err, fmt.Errorf("the owner is %q", owner))
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	exec(t.Context(), t, conn, "COMMIT")
	wantBareOwner(t.Context(), t, conn, "a")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	wantOwners(t, dsn, odd, odd, odd, odd)
	wantOwners(t, dsn, "a", "a")
}

// The server's errors point into the text as it was written, with the switch in the same message.
func TestPositionUnderAPath(t *testing.T) {
	t.Parallel()
	db := openOne(t, newTenants(t, odd)+"&schema_mode=search_path")
	for _, args := range [][]any{nil, {1}} {
		_, err := db.ExecContext(driver.WithSchema(t.Context(), odd), "SELECT 'ü', missing", args...)
		if len(args) > 0 {
			_, err = db.ExecContext(driver.WithSchema(t.Context(), odd), "SELECT 'ü', missing WHERE $1 = 1", args...)
		}
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Position != 13 {
			t.Errorf("%v: %+v", args, pgErr)
		}
	}
}

// Somebody has thrown away what was prepared.
func TestPreparedStatementsThatAreGone(t *testing.T) {
	t.Parallel()
	for _, option := range []string{"&schema_mode=search_path", "&schema_mode=template", "&schema_mode=search_path&statement_cache_capacity=1"} {
		for _, forget := range []string{"DEALLOCATE ALL", "DISCARD ALL"} {
			conn := holdConn(t.Context(), t, openOne(t, newTenants(t, "a")+option))
			ctx := driver.WithSchema(t.Context(), "a")
			for i := range 3 {
				for range 3 {
					wantOwner(ctx, t, conn, "a")
				}
				if got := get[string](ctx, t, conn, fmt.Sprintf("SELECT owner FROM {{tables.t}} WHERE id = $1 AND %d = %[1]d", i), 1); got != "a" {
					t.Errorf("the owner is %s", got)
				}
				exec(t.Context(), t, conn, forget)
			}
		}
	}
}

// Statements that others lose are not taken for the driver's.
func TestStatementsOfOthersThatAreGone(t *testing.T) {
	t.Parallel()
	conn := holdConn(t.Context(), t, openOne(t, server.Database(t)+"&statement_cache_capacity=20"))
	for range 20 {
		for i := range 10 {
			get[int](t.Context(), t, conn, fmt.Sprintf("SELECT %d + $1::int", i), 1)
		}
		if _, err := conn.QueryContext(t.Context(), "EXECUTE nothing"); !hasCode(err, "26000") {
			t.Fatal(err)
		}
	}
	if n := get[int](t.Context(), t, conn, "SELECT count(*) FROM pg_prepared_statements"); n > 21 {
		t.Errorf("%d statements are prepared", n)
	}
}

// What a text says about its transaction comes before anything else, and a savepoint ends nothing.
func TestTransactionsUnderAPath(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b")
	admin(t, dsn, "CREATE PROCEDURE public.add(n int) LANGUAGE plpgsql AS $$BEGIN UPDATE t SET owner = owner || n; END$$")
	db, ctx := openOne(t, withSchema(t, dsn, "a")), driver.WithSchema(t.Context(), "b")
	tx := begin(ctx, t, db)
	exec(t.Context(), t, tx, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
	wantBareOwner(t.Context(), t, tx, "b")
	exec(t.Context(), t, tx, "SAVEPOINT s; UPDATE t SET owner = owner || '-'")
	exec(t.Context(), t, tx, "RELEASE s")
	wantBareOwner(t.Context(), t, tx, "b-")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	exec(ctx, t, db, "CALL add(@n)", pgx.NamedArgs{"n": 1})
	rows, err := db.QueryContext(ctx, "CALL add(@n)", pgx.NamedArgs{"n": 2})
	if err == nil {
		err = rows.Close()
	}
	if err != nil {
		t.Error(err)
	}
	wantOwners(t, dsn, "b", "b-12")
	wantOwners(t, dsn, "a", "a")
}

// A table that several schemas see is changed under one of them.
func TestSharedTableIsChanged(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b", "c")
	admin(t, dsn, "CREATE TABLE public.shared (id int); INSERT INTO public.shared VALUES (1)")
	db, ctx := openOne(t, withSchema(t, dsn, "a")), driver.WithSchema(t.Context(), "c")
	const query = "SELECT * FROM shared WHERE id = $1"
	for range 3 {
		get[int](ctx, t, db, query, 1)
	}
	exec(driver.WithSchema(t.Context(), "b"), t, db, "ALTER TABLE shared ADD COLUMN x int")
	tx := begin(ctx, t, db)
	rows, err := tx.QueryContext(ctx, query, 1)
	if err != nil {
		t.Fatal(err)
	}
	if columns, _ := rows.Columns(); len(columns) != 2 {
		t.Errorf("the columns are %q", columns)
	}
	_ = rows.Close()
}

// Two databases on a pgxpool share what is prepared, but not what they know of changes.
func TestPoolsOfTwoChangeATable(t *testing.T) {
	t.Parallel()
	pool := openPool(t, newTenants(t, "a"), 1)
	a, b := driver.OpenDBFromPool(pool, driver.DefaultSchema("a")), driver.OpenDBFromPool(pool, driver.DefaultSchema("a"))
	const query = "SELECT * FROM {{tables.t}} WHERE id = $1"
	read := func(q querier) {
		t.Helper()
		rows, err := q.QueryContext(t.Context(), query, 1)
		if err != nil {
			t.Fatal(err)
		}
		_ = rows.Close()
	}
	for range 3 {
		read(a)
	}
	exec(t.Context(), t, a, "ALTER TABLE {{tables.t}} ADD COLUMN z int")
	tx := begin(t.Context(), t, b)
	read(tx)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
}

// With standard_conforming_strings=off a backslash in a schema's name would hide the end of the literal that it stands in.
func TestNoSwitchWithoutStandardStrings(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	conn := holdConn(t.Context(), t, openOne(t, withSchema(t, dsn, "a")))
	exec(t.Context(), t, conn, "SET standard_conforming_strings = off")
	evil := driver.WithSchema(t.Context(), `\'||chr(34)),$$USAGE$$)THEN 1::text END,true);DELETE FROM t;--`)
	for how, err := range map[string]error{
		"Exec": second(conn.ExecContext(evil, "SELECT 1")), "Query": second(conn.QueryContext(evil, "SELECT 1")),
	} {
		if err == nil || !strings.Contains(err.Error(), "standard_conforming_strings") {
			t.Errorf("%s: %v", how, err)
		}
	}
	wantOwners(t, dsn, "a", "a")
}

// TestPathThatDoesNotTakeEffect connects as through PgBouncer with ignore_startup_parameters = search_path: then each
// statement has its path with it, those of the DSN's schema too.
func TestPathThatDoesNotTakeEffect(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", odd)
	through := pgbouncer.Start(t, dsn, "default_pool_size=2", "ignore_startup_parameters=search_path")
	for _, option := range []string{"", "&schema=a"} {
		db := openDB(t, through+"&default_query_exec_mode=cache_describe&schema_mode=search_path"+option)
		db.SetMaxOpenConns(10)
		base := "public"
		if option != "" {
			base = "a"
		}
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				for range 40 {
					ctx, want := t.Context(), base
					if rand.IntN(3) > 0 {
						ctx, want = driver.WithSchema(ctx, odd), odd
					}
					err := checkRow(db.QueryRowContext(ctx, "SELECT owner FROM t WHERE id = $1", 1), want)
					if rand.IntN(2) == 0 {
						err = inTx(ctx, db, func(tx *sql.Tx) error {
							return errors.Join(checkRow(tx.QueryRow(bareQuery), want), checkRow(tx.QueryRowContext(in("a")(t.Context()), bareQuery), "a"))
						})
					}
					if err != nil {
						t.Errorf("%s: %v", option, err)
					}
				}
			})
		}
		group.Wait()
		_, err := db.ExecContext(driver.WithSchema(t.Context(), odd), "VACUUM t")
		if err == nil || !strings.Contains(err.Error(), "PgBouncer") {
			t.Errorf("%s: what needs a session: %v", option, err)
		}
	}
	if path := get[string](t.Context(), t, openAs(t, "pgx", through+"&default_query_exec_mode=exec"), "SHOW search_path"); path != `"$user", public` {
		t.Errorf("a pooled session was left with the search_path %s", path)
	}
}

// The END of a function's body is no COMMIT.
func TestAtomicBodyUnderAPath(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b")
	db := openDB(t, dsn+"&schema_mode=search_path")
	for _, schema := range []string{"a", "b"} {
		ctx := driver.WithSchema(t.Context(), schema)
		tx := begin(ctx, t, db)
		exec(t.Context(), t, tx, "CREATE FUNCTION owner() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT owner FROM t; END; SELECT 1")
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if got := get[string](ctx, t, db, "SELECT owner()"); got != schema {
			t.Errorf("the function reads the table of %q, want %q", got, schema)
		}
	}
}
