package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/pgdbm/pgdbm/driver"
)

// sessionEffect is a statement, or several in one transaction, and whether it leaves something in the session.
type sessionEffect struct {
	name   string
	leaves bool
	inTx   bool
	sql    []string
	args   []any // of the last
}

var sessionEffects = []sessionEffect{
	{"temp table on commit drop", false, true, []string{"CREATE TEMP TABLE x (id int) ON COMMIT DROP", "INSERT INTO x VALUES ($1)"}, []any{1}},
	{"temp table on commit drop, lower case", false, true, []string{"create temporary table x (id int) with (fillfactor = 50) on commit drop"}, nil},
	{"temp table as, on commit drop", false, true, []string{"CREATE TEMP TABLE x ON COMMIT DROP AS SELECT * FROM {{tables.t}}"}, nil},
	{"temp table like, on commit drop", false, true, []string{"CREATE TEMP TABLE IF NOT EXISTS x (LIKE {{tables.t}}) ON COMMIT /* soon */ DROP"}, nil},
	{"temp table on commit drop, no transaction", false, false, []string{"CREATE TEMP TABLE x (id int) ON COMMIT DROP"}, nil},
	{"two in a text", false, true, []string{"CREATE TEMP TABLE x (id int) ON COMMIT DROP; CREATE TEMP TABLE y (id int) ON COMMIT DROP"}, nil},
	{"set_config with a parameter", false, true, []string{"SELECT set_config($1, $2, $3)"}, []any{"my.trace", "behind", true}},
	{"set_config with a parameter, no transaction", false, false, []string{"SELECT set_config($1, $2, $3)"}, []any{"my.trace", "behind", true}},
	{"set_config with its own last parameter", false, false, []string{"SELECT set_config('my.trace', 'behind', $1)"}, []any{true}},
	{"set_config true::boolean", false, true, []string{"SELECT set_config('my.trace', 'behind', true::boolean)"}, nil},
	{"set_config true::bool, parameters", false, false, []string{"SELECT pg_catalog.set_config($1, $2, TRUE::bool)"}, []any{"my.trace", "behind"}},

	{"temp table", true, true, []string{"CREATE TEMP TABLE left_behind (id int)"}, nil},
	{"temp table on commit delete rows", true, true, []string{"CREATE TEMP TABLE left_behind (id int) ON COMMIT DELETE ROWS"}, nil},
	{"temp table on commit preserve rows", true, false, []string{"CREATE TEMP TABLE left_behind (id int) ON COMMIT PRESERVE ROWS"}, nil},
	{"only said to be dropped", true, false, []string{"CREATE TEMP TABLE left_behind (id text DEFAULT 'ON COMMIT DROP') -- ON COMMIT DROP"}, nil},
	{"one of two", true, false, []string{"CREATE TEMP TABLE y (id int) ON COMMIT DROP; CREATE TEMP TABLE left_behind (id int)"}, nil},
	{"the other of two", true, false, []string{"CREATE TEMP TABLE left_behind (id int); CREATE TEMP TABLE y (id int) ON COMMIT DROP"}, nil},
	{"set_config with false", true, true, []string{"SELECT set_config($1, $2, $3)"}, []any{"my.trace", "behind", false}},
	{"set_config with false, no transaction", true, false, []string{"SELECT set_config($1, $2, $3)"}, []any{"my.trace", "behind", false}},
	{"set_config with NULL", true, false, []string{"SELECT set_config('my.trace', 'behind', $1)"}, []any{nil}},
	{"set_config false::boolean", true, false, []string{"SELECT set_config('my.trace', 'behind', false::boolean)"}, nil},
	{"one of two set_config", true, false, []string{"SELECT set_config('my.other', 'x', $1) || set_config('my.trace', 'behind', $2)"}, []any{true, false}},
}

func (e sessionEffect) run(ctx context.Context, db *sql.DB, stmt bool) error {
	do := func(q querier) error {
		for i, query := range e.sql {
			var args []any
			if i == len(e.sql)-1 {
				args = e.args
			}
			if stmt {
				q = asStmt{q}
			}
			var err error
			if i == len(e.sql)-1 && (args != nil || stmt) {
				err = readAll(ctx, q, query, args...)
			} else {
				_, err = q.ExecContext(ctx, query, args...)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	if e.inTx {
		return inTx(ctx, db, func(tx *sql.Tx) error { return do(tx) })
	}
	return do(db)
}

// A connection is closed for what a statement leaves in its session, and for nothing else.
func TestConnectionsAreKeptIfNothingIsLeft(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", "&schema_mode=search_path"} {
		for _, e := range sessionEffects {
			for _, stmt := range []bool{false, true} {
				if stmt && e.args == nil {
					continue
				}
				t.Run(e.name+mode, func(t *testing.T) {
					t.Parallel()
					db, ctx := openOne(t, newTenants(t, "a", "b")+mode), driver.WithSchema(t.Context(), "a")
					for range 2 {
						pid := backend(ctx, t, db)
						if err := e.run(ctx, db, stmt); err != nil {
							t.Fatal(err)
						}
						inB := driver.WithSchema(t.Context(), "b")
						if now := backend(inB, t, db); e.leaves == (now == pid) {
							t.Errorf("it leaves something: %t, but the connection was kept: %t", e.leaves, now == pid)
						}
						if get[bool](inB, t, db, leftQuery) {
							t.Error("another schema sees what was left")
						}
					}
				})
			}
		}
	}
}

// Upserts through a temporary table take one connection, on a pgxpool too.
func TestUpsertsThroughTemporaryTables(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b")
	dbs := map[string]*sql.DB{
		"template":    openOne(t, dsn),
		"search_path": openOne(t, dsn+"&schema_mode=search_path"),
		"pgxpool":     openFromPool(t, openPool(t, dsn, 1)),
	}
	for what, db := range dbs {
		pids := make(map[int]bool)
		for i := range 20 {
			ctx := driver.WithSchema(t.Context(), []string{"a", "b"}[i%2])
			err := inTx(ctx, db, func(tx *sql.Tx) error {
				pids[backend(ctx, t, tx)] = true
				return errors.Join(
					second(tx.Exec("CREATE TEMP TABLE batch (LIKE {{tables.t}}) ON COMMIT DROP")),
					second(tx.Exec("INSERT INTO batch VALUES ($1, $2)", 10+i, "new")),
					second(tx.Exec("INSERT INTO {{tables.t}} SELECT * FROM batch ON CONFLICT (id) DO UPDATE SET owner = excluded.owner")))
			})
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		if len(pids) != 1 {
			t.Errorf("%s: 20 upserts took %d connections", what, len(pids))
		}
	}
}
