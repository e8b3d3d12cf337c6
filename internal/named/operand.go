package named

import "github.com/pgdbm/pgdbm/internal/sqllex"

// tail is the two tokens read last. A parameter that was found among them has the kind sqllex.Param.
type tail struct{ before, last sqllex.Token }

func (p *tail) push(t sqllex.Token) { p.before, p.last = p.last, t }

// endsOperand reports whether an operand ends with the last token, so that an operator has to follow.
func (p *tail) endsOperand(text string) bool {
	switch p.last.Kind {
	case sqllex.Word:
		return p.before.Kind == sqllex.Punct && isName(text[p.before.Start]) ||
			!expectsOperand(text[p.last.Start:p.last.End])
	case sqllex.Punct:
		return text[p.last.Start] == ')' || text[p.last.Start] == ']'
	case sqllex.EOF, sqllex.Semicolon, sqllex.Braces, sqllex.Angles:
		return false
	}
	return true
}

// isName reports whether a word after the byte c is a name, even if it is spelt like a keyword: t.limit, x::interval.
func isName(c byte) bool { return c == '.' || c == ':' }

// expectsOperand reports whether word is a keyword that can have an operand behind it. Keywords that are often names
// of columns are left out, such as zone and first: what follows the operand tells what is meant.
func expectsOperand(word string) bool {
	return sqllex.OneOf(word, "all", "and", "any", "asymmetric", "between", "both", "by", "case", "distinct", "else",
		"except", "for", "from", "having", "ilike", "in", "intersect", "interval", "is", "leading", "like", "limit", "not",
		"offset", "on", "or", "placing", "return", "returning", "select", "set", "similar", "some", "symmetric", "then",
		"to", "trailing", "union", "using", "values", "variadic", "when", "where")
}

// startsOperand reports whether t can be the first token of an operand.
func startsOperand(text string, t sqllex.Token) bool {
	switch t.Kind {
	case sqllex.Word:
		return !followsOperand(text[t.Start:t.End])
	case sqllex.Punct:
		return text[t.Start] == '(' || text[t.Start] == '?'
	case sqllex.EOF, sqllex.Semicolon, sqllex.Angles:
		return false
	}
	return true
}

// followsOperand reports whether word is a keyword that stands behind an operand rather than at its start.
func followsOperand(word string) bool {
	return sqllex.OneOf(word, "and", "as", "asc", "at", "between", "collate", "cross", "desc", "do", "else", "end",
		"escape", "except", "fetch", "following", "for", "from", "full", "group", "having", "ilike", "in", "inner",
		"intersect", "into", "is", "isnull", "join", "left", "like", "limit", "natural", "not", "notnull", "offset", "on",
		"only", "or", "order", "overlaps", "placing", "preceding", "returning", "right", "row", "rows", "set", "similar",
		"then", "union", "using", "values", "when", "where", "window", "with")
}
