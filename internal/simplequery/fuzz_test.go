package simplequery_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/pgdbm/pgdbm/internal/simplequery"
	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// token is what a token of a text says.
type token struct {
	kind sqllex.Kind
	text string
}

func isLiteral(k sqllex.Kind) bool {
	return k == sqllex.String || k == sqllex.EscapeString || k == sqllex.PrefixString
}

// FuzzInterpolate makes sure that an argument stays one literal, whatever is in it, and that all else in the text stays
// what it is.
func FuzzInterpolate(f *testing.F) {
	for _, piece := range pieces {
		f.Add("SELECT "+piece+" + $1", `it's \`, "/*")
	}
	m := pgtype.NewMap()
	f.Fuzz(func(t *testing.T, sql, first, second string) {
		args := []any{first, second, nil}
		got, err := simplequery.Interpolate(m, sql, args)
		if err != nil {
			return
		}
		want, ok := expected(sql, first, second)
		if !ok {
			return
		}
		l := sqllex.Lexer{Text: got}
		for i := 0; ; i++ {
			tok := l.Next()
			if i == len(want) {
				if tok.Kind != sqllex.EOF {
					t.Errorf("%q becomes %q", sql, got)
				}
				return
			}
			if (token{tok.Kind, got[tok.Start:tok.End]}) != want[i] {
				t.Fatalf("%q becomes %q, whose token %d should be %v", sql, got, i, want[i])
			}
		}
	})
}

// expected returns the tokens of sql with arguments. It returns false if a literal or a parameter stands beside
// another, which PostgreSQL refuses with parameters, and could read as one literal without them.
func expected(sql, first, second string) (tokens []token, ok bool) {
	literals := []token{{sqllex.String, quote(first)}, {sqllex.String, quote(second)}, {sqllex.Word, "null"}}
	l := sqllex.Lexer{Text: sql}
	after := false
	for t := l.Next(); t.Kind != sqllex.EOF; t = l.Next() {
		next := token{t.Kind, sql[t.Start:t.End]}
		if t.Kind == sqllex.Param {
			n, end := sqllex.ParamNumber(sql, t)
			next = literals[n-1]
			l.Seek(end)
		}
		literal := isLiteral(next.kind)
		if after && literal {
			return nil, false
		}
		after = literal
		tokens = append(tokens, next)
	}
	return tokens, true
}

// quote doubles the quotes.
func quote(s string) string {
	text := "'"
	for _, c := range []byte(s) {
		if c == '\'' {
			text += "'"
		}
		text += string([]byte{c})
	}
	return text + "'"
}
