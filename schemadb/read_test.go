package schemadb_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jmoiron/sqlx"

	"github.com/pgdbm/pgdbm/schemadb"
)

// readers read all rows of a query, natively.
func readers[T any](q usable) map[string]func(query string, args ...any) ([]T, error) {
	ctx := context.Background()
	one := func(v T, err error) ([]T, error) {
		if err != nil {
			return nil, err
		}
		return []T{v}, nil
	}
	return map[string]func(query string, args ...any) ([]T, error){
		"Get": func(query string, args ...any) ([]T, error) {
			var v T
			err := q.GetContext(ctx, &v, query, args...)
			return one(v, err)
		},
		"Select": func(query string, args ...any) ([]T, error) {
			var all []T
			err := q.SelectContext(ctx, &all, query, args...)
			return all, err
		},
		"One": func(query string, args ...any) ([]T, error) {
			return one(schemadb.One[T](ctx, q, query, args...))
		},
		"Collect": func(query string, args ...any) ([]T, error) {
			return schemadb.Collect[T](ctx, q, query, args...)
		},
		"Value": func(query string, args ...any) ([]T, error) {
			return one(schemadb.Value[T](ctx, q, query, args...))
		},
		"Each": func(query string, args ...any) (all []T, err error) {
			for v, err := range schemadb.Each[T](ctx, q, query, args...) {
				if err != nil {
					return nil, err
				}
				all = append(all, v)
			}
			return all, nil
		},
		"prepared Get": func(query string, args ...any) ([]T, error) {
			stmt, err := q.PreparexContext(ctx, query)
			if err != nil {
				return nil, err
			}
			defer stmt.Close()
			var v T
			err = stmt.Get(&v, args...)
			return one(v, err)
		},
	}
}

// reads says that the query's only row is want, however it is read.
func reads[T any](want T, query string, args ...any) func(*testing.T, usable) {
	return func(t *testing.T, q usable) {
		t.Helper()
		for name, read := range readers[T](q) {
			got, err := read(query, args...)
			if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
				t.Errorf("%s of %s into %T: %+v, %v; want %+v", name, query, want, got, err, want)
			}
		}
	}
}

// asSQL is reads, which has database/sql and sqlx read the row too.
func asSQL[T any](want T, query string, args ...any) func(*testing.T, usable) {
	return func(t *testing.T, q usable) {
		t.Helper()
		reads(want, query, args...)(t, q)
		rows, err := q.QueryxContext(t.Context(), query, args...)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			return
		}
		defer rows.Close()
		var got []T
		if err := sqlx.StructScan(rows, &got); err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("database/sql reads %s into %T: %+v, %v; want %+v", query, want, got, err, want)
		}
	}
}

func ptr[T any](v T) *T { return &v }

type (
	timestamps struct {
		Created time.Time
		Updated *time.Time
	}
	address struct{ City, Street string }
	user    struct {
		timestamps
		*address
		ID      int64 `db:"user_id"`
		Email   sql.NullString
		Name    *string
		Office  address
		Ignored int `db:"-"`
	}
	simple struct {
		I  int
		I2 int16
		F  float64
		S  string
		B  []byte
		OK bool
		T  time.Time
		N  *int
	}
	document struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}
	pair struct {
		A int32
		B string
	}
)

