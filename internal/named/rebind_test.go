package named_test

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/pgdbm/pgdbm/internal/named"
)

// rebound are texts with bindvars, and with $1.
var rebound = [][2]string{
	{"?", "$1"},
	{"SELECT ?, ?,? FROM t", "SELECT $1, $2,$3 FROM t"},
	{"a = ? AND ? = b OR NOT ?", "a = $1 AND $2 = b OR NOT $3"},
	{"WHERE ? = a AND b LIKE ? OR c ILIKE ? ESCAPE ?", "WHERE $1 = a AND b LIKE $2 OR c ILIKE $3 ESCAPE $4"},
	{"a IN (?, ?) AND b = ANY(?)", "a IN ($1, $2) AND b = ANY($3)"},
	{"VALUES (?,?) RETURNING ?", "VALUES ($1,$2) RETURNING $3"},
	{"SET a = ?, b = ? || 'x'", "SET a = $1, b = $2 || 'x'"},
	{"a BETWEEN ? AND ? AND b NOT BETWEEN SYMMETRIC ? AND ?", "a BETWEEN $1 AND $2 AND b NOT BETWEEN SYMMETRIC $3 AND $4"},
	{"LIMIT ? OFFSET ?", "LIMIT $1 OFFSET $2"},
	{"FETCH FIRST ? ROWS ONLY", "FETCH FIRST $1 ROWS ONLY"},
	{"sum(x) OVER (ORDER BY ? ROWS BETWEEN ? PRECEDING AND ? FOLLOWING)",
		"sum(x) OVER (ORDER BY $1 ROWS BETWEEN $2 PRECEDING AND $3 FOLLOWING)"},
	{"RANGE ? PRECEDING", "RANGE $1 PRECEDING"},
	{"CASE ? WHEN ? THEN ? ELSE ? END", "CASE $1 WHEN $2 THEN $3 ELSE $4 END"},
	{"t AT TIME ZONE ? AS x, t AT TIME ZONE ?::text", "t AT TIME ZONE $1 AS x, t AT TIME ZONE $2::text"},
	{"substring(? FROM ? FOR ?), trim(both ? from ?)", "substring($1 FROM $2 FOR $3), trim(both $4 from $5)"},
	{"a IS DISTINCT FROM ? ORDER BY ?", "a IS DISTINCT FROM $1 ORDER BY $2"},
	{"x[?] = ? [?:?]", "x[$1] = $2 [$3:$4]"},
	{"j->? = ? AND j->>? > -? AND j#>? <> a-?", "j->$1 = $2 AND j->>$3 > -$4 AND j#>$5 <> a-$6"},
	{"SELECT 1; ?", "SELECT 1; $1"},
	{"?::int", "$1::int"},
	{"INTERVAL ?", "INTERVAL $1"},
	{"f(a := ?, b => ?)", "f(a := $1, b => $2)"},
	// Concatenation and arrays:
	{"'%'||?||'%'", "'%'||$1||'%'"},
	{"a LIKE ?||'%' ESCAPE ?||''", "a LIKE $1||'%' ESCAPE $2||''"},
	{"t AT TIME ZONE ? & 1 OR t AT TIME ZONE ? | 1", "t AT TIME ZONE $1 & 1 OR t AT TIME ZONE $2 | 1"},
	{"(?&1) = ?|2 AND ?&&a", "($1&1) = $2|2 AND $3&&a"},
	{"a<@? AND a@>? AND v@@? AND b = @ ?", "a<@$1 AND a@>$2 AND v@@$3 AND b = @ $4"},
	// What would run together:
	{"LIMIT?OFFSET?", "LIMIT $1 OFFSET $2"},
	{"a=?AND b=?1", "a=$1 AND b=$2 1"},
	// Operators:
	{"j ? 'a' AND x = ?", "j ? 'a' AND x = $1"},
	{"j ? E'a' AND j ? $$a$$ AND j ? key AND j ? \"k\" AND j ? (a) AND ?", "j ? E'a' AND j ? $$a$$ AND j ? key AND j ? \"k\" AND j ? (a) AND $1"},
	{"j ? ?", "j ? $1"},
	{"? ? ?", "$1 ? $2"},
	{"j?'a' OR j??'a' OR j? ?", "j?'a' OR j?'a' OR j? $1"},
	{`"j" ? 'a' AND 'j' ? 'a' AND (j) ? 'a' AND j[1] ? 'a' AND {{tables.t}}.j ? 'a' AND ?`,
		`"j" ? 'a' AND 'j' ? 'a' AND (j) ? 'a' AND j[1] ? 'a' AND {{tables.t}}.j ? 'a' AND $1`},
	{"j::interval ? 'a' AND t.set ? 'a' AND t.by /*c*/ ? --\n 'a' AND ?", "j::interval ? 'a' AND t.set ? 'a' AND t.by /*c*/ ? --\n 'a' AND $1"},
	{"j ?| array[?] AND j ?& array[?,?] AND j ?| ? AND j ?& ?", "j ?| array[$1] AND j ?& array[$2,$3] AND j ?| $4 AND j ?& $5"},
	{"j ?|array['a'] AND j?&?", "j ?|array['a'] AND j?&$1"},
	{"j @? '$.a' AND j @? ? AND j@??", "j @? '$.a' AND j @? $1 AND j@?"},
	{"j ?? 'a' AND j ??| ? AND j ??& ? AND j ?? ?", "j ? 'a' AND j ?| $1 AND j ?& $2 AND j ? $3"},
	{"j ???", "j ?$1"},
	{"a ??- b, a ??|| b", "a ?- b, a ?|| b"},
	// Data:
	{"'?' = ? AND \"?\" = ? AND E'\\'?' = ? -- ?\n AND /* ? /* ? */ ? */ ? = $$?$$ || $a$ ? $$?$$ ? $a$ || U&'?'",
		"'?' = $1 AND \"?\" = $2 AND E'\\'?' = $3 -- ?\n AND /* ? /* ? */ ? */ $4 = $$?$$ || $a$ ? $$?$$ ? $a$ || U&'?'"},
	{"<<tables.t>> WHERE a = ?", "<<tables.t>> WHERE a = $1"},
}

// reboundNot are texts without bindvars.
var reboundNot = []string{
	"", "SELECT 1", "'?'", "-- ?", "/* ? */", `"?"`, "$$ ? $$", "j ? 'a'", "j ?| a", "j ?& a", "j @? 'a'",
	"j ? 'a' AND b = $1", "a = $1 AND b = ?", "? = $1", "j ?? $1", "SELECT $1",
}

func TestRebind(t *testing.T) {
	t.Parallel()
	for _, tt := range rebound {
		if got := named.Rebind(tt[0]); got != tt[1] {
			t.Errorf("%q:\n got %q\nwant %q", tt[0], got, tt[1])
		}
		if got := named.Rebind(tt[1]); strings.Contains(tt[1], "$1") && got != tt[1] {
			t.Errorf("again, %q becomes %q", tt[1], got)
		}
	}
	for _, text := range reboundNot {
		if got := named.Rebind(text); got != text || unsafe.StringData(got) != unsafe.StringData(text) {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}
