package sqlsplit

import (
	"strings"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// closed reports whether the token with which the text ends has an end of its own. If not, it takes whatever follows.
func closed(token string) bool {
	lex := sqllex.Lexer{Text: token + ";"}
	return lex.Next().End == len(token)
}

// openLiteral says what is wrong with a token that is not closed.
func openLiteral(kind sqllex.Kind) string {
	switch kind {
	case sqllex.DollarString:
		return "the dollar-quoted string is never closed"
	case sqllex.QuotedIdent, sqllex.UnicodeIdent:
		return "the quoted identifier is never closed"
	}
	return "the string is never closed"
}

// checkComment returns an error if the text ends within a block comment. From the offset from on there are only white
// space and comments.
func (s *splitter) checkComment(from int) error {
	for i := from; i < len(s.text); {
		rest := s.text[i:]
		switch {
		case strings.HasPrefix(rest, "--"):
			n := strings.IndexAny(rest, "\r\n")
			if n < 0 {
				return nil
			}
			i += n
		case strings.HasPrefix(rest, "/*"):
			n := commentLen(rest)
			if n < 0 {
				return newError(s.text, i, "", "the comment is never closed; comments nest, so that each /* needs its */")
			}
			i += n
		default:
			i++
		}
	}
	return nil
}

// commentLen returns the length of the block comment at the start of s, and -1 if it has no end.
func commentLen(s string) int {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch s[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}