// cases are results and what they are in Go. The types are made by makeTypes.
var cases = []func(*testing.T, usable){
	// one column
	asSQL(struct{ V int }{7}, "SELECT 7 AS v"),
	reads(7, "SELECT 7"),
	reads(int16(7), "SELECT 7::bigint"),
	reads(uint8(255), "SELECT 255"),
	reads("seven", "SELECT 'seven'"),
	reads("7", "SELECT 7"),
	reads(true, "SELECT 1 < 2"),
	reads(1.5, "SELECT 1.5::float8"),
	reads([]byte{0, 255}, `SELECT '\x00ff'::bytea`),
	reads(ptr(7), "SELECT 7"),
	reads((*int)(nil), "SELECT NULL::int"),
	reads(ptr("x"), "SELECT 'x'"),
	reads(sql.NullInt64{Int64: 7, Valid: true}, "SELECT 7"),
	reads(sql.NullString{}, "SELECT NULL::text"),
	reads(sql.Null[time.Time]{}, "SELECT NULL::timestamptz"),
	reads[any](int64(7), "SELECT 7"),
	reads[any](nil, "SELECT NULL"),
	reads(time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), "SELECT '2024-02-29'::date"),
	reads(time.Date(2024, 2, 29, 1, 2, 3, 456000, time.UTC), "SELECT '2024-02-29 01:02:03.000456'::timestamp"),

	// rows
	asSQL(simple{I: 1, I2: -2, F: 0.5, S: "x", B: []byte("y"), OK: true, T: time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)},
		"SELECT 1 AS i, -2::int2 AS i2, 0.5::float8 AS f, 'x' AS s, 'y'::bytea AS b, true AS ok, '2024-01-02 03:04:05'::timestamp AS t, NULL::int AS n"),
	reads(&simple{I: 1, N: ptr(2)}, "SELECT 1 AS i, 2 AS n"),
	asSQL(user{timestamps: timestamps{Created: time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC)}, ID: 3, Email: sql.NullString{String: "e", Valid: true},
		Name: ptr("n"), Office: address{City: "Wien"}},
		`SELECT '2024-01-02'::timestamp AS created, NULL::timestamp AS updated, 3 AS user_id, 'e' AS email, 'n' AS name, 'Wien' AS "office.city"`),
	reads(map[string]any{"a": int64(1), "b": "x", "c": nil}, "SELECT 1 AS a, 'x' AS b, NULL AS c"),
	reads(&map[string]any{"a": int64(1)}, "SELECT 1 AS a"),
	asSQL(row{5, "o"}, "SELECT 'o' AS owner, 5 AS id"),
	reads(row{5, "o"}, "SELECT $1::bigint AS id, $2::text AS owner", 5, "o"),

	// arrays
	reads([]string{"a", "b c", `"`}, `SELECT ARRAY['a', 'b c', '"']`),
	reads([]string{}, "SELECT ARRAY[]::text[]"),
	reads([]string(nil), "SELECT NULL::text[]"),
	reads([]*string{ptr("a"), nil}, "SELECT ARRAY['a', NULL]"),
	reads([]int64{1, 2}, "SELECT ARRAY[1, 2]"),
	reads([][]int32{{1, 2}, {3, 4}}, "SELECT ARRAY[[1, 2], [3, 4]]"),
	reads(struct{ Tags []string }{[]string{"x", "y"}}, "SELECT ARRAY['x', 'y'] AS tags"),

	// JSON
	reads(struct{ Doc document }{document{"n", []string{"a"}}}, `SELECT '{"name": "n", "tags": ["a"]}'::jsonb AS doc`),
	reads(struct{ Doc *document }{&document{Name: "n"}}, `SELECT '{"name": "n"}'::json AS doc`),
	reads(struct{ Doc *document }{}, `SELECT NULL::jsonb AS doc`),
	reads(struct{ Doc map[string]any }{map[string]any{"a": []any{1.0, nil}}}, `SELECT '{"a": [1, null]}'::jsonb AS doc`),
	asSQL(struct{ Doc json.RawMessage }{json.RawMessage(`{"a": 1}`)}, `SELECT '{"a": 1}'::jsonb AS doc`),
	asSQL(struct{ Doc string }{`{"a": 1}`}, `SELECT '{"a": 1}'::jsonb AS doc`),

	// numbers without loss
	asSQL(struct{ N string }{"123456789012345678901234567890.10"}, "SELECT 123456789012345678901234567890.10 AS n"),
	asSQL(struct{ N float64 }{1.25}, "SELECT 1.25::numeric AS n"),
	asSQL(struct{ N pgtype.Numeric }{numeric("1.50")}, "SELECT 1.50 AS n"),

	// ranges, enums, composites
	asSQL(struct{ R string }{"[1,5)"}, "SELECT '[1,4]'::int4range AS r"),
	reads(pgtype.Range[int32]{Lower: 1, Upper: 5, LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true}, "SELECT '[1,5)'::int4range"),
	asSQL(struct{ M string }{"happy"}, "SELECT 'happy'::mood AS m"),
	reads("happy", "SELECT 'happy'::mood"),
	asSQL(struct{ M *string }{}, "SELECT NULL::mood AS m"),
	asSQL(struct{ P string }{`(1,"x y")`}, "SELECT ROW(1, 'x y')::pair AS p"),
	reads("{happy,sad}", "SELECT ARRAY['happy', 'sad']::mood[]"),
	asSQL(struct{ U string }{"550e8400-e29b-41d4-a716-446655440000"}, "SELECT '550e8400-e29b-41d4-a716-446655440000'::uuid AS u"),
}

