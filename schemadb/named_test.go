package schemadb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/schemadb"
)

type place struct {
	City string
	Zip  *string `db:"zip_code"`
}

type base struct {
	ID      int64
	Created time.Time `db:"-"`
}

type person struct {
	base         // its fields are the person's
	Name  string `db:"owner"`
	Home  place  `db:"home"`
	*work        // nil: NULL
}

type work struct{ Job string }

// namedWays run a query with names, which returns one text.
var namedWays = map[string]func(ctx context.Context, q surface, query string, arg any) (string, error){
	"NamedQuery": func(_ context.Context, q surface, query string, arg any) (string, error) {
		return first(q.NamedQuery(query, arg))
	},
	"NamedQueryContext": func(ctx context.Context, q surface, query string, arg any) (string, error) {
		return first(q.NamedQueryContext(ctx, query, arg))
	},
	"BindNamed": func(ctx context.Context, q surface, query string, arg any) (string, error) {
		text, args, err := q.BindNamed(query, arg)
		if err != nil {
			return "", err
		}
		return schemadb.Value[string](ctx, q, text, args...)
	},
	"PrepareNamed": func(ctx context.Context, q surface, query string, arg any) (owner string, err error) {
		stmt, err := q.PrepareNamed(query)
		if err != nil {
			return "", err
		}
		err = stmt.GetContext(ctx, &owner, arg)
		return owner, errors.Join(err, stmt.Close())
	},
}

// What PostgreSQL writes with colons and question marks, and sqlx's parser breaks, reaches it; names are found
// everywhere else. Templates of both forms stand beside.
func TestNamedQueries(t *testing.T) {
	t.Parallel()
	zip := "01234"
	someone := person{base: base{ID: 1}, Name: "a", Home: place{City: "Ulm", Zip: &zip}}
	tests := []struct {
		name, query string
		arg         any
		want        string
	}{
		{"map", "SELECT owner FROM {{tables.t}} WHERE id = :id", map[string]any{"id": 1}, "a"},
		{"map with keys of a type", "SELECT owner FROM {{tables.t}} WHERE id = :id", map[key]int{"id": 1}, "a"},
		{"pointer to a map", "SELECT owner FROM {{tables.t}} WHERE id = :id", &map[string]any{"id": 1}, "a"},
		{"struct, db tag", "SELECT owner FROM {{tables.t}} WHERE owner = :owner", someone, "a"},
		{"pointer to a struct", "SELECT owner FROM {{tables.t}} WHERE owner = :owner", &someone, "a"},
		{"embedded struct", "SELECT owner FROM {{tables.t}} WHERE id = :id", someone, "a"},
		{"struct in a struct", "SELECT :home.city || :home.zip_code", someone, "Ulm01234"},
		{"nil pointer is NULL", "SELECT coalesce(:job::text, 'none')", someone, "none"},
		{"no names", "SELECT owner FROM {{tables.t}}", map[string]any{}, "a"},
		{"the same name twice", "SELECT :x::text || :x", map[string]any{"x": "y"}, "yy"},
		{"both forms of templates", "SELECT t.owner FROM {{tables.t}} t JOIN <<tables.t>> u ON t.id = u.id AND u.id = :id",
			map[string]any{"id": 1}, "a"},
		{"{{schema}}", "SELECT t.owner FROM {{schema}}.t, <<schema>>.t u WHERE u.id = :id", map[string]any{"id": 1}, "a"},
		{"cast", "SELECT (:id::int + 1)::text::varchar", map[string]any{"id": 1}, "2"},
		{"cast of a template", "SELECT '{{tables.t}}'::regclass::text || :x", map[string]any{"x": "!"}, "a.t!"},
		{"slice", "SELECT (ARRAY['x','y','z'])[2:3]::text || :x", map[string]any{"x": "!"}, "{y,z}!"},
		{"slice with names", "SELECT (ARRAY['x','y','z'])[:lo : :hi]::text", map[string]any{"lo": 1, "hi": 2}, "{x,y}"},
		{"operator ?", `SELECT (jsonb '{"k":1}' ? :k)::text`, map[string]any{"k": "k"}, "true"},
		{"operators ?| and ?&", `SELECT (jsonb '["k"]' ?| array[:k] AND jsonb '["k"]' ?& array[:k])::text`,
			map[string]any{"k": "k"}, "true"},
		{"operator @?", `SELECT (jsonb '{"k":1}' @? '$.k' AND :b)::text`, map[string]any{"b": true}, "true"},
		{"comments", "SELECT /* :no /* {{tables.no}} */ :no */ :yes::text -- :no '\n || '!'", map[string]any{"yes": "y"}, "y!"},
		{"literals", `SELECT ':no {{tables.no}}' || E'\':no' || $$:no$$ || $q$:no$q$ || :yes`, map[string]any{"yes": "y"},
			":no {{tables.no}}':no:no:noy"},
		{"quoted names", `SELECT ":no" || :yes FROM (SELECT 'x' AS ":no") s`, map[string]any{"yes": "y"}, "xy"},
		{"time in a literal", "SELECT to_char(timestamp '2026-01-02 03:04:05', 'HH24:MI') || :x", map[string]any{"x": ""}, "03:04"},
		{"argument by name", "SELECT make_interval(hours := :h)::text", map[string]any{"h": 2}, "02:00:00"},
		{"array as a value", "SELECT string_agg(owner, '') FROM {{tables.t}} WHERE id = ANY(:ids)",
			map[string]any{"ids": []int64{1, 7}}, "a"},
		{"name with other letters", "SELECT :größe::text", map[string]any{"größe": "XL"}, "XL"},
		{"shift", "SELECT (8 << 1 >> :n::int)::text", map[string]any{"n": 2}, "4"},
	}
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		dbs := tenants(t, pool, "a", odd)
		for _, facade := range []int{0, 2, 5} { // DB, Conn and Tx; they share the code
			for _, test := range tests {
				for name, way := range namedWays {
					err := facades[facade].use(t.Context(), dbs[0], func(q surface) {
						got, err := way(naming(odd)(t.Context()), q, test.query, test.arg)
						if err != nil || got != test.want {
							t.Errorf("%s of %s: %s: got %q, %v; want %q", name, facades[facade].name, test.name, got, err, test.want)
						}
					})
					if err != nil {
						t.Error(err)
					}
				}
			}
		}
	})
}

