package named_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/named"
)

func mustExec(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Errorf("%s: %v", sql, err)
	}
}

// column returns the only column of the rows.
func column(t *testing.T, conn *pgx.Conn, sql string, args ...any) string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql, args...)
	if err == nil {
		var values []any
		if values, err = pgx.CollectRows(rows, pgx.RowTo[any]); err == nil {
			return strings.Trim(fmt.Sprint(values), "[]")
		}
	}
	t.Errorf("%s: %v", sql, err)
	return ""
}

type values = map[string]any

func TestNamedOnServer(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	mustExec(t, conn, "CREATE FUNCTION plus(a int, b int = 1) RETURNS int LANGUAGE sql AS 'SELECT a + b'")
	mustExec(t, conn, "CREATE TABLE d AS SELECT '{1,2,3,4}'::int[] AS a, 2 AS lo, 3 AS hi, '{\"k\": 1, \"l\": 2}'::jsonb AS j, 'x:y?' AS s")
	for _, tt := range []struct {
		text string
		arg  values
		want string
	}{
		{"SELECT :n::int::text || ':n' || :s::text", values{"n": 1, "s": "b"}, "1:nb"},
		{"SELECT a[1:2] FROM d", nil, "1 2"},
		{"SELECT a[lo:hi] FROM d", nil, "2 3"},
		{"SELECT a[:i] FROM d", values{"i": 3}, "3"},
		{"SELECT a[:lo : :hi] FROM d", values{"lo": 1, "hi": 2}, "1 2"},
		{"SELECT a[:from:hi] FROM d", values{"from": 2}, "2 3"},
		{"SELECT a[lo: :to] FROM d", values{"to": 4}, "2 3 4"},
		{"SELECT a[:lo::int: :hi::int] FROM d", values{"lo": 1, "hi": 2}, "1 2"},
		{"SELECT a[(:lo):hi] FROM d", values{"lo": 3}, "3"},
		{"SELECT ARRAY[:a::int,:b]", values{"a": 1, "b": 2}, "1 2"},
		{"SELECT plus(a := :a, b:=:b) + plus(a => :a)", values{"a": 1, "b": 5}, "8"},
		{"SELECT j ? 'k' AND j ?| :keys AND j ? :key AND j @? '$.k' FROM d", values{"keys": []string{"k"}, "key": "l"}, "true"},
		{"SELECT $$:a$$ || E'\\':a' || ':a' || \":a\" /* :a /* :b */ :c */ FROM (SELECT 'z' AS \":a\") z -- :a", nil, ":a':a:az"},
		{"SELECT 1 WHERE 'x:y' = :größe LIMIT:n", values{"größe": "x:y", "n": 1}, "1"},
		{"SELECT length(:s) WHERE 'b'::varchar = :s AND :s::text IS NOT NULL", values{"s": "b"}, "1"}, // text and varchar
		{"SELECT :n::::int", values{"n": 1}, "1"},
	} {
		sql, args, err := parse(t, tt.text).Bind(newMapper(), tt.arg)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
		} else if got := column(t, conn, sql, args...); got != tt.want {
			t.Errorf("%s: got %s, want %s", sql, got, tt.want)
		}
	}
}

// TestJSONObject has the constructor JSON_OBJECT, which only PostgreSQL 16 and later can run.
func TestJSONObject(t *testing.T) {
	t.Parallel()
	sql, args, err := parse(t, "SELECT JSON_OBJECT('k':v, :l::text: :w::int, 'm' : :x::text RETURNING text) FROM (VALUES (1)) v (v)").
		Bind(newMapper(), values{"l": "l", "w": 2, "x": "3"})
	if err != nil {
		t.Fatal(err)
	}
	const want = "SELECT JSON_OBJECT('k':v, $1::text: $2::int, 'm' : $3::text RETURNING text) FROM (VALUES (1)) v (v)"
	if sql != want || !slices.Equal(args, []any{"l", 2, "3"}) {
		t.Errorf("got %s with %v, want %s", sql, args, want)
	}
	conn := connect(t)
	if column(t, conn, "SELECT current_setting('server_version_num')::int >= 160000") != "true" {
		return
	}
	if got, want := column(t, conn, sql, args...), `{"k" : 1, "l" : 2, "m" : "3"}`; got != want {
		t.Errorf("%s: got %s, want %s", sql, got, want)
	}
}

