package sqllex_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

var kindNames = [...]string{"eof", "word", "ident", "uident", "string", "estring", "pstring", "dollar", "semicolon",
	"braces", "angles", "param", "number", "punct"}

// read returns all tokens that next gives, without the EOF.
func read(next func() sqllex.Token) (tokens []sqllex.Token) {
	for t := next(); t.Kind != sqllex.EOF; t = next() {
		tokens = append(tokens, t)
	}
	return tokens
}

// describe writes tokens as "word SELECT", "punct *" and so on.
func describe(text string, tokens []sqllex.Token) (described []string) {
	for _, t := range tokens {
		described = append(described, kindNames[t.Kind]+" "+text[t.Start:t.End])
	}
	return described
}

// boundaries lists what PostgreSQL's scanner would say about tricky texts.
var boundaries = []struct {
	text string
	want []string
}{
	{"", nil},
	{" \t\n\r\f\v", nil},
	{"SELECT _a$1 FROM t;", []string{"word SELECT", "word _a$1", "word FROM", "word t", "semicolon ;"}},

	// Comments.
	{"a -- 'x\nb", []string{"word a", "word b"}},
	{"a -- 'x\rb", []string{"word a", "word b"}},
	{"a --x\r--y\n--z", []string{"word a"}},
	{"--", nil},
	{"a-b", []string{"word a", "punct -", "word b"}},
	{"/*/*/ */ */a", []string{"word a"}},
	{"/* /* x */ 'y' */a", []string{"word a"}},
	{"/***/a/**/b", []string{"word a", "word b"}},
	{"/* **/a", []string{"word a"}},
	{"/*/a", nil},
	{"/* /* */ a", nil},
	{"/*", nil},
	{"/* -- */a", []string{"word a"}},
	{"-- /*\na", []string{"word a"}},
	{"'/*'a", []string{"string '/*'", "word a"}},
	{"//**/a", []string{"punct /", "word a"}},

	// Comments end an operator.
	{"1+--x\n2", []string{"number 1", "punct +", "number 2"}},
	{"1*/*x*/2", []string{"number 1", "punct *", "number 2"}},
	{"1<--x\n2", []string{"number 1", "punct <", "number 2"}},
	{"1@-/*'*/2", []string{"number 1", "punct @", "punct -", "number 2"}},

	// Strings.
	{"'it''s'", []string{"string 'it''s'"}},
	{`'a\'b`, []string{`string 'a\'`, "word b"}},
	{"''''", []string{"string ''''"}},
	{"'a' 'b'", []string{"string 'a'", "string 'b'"}},
	{"'a'\n'b'", []string{"string 'a'\n'b'"}},
	{"'a'\r'b'", []string{"string 'a'\r'b'"}},
	{"'a' \t-- x ' y\n  -- z\n 'b' c", []string{"string 'a' \t-- x ' y\n  -- z\n 'b'", "word c"}},
	{"'a' -- x\r'b' c", []string{"string 'a' -- x\r'b'", "word c"}},
	{"'a' /* x */\n'b'", []string{"string 'a'", "string 'b'"}},
	{"'a'\n/* x */ 'b'", []string{"string 'a'", "string 'b'"}},
	{"'a'\n-- 'b'", []string{"string 'a'"}},
	{"'a'\n- 'b'", []string{"string 'a'", "punct -", "string 'b'"}},
	{"'a'\nE'b'", []string{"string 'a'", "estring E'b'"}},
	{"'abc", []string{"string 'abc"}},
	{"'abc''", []string{"string 'abc''"}},
	{"'a'\n'b", []string{"string 'a'\n'b"}},

	// E'...', in which backslashes count, also on the lines that continue it.
	{`E'a\'b' c`, []string{`estring E'a\'b'`, "word c"}},
	{`e'a''b\\' c`, []string{`estring e'a''b\\'`, "word c"}},
	{"E'a'\n'\\'b' c", []string{"estring E'a'\n'\\'b'", "word c"}},
	{"E'a' -- x\n '\\'b' c", []string{"estring E'a' -- x\n '\\'b'", "word c"}},
	{`E'a' '\'b`, []string{"estring E'a'", `string '\'`, "word b"}},
	{"E 'a'", []string{"word E", "string 'a'"}},
	{`E'a\'`, []string{`estring E'a\'`}},
	{`E'a\`, []string{`estring E'a\`}},
	{`fooE'x\'y`, []string{"word fooE", `string 'x\'`, "word y"}},
	{`_e'x\'y`, []string{"word _e", `string 'x\'`, "word y"}},
	{`äe'x\'y`, []string{"word äe", `string 'x\'`, "word y"}},
	{`$e'x\'y`, []string{"punct $", `estring e'x\'y`}},

	// Other prefixes, which know no backslashes.
	{`B'01' b'1'`, []string{"pstring B'01'", "pstring b'1'"}},
	{`X'fF' x''`, []string{"pstring X'fF'", "pstring x''"}},
	{`N'a\'`, []string{`pstring N'a\'`}},
	{"n'a'\n'b'", []string{"pstring n'a'\n'b'"}},
	{`U&'a\0041' u&'b'`, []string{`pstring U&'a\0041'`, "pstring u&'b'"}},
	{"U&'a'\n'b\\' c", []string{"pstring U&'a'\n'b\\'", "word c"}},
	{"U &'a'", []string{"word U", "punct &", "string 'a'"}},
	{"U& 'a'", []string{"word U", "punct &", "string 'a'"}},
	{"xU&'a'", []string{"word xU", "punct &", "string 'a'"}},
	{"y'a'", []string{"word y", "string 'a'"}},
	{`ex'a\'b`, []string{"word ex", `string 'a\'`, "word b"}},
	{"ux&'a'", []string{"word ux", "punct &", "string 'a'"}},

	// Quoted identifiers.
	{`"a""b"."c"`, []string{`ident "a""b"`, "punct .", `ident "c"`}},
	{`"a\"b`, []string{`ident "a\"`, "word b"}},
	{"\"a\"\n\"b\"", []string{`ident "a"`, `ident "b"`}},
	{`"it's" '`, []string{`ident "it's"`, "string '"}},
	{`U&"d\0061""t" u&"x`, []string{`uident U&"d\0061""t"`, `uident u&"x`}},
	{`E"a"`, []string{"word E", `ident "a"`}},
	{`"a`, []string{`ident "a`}},

	// Dollar quotes.
	{"$$a'b$$c", []string{"dollar $$a'b$$", "word c"}},
	{"$tag$ $$ $tag $TAG$ $tagg$ $tag$ x", []string{"dollar $tag$ $$ $tag $TAG$ $tagg$ $tag$", "word x"}},
	{"$a$b$a$a$", []string{"dollar $a$b$a$", "word a$"}},
	{"$a$$b$a$ x", []string{"dollar $a$$b$a$", "word x"}},
	{"$ä_1$x$ä_1$", []string{"dollar $ä_1$x$ä_1$"}},
	{"a$x$", []string{"word a$x$"}},
	{"a$$b$$", []string{"word a$$b$$"}},
	{"1$$x$$", []string{"number 1", "dollar $$x$$"}},
	{"$1", []string{"param $1"}},
	{"$12+$3", []string{"param $12", "punct +", "param $3"}},
	{"$1$$x$$", []string{"param $1", "dollar $$x$$"}},
	{"$1a$ x", []string{"param $1a", "punct $", "word x"}},
	{"$ a$", []string{"punct $", "word a$"}},
	{"$a b$", []string{"punct $", "word a", "word b$"}},
	{"$", []string{"punct $"}},
	{"$a", []string{"punct $", "word a"}},
	{"$$ x", []string{"dollar $$ x"}},
	{"$a$ x $$", []string{"dollar $a$ x $$"}},

	// Numbers.
	{"0xff 1_000 1e10 .5", []string{"number 0xff", "number 1_000", "number 1e10", "punct .", "number 5"}},
	{"1.5e+10", []string{"number 1", "punct .", "number 5e", "punct +", "number 10"}},
	{"1..2", []string{"number 1", "punct .", "punct .", "number 2"}},

	// Anything but ASCII is a letter.
	{"größe ÄE'x'", []string{"word größe", "word ÄE", "string 'x'"}},
	{"\xff\xfe a", []string{"word \xff\xfe", "word a"}},
	{"a\u00a0b", []string{"word a\u00a0b"}},
	{"a\x00b", []string{"word a", "punct \x00", "word b"}},

	// What templates begin with.
	{"{{a}}", []string{"braces {{", "word a", "punct }", "punct }"}},
	{"{ {", []string{"punct {", "punct {"}},
	{"{{{", []string{"braces {{", "punct {"}},
	{"a<<b", []string{"word a", "angles <<", "word b"}},
	{"<<<a", []string{"angles <<", "punct <", "word a"}},
	{"< <", []string{"punct <", "punct <"}},
	{"{", []string{"punct {"}},
	{"'{{' \"<<\" /*{{*/", []string{"string '{{'", `ident "<<"`}},
}

func TestNextFindsBoundaries(t *testing.T) {
	t.Parallel()
	for _, tt := range boundaries {
		l := sqllex.Lexer{Text: tt.text}
		if got := describe(tt.text, read(l.Next)); !slices.Equal(got, tt.want) {
			t.Errorf("%q:\n got %q\nwant %q", tt.text, got, tt.want)
		}
	}
}

// TestSkimReturnsWhatNextDoes: all that matters is there, with the same bounds; the rest is passed over.
func TestSkimReturnsWhatNextDoes(t *testing.T) {
	t.Parallel()
	filter := sqllex.NewWordFilter("select", "a", "e")
	for _, tt := range boundaries {
		skim := sqllex.Lexer{Text: tt.text}
		got := describe(tt.text, read(func() sqllex.Token { return skim.Skim(filter) }))
		next := sqllex.Lexer{Text: tt.text}
		want := describe(tt.text, slices.DeleteFunc(read(next.Next), func(token sqllex.Token) bool {
			return token.Kind >= sqllex.Number ||
				token.Kind == sqllex.Word && !filter.Has(tt.text[token.Start:token.End])
		}))
		if !slices.Equal(got, want) {
			t.Errorf("%q:\n got %q\nwant %q", tt.text, got, want)
		}
	}
}

func TestEndIsReturnedForEver(t *testing.T) {
	t.Parallel()
	l := sqllex.Lexer{Text: "a "}
	l.Next()
	for range 3 {
		if got := l.Next(); got != (sqllex.Token{Kind: sqllex.EOF, Start: 2, End: 2}) {
			t.Errorf("Next = %v", got)
		}
		if got := l.Skim(sqllex.NewWordFilter()); got != (sqllex.Token{Kind: sqllex.EOF, Start: 2, End: 2}) {
			t.Errorf("Skim = %v", got)
		}
	}
}

func TestCopyReadsOnIndependently(t *testing.T) {
	t.Parallel()
	l := sqllex.Lexer{Text: "a b c"}
	l.Next()
	ahead := l
	ahead.Next()
	ahead.Next()
	if got := l.Next(); l.Text[got.Start:got.End] != "b" {
		t.Errorf("Next = %v, want b", got)
	}
}

func TestAtReadsAPart(t *testing.T) {
	t.Parallel()
	text := "before $$ create x; 'y $$ after"
	_, start, end, _ := sqllex.DollarBody(text, sqllex.Token{Kind: sqllex.DollarString, Start: 7, End: 25})
	l := sqllex.At(text[:end], start)
	want := []string{"word create", "word x", "semicolon ;", "string 'y "}
	if got := describe(text, read(l.Next)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	l = sqllex.At(text[:end], start)
	l.Next()
	if prev, prev2 := l.Prev(); prev != "" || prev2 != "" {
		t.Errorf("Prev = %q, %q: from outside of the part", prev, prev2)
	}
}

func TestSeek(t *testing.T) {
	t.Parallel()
	l := sqllex.Lexer{Text: "for update of a of"}
	l.Next()
	l.Next()
	l.Seek(strings.Index(l.Text, "of"))
	l.Next()
	if prev, _ := l.Prev(); prev != "" {
		t.Errorf("Prev = %q after Seek, want nothing", prev)
	}
	l.Seek(0)
	l.Next()
	if token := l.Next(); l.Text[token.Start:token.End] != "update" {
		t.Errorf("Next = %v after Seek(0)", token)
	}
	if prev, prev2 := l.Prev(); prev != "for" || prev2 != "" {
		t.Errorf("Prev = %q, %q", prev, prev2)
	}
}

// TestPrev reads up to the word "of" with Skim, which passes over what stands before it.
func TestPrev(t *testing.T) {
	t.Parallel()
	filter := sqllex.NewWordFilter("of")
	for _, tt := range []struct{ text, prev, prev2 string }{
		{"of", "", ""},
		{"update of", "update", ""},
		{"for key share of", "share", "key"},
		{"FOR--\n/*x*/ \tUPDATE /* of */ of", "UPDATE", "FOR"},
		{"for update; of", "", ""},
		{"for, update of", "update", ""},
		{"for update 1 of", "", ""},
		{"for update 'x' of", "", ""},
		{`for "update" of`, "", ""},
		{"for $$update$$ of", "", ""},
		{"for update.of", "", ""},
		{"for $1 update of", "update", ""},
		{"e'x' for update of", "update", "for"},
	} {
		l := sqllex.Lexer{Text: tt.text}
		for token := l.Skim(filter); !sqllex.Equal(tt.text[token.Start:token.End], "of"); token = l.Skim(filter) {
			if token.Kind == sqllex.EOF {
				t.Fatalf("%q has no of", tt.text)
			}
		}
		for range 2 { // asking again changes nothing
			if prev, prev2 := l.Prev(); prev != tt.prev || prev2 != tt.prev2 {
				t.Errorf("%q: Prev = %q, %q, want %q, %q", tt.text, prev, prev2, tt.prev, tt.prev2)
			}
		}
	}
}

func TestDollarBody(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text, tag, body string
		closed          bool
	}{
		{"$$x$$", "$$", "x", true},
		{"$$$$", "$$", "", true},
		{"$$", "$$", "", false},
		{"$$$", "$$", "$", false},
		{"$a$ $$ $a$", "$a$", " $$ ", true},
		{"$a$$a$", "$a$", "", true},
		{"$a$", "$a$", "", false},
		{"$a$a$", "$a$", "a$", false},
		{"$a$ x $b$", "$a$", " x $b$", false},
	} {
		text := "x " + tt.text
		l := sqllex.Lexer{Text: text}
		l.Next()
		tag, start, end, closed := sqllex.DollarBody(text, l.Next())
		if tag != tt.tag || text[start:end] != tt.body || closed != tt.closed {
			t.Errorf("%q: tag %q, body %q, closed %v", tt.text, tag, text[start:end], closed)
		}
	}
}

// TestTimeIsLinear reads texts of which each part could make the lexer look at all the rest. With a quadratic lexer
// each of them takes half a minute or more.
func TestTimeIsLinear(t *testing.T) {
	t.Parallel()
	const size = 2 << 20
	for _, part := range []string{"of ", "--\r", "--\n", "$a ", "$", "''", "'' ", "''\n", "E''\n--\n", `"" `, "$$$$", "/**/",
		"/*", "{", "<", "1$a", "\\", "-", "-/"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			filter := sqllex.NewWordFilter("of")
			next := sqllex.Lexer{Text: strings.Repeat(part, size/len(part))}
			skim := next
			for next.Next().Kind != sqllex.EOF {
				next.Prev()
			}
			for skim.Skim(filter).Kind != sqllex.EOF {
				skim.Prev()
			}
		})
	}
}

func TestParamNumber(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]int{
		"$1":                    {1, 2},
		"$0012+":                {12, 5},
		"$3abc":                 {3, 2},
		"$2147483648":           {math.MaxInt32, 11},
		"$99999999999999999999": {math.MaxInt32, 21},
	} {
		l := sqllex.Lexer{Text: text}
		n, end := sqllex.ParamNumber(text, l.Next())
		if got := [2]int{n, end}; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
