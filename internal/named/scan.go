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

// found is what the scanner stops at.
type found uint8

const (
	foundNothing found = iota
	foundNumber        // $1
	foundName          // :name
	foundEscape        // ::::, which is how sqlx's users write the cast ::
)

// next returns the next thing that is found. After the last one the token is EOF.
func (s *scanner) next() (t sqllex.Token, what found) {
	text := s.lex.Text
	for {
		t, what = s.lex.Next(), foundNothing
		if t.Kind == sqllex.Punct {
			switch text[t.Start] {
			case '[':
				s.open = append(s.open, true)
			case '(':
				s.open = append(s.open, s.opensJSON())
			case ']', ')':
				s.open = s.open[:max(len(s.open)-1, 0)]
			case ':':
				t.End, what = s.colon(t.Start)
				s.lex.Seek(t.End)
			}
		}
		switch {
		case what == foundName:
			t.Kind = sqllex.Param
		case t.Kind == sqllex.Param:
			what = foundNumber
		}
		s.seen.push(t)
		if what != foundNothing || t.Kind == sqllex.EOF {
			return t, what
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
func (s *scanner) colon(start int) (end int, what found) {
	rest := s.lex.Text[start+1:]
	switch {
	case strings.HasPrefix(rest, ":::"):
		return start + 4, foundEscape
	case strings.HasPrefix(rest, ":"):
		return start + 2, foundNothing // a cast
	}
	if n := len(s.open); n > 0 && s.open[n-1] && s.seen.last.End == start && s.seen.endsOperand(s.lex.Text) {
		return start + 1, foundNothing
	}
	if n := nameLen(rest); n > 0 {
		return start + 1 + n, foundName
	}
	return start + 1, foundNothing
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
