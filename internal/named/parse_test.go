package named_test

import (
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/pgdbm/pgdbm/internal/named"
)

// parsed is a text, what has to come out, and the names between spaces.
type parsed struct{ text, sql, names string }

var parameters = []parsed{
	{"SELECT :a", "SELECT $1", "a"},
	{":a", "$1", "a"},
	{":a,:b,(:c)", "$1,$2,($3)", "a b c"},
	{"UPDATE t SET a=:a,b=:b_2 WHERE id=:ID;", "UPDATE t SET a=$1,b=$2 WHERE id=$3;", "a b_2 ID"},
	{"SELECT :b, :a, :b, :a", "SELECT $1, $2, $3, $4", "b a b a"},
	{":user.name :user.address.city2", "$1 $2", "user.name user.address.city2"},
	{":rec.*, :a..b, :c. d", "$1.*, $2..b, $3. d", "rec a c"},
	{":größe = :имя AND :名前 = :ı", "$1 = $2 AND $3 = $4", "größe имя 名前 ı"},
	{":_a = :_", "$1 = $2", "_a _"},
	{":a\xff", "$1 \xff", "a"},
	{":a😀", "$1 😀", "a"},
	{"a<<:n, {{tables.t}}:n", "a<<$1, {{tables.t}}$2", "n n"},
	{`SELECT :e'x:y', :u&"z:y"`, `SELECT $1'x:y', $2&"z:y"`, "e u"},
	{":a--:b\n:c/*:d*/:e", "$1--:b\n$2/*:d*/$3", "a c e"},
	// What would run together:
	{"LIMIT:n OFFSET:m", "LIMIT $1 OFFSET $2", "n m"},
	{"1:n$$:x$$ $:n", "1 $1 $$:x$$ $ $2", "n n"},
	{":a:b", "$1 $2", "a b"},
	// Casts:
	{":id::text", "$1::text", "id"},
	{":a::int[]::text, b::text = :b", "$1::int[]::text, b::text = $2", "a b"},
	{"x:::n", "x::$1", "n"},
	{":a ::text, :b:: text", "$1 ::text, $2:: text", "a b"},
	{":a::::text, b::::int, ::::::", "$1::text, b::int, ::::", "a"}, // as sqlx's users have to write them
	{"CAST(:a AS text)", "CAST($1 AS text)", "a"},
	// := and =>:
	{"f(a := :a, b:=:b, c=>:c, d => :d)", "f(a := $1, b:=$2, c=>$3, d => $4)", "a b c d"},
	// Slices:
	{"a[:i]", "a[$1]", "i"},
	{"a[:lo : :hi], a[:lo: :hi]", "a[$1 : $2], a[$3: $4]", "lo hi lo hi"},
	{"a[:lo:hi]", "a[$1:hi]", "lo"},
	{"a[lo: :hi], a[1: :hi], a[: :hi], a[:lo :]", "a[lo: $1], a[1: $2], a[: $3], a[$4 :]", "hi hi hi lo"},
	{"a[:lo::hi]", "a[$1::hi]", "lo"},
	{"a[:i::int:j]", "a[$1::int:j]", "i"},
	{"a[(:lo):hi], a[b[:i]:hi]", "a[($1):hi], a[b[$2]:hi]", "lo i"},
	{"a[(SELECT x FROM t WHERE x=:x AND:y):hi]", "a[(SELECT x FROM t WHERE x=$1 AND $2):hi]", "x y"},
	{"ARRAY[:a,:b,-:c,x||:d]", "ARRAY[$1,$2,-$3,x||$4]", "a b c d"},
	{"ARRAY[CASE WHEN:a THEN:b ELSE:c END]", "ARRAY[CASE WHEN $1 THEN $2 ELSE $3 END]", "a b c"},
	{"a[1], f(x:n)", "a[1], f(x $1)", "n"},
	{")]a[lo:hi] :n", ")]a[lo:hi] $1", "n"},
	// JSON:
	{"JSON_OBJECT('k': :v, 'l' : :w)", "JSON_OBJECT('k': $1, 'l' : $2)", "v w"},
	{"json_object('k':v, :k: :v, (:a):b, :c VALUE :d)", "json_object('k':v, $1: $2, ($3):b, $4 VALUE $5)", "k v a c d"},
	{"j ? :k AND j ?| :ks AND j @? :path AND j -> :k", "j ? $1 AND j ?| $2 AND j @? $3 AND j -> $4", "k ks path k"},
}

