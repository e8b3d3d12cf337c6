package sqllex_test

import (
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// FuzzLexer checks what every caller relies on, whatever the text: tokens lie in the text, in order, without
// overlapping; only white space and comments are between them; Skim gives a part of what Next gives.
func FuzzLexer(f *testing.F) {
	for _, tt := range boundaries {
		f.Add(tt.text)
	}
	filter := sqllex.NewWordFilter("of", "set_config", "e", "do")
	f.Fuzz(func(t *testing.T, text string) {
		next := sqllex.Lexer{Text: text}
		skim := next
		want := skim.Skim(filter)
		end := 0
		for token := next.Next(); token.Kind != sqllex.EOF; token = next.Next() {
			if token.Start < end || token.End <= token.Start || token.End > len(text) {
				t.Fatalf("token %v follows the byte %d of %q", token, end, text)
			}
			checkGap(t, text[end:token.Start])
			end = token.End
			checkToken(t, text, token)
			if token == want {
				checkPrev(t, &skim, &next)
				want = skim.Skim(filter)
			} else if token.Kind < sqllex.Number && token.Kind != sqllex.Word {
				t.Fatalf("Skim passes over %v of %q and finds %v", token, text, want)
			}
		}
		if want.Kind != sqllex.EOF || want.Start != len(text) {
			t.Fatalf("Skim finds %v, Next does not, in %q", want, text)
		}
	})
}

// checkGap makes sure that what stands between two tokens is white space and comments.
func checkGap(t *testing.T, gap string) {
	for gap = strings.TrimLeft(gap, " \t\n\r\f\v"); gap != ""; gap = strings.TrimLeft(gap, " \t\n\r\f\v") {
		switch {
		case strings.HasPrefix(gap, "--"):
			n := strings.IndexAny(gap, "\r\n")
			if n < 0 {
				return
			}
			gap = gap[n:]
		case strings.HasPrefix(gap, "/*"):
			return // it may hold anything; the table has its ends
		default:
			t.Fatalf("%q is passed over", gap)
		}
	}
}

func checkToken(t *testing.T, text string, token sqllex.Token) {
	source := text[token.Start:token.End]
	switch token.Kind {
	case sqllex.DollarString:
		tag, start, end, closed := sqllex.DollarBody(text, token)
		if start < token.Start || end < start || end > token.End || !strings.HasPrefix(source, tag) {
			t.Fatalf("DollarBody of %q: tag %q, bounds %d, %d in %v", text, tag, start, end, token)
		}
		if whole := tag + text[start:end] + tag; closed && whole != source {
			t.Fatalf("DollarBody makes %q of %q", whole, source)
		}
		if strings.Contains(text[start:end], tag) {
			t.Fatalf("the body of %q contains its tag", source)
		}
	case sqllex.Word:
		for i := range len(source) {
			if !sqllex.IsWordByte(source[i]) {
				t.Fatalf("a word %q", source)
			}
		}
	case sqllex.Punct, sqllex.Semicolon:
		if len(source) != 1 {
			t.Fatalf("a sign %q", source)
		}
	}
}

// checkPrev compares what two lexers, which returned the same token, know about what was before it.
func checkPrev(t *testing.T, skim, next *sqllex.Lexer) {
	prev, prev2 := skim.Prev()
	if a, b := next.Prev(); a != prev || b != prev2 {
		t.Fatalf("Prev after Skim is %q, %q, after Next %q, %q in %q", prev, prev2, a, b, skim.Text)
	}
}