func TestBatchOnServer(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	mustExec(t, conn, "CREATE TABLE t (id int PRIMARY KEY, name text, tags text[] DEFAULT '{}', values int)")
	type item struct {
		ID   int
		Name string
		Tags []string
		Size *int
	}
	one := 1
	insert := parse(t, "INSERT INTO t (id, name, tags, values) VALUES (:id::int, lower(:name), :tags, coalesce(:size::int, (:id))) "+
		"ON CONFLICT (id) DO UPDATE SET name = excluded.name || '+' RETURNING concat_ws(' ', id, name, tags::text, values)")
	for _, step := range []struct {
		rows any
		want string
	}{
		{[]item{{1, "A)", []string{"x"}, nil}, {2, "B", []string{}, &one}, {3, "C", nil, nil}}, "1 a) {x} 1 2 b {} 1 3 c 3"},
		{[]*item{{2, "D", nil, nil}, {4, "E", nil, &one}}, "2 d+ {} 1 4 e 1"},
		{[]values{{"id": 5, "name": "F", "tags": nil, "size": 9}}, "5 f 9"},
		{[]values{{"id": 5, "name": "G", "tags": nil, "size": 9}, {"id": 6, "name": nil, "tags": nil, "size": nil}}, "5 g+ 9 6 6"},
	} {
		sql, args, err := insert.Bind(newMapper(), step.rows)
		if err != nil {
			t.Fatal(err)
		}
		if got := column(t, conn, sql, args...); got != step.want {
			t.Errorf("%s: got %s, want %s", sql, got, step.want)
		}
	}
	many := make([]item, 16383) // of four parameters, so there is room for no other
	for i := range many {
		many[i] = item{ID: i + 100, Name: "many"}
	}
	sql, args, err := parse(t, "INSERT INTO t VALUES (:id, :name, :tags, :size)").Bind(newMapper(), many)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, conn, sql, args...)
	update, args, err := parse(t, "UPDATE t SET name = v.name FROM (VALUES (:id::int, :name)) AS v (id, name) WHERE t.id = v.id RETURNING t.id").
		Bind(newMapper(), many[:100])
	if got := column(t, conn, update+" + 0", args...); err != nil || len(strings.Fields(got)) != 100 {
		t.Errorf("UPDATE of 100 rows returns %s, %v", got, err)
	}
}

func TestRebindOnServer(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	mustExec(t, conn, "CREATE TABLE d AS SELECT 1 AS id, '{\"k\": [1], \"?\": 2}'::jsonb AS j, '?' AS \"?\"")
	for _, tt := range []struct {
		text string
		args []any
		want string
	}{
		{"SELECT j ? 'k' AND j ? ? AND j ?? '?' AND j ?| array['z', ?] AND j ?& ? AND j @? '$.k' AND j @?? '$.k' FROM d WHERE id = ?",
			[]any{"?", "k", []string{"k", "?"}, 1}, "true"},
		{"SELECT '?' || \"?\" || $$?$$ || ?::text || E'\\'?' /* ? */ FROM d -- ?", []any{"x"}, "???x'?"},
		{"SELECT 'a'||?||'b' LIKE ?||'%' AND ?::int&1 = 1 FROM d WHERE ? = id AND id BETWEEN ? AND ? LIMIT?", []any{"x", "ax", 3, 1, 0, 2, 1}, "true"},
		{"SELECT CASE WHEN ?::bool THEN ?::int ELSE ? END", []any{true, 1, 2}, "1"},
		{"SELECT ?::int OFFSET ?", []any{1, 0}, "1"},
		{"SELECT (timestamptz '2020-01-01 12:00Z' AT TIME ZONE ?)::text", []any{"UTC"}, "2020-01-01 12:00:00"},
		{"SELECT (j->?->>?::int)::int + (j->>?)::int FROM d FETCH FIRST ? ROWS ONLY", []any{"k", 0, "?", 1}, "3"},
		{"SELECT sum(id) OVER (ORDER BY id ROWS BETWEEN ? PRECEDING AND ? FOLLOWING)::int FROM d", []any{1, 1}, "1"},
	} {
		if got := column(t, conn, named.Rebind(tt.text), tt.args...); got != tt.want {
			t.Errorf("%s: got %s, want %s", named.Rebind(tt.text), got, tt.want)
		}
	}
	sql, args, err := named.In("SELECT id FROM d WHERE id IN (?) AND j ? ? AND id NOT IN (?)", []int{1, 2}, "k", []int{3})
	if got := column(t, conn, named.Rebind(sql), args...); err != nil || got != "1" {
		t.Errorf("%s: got %s, %v", sql, got, err)
	}
}