type key string

// names are the errors of an argument that does not fit: what is missing, what is too much, and what there is.
func TestNamedErrors(t *testing.T) {
	t.Parallel()
	const query = "SELECT id::text FROM {{tables.t}} WHERE owner = :owner AND id = :idd AND ':no' <> ''"
	names := []string{"owner", "idd"}
	tests := []struct {
		name string
		arg  any
		want schemadb.NamedError
	}{
		{"nothing", map[string]any{}, schemadb.NamedError{Missing: names, Type: "map[string]interface {}"}},
		{"one is misspelt", map[string]any{"id": "secret", "owner": "secret"}, schemadb.NamedError{
			Missing: []string{"idd"}, Unused: []string{"id"}, Given: []string{"id", "owner"}, Type: "map[string]interface {}"}},
		{"too many", map[string]string{"idd": "1", "owner": "secret", "x": "secret", "b": "secret"}, schemadb.NamedError{
			Unused: []string{"b", "x"}, Given: []string{"b", "idd", "owner", "x"}, Type: "map[string]string"}},
		{"struct", owned{"secret"}, schemadb.NamedError{
			Missing: []string{"idd"}, Given: []string{"owner"}, Type: "schemadb_test.owned"}},
		{"pointer to a struct", &owned{"secret"}, schemadb.NamedError{
			Missing: []string{"idd"}, Given: []string{"owner"}, Type: "schemadb_test.owned"}},
	}
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		a := tenants(t, pool, "a")[0]
		tx := a.MustBegin()
		defer tx.Rollback()
		for _, test := range tests {
			test.want.Names = names
			for name, way := range namedWays {
				_, err := way(t.Context(), tx, query, test.arg)
				var got *schemadb.NamedError
				if !errors.As(err, &got) || !reflect.DeepEqual(*got, test.want) {
					t.Errorf("%s: %s: error %v, want %+v", test.name, name, err, test.want)
					continue
				}
				wantError(t, test.name, err, slices.Concat(test.want.Missing, test.want.Unused, test.want.Given, names)...)
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("%s: %s shows a value: %v", test.name, name, err)
				}
			}
			err := second(tx.NamedExec(query, test.arg))
			var got *schemadb.NamedError
			if !errors.As(err, &got) || !reflect.DeepEqual(*got, test.want) {
				t.Errorf("%s: NamedExec: error %v, want %+v", test.name, err, test.want)
			}
		}
		for _, arg := range []any{nil, 7, "x", []int{1}, (*owned)(nil), map[int]string{1: "x"}, []owned{}} {
			for name, way := range namedWays {
				if _, err := way(t.Context(), tx, query, arg); err == nil {
					t.Errorf("%s takes a %T", name, arg)
				}
			}
		}
		got, err := schemadb.Value[string](t.Context(), tx, ownerQuery) // nothing was sent, or the transaction would be over
		wantOwner(t, "the transaction", got, err, "a")
	})
}

