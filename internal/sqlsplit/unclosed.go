package sqlsplit

import "github.com/pgdbm/pgdbm/internal/sqllex"

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
		end, closed, ok := sqllex.Comment(s.text, i)
		if !closed {
			return newError(s.text, i, "", "the comment is never closed; comments nest, so that each /* needs its */")
		}
		if i = end; !ok {
			i++
		}
	}
	return nil
}
