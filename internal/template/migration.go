package template

import (
	"strings"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// The text of a migration was written by people and holds no user data, so literals and dollar quotes may have
// templates too. What a literal is for is not known: it can be SQL, a name, JSON, or English. So its inside is not
// read as SQL; each template in it becomes what it becomes in SQL, quoted for the literal, and the rest stays.

// lookahead is how many bytes behind a template inside a literal matter: more than the longest name and cast.
const lookahead = 256

// literal is a string of a migration, or another stretch of it that is no SQL.
type literal struct {
	place  place
	escape byte         // see hole
	open   int          // where it begins, its prefix included
	first  int          // its inside
	last   int          // the end of its inside
	after  sqllex.Lexer // what follows it
	done   int          // the end of the last template in it
	coded  int          // the last escape character in it
	quotes int          // how many quotes there were so far inside
	inner  bool         // there may have been an E'...' among them
	dollar bool         // there was a $, so there may have been a dollar quote
}

// migrates reports whether the text is a migration's.
func (p *parser) migrates() bool { return p.stmt.syntax&Migration != 0 }

// anyLiteral reads a literal of a migration, whatever its prefix. B'...' and X'...' can hold no name.
func (p *parser) anyLiteral(t sqllex.Token) error {
	source := p.text(t)
	if !strings.Contains(source, "{{") && !strings.Contains(source, "<<") {
		return nil
	}
	quote := t.Start + strings.IndexByte(source, '\'')
	in := literal{place: inLiteral, open: t.Start, first: quote + 1, last: t.End - 1, after: p.lex}
	switch prefix := source[0] | 0x20; {
	case t.Kind == sqllex.EscapeString:
		in.escape = '\\'
	case t.Kind == sqllex.PrefixString && prefix == 'u':
		in.escape = unicodeEscape(p.lex)
	case t.Kind == sqllex.PrefixString && prefix != 'n':
		return nil
	}
	parts, closed := literalParts(p.lex.Text[:t.End], quote, t.Kind == sqllex.EscapeString)
	if !closed {
		return p.unclosed(quote+1, t.End)
	}
	for _, part := range parts {
		if err := p.scan(&in, part.start, part.end); err != nil {
			return err
		}
	}
	return nil
}

// unicodeEscape returns the escape character of a U&'...' before l.
func unicodeEscape(l sqllex.Lexer) byte {
	t := l.Next()
	if t.Kind == sqllex.Word && sqllex.Equal(l.Text[t.Start:t.End], "uescape") {
		if t = l.Next(); t.Kind == sqllex.String && t.End-t.Start == len("'!'") {
			return l.Text[t.Start+1]
		}
	}
	return '\\'
}

// span is a part of the text.
type span struct{ start, end int }

// literalParts returns the insides of the lines of a literal, whose first quote is text[quote] and which reaches to
// the end of the text, and whether its last quote is there. Backslashes says that they escape a quote.
func literalParts(text string, quote int, backslashes bool) (parts []span, closed bool) {
	for quote < len(text) {
		i := quote + 1
		for i < len(text) && (text[i] != '\'' || strings.HasPrefix(text[i+1:], "'")) {
			if text[i] == '\'' || backslashes && text[i] == '\\' {
				i++
			}
			i++
		}
		if i >= len(text) {
			return parts, false
		}
		parts = append(parts, span{quote + 1, i})
		for quote = i + 1; quote < len(text) && text[quote] != '\''; quote++ {
			if strings.HasPrefix(text[quote:], "--") {
				quote += strings.IndexAny(text[quote:], "\r\n") // there is one, because the literal goes on
			}
		}
	}
	return parts, true
}

// unclosed reads what follows a quote that is not closed. In a dollar-quoted string it may be an apostrophe; elsewhere
// PostgreSQL cannot run it.
func (p *parser) unclosed(start, end int) error {
	if !p.migrates() || p.depth == 0 {
		return nil
	}
	return p.prose(literal{place: inText, open: start, first: start, last: end, after: sqllex.At(p.lex.Text, end)})
}

// prose reads what is neither SQL nor a literal.
func (p *parser) prose(in literal) error { return p.scan(&in, in.first, in.last) }

// scan looks for the templates in a part of a literal.
func (p *parser) scan(in *literal, start, end int) (err error) {
	text := p.lex.Text[:end]
	for i := start; i < end && err == nil; {
		switch c := text[i]; {
		case in.escape != 0 && c == in.escape: // E'\{{schema}}' is no template
			if strings.HasPrefix(text[i+1:], "'") {
				in.quote(text, i)
			}
			in.coded = i
			i += 2
		case in.place == inLiteral && c == '\'':
			in.quote(text, i)
			i += 2
		case opens(text[i:]):
			i, err = p.inside(in, text, start, i)
		default:
			in.dollar = in.dollar || c == '$' && in.place == inLiteral
			i++
		}
	}
	return err
}

// quote counts the quote at text[i] that is part of the literal's value. Which of them stand in an E'...' within the
// literal depends on backslashes, so behind one that may begin it the count says nothing.
func (in *literal) quote(text string, i int) {
	in.quotes++
	in.inner = in.inner || text[i-1]|0x20 == 'e'
}

// inside reads the {{ or << at text[i], in the part of a literal that begins at start and ends with the text. It
// returns where to go on.
func (p *parser) inside(in *literal, text string, start, i int) (next int, err error) {
	m, n, ok := match(text[i:])
	switch {
	case text[i] == '<' && (!ok || p.stmt.syntax&Braces != 0), !ok && !p.isMisspelt(in, text, i):
		p.stmt.mayNest = true
		return i + 1, nil
	case !ok:
		return 0, explain(text, i)
	case in.escape == '\\' && isOpenHex(text[max(in.coded, start):i]):
		return 0, newError(text, i, i+n, `it would become part of the \x before it; write two digits there`, "")
	}
	h := hole{start: i, end: i + n, schema: m.schema, table: m.table, place: in.place, escape: in.escape}
	switch {
	case in.inner:
		h.refused = `'\`
	case in.quotes%2 == 1:
		h.refused = "'"
	}
	if in.dollar {
		h.refused += "$"
	}
	switch {
	case i > max(start, in.done) && text[i-1] == '"' && strings.HasPrefix(text[h.end:], `"`):
		h.start, h.end, h.quoted = i-1, h.end+1, true
		if m.isSchema {
			h.kind = holeSchema
		}
	case m.isSchema && in.isValue(text, start, h):
		h.kind = holeName
	case m.isSchema:
		h.qualify(text[:min(len(text), h.end+lookahead)])
	}
	in.done = h.end
	return h.end, p.record(h)
}

// isValue reports whether {{schema}} at h is a literal by itself, or a literal within the literal as in
//
//	EXECUTE 'SELECT count(*) FROM pg_namespace WHERE nspname = ''{{schema}}'''
//
// Such a literal is a value, which is compared with a catalog or handed to format's %I, so it is the name without
// quotes; except where PostgreSQL reads it as an identifier.
func (in *literal) isValue(text string, start int, h hole) bool {
	before, after := in.open, in.after
	if h.start != in.first || h.end != in.last {
		rest := text[h.end:]
		if in.escape == '\\' {
			rest = strings.TrimPrefix(rest, `\`)
		}
		if in.quotes%2 == 0 || h.start == start || text[h.start-1] != '\'' || !strings.HasPrefix(rest, "'") {
			return false
		}
		rest = strings.TrimLeft(rest, `'\`)
		before, after = h.start, sqllex.At(rest[:min(len(rest), lookahead)], 0)
	}
	return !isIdentifier(text[:before], after)
}

// isIdentifier reports whether PostgreSQL reads the value of a literal as an identifier, given what stands before and
// behind it.
func isIdentifier(before string, after sqllex.Lexer) bool {
	if castToReg(after) || endsWith(before, "regnamespace") || endsWith(before, "to_regnamespace", "(") ||
		endsWith(before, "set_config", "(", "search_path", ",") {
		return true
	}
	as := after.Next()
	return endsWith(before, "cast", "(") && sqllex.Equal(after.Text[as.Start:as.End], "as") && regType(after)
}

// endsWith reports whether text ends with the tokens, with nothing but blanks, quotes and backslashes in between. It
// does not see that they stand in a comment, which matters to nobody.
func endsWith(text string, tokens ...string) bool {
	for i := len(tokens) - 1; i >= 0; i-- {
		text = strings.TrimRight(text, " \t\r\n'\\")
		start := len(text) - len(tokens[i])
		if start < 0 || !sqllex.Equal(text[start:], tokens[i]) {
			return false
		}
		text = text[:start]
	}
	return text == "" || !sqllex.IsWordByte(text[len(text)-1])
}

// isOpenHex reports whether s is \x or \x4, which a hexadecimal digit would continue.
func isOpenHex(s string) bool {
	digits, ok := strings.CutPrefix(s, `\x`)
	return ok && len(digits) < 2 && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
}

// isMisspelt is the function of that name for a literal, which is no template either if it is cast to an array.
func (p *parser) isMisspelt(in *literal, text string, i int) bool {
	return isMisspelt(text[i:]) && !castToArray(in.after)
}

// castToArray reports whether ::text[] or its like follows.
func castToArray(l sqllex.Lexer) bool {
	if !l.SkipCast() {
		return false
	}
	t := l.Next()
	for t.Kind == sqllex.Word || t.Kind == sqllex.QuotedIdent || t.Kind == sqllex.Punct && l.Text[t.Start] == '.' {
		t = l.Next()
	}
	return t.Kind == sqllex.Punct && l.Text[t.Start] == '['
}