// A batch repeats the tuple of VALUES, whatever stands around it.
func TestNamedBatch(t *testing.T) {
	t.Parallel()
	rows := []owned{{"x"}, {"y"}, {"z"}}
	queries := map[string]string{
		"plain":           "INSERT INTO {{tables.t}} (owner) VALUES (:owner)",
		"casts":           "INSERT INTO <<tables.t>> (owner, id) VALUES (:owner::text, nextval('{{tables.t_id_seq}}'::regclass) + 100)",
		"comment":         "INSERT INTO {{tables.t}} (owner) VALUES (:owner /* ) :no */) -- VALUES (:no)",
		"conflict":        "INSERT INTO {{tables.t}} (owner) VALUES (:owner) ON CONFLICT (id) DO UPDATE SET owner = excluded.owner",
		"returning":       "INSERT INTO {{tables.t}} AS u (owner) VALUES (:owner) RETURNING u.id, (ARRAY[1,2])[1:2]",
		"literal":         "INSERT INTO {{tables.t}} (owner) VALUES (substr('),:no' || :owner, 6))",
		"from the values": "INSERT INTO {{tables.t}} (owner) SELECT v.o FROM (VALUES (:owner)) v (o)",
	}
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		dbs := tenants(t, pool, "a", odd)
		for name, query := range queries {
			for _, arg := range []any{
				rows, [3]owned(rows), &rows, []*owned{&rows[0], &rows[1], &rows[2]},
				[]map[string]any{named("x"), named("y"), named("z")}, []any{rows[0], &rows[1], named("z")},
			} {
				for _, facade := range []int{0, 5} {
					err := facades[facade].use(t.Context(), dbs[1], func(q surface) {
						exec(t, q, "DELETE FROM {{tables.t}}")
						result, err := q.NamedExecContext(naming("a")(t.Context()), query, arg)
						if err != nil {
							t.Errorf("%s: %T: %v", name, arg, err)
							return
						}
						if n, err := result.RowsAffected(); n != 3 || err != nil {
							t.Errorf("%s: %T: %d rows, %v", name, arg, n, err)
						}
						got := value[string](t, q, "SELECT string_agg(owner, '' ORDER BY id) FROM {{tables.t}}")
						if got != "xyz" {
							t.Errorf("%s: %T: the rows are %q", name, arg, got)
						}
					})
					if err != nil {
						t.Errorf("%s: %T: %v", name, arg, err)
					}
				}
			}
		}
		if n := value[int](t, dbs[0], "SELECT count(*) FROM {{tables.t}}"); n != 1 {
			t.Errorf("schema a has %d rows", n)
		}
		testBatchErrors(t, dbs[1])
	})
}

func testBatchErrors(t *testing.T, db *schemadb.DB) {
	t.Helper()
	const insert = "INSERT INTO {{tables.t}} (owner) VALUES (:owner)"
	_, err := db.NamedExec(insert, []any{owned{"x"}, map[string]any{"ownr": "x"}})
	var namedErr *schemadb.NamedError
	if !errors.As(err, &namedErr) || namedErr.Row != 2 || !slices.Equal(namedErr.Unused, []string{"ownr"}) {
		t.Errorf("the second row is wrong: %v", err)
	}
	wantError(t, "an empty slice", second(db.NamedExec(insert, []owned{})), "empty")
	wantError(t, "no VALUES", second(db.NamedExec(touchNamed, []owned{{"x"}, {"y"}})), "VALUES")
	many := make([]owned, 65536)
	wantError(t, "too many", second(db.NamedExec(insert, many)), "65535", "ExecMany")
	stmt, err := db.PrepareNamed(insert)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	if _, err := stmt.Exec([]owned{{"x"}}); err == nil {
		t.Error("a prepared statement takes a batch")
	}
	wantError(t, "names and numbers", second(db.NamedExec("SELECT :a, $1", map[string]any{"a": 1})), ":a", "$1")
}