func numeric(text string) (n pgtype.Numeric) {
	if err := n.Scan(text); err != nil {
		panic(err)
	}
	return n
}

// makeTypes creates the types that cases have.
func makeTypes(t testing.TB, dsn string) {
	t.Helper()
	admin(t, dsn, "CREATE TYPE mood AS ENUM ('happy', 'sad')", "CREATE TYPE pair AS (a int, b text)")
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", "cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			for _, name := range drivers {
				dsn := server.Database(t)
				makeTypes(t, dsn)
				if mode != "" {
					dsn = addKey(dsn, "default_query_exec_mode="+mode)
				}
				db := schemadb.New(openAs(t, name, dsn), "public")
				tx := begin(t.Context(), t, db)
				for _, test := range cases {
					test(t, db)
					test(t, tx)
				}
			}
		})
	}
}

// addKey adds a key to a DSN in the form of a URL.
func addKey(dsn, key string) string {
	if strings.Contains(dsn, "?") {
		return dsn + "&" + key
	}
	return dsn + "?" + key
}

// TestReadComposite reads a composite and an enum's array with their types registered on the connection, as pgx does.
func TestReadComposite(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		conn := connx(t, schemadb.New(pool, ""))
		exec(t, conn, "CREATE TYPE pair AS (a int, b text)")
		exec(t, conn, "CREATE TYPE mood AS ENUM ('happy', 'sad')")
		if err := conn.Raw(t.Context(), func(conn *pgx.Conn) error {
			types, err := conn.LoadTypes(t.Context(), []string{"pair", "mood", "_mood"})
			conn.TypeMap().RegisterTypes(types)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		reads(struct{ P pair }{pair{1, "x"}}, "SELECT ROW(1, 'x')::pair AS p")(t, conn)
		reads([]string{"happy", "sad"}, "SELECT ARRAY['happy', 'sad']::mood[]")(t, conn)
	})
}

func TestReadManyRows(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "")
		type numbered struct {
			N    int
			Tags []string
			Name *string
			Doc  map[string]int
		}
		const query = `SELECT n, ARRAY[n::text] AS tags, CASE WHEN n % 2 = 0 THEN n::text END AS name, jsonb_build_object('n', n) AS doc
			FROM generate_series(1, 500) n ORDER BY n`
		for _, name := range []string{"Select", "Collect", "Each"} {
			all, err := readers[numbered](db)[name](query)
			if err != nil || len(all) != 500 {
				t.Errorf("%s: %d rows, %v", name, len(all), err)
			}
			for i, v := range all { // rows must not share memory
				n := fmt.Sprint(i + 1)
				if v.N != i+1 || !slices.Equal(v.Tags, []string{n}) || len(v.Doc) != 1 || v.Doc["n"] != i+1 ||
					(v.Name != nil) != (i%2 == 1) || v.Name != nil && *v.Name != n {
					t.Fatalf("%s: row %d is %+v", name, i, v)
				}
			}
			pointers, err := readers[*numbered](db)[name](query)
			if err != nil || len(pointers) != 500 || pointers[0].N != 1 || pointers[499].N != 500 {
				t.Errorf("%s: %d rows, %v", name, len(pointers), err)
			}
		}
		if all, err := schemadb.Collect[int](t.Context(), db, "SELECT 1 WHERE false"); all == nil || len(all) != 0 || err != nil {
			t.Errorf("no rows: %v, %v", all, err)
		}
		var all []int
		if err := db.Select(&all, "SELECT 1 WHERE false"); all != nil || err != nil { // as sqlx does
			t.Errorf("no rows: %v, %v", all, err)
		}
		kept := []int{7, 8, 9}
		all = kept
		if err := db.Select(&all, "SELECT generate_series(1, 2)"); err != nil || fmt.Sprint(all) != "[1 2]" {
			t.Errorf("Select does not replace the slice: %v, %v", all, err)
		}
		if fmt.Sprint(kept) != "[7 8 9]" {
			t.Errorf("Select writes into the memory of the slice that it replaces: %v", kept)
		}
		if err := db.Select(&all, "SELECT 1 WHERE false"); err != nil || all == nil || len(all) != 0 {
			t.Errorf("without rows, Select leaves %v, %v", all, err)
		}
	})
}

