package template

import (
	"fmt"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// template reads a template in SQL, at its {{ or <<. Bare says that no qualified name may stand here.
func (p *parser) template(t sqllex.Token, bare bool) error {
	m, n, ok := match(p.lex.Text[t.Start:])
	switch {
	case t.Kind == sqllex.Angles && (!ok || p.stmt.syntax&Braces != 0), !ok && p.loose && !isMisspelt(p.lex.Text[t.Start:]):
		p.lex.Seek(t.Start + 1) // in a<<<tables.t>>.n the template starts at the second <
		p.stmt.mayNest = true
		return nil
	case !ok:
		return explain(p.lex.Text, t.Start)
	case t.Kind == sqllex.Angles && m.isSchema && p.isLabel(t.Start+n):
		p.lex.Seek(t.Start + n)
		p.stmt.mayNest = true // with another word before it, it would be a template
		return nil
	}
	h := hole{start: t.Start, end: t.Start + n, bare: bare, schema: m.schema, table: m.table}
	if m.isSchema {
		h.qualify(p.lex.Text)
	}
	return p.place(h)
}

// isLabel tells a label of PL/pgSQL from a <<schema>> that ends at end. A label begins a statement in the body of a
// routine, and a loop or a block follows it.
func (p *parser) isLabel(end int) bool {
	if !p.code {
		return false
	}
	ahead := sqllex.At(p.lex.Text, end)
	t := ahead.Next()
	if t.Kind != sqllex.Word || !sqllex.OneOf(p.text(t), "loop", "while", "for", "foreach", "begin", "declare") {
		return false
	}
	prev, _ := p.lex.Prev()
	return sqllex.OneOf(prev, "", "begin", "then", "else", "loop",
		"dump", "on", "off", "error", "use_variable", "use_column") // the ends of #option dump and its like
}

// qualify decides what {{schema}} is: a schema's name, or, before a dot and a name, what qualifies that name. If
// something else follows the dot, the schema's name it is, because without it the neighbours would meet:
// 'a'{{schema}}.'b'.
func (h *hole) qualify(text string) {
	if h.end < len(text) && text[h.end] == '.' {
		dot := h.end
		ahead := sqllex.At(text, dot+1)
		switch t := ahead.Next(); {
		case h.place != inSQL && t.Start > dot+1: // the dot may end a sentence
		case t.Kind == sqllex.Word && t.Start == dot+1:
			h.kind, h.table, h.end = holeTable, text[t.Start:t.End], t.End
			return
		case t.Kind == sqllex.Word, t.Kind == sqllex.QuotedIdent, t.Kind == sqllex.UnicodeIdent:
			h.kind, h.end = holePrefix, dot+1
			return
		}
	}
	h.kind, h.bare = holeSchema, false
}

// quoted reads a quoted identifier, if it is a template or a part of one.
func (p *parser) quoted(t sqllex.Token, bare bool) error {
	source := p.text(t)
	if len(source) < 2 || source[len(source)-1] != '"' {
		return p.unclosed(t.Start+1, t.End)
	}
	inner := source[1 : len(source)-1]
	p.sessionIdent(inner)
	if p.stmt.syntax&Braces != 0 && (inner == "" || inner[0] == '<' || inner[len(inner)-1] == '>') {
		return nil
	}
	h := hole{start: t.Start, end: t.End, bare: bare, quoted: true}
	if m, ok := matchAll(inner); ok {
		h.schema, h.table = m.schema, m.table
		if m.isSchema {
			p.quotedQualifier(&h)
		}
		return p.place(h)
	}
	if m, n, ok := matchSplit(p.lex.Text[t.Start:]); ok {
		h.end, h.schema, h.table, h.split = t.Start+n, m.schema, m.table, inner[0]
		return p.place(h)
	}
	p.stmt.mayNest = p.stmt.mayNest || opens(inner)
	if table, ok := matchTail(source); ok && p.isAlone(t) {
		h.kind, h.table, h.split = holeTail, table, '{'
		if inner[len(inner)-1] == '>' {
			h.split = '<'
		}
		p.tails = append(p.tails, h)
	}
	return nil
}

// quotedQualifier is qualify for "{{schema}}", which stays as "public" if there is no schema: an ORM that was
// told a schema writes the dot and the quotes itself.
func (p *parser) quotedQualifier(h *hole) {
	h.kind = holeSchema
	if h.bare && h.end < len(p.lex.Text) && p.lex.Text[h.end] == '.' {
		h.kind = holePrefix
		h.end++
	}
	h.bare = h.kind == holePrefix
}

// isAlone reports whether a quoted identifier begins a qualified name.
func (p *parser) isAlone(t sqllex.Token) bool {
	s := p.lex.Text
	return t.End < len(s) && s[t.End] == '.' && (t.Start == 0 || s[t.Start-1] != '.')
}

// literal reads a string, if it is a template and nothing else and a cast to a reg type follows at once, or in a
// migration.
func (p *parser) literal(t sqllex.Token) error {
	if p.migrates() {
		return p.anyLiteral(t)
	}
	source := p.text(t)
	if len(source) < 2 || p.stmt.syntax&Braces != 0 && source[1] == '<' {
		return nil
	}
	m, ok := matchAll(source[1 : len(source)-1])
	if !ok {
		return nil
	}
	if !castToReg(p.lex) {
		p.stmt.mayNest = true
		return nil
	}
	h := hole{start: t.Start + 1, end: t.End - 1, schema: m.schema, table: m.table, place: inLiteral}
	if m.isSchema {
		h.kind = holeSchema
	}
	p.add(h)
	return nil
}

// castToReg reports whether ::regclass or one of its like follows. Before ::regclass[] a literal is an array, of
// which {{schema}} is a valid one.
func castToReg(ahead sqllex.Lexer) bool { return ahead.SkipCast() && regType(ahead) }

// regType reports whether the name of a reg type follows.
func regType(l sqllex.Lexer) bool {
	next := func() (sqllex.Token, string) {
		t := l.Next()
		return t, l.Text[t.Start:t.End]
	}
	t, name := next()
	if t.Kind == sqllex.Word && sqllex.Equal(name, "pg_catalog") {
		if _, dot := next(); dot != "." {
			return false
		}
		t, name = next()
	}
	if t.Kind != sqllex.Word || !sqllex.OneOf(name, "regclass", "regcollation", "regconfig", "regdictionary",
		"regnamespace", "regoper", "regoperator", "regproc", "regprocedure", "regrole", "regtype") {
		return false
	}
	_, behind := next()
	return behind != "[" && !sqllex.Equal(behind, "array")
}

// place records a hole and goes on behind it.
func (p *parser) place(h hole) error {
	p.lex.Seek(h.end)
	return p.record(h)
}

// record records a hole, unless its own schema is none that a template may have.
func (p *parser) record(h hole) error {
	if h.schema != "" {
		if err := CheckSchema(h.schema); err != nil {
			return newError(p.lex.Text, h.start, h.end,
				fmt.Sprintf("schema %s is reserved for PostgreSQL; write %[1]s.%s without a template", h.schema, h.table), "")
		}
	}
	p.add(h)
	return nil
}
