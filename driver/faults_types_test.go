package driver_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// alteration is what another process does to a table while its statements are prepared or described.
type alteration struct {
	name          string
	create, alter string // of a.t, with $ for the schema
	before, after any    // values for the column n
}

const freshTable = "DROP TABLE $.t; CREATE TABLE $.t (id int PRIMARY KEY, n %s); INSERT INTO $.t (id) VALUES (1)"

// alterations change the type of a column that is compared with a parameter and stored from one.
var alterations = []alteration{
	{"varchar to uuid", "varchar", "ALTER TABLE $.t ALTER n TYPE uuid USING n::uuid",
		"6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c9"},
	{"int to bigint", "int", "ALTER TABLE $.t ALTER n TYPE bigint", 7, int64(1) << 40},
	{"smallint to int", "smallint", "ALTER TABLE $.t ALTER n TYPE int", 7, 1 << 20},
	{"int to text", "int", "ALTER TABLE $.t ALTER n TYPE text", 7, "seven"},
	{"text to int", "text", "ALTER TABLE $.t ALTER n TYPE int USING n::int", "7", 8},
	{"text to jsonb", "text", "ALTER TABLE $.t ALTER n TYPE jsonb USING n::jsonb", "{}", map[string]any{"a": 1}},
	{"real to double precision", "real", "ALTER TABLE $.t ALTER n TYPE double precision", float32(0.5), 0.1},
	{"timestamp to timestamptz", "timestamp", "ALTER TABLE $.t ALTER n TYPE timestamptz", instant, instant},
	{"enum re-created", "$.mood", "ALTER TABLE $.t DROP n; DROP TYPE $.mood; CREATE TYPE $.mood AS ENUM ('happy', 'sad', 'new'); " +
		"ALTER TABLE $.t ADD n $.mood", "sad", "new"},
	{"text to enum", "text", "ALTER TABLE $.t ALTER n TYPE $.mood USING n::$.mood", "sad", "happy"},
	{"restored", "int", fmt.Sprintf(freshTable, "text"), 7, "seven"},
	{"restored, same types", "$.mood", "DROP TYPE $.mood CASCADE; CREATE TYPE $.mood AS ENUM ('sad', 'happy'); " +
		fmt.Sprintf(freshTable, "$.mood"), "sad", "happy"},
	{"schema restored", "$.mood", "DROP SCHEMA $ CASCADE; CREATE SCHEMA $; CREATE TYPE $.mood AS ENUM ('sad', 'happy'); " +
		strings.TrimPrefix(fmt.Sprintf(freshTable, "$.mood"), "DROP TABLE $.t; "), "sad", "happy"},
}

// newTable creates the schema for an alteration anew.
func (a alteration) newTable(t testing.TB, dsn, schema string) {
	t.Helper()
	create := "DROP TABLE IF EXISTS $.t; DROP TYPE IF EXISTS $.mood; CREATE TYPE $.mood AS ENUM ('sad', 'happy'); CREATE TABLE $.t (); " +
		fmt.Sprintf(freshTable, a.create)
	admin(t, dsn, strings.ReplaceAll(create, "$", schema))
}

func (a alteration) change(t testing.TB, dsn, schema string) {
	t.Helper()
	admin(t, dsn, strings.ReplaceAll(a.alter, "$", schema))
}

// usersOfTypes are statements that use the type of the column n.
var usersOfTypes = []struct{ name, query string }{
	{"update", "UPDATE TABLE_T SET n = $1 WHERE id = 1"},
	{"upsert with rows", "INSERT INTO TABLE_T VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET n = excluded.n RETURNING n"},
	{"compare", "SELECT n FROM TABLE_T WHERE n = $1"},
}

// howToExecute is a way in which a statement is executed.
type howToExecute struct {
	name string
	run  func(ctx context.Context, db *sql.DB, query string, arg any) error
}

var waysToExecute = []howToExecute{
	{"query", func(ctx context.Context, db *sql.DB, query string, arg any) error {
		return readAll(ctx, db, query, arg)
	}},
	{"exec", func(ctx context.Context, db *sql.DB, query string, arg any) error {
		return second(db.ExecContext(ctx, query, arg))
	}},
	{"query in a transaction", func(ctx context.Context, db *sql.DB, query string, arg any) error {
		return inTx(ctx, db, func(tx *sql.Tx) error { return readAll(ctx, tx, query, arg) })
	}},
	{"exec in a transaction", func(ctx context.Context, db *sql.DB, query string, arg any) error {
		return inTx(ctx, db, func(tx *sql.Tx) error { return second(tx.ExecContext(ctx, query, arg)) })
	}},
	{"prepared in a transaction", func(ctx context.Context, db *sql.DB, query string, arg any) error {
		return inTx(ctx, db, func(tx *sql.Tx) error { return readAll(ctx, asStmt{tx}, query, arg) })
	}},
}