func TestReadRowCount(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "")
		for name, want := range map[string][2]error{ // without a row, and with two
			"Get": {sql.ErrNoRows, nil}, "prepared Get": {sql.ErrNoRows, nil}, "Value": {sql.ErrNoRows, nil},
			"One": {sql.ErrNoRows, schemadb.ErrTooManyRows}, "Select": {}, "Collect": {}, "Each": {},
		} {
			for i, query := range []string{"SELECT 1 WHERE false", "SELECT generate_series(1, 2)"} {
				got, err := readers[int](db)[name](query)
				if err != want[i] {
					t.Errorf("%s of %s: %v, want %v", name, query, err, want[i])
				}
				if err == nil && len(got) > 0 && got[0] != 1 {
					t.Errorf("%s of %s: %v", name, query, got)
				}
			}
		}
		// An error of the server behind the first row is not lost, though the row is there.
		for name, read := range readers[int](db) {
			if _, err := read("SELECT 1 / (3 - n) FROM generate_series(1, 5) n"); name != "One" && hasNoCode(err, "22012") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := pool.Stats().InUse; n != 0 {
			t.Errorf("%d connections in use", n)
		}
	})
}

func hasNoCode(err error, code string) bool {
	var pgErr *pgconn.PgError
	return !errors.As(err, &pgErr) || pgErr.Code != code
}

// failures are bad calls. The words must be in the error.
var failures = []struct {
	name, query string
	args        []any
	words       []string
}{
	{"a column without a field", "SELECT 1 AS id, 'x' AS owner, 2 AS other", nil, []string{"other", "int4", "schemadb_test.row"}},
	{"a field that is spelt differently", "SELECT 1 AS id, 'x' AS o_wner", nil, []string{"o_wner", "Owner", "schemadb_test.row"}},
	{"NULL", "SELECT 1 AS id, NULL::text AS owner", nil, []string{"owner", "Owner", "string", "NULL", "text", "schemadb_test.row"}},
	{"duplicate columns", "SELECT 1 AS id, 2 AS id, 'x' AS owner", nil, []string{"id", "ID", "int64", "schemadb_test.row"}},
	{"a value that does not fit", "SELECT 'secret' AS id, 'x' AS owner", nil, []string{"id", "ID", "int64", "text", "schemadb_test.row"}},
	{"a number too big", "SELECT 1e30::numeric AS id, 'x' AS owner", nil, []string{"id", "ID", "int64", "numeric"}},
	{"a type without a way", "SELECT ARRAY[1] AS id, 'x' AS owner", nil, []string{"id", "ID", "int64", "_int4"}},
	{"too few arguments", "SELECT $1::int AS id, $2::text AS owner", []any{1}, []string{"2", "1"}},
	{"too many arguments", "SELECT $1::int AS id", []any{1, "secret"}, []string{"1", "2"}},
	{"an argument of another type", "SELECT $1::int AS id", []any{[]time.Duration{1, 2}}, []string{"$1", "[]time.Duration", "int4"}},
	{"an argument without a way", "SELECT $1::text AS owner, $2::int AS id", []any{"x", struct{ Secret string }{"secret"}}, []string{"$2", "struct", "int4"}},
	{"no columns", "SELECT", nil, []string{"row"}},
	{"no result", "CREATE TEMPORARY TABLE x (i int) ON COMMIT DROP", nil, []string{"row"}},
	{"bad SQL", "SELEC 1", nil, []string{"syntax error"}},
	{"a bad template", "SELECT * FROM {{table.t}}", nil, []string{"{{tables.t}}"}},
	{"no table", "SELECT * FROM {{tables.missing}}", nil, []string{"missing"}},
	{"an error behind rows", "SELECT 1 / (5 - n) AS id, 'x' AS owner FROM generate_series(1, 9) n", nil, []string{"division by zero"}},
}

