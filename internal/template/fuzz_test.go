package template_test

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/template"
)

// fuzzSchemas are names that pass CheckSchema; a fuzzed number chooses one.
var fuzzSchemas = []string{"", plainSchema, weirdSchema, "o'brien", "$$", "a$x$b", "-- ", "/*", "}{", "<>", `\`, `"`, "\r\n", "; DO $$"}

func FuzzExpand(f *testing.F) {
	for _, table := range [][]expansion{forms, shapes, tails, bareNames, joins, regCasts, bodies} {
		for i, tt := range table {
			f.Add(tt.text, uint8(i), i%5 == 0, i%2 == 0)
		}
	}
	for i, tt := range append(migrationLiterals, migrationDollars...) {
		f.Add(tt.text, uint8(i), i%5 == 0, true)
	}
	for _, text := range data {
		f.Add("SELECT {{tables.t}}, "+text, uint8(2), false, false)
	}
	for _, text := range append(leaves, leavesNot...) {
		f.Add(text+` FROM "{{tables"."x}}"`, uint8(1), false, false)
	}
	f.Fuzz(func(t *testing.T, text string, choice uint8, braces, migration bool) {
		if len(text) > 4096 {
			return // the reference takes too long
		}
		syntax := template.Both
		if braces {
			syntax = template.Braces
		}
		if migration {
			syntax |= template.Migration
		}
		checkProperties(t, text, fuzzSchemas[int(choice)%len(fuzzSchemas)], syntax)
	})
}

// words are what TestRandomTokens makes texts of.
var words = strings.Split("{{tables.t}} {{schema}} {{schema}}. {{tables.a.b}} {{tables.e}} {{tables.user}} <<tables.t>> <<schema>> "+
	"{{tables.regclass}} {{tables.function}} {{tables.do}} \"{{tables.t}}\" \"{{tables\".\"t}}\" \"{{tables\" \"t}}\" \"{{schema}}\" "+
	"\"{{tables \"<<tables\".\"t>>\" {{ }} << >> < { '{{tables.t}}' '{{schema}}' '<<schema>>' ' '' 'a' '\\' \\ e E' u& U&' U&\" & \" "+
	"\"a\" . . , ; {{shema}} ''{{schema}}'' \\x \\x4 uescape '!' 'it' ' : :: ::regclass regclass [ ( ) - -- /* */ * / $ $$ $a$ $$a$$ 1 a tables schema create function as do "+
	"for update of rename to index using or language set_config true alter cluster constraint trigger policy loop begin then "+
	"<<schema>> on commit drop temp into $1 ,", " ")

// TestRandomTokens checks what FuzzExpand does with texts that look more like SQL.
func TestRandomTokens(t *testing.T) {
	t.Parallel()
	const texts, seed = 20_000, 1
	for i := range uint64(texts) {
		r := rand.New(rand.NewPCG(seed, i))
		text := ""
		for range 2 + r.IntN(12) {
			text += words[r.IntN(len(words))] + []string{"", "", " ", "\n"}[r.IntN(4)]
		}
		schema, syntax := fuzzSchemas[r.IntN(len(fuzzSchemas))], template.Syntax(r.IntN(4)/3)
		if i%3 == 0 {
			syntax |= template.Migration
		}
		checkProperties(t, text, schema, syntax)
		if t.Failed() {
			t.Fatalf("seed %d, %d", seed, i)
		}
	}
}

// checkProperties expands text and checks what holds whatever the text.
func checkProperties(t *testing.T, text, schema string, syntax template.Syntax) {
	t.Helper()
	sql, ok := fuzzExpand(t, text, schema, syntax)
	if !ok {
		return
	}
	if !strings.Contains(text, "{{") && !strings.Contains(text, "<<") && sql != text {
		t.Errorf("no template, and %q becomes %q", text, sql)
	}
	for _, schema := range []string{schema, ""} {
		if again, ok := fuzzExpand(t, sql, schema, syntax); !ok || again != sql {
			t.Errorf("%q becomes %q, and that becomes %q", text, sql, again)
		}
	}
	if syntax&template.Migration != 0 {
		compareComments(t, text, sql)
	} else {
		compareData(t, text, sql)
	}
	checkSource(t, text, schema, sql, syntax)
}

// compareComments makes sure that two texts have the same comments, and literals and dollar-quoted strings in the same
// places.
func compareComments(t *testing.T, before, after string) {
	t.Helper()
	a, b := dataOf(before), dataOf(after)
	if len(a) != len(b) {
		t.Errorf("%q has the data %q, and %q the data %q", before, a, after, b)
		return
	}
	for i := range a {
		isComment := strings.HasPrefix(a[i], "--") || strings.HasPrefix(a[i], "/*")
		if isComment && a[i] != b[i] || a[i][:1] != b[i][:1] || a[i][len(a[i])-1:] != b[i][len(b[i])-1:] {
			t.Errorf("%q of %q becomes %q of %q", a[i], before, b[i], after)
		}
	}
}

// fuzzExpand expands text, and checks the error if there is one.
func fuzzExpand(t *testing.T, text, schema string, syntax template.Syntax) (sql string, ok bool) {
	t.Helper()
	cache := template.NewCache(1<<20, syntax)
	cached, err := cache.Get(text, schema)
	if err == nil {
		return cached.SQL, true
	}
	var e *template.Error
	if !errors.As(err, &e) {
		t.Errorf("%q: error %v", text, err)
		return "", false
	}
	if e.Line < 1 || e.Column < 1 || e.Offset < 0 || e.Offset >= len(text) || e.Reason == "" || e.Template == "" {
		t.Errorf("%q: error %+v", text, e)
	}
	return "", false
}

// regLiteral matches what may be rewritten although it is a literal.
var regLiteral = regexp.MustCompile(`\A'(\{\{|<<)(schema|tables\.\w+(\.\w+)?)(\}\}|>>)'\z`)

// compareData makes sure that two texts have the same literals, comments and dollar-quoted strings. Where a
// dollar-quoted string is a body, it compares what is in it.
func compareData(t *testing.T, before, after string) {
	t.Helper()
	a, b := dataOf(before), dataOf(after)
	if len(a) != len(b) {
		t.Errorf("%q has the data %q, and %q the data %q", before, a, after, b)
		return
	}
	for i := range a {
		switch tag := referenceTag.FindString(a[i]); {
		case a[i] == b[i] || regLiteral.MatchString(a[i]):
		case tag == "" || len(a[i]) < 2*len(tag) || !strings.HasPrefix(b[i], tag) || !strings.HasSuffix(b[i], tag):
			t.Errorf("%q of %q becomes %q of %q", a[i], before, b[i], after)
		default:
			if !regexp.MustCompile(`(?i)\b(do|function|procedure)\b`).MatchString(before) {
				t.Errorf("%q becomes %q without a body", before, after)
			}
			compareData(t, a[i][len(tag):len(a[i])-len(tag)], b[i][len(tag):len(b[i])-len(tag)])
		}
	}
}