// readAll reads a query's rows to their end.
func readAll(ctx context.Context, q querier, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := rows.Scan(new(any)); err != nil {
			_ = rows.Close()
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close()
}

// eachUse calls fn for each statement, with a text of its own, in each way to execute it.
func (a alteration) eachUse(way schemaWay, hows []howToExecute, fn func(query string, stores bool, run func(context.Context, *sql.DB, any) error)) {
	for _, how := range hows {
		for _, use := range usersOfTypes {
			query := fmt.Sprintf("%s -- %s, %s", way.sql(use.query), a.name, how.name)
			fn(query, use.name != "compare", func(ctx context.Context, db *sql.DB, arg any) error { return how.run(ctx, db, query, arg) })
		}
	}
}

// executeBefore creates the table and executes all statements twice.
func (a alteration) executeBefore(ctx context.Context, t *testing.T, dsn string, way schemaWay, hows []howToExecute, db *sql.DB) {
	t.Helper()
	a.newTable(t, dsn, "a")
	a.eachUse(way, hows, func(query string, _ bool, run func(context.Context, *sql.DB, any) error) {
		for range 2 {
			if err := run(ctx, db, a.before); err != nil {
				t.Fatalf("%s before: %v", query, err)
			}
		}
	})
}

// After another process has changed a type, a statement fails once at most, and never again: in transactions and outside, prepared or
// not, on the same connections and on new ones.
func TestTypeChangeFailsOnce(t *testing.T) {
	t.Parallel()
	for option, settings := range differently {
		for _, way := range schemaWays {
			t.Run(option+"/"+way.name, func(t *testing.T) {
				t.Parallel()
				dsn := server.Database(t)
				admin(t, dsn, "CREATE SCHEMA a")
				ctx, db := way.open(t, dsn+settings, 1, "a").of(t, "a")
				for _, a := range alterations {
					fill(t, db)
					a.executeBefore(ctx, t, dsn, way, waysToExecute, db)
					a.change(t, dsn, "a")
					failures := make(map[string][]error)
					for round := range 4 {
						if round == 2 {
							renew(t, db)
						}
						a.eachUse(way, waysToExecute, func(query string, _ bool, run func(context.Context, *sql.DB, any) error) {
							if err := run(ctx, db, a.after); err != nil {
								failures[query] = append(failures[query], err)
							}
						})
					}
					for query, failed := range failures {
						if len(failed) > 1 {
							t.Errorf("%s fails %d times of 4: %v", query, len(failed), failed[len(failed)-1])
						}
					}
				}
			})
		}
	}
}

// Connections that were opened after a change take nothing over from those before it: no statement fails on them, and values are stored as
// by plain pgx on a new connection.
func TestTypesEndWithTheConnections(t *testing.T) {
	t.Parallel()
	for option, settings := range differently {
		for _, way := range schemaWays {
			t.Run(option+"/"+way.name, func(t *testing.T) {
				t.Parallel()
				dsn := server.Database(t)
				admin(t, dsn, "CREATE SCHEMA a")
				ctx, db := way.open(t, dsn+settings, 1, "a").of(t, "a")
				hows := waysToExecute[1:3] // outside of a transaction and inside
				for _, a := range alterations {
					fill(t, db)
					a.executeBefore(ctx, t, dsn, way, hows, db)
					a.change(t, dsn, "a")
					renew(t, db)
					fill(t, db)
					want := wantedValue(t, dsn, a.after)
					a.eachUse(way, hows, func(query string, stores bool, run func(context.Context, *sql.DB, any) error) {
						if err := run(ctx, db, a.after); err != nil {
							t.Errorf("%s fails on a new connection: %v", query, err)
						}
						if got := storedValue(t, db); stores && got != want {
							t.Errorf("%s has stored %s, want %s", query, got, want)
						}
					})
				}
			})
		}
	}
}

// renew has the database close all connections, which must be idle.
func renew(t *testing.T, db *sql.DB) {
	t.Helper()
	db.SetMaxIdleConns(0)
	if n := db.Stats().OpenConnections; n != 0 {
		t.Fatalf("%d connections are still open", n)
	}
	db.SetMaxIdleConns(1)
}

// storedValue returns what is stored in a.t, as text, and removes it.
func storedValue(t *testing.T, db *sql.DB) string {
	t.Helper()
	value := resultOf(t.Context(), db, "SELECT n::text FROM a.t WHERE id = 1", pgx.QueryExecModeExec)
	exec(t.Context(), t, db, "UPDATE a.t SET n = NULL")
	return value
}

// wantedValue returns what plain pgx stores in a.t for a value, as text.
func wantedValue(t *testing.T, dsn string, value any) string {
	t.Helper()
	plain := openAs(t, "pgx", dsn)
	defer plain.Close()
	exec(t.Context(), t, plain, "UPDATE a.t SET n = $1 WHERE id = 1", value)
	return storedValue(t, plain)
}