func TestReadFailures(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		conn := connx(t, db)
		for _, test := range failures {
			if test.name == "no columns" || test.name == "no result" {
				continue // a struct has room for no columns, so these are rows, or none
			}
			for name, read := range readers[row](db) {
				if test.name == "an error behind rows" && name == "One" {
					continue // it has found too many
				}
				_, err := read(test.query, test.args...)
				wantError(t, name+", "+test.name, err, test.words...)
				if err != nil && strings.Contains(err.Error(), "secret") {
					t.Errorf("%s, %s: the error shows a value: %v", name, test.name, err)
				}
				if n := pool.Stats().InUse; n != 1 {
					t.Fatalf("%s, %s: %d connections in use", name, test.name, n-1)
				}
			}
			for name, read := range readers[row](conn) {
				if _, err := read(test.query, test.args...); err == nil {
					t.Errorf("%s, %s on a Conn: no error", name, test.name)
				}
				if _, err := conn.ExecContext(t.Context(), "SELECT 1"); err != nil {
					t.Fatalf("%s, %s: then the Conn is broken: %v", name, test.name, err)
				}
			}
		}
		for _, query := range []string{"SELECT 1, 2", "SELECT", "SET application_name = 'x'"} {
			for name, read := range readers[int](conn) {
				_, err := read(query)
				if name != "prepared Get" || query != "SET application_name = 'x'" {
					wantError(t, name+" of "+query+" into int", err)
				}
			}
		}
		_, err := schemadb.Value[int](t.Context(), db, "SELECT 1, 2")
		var scanErr *schemadb.ScanError
		if !errors.As(err, &scanErr) || scanErr.Dest != "int" {
			t.Errorf("two columns into an int: %v", err)
		}
	})
}

func TestArgumentError(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		secret := struct{ Password string }{"hunter2"}
		tx := begin(t.Context(), t, db)
		for _, q := range []usable{db, connx(t, db), tx} {
			calls := map[string]func(args ...any) error{
				"Exec": func(args ...any) error {
					_, err := q.ExecContext(t.Context(), "SELECT $1::text, $2::int", args...)
					return err
				},
				"Query": func(args ...any) error {
					_, err := q.QueryContext(t.Context(), "SELECT $1::text, $2::int", args...)
					return err
				},
				"Queryx": func(args ...any) error {
					_, err := q.QueryxContext(t.Context(), "SELECT $1::text, $2::int", args...)
					return err
				},
				"prepared Exec": func(args ...any) error {
					stmt, err := q.PreparexContext(t.Context(), "SELECT $1::text, $2::int")
					if err != nil {
						return err
					}
					defer stmt.Close()
					_, err = stmt.Exec(args...)
					return err
				},
				"ExecMany": func(args ...any) error {
					_, err := q.ExecMany(t.Context(), "SELECT $1::text, $2::int", [][]any{args})
					return err
				},
				"InsertID": func(args ...any) error {
					_, err := q.InsertID(t.Context(), "INSERT INTO {{tables.t}} (owner, id) VALUES ($1::text, $2::int)", args...)
					return err
				},
			}
			for name, read := range readers[map[string]any](q) {
				calls[name] = func(args ...any) error {
					_, err := read("SELECT $1::text AS a, $2::int AS b", args...)
					return err
				}
			}
			for name, call := range calls {
				err := call("hunter2", secret)
				var argErr *schemadb.ArgumentError
				if !errors.As(err, &argErr) || argErr.Index != 1 || argErr.Type != fmt.Sprintf("%T", secret) || argErr.Param != "int4" {
					t.Errorf("%s on %T: %v", name, q, err)
				}
				if err != nil && strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s on %T shows the value: %v", name, q, err)
				}
			}
			if n := value[int](t, q, "SELECT 7"); n != 7 {
				t.Error("the connection is broken") // and a transaction goes on: nothing was sent
			}
		}
	})
}

func TestReadDestinations(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		for _, test := range []struct {
			name string
			dest any
			word string
		}{
			{"nil", nil, "<nil>"},
			{"a struct", row{}, "schemadb_test.row"},
			{"a nil pointer", (*row)(nil), "*schemadb_test.row"},
			{"a slice", []row{}, "[]schemadb_test.row"},
			{"a nil pointer to a slice", (*[]row)(nil), "*[]schemadb_test.row"},
		} {
			const write = "INSERT INTO {{tables.t}} (owner) VALUES ('x') RETURNING *"
			wantError(t, "Get into "+test.name, db.Get(test.dest, write), "Get", test.word, "pointer")
			wantError(t, "Select into "+test.name, db.Select(test.dest, write), "Select", test.word, "pointer")
		}
		wantError(t, "Select into a struct", db.Select(&row{}, "SELECT 1"), "*schemadb_test.row", "slice")
		wantCount(t, "nothing was sent", db, 1)

		r, all := row{7, "before"}, []row{{7, "before"}}
		if err := db.Get(&r, "SELECT * FROM {{tables.t}} WHERE false"); err == nil || r != (row{7, "before"}) {
			t.Errorf("Get without a row: %+v, %v", r, err)
		}
		for _, query := range []string{
			"SELECT id, NULL::text AS owner FROM {{tables.t}}", "SELECT 9 AS id, 2 AS x",
			"SELECT 1/(n-1)::bigint AS id, 'x' AS owner FROM generate_series(3, 1, -1) n", "SELEC",
		} {
			if err := db.Get(&r, query); err == nil || r != (row{7, "before"}) {
				t.Errorf("Get of %s: %+v, %v", query, r, err)
			}
			if err := db.Select(&all, query); err == nil || fmt.Sprint(all) != "[{7 before}]" {
				t.Errorf("Select of %s: %+v, %v", query, all, err)
			}
		}
		if err := db.Get(&r, "SELECT 1 AS id"); err != nil || r != (row{1, "before"}) {
			t.Errorf("what the row does not have is lost: %+v, %v", r, err) // as in sqlx
		}
	})
}

