package driver_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/driver"
)

// alterN changes the types of b's columns, or of those of the table that all share.
const alterN = "ALTER n TYPE float8, ALTER u TYPE uuid USING u::uuid"

// ownChanges are ways in which this process changes table t of schema b, or the table shared of public.
var ownChanges = []struct {
	name, schema, query, table string
	unseen                     bool // in the text
}{
	{"its own table", "b", "ALTER TABLE {{tables.t}} " + alterN, "b.t", false},
	{"another schema's table", "a", "ALTER TABLE {{tables.b.t}} " + alterN, "b.t", false},
	{"without a schema", "", "ALTER TABLE {{tables.b.t}} " + alterN, "b.t", false},
	{"by its plain name", "a", "ALTER TABLE b.t " + alterN, "b.t", false},
	{"two tables", "a", "ALTER TABLE {{tables.t}} ADD COLUMN x int; ALTER TABLE {{tables.b.t}} " + alterN, "b.t", false},
	{"a template and a plain name", "a", "ALTER TABLE {{tables.t}} ADD COLUMN x int; ALTER TABLE b.t " + alterN, "b.t", false},
	{"a template and a shared table", "a", "ALTER TABLE {{tables.t}} ADD COLUMN x int; ALTER TABLE public.shared " + alterN, "public.shared", false},
	{"CALL", "a", "CALL public.alter_b()", "b.t", false},
	{"CALL by template", "a", "CALL {{schema}}.alter_b()", "b.t", false},
	{"DO", "a", "DO $$BEGIN ALTER TABLE b.t " + alterN + "; END$$", "b.t", false},
	{"DO with a template", "a", "DO $$BEGIN ALTER TABLE {{tables.b.t}} " + alterN + "; END$$", "b.t", false},
	{"a function", "a", "SELECT {{schema}}.alter_by_function()", "b.t", true},
}

// newAltered returns a database for the changes.
func newAltered(t testing.TB) string {
	t.Helper()
	dsn := server.Database(t)
	const table = " (id int PRIMARY KEY, n real, u varchar)"
	admin(t, dsn, "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.t"+table+"; CREATE TABLE b.t"+table+"; CREATE TABLE public.shared"+table,
		"INSERT INTO b.t VALUES (1, 1, NULL); INSERT INTO public.shared VALUES (1, 1, NULL)",
		"CREATE PROCEDURE public.alter_b() LANGUAGE plpgsql AS $$BEGIN ALTER TABLE b.t "+alterN+"; END$$",
		"CREATE PROCEDURE a.alter_b() LANGUAGE plpgsql AS $$BEGIN ALTER TABLE b.t "+alterN+"; END$$",
		"CREATE FUNCTION a.alter_by_function() RETURNS int LANGUAGE plpgsql AS $$BEGIN ALTER TABLE b.t "+alterN+"; RETURN 1; END$$")
	return dsn
}

// What this process has changed, in whatever way its text shows, makes no statement fail, not in transactions either, and nothing is stored
// as the old type has it.
func TestOwnChangeIsSeen(t *testing.T) {
	t.Parallel()
	for option, settings := range differently {
		for _, change := range ownChanges {
			for _, inTx := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%t", option, change.name, inTx), func(t *testing.T) {
					t.Parallel()
					db := openDB(t, newAltered(t)+settings)
					db.SetMaxOpenConns(3)
					inB := driver.WithSchema(t.Context(), "b")
					conn := holdConn(inB, t, db)
					for range 100 { // see fill
						get[int](t.Context(), t, conn, "SELECT 1 WHERE 1 = $1", 1)
					}
					v := victim{table: change.table}
					if change.table == "b.t" {
						v.table = "{{tables.t}}"
					}
					for range 3 {
						if errs := v.use(inB, conn, false); len(errs) > 0 {
							t.Fatal(errs)
						}
					}
					ctx := t.Context()
					if change.schema != "" {
						ctx = driver.WithSchema(ctx, change.schema)
					}
					exec(ctx, t, db, change.query)
					errs := v.use(inB, conn, inTx)
					if len(errs) > 0 && !change.unseen {
						t.Errorf("after the change: %v", errs)
					}
					if errs := v.use(inB, conn, inTx); len(errs) > 0 {
						t.Errorf("once more: %v", errs)
					}
					query := "SELECT n FROM " + change.table + " WHERE id = 1"
					got := get[float64](t.Context(), t, conn, query, pgx.QueryExecModeExec)
					if old := float64(float32(0.1)); got != 0.1 && !(change.unseen && got == old) {
						t.Errorf("0.1 was stored as %v", got)
					}
				})
			}
		}
	}
}

// victim has statements that depend on the types of a table.
type victim struct{ table string }

func (v victim) use(ctx context.Context, conn *sql.Conn, inTransaction bool) (errs []error) {
	var q querier = conn
	for _, statement := range []struct {
		query string
		arg   any
	}{
		{"UPDATE %s SET n = $1 WHERE id = 1", 0.1},
		{"UPDATE %s SET u = $1 WHERE id = 1", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
		{"SELECT id FROM %s WHERE u = $1", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
	} {
		var tx *sql.Tx
		if inTransaction {
			var err error
			if tx, err = conn.BeginTx(ctx, nil); err != nil {
				return append(errs, err)
			}
			q = tx
		}
		err := readAll(ctx, q, fmt.Sprintf(statement.query, v.table), statement.arg)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", statement.query, err))
		}
		if tx != nil {
			if err := tx.Commit(); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errs
}

// A text with bare names and with templates follows changes of both.
func TestMixedTextFollowsChanges(t *testing.T) {
	t.Parallel()
	for option, settings := range differently {
		for _, mode := range []string{"", "&schema_mode=search_path"} {
			t.Run(option+mode, func(t *testing.T) {
				t.Parallel()
				dsn := newTenants(t, "a", "b")
				admin(t, dsn, "CREATE TABLE public.shared (id int, m int); INSERT INTO public.shared VALUES (1, 1)")
				db := openOne(t, dsn+settings+mode)
				fill(t, db)
				const query = "SELECT t.*, s.* FROM {{tables.t}} t JOIN shared s USING (id) WHERE id = $1"
				inB := driver.WithSchema(t.Context(), "b")
				columns := 4
				for i, change := range []string{
					"ALTER TABLE {{tables.t}} ADD COLUMN x%d int", "ALTER TABLE shared ADD COLUMN x%d int",
					"ALTER TABLE {{tables.t}} ADD COLUMN x%[1]d int; ALTER TABLE shared ADD COLUMN x%[1]d int",
					"DO $$BEGIN ALTER TABLE public.shared ADD COLUMN x%d int; END$$",
				} {
					for range 2 {
						wantColumns(inB, t, db, query, columns)
					}
					exec(driver.WithSchema(t.Context(), "a"), t, db, fmt.Sprintf(change, 2*i))
					if i > 0 {
						columns++ // of the shared table
					}
					tx := begin(inB, t, db)
					wantColumns(inB, t, tx, query, columns)
					if err := tx.Rollback(); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

func wantColumns(ctx context.Context, t *testing.T, q querier, query string, want int) {
	t.Helper()
	rows, err := q.QueryContext(ctx, query, 1)
	if err != nil {
		t.Error(err)
		return
	}
	defer rows.Close()
	if names, _ := rows.Columns(); len(names) != want || !rows.Next() {
		t.Errorf("columns %q, want %d; %v", names, want, rows.Err())
	}
}
