package named_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/named"
	"github.com/pgdbm/pgdbm/internal/sqllex"
)

func FuzzParse(f *testing.F) {
	for _, tt := range parameters {
		f.Add(tt.text)
	}
	for _, text := range untouched {
		f.Add(text)
	}
	f.Fuzz(checkParse)
}

func FuzzRebind(f *testing.F) {
	for _, tt := range rebound {
		f.Add(tt[0])
	}
	for _, text := range reboundNot {
		f.Add(text)
	}
	f.Fuzz(checkRebind)
}

// words are what TestRandomTokens makes texts of.
var words = strings.Split(`:a :a :b.c :_ :ä ::int :: : := ? ? ?? ?| ?& @? ?|| $1 a b.c j 1 1.5 'x' ':a' '?' ' " "c" ":a" E'\' U&"?" `+
	`( ) [ ] , . ; -- /* */ $$ $x$ $ {{tables.t}} <<tables.t>> {{ << || && & | @ - = + and limit select values in like end json_object( 😀`, " ")

// TestRandomTokens checks what the fuzz targets do with texts that look more like SQL.
func TestRandomTokens(t *testing.T) {
	t.Parallel()
	const texts, seed = 50_000, 1
	for i := range uint64(texts) {
		r := rand.New(rand.NewPCG(seed, i))
		text := ""
		for range 1 + r.IntN(12) {
			text += words[r.IntN(len(words))] + []string{"", "", " ", "\n"}[r.IntN(4)]
		}
		checkParse(t, text)
		checkRebind(t, text)
		if t.Failed() {
			t.Fatalf("seed %d, %d", seed, i)
		}
	}
}

// checkParse checks what holds whatever the text.
func checkParse(t *testing.T, text string) {
	t.Helper()
	q, err := named.Parse(text)
	if err != nil {
		if len(numbersIn(text)) == 0 && !strings.Contains(text, "$") || !strings.Contains(text, ":") {
			t.Errorf("%q: %v", text, err)
		}
		return
	}
	sql, names := q.SQL(), q.Names()
	if len(names) == 0 {
		if sql != text && !strings.Contains(text, "::::") {
			t.Errorf("%q has no names and becomes %q", text, sql)
		}
		return
	}
	if slices.Contains(names, "") {
		t.Errorf("%q has the names %q", text, names)
	}
	next := 1
	back := replaceParams(sql, func(n int) string {
		if n != next {
			t.Errorf("%q becomes %q, where $%d follows $%d", text, sql, n, next-1)
		}
		next = n + 1
		return ":" + names[min(n, len(names))-1]
	})
	if next != len(names)+1 || withoutSpaces(back) != withoutSpaces(text) && !strings.Contains(text, "::::") {
		t.Errorf("%q becomes %q %q, and that is %q", text, sql, names, back)
	}
	if again, err := named.Parse(sql); (err != nil || again.SQL() != sql) && !strings.Contains(text, "::::") {
		t.Errorf("%q becomes %q, and that %q, %v", text, sql, again.SQL(), err)
	}
}

// checkRebind compares what Rebind and In take for bindvars, and checks the rest of the text.
func checkRebind(t *testing.T, text string) {
	t.Helper()
	sql := named.Rebind(text)
	if len(numbersIn(text)) > 0 {
		if sql != text {
			t.Errorf("%q becomes %q", text, sql)
		}
		return
	}
	numbers := numbersIn(sql)
	for i, n := range numbers {
		if n != i+1 {
			t.Errorf("%q becomes %q", text, sql)
		}
	}
	args := make([]any, len(numbers))
	for i := range args {
		args[i] = []int{1, 2}
	}
	expanded, flat, err := named.In(text, args...)
	if err != nil || len(flat) != 2*len(args) || len(numbersIn(named.Rebind(expanded))) != 2*len(args) {
		t.Errorf("%q has %d bindvars and becomes %q with %d arguments, %v", text, len(args), expanded, len(flat), err)
	}
	if _, _, err := named.In(text, append(args, []int{1})...); err == nil {
		t.Errorf("In(%q) takes %d slices", text, len(args)+1)
	}
	back := replaceParams(sql, func(int) string { return "?" })
	if !strings.Contains(text, "??") && withoutSpaces(back) != withoutSpaces(text) {
		t.Errorf("%q becomes %q, and that is %q", text, sql, back)
	}
}

func withoutSpaces(s string) string { return strings.ReplaceAll(s, " ", "") }

// numbersIn returns the 1 of each $1.
func numbersIn(text string) (numbers []int) {
	replaceParams(text, func(n int) string {
		numbers = append(numbers, n)
		return ""
	})
	return numbers
}

// replaceParams replaces each $1.
func replaceParams(text string, by func(n int) string) string {
	out, copied := "", 0
	lex := sqllex.Lexer{Text: text}
	for t := lex.Next(); t.Kind != sqllex.EOF; t = lex.Next() {
		if t.Kind == sqllex.Param {
			n, _ := strconv.Atoi(text[t.Start+1 : t.End])
			out += text[copied:t.Start] + by(n)
			copied = t.End
		}
	}
	return out + text[copied:]
}