func TestClosedPool(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		if err := pool.Close(); err != nil {
			t.Fatal(err)
		}
		for _, use := range uses {
			wantError(t, use.name+" of a closed pool", use.call(t.Context(), db), "closed")
		}
		_, err := db.Beginx()
		wantError(t, "Beginx", err, "closed")
		_, err = db.Connx(t.Context())
		wantError(t, "Connx", err, "closed")
		wantError(t, "Ping", db.Ping(), "closed")
	})
}

// TestReadOptionsOfPgx passes what pgx takes before the arguments.
func TestReadOptionsOfPgx(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, odd)[0]
		for _, args := range [][]any{
			{1, odd},
			{pgx.QueryExecModeSimpleProtocol, 1, odd},
			{pgx.QueryExecModeExec, 1, odd},
			{pgx.QueryExecModeDescribeExec, 1, odd},
			{pgx.QueryExecModeCacheDescribe, 1, odd},
			{pgx.QueryResultFormats{pgx.TextFormatCode}, 1, odd},
			{pgx.QueryExecModeExec, pgx.QueryResultFormats{pgx.BinaryFormatCode, pgx.TextFormatCode}, 1, odd},
			{pgx.QueryResultFormatsByOID{pgtype.Int8OID: pgx.TextFormatCode}, 1, odd},
		} {
			reads(row{1, odd}, "SELECT * FROM {{tables.t}} WHERE id = $1 AND owner = $2", args...)(t, db)
		}
		named := []any{pgx.NamedArgs{"id": 1, "owner": odd}}
		for _, args := range [][]any{named, append([]any{pgx.QueryExecModeSimpleProtocol}, named...)} {
			for name, read := range readers[row](db) {
				got, err := read("SELECT * FROM {{tables.t}} WHERE id = @id AND owner = @owner", args...)
				if name == "prepared Get" {
					continue // what pgx rewrites with the arguments cannot be prepared before
				}
				if err != nil || len(got) != 1 || got[0].Owner != odd {
					t.Errorf("%s with named arguments: %v, %v", name, got, err)
				}
			}
		}
		_, err := schemadb.One[row](t.Context(), db, "SELECT $1::int AS id", pgx.QueryExecModeCacheDescribe, struct{}{})
		var argErr *schemadb.ArgumentError
		if !errors.As(err, &argErr) || argErr.Index != 0 || argErr.Type != "struct {}" {
			t.Errorf("an argument behind an option: %v", err)
		}
	})
}

func TestUnsafe(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, odd)[0]
		type small struct{ Owner string }
		reads(small{odd}, "SELECT * FROM {{tables.t}}")(t, db.Unsafe())
		reads(small{odd}, "SELECT * FROM {{tables.t}}")(t, connx(t, db).Unsafe())
		if _, err := schemadb.One[small](t.Context(), db, "SELECT * FROM {{tables.t}}"); err == nil {
			t.Error("Unsafe has changed the view that it was made from")
		}
	})
}

func TestMapperFunc(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, odd)[0]
		type upper struct{ OWNER string }
		upperCase := db.ForSchema(odd)
		upperCase.MapperFunc(strings.ToUpper)
		const query = `SELECT owner AS "OWNER" FROM {{tables.t}}`
		asSQL(upper{odd}, query)(t, upperCase)
		reads(upper{odd}, query)(t, begin(t.Context(), t, upperCase))
		reads(upper{odd}, query)(t, connx(t, upperCase))
		if _, err := schemadb.One[upper](t.Context(), db, query); err == nil {
			t.Error("MapperFunc has changed another view")
		}
	})
}