// untouched are texts without parameters.
var untouched = []string{
	"", " ", ":", "::", ":::", ": a", ":1", "a:", ":'a'", `:"a"`, ":{{tables.t}}",
	"SELECT 1", "id::text", "id :: text", "'1'::int", "a::int[]",
	"a[1:2]", "a[lo:hi]", "a[1:n]", "a[f(x):n]", "a[b[1]:n]", `a["lo":hi]`, "a[1::n]", "a[:]", "a[lo : hi]", "m[1:2][lo:hi]",
	"a[t.select:n]", "a[x::int:n]", "a[x::interval:n]", "a[$1:n]",
	"f(a := 1)", "f(a:=b)", "f(a => 1)", "f(a=>b)",
	"JSON_OBJECT('a':b, c:d)", "json_objectagg(k:v)", "JSON_OBJECT('a': JSON_OBJECT('b':c))",
	"j ? 'a'", "j ?| array['a']", "j ?& array['a']", "j @? '$.a'", "a = $1 AND b = $2",
	"':a'", "E'\\':a'", "U&':a'", "B':a'", "x':a'", "n':a'", "'a'\n':a'", "'it''s :a'", `'\' || ':a'`,
	"-- :a", "-- :a\n", "/* :a /* :b */ :c */", "/* :a", "':a", `":a`, "$$:a",
	`":a"`, `U&":a"`, `"a"":b"`, "$$ :a $$", "$x$ :a $$ :b $x$", "{{tables.users}}", "<<tables.users>>", "{{schema}}.f(a::int)",
	"DO $$ BEGIN x := 1; END $$", "CREATE FUNCTION f() AS $$ SELECT :a $$",
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range parameters {
		q, err := named.Parse(tt.text)
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
		} else if names := strings.Join(q.Names(), " "); q.SQL() != tt.sql || names != tt.names {
			t.Errorf("%q:\n got %q %s\nwant %q %s", tt.text, q.SQL(), names, tt.sql, tt.names)
		}
	}
}

func TestParseLeavesAlone(t *testing.T) {
	t.Parallel()
	for _, text := range untouched {
		q, err := named.Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if q.SQL() != text || unsafe.StringData(q.SQL()) != unsafe.StringData(text) || len(q.Names()) != 0 {
			t.Errorf("%q becomes %q %q", text, q.SQL(), q.Names())
		}
	}
	// Whatever has no parameter has none behind one either, and next to templates.
	for _, text := range untouched {
		if strings.Contains(text, "$1") {
			continue
		}
		all := "{{tables.t}} <<tables.t>> :first, (" + text
		want := strings.Replace(all, ":first", "$1", 1)
		if q := parse(t, all); q.SQL() != want || !slices.Equal(q.Names(), []string{"first"}) {
			t.Errorf("%q becomes %q %q", all, q.SQL(), q.Names())
		}
	}
}

func TestParseMixed(t *testing.T) {
	t.Parallel()
	for text, parts := range map[string][]string{
		"SELECT :a, $1": {":a", "$1", "line 1, column 12"},
		"SELECT 'ä\n:b', $2,\n'ä', $3 + :b, :c": {":b", "$3", "line 3, column 6", "all of its parameters names, or none"},
	} {
		_, err := named.Parse(text)
		wantError(t, err, parts...)
	}
	for _, text := range []string{"SELECT :a, '$1' -- $1", "SELECT :a, $$ $1 $$, a$1", "SELECT $1, ':a', b::int"} {
		parse(t, text)
	}
}

func TestNamesAreACopy(t *testing.T) {
	t.Parallel()
	q := parse(t, ":a")
	q.Names()[0] = "b"
	if got := q.Names()[0]; got != "a" {
		t.Errorf("the name became %s", got)
	}
}