// MapperFunc decides about names too, and db tags go before it.
func TestNamedWithMapper(t *testing.T) {
	t.Parallel()
	type row struct {
		OwnerName string
		Tagged    int64 `db:"id"`
	}
	snake := func(name string) string {
		if name == "OwnerName" {
			return "owner_name"
		}
		return strings.ToLower(name)
	}
	const query = "SELECT owner FROM {{tables.t}} WHERE owner = :owner_name AND id = :id"
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		plain := tenants(t, pool, "a")[0]
		db := plain.ForSchema("a")
		db.MapperFunc(snake)
		for _, facade := range facades {
			err := facade.use(t.Context(), db, func(q surface) {
				for name, way := range namedWays {
					got, err := way(t.Context(), q, query, row{"a", 1})
					wantOwner(t, facade.name+": "+name, got, err, "a")
				}
				result, err := q.NamedExec("INSERT INTO {{tables.t}} (owner) VALUES (:owner_name)", []row{{"b", 0}, {"c", 0}})
				if err == nil {
					var n int64
					if n, err = result.RowsAffected(); n != 2 {
						t.Errorf("%s: a batch of 2 changed %d rows", facade.name, n)
					}
				}
				if err != nil {
					t.Errorf("%s: a batch: %v", facade.name, err)
				}
			})
			if err != nil {
				t.Errorf("%s: %v", facade.name, err)
			}
		}
		_, err := plain.NamedQuery(query, row{"a", 1})
		wantError(t, "without the mapper", err, "owner_name", "ownername")
	})
}

// In and Rebind are for texts with question marks: slices are spread, operators stay.
func TestInAndRebind(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, query string
		args        []any
		want        string
	}{
		{"slice", "SELECT owner FROM {{tables.t}} WHERE id IN (?) AND owner = ?", []any{[]int{1, 2, 3}, "a"}, "a"},
		{"slice of one", "SELECT owner FROM <<tables.t>> WHERE id IN (?)", []any{[]int64{1}}, "a"},
		{"two slices", "SELECT owner FROM {{tables.t}} WHERE id IN (?) AND owner IN (?)", []any{[]int{1, 2}, []string{"x", "a"}}, "a"},
		{"no slice", "SELECT owner FROM {{tables.t}} WHERE id = ?", []any{1}, "a"},
		{"bytes are a value", "SELECT convert_from(?, 'UTF8')", []any{[]byte("a")}, "a"},
		{"operators", `SELECT 'a' WHERE jsonb '{"k":1}' ? 'k' AND jsonb '["k"]' ?| array['k'] AND 1 IN (?)`, []any{[]int{1, 2}}, "a"},
		{"doubled operator", `SELECT 'a' WHERE jsonb '{"k":1}' ?? ? AND 1 IN (?)`, []any{"k", []int{1, 2}}, "a"},
		{"literals and comments", "SELECT 'a' /* ? */ WHERE '?' = ? AND 1 IN (?) -- ?", []any{"?", []int{1, 2}}, "a"},
		{"numbers stay", "SELECT owner FROM {{tables.t}} WHERE id = $1", []any{1}, "a"},
	}
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		a := tenants(t, pool, "a")[0]
		for _, test := range tests {
			for name, in := range map[string]func(string, ...any) (string, []any, error){"In": schemadb.In, "DB.In": a.In} {
				query, args, err := in(test.query, test.args...)
				if err != nil {
					t.Errorf("%s: %s: %v", test.name, name, err)
					continue
				}
				var got string
				if err := a.Get(&got, a.Rebind(query), args...); err != nil || got != test.want {
					t.Errorf("%s: %s: %s gives %q, %v", test.name, name, a.Rebind(query), got, err)
				}
			}
		}
		for _, args := range [][]any{{[]int{}}, {[]int{1}, 2}, {}} {
			if _, _, err := a.In("SELECT 1 WHERE 1 IN (?)", args...); (err == nil) != (len(args) == 0) {
				t.Errorf("In with %v: %v", args, err)
			}
		}
	})
}

// pgx's own options may stand before the arguments that names have become.
func TestBindNamedWithOptions(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		a := tenants(t, pool, "a")[0]
		query, args, err := a.BindNamed("SELECT owner FROM {{tables.t}} WHERE id = :id::int", map[string]any{"id": 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
			args := append([]any{mode}, args...)
			var got string
			err := a.Get(&got, query, args...)
			wantOwner(t, fmt.Sprint("Get, ", mode), got, err, "a")
			got, err = scanned(a.QueryRow(query, args...))
			wantOwner(t, fmt.Sprint("QueryRow, ", mode), got, err, "a")
		}
	})
}
