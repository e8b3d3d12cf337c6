package named

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// scanner finds the parameters of a text, from left to right.
type scanner struct {
	lex  sqllex.Lexer
	seen tail
	open []bool // the open brackets: whether PostgreSQL has a use for a colon in them
}

// next returns the next parameter: $1, or :name, and then named is true. After the last one it returns EOF.
func (s *scanner) next() (t sqllex.Token, named bool) {
	text := s.lex.Text
	for {
		t = s.lex.Next()
		if t.Kind == sqllex.Punct {
			switch text[t.Start] {
			case '[':
				s.open = append(s.open, true)
			case '(':
				s.open = append(s.open, s.opensJSON())
			case ']', ')':
				s.open = s.open[:max(len(s.open)-1, 0)]
			case ':':
				t.End, named = s.colon(t.Start)
				s.lex.Seek(t.End)
			}
		}
		if named {
			t.Kind = sqllex.Param
		}
		s.seen.push(t)
		if t.Kind == sqllex.Param || t.Kind == sqllex.EOF {
			return t, named
		}
	}
}

// opensJSON reports whether the parenthesis that was just read is that of JSON_OBJECT, with its keys and colons.
func (s *scanner) opensJSON() bool {
	last := s.seen.last
	return last.Kind == sqllex.Word && sqllex.OneOf(s.lex.Text[last.Start:last.End], "json_object", "json_objectagg")
}

// colon returns where the parameter ends that starts with the colon at start, or, if it is none, where PostgreSQL's
// own token does.
func (s *scanner) colon(start int) (end int, named bool) {
	rest := s.lex.Text[start+1:]
	if strings.HasPrefix(rest, ":") {
		return start + 2, false // a cast
	}
	if n := len(s.open); n > 0 && s.open[n-1] && s.seen.last.End == start && s.seen.endsOperand(s.lex.Text) {
		return start + 1, false
	}
	n := nameLen(rest)
	return start + 1 + n, n > 0
}

// nameLen returns the length of the name that s starts with, 0 if there is none.
func nameLen(s string) int {
	if r, _ := utf8.DecodeRuneInString(s); r != '_' && !unicode.IsLetter(r) {
		return 0
	}
	for i, r := range s {
		if r == '.' {
			r, _ = utf8.DecodeRuneInString(s[i+1:])
		}
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return i
		}
	}
	return len(s)
}
