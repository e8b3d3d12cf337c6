package named

import (
	"strings"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// Rebind writes $1, $2 and so on for the bindvars ? of a text, and ? for ??. The operators ?, ?|, ?& and @? stay. A
// text that has $1 already is PostgreSQL's own and comes back as it is, and so does one without question marks.
func Rebind(text string) string {
	marks := questionMarks(text)
	if len(marks) == 0 {
		return text
	}
	var out strings.Builder
	copied, n := 0, 0
	for _, m := range marks {
		out.WriteString(text[copied:m.start])
		if m.bindvar {
			n++
			writeParam(&out, text, m.start, m.end, n)
		} else {
			out.WriteByte('?')
		}
		copied = m.end
	}
	out.WriteString(text[copied:])
	return out.String()
}

// mark is a ? that is a bindvar, or ?? if it is none.
type mark struct {
	span
	bindvar bool
}

// questionMarks finds the bindvars, and each ??. It finds nothing in a text that has $1.
func questionMarks(text string) (marks []mark) {
	if !strings.Contains(text, "?") {
		return nil
	}
	var seen tail
	lex := sqllex.Lexer{Text: text}
	for t := lex.Next(); t.Kind != sqllex.EOF; t = lex.Next() {
		switch {
		case t.Kind == sqllex.Param:
			return nil
		case t.Kind != sqllex.Punct || text[t.Start] != '?':
		case strings.HasPrefix(text[t.End:], "?"):
			t.End++
			lex.Seek(t.End)
			marks = append(marks, mark{span{t.Start, t.End}, false})
		case isBindvar(text, seen, t, lex):
			t.Kind = sqllex.Param
			marks = append(marks, mark{span{t.Start, t.End}, true})
		}
		seen.push(t)
	}
	return marks
}

// isBindvar reports whether the question mark t is a bindvar; lex stands behind it.
func isBindvar(text string, seen tail, t sqllex.Token, lex sqllex.Lexer) bool {
	if strings.HasSuffix(text[:t.Start], "@") && !endsOperator(text[:t.Start-1]) {
		return false // @? and not the end of <@ before a bindvar
	}
	if !seen.endsOperand(text) {
		return true
	}
	next := lex.Next()
	if next.Kind == sqllex.Punct && next.Start == t.End && (text[next.Start] == '|' || text[next.Start] == '&') {
		// ?| and ?&, and not a bindvar before || or &&
		return strings.HasPrefix(text[next.End:], text[next.Start:next.End])
	}
	return !startsOperand(text, next)
}

// endsOperator reports whether the last byte of s is one that operators are made of.
func endsOperator(s string) bool {
	return s != "" && strings.IndexByte("~!@#^&|`?+-*/%<>=", s[len(s)-1]) >= 0
}
