package template

import (
	"fmt"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// template reads a template in SQL, at its {{ or <<. Bare says that no qualified name may stand here.
func (p *parser) template(t sqllex.Token, bare bool) error {
	m, n, ok := match(p.lex.Text[t.Start:])
	switch {
	case t.Kind == sqllex.Angles && (!ok || p.stmt.syntax == Braces):
		p.lex.Seek(t.Start + 1) // in a<<<tables.t>>.n the template starts at the second <
		p.stmt.mayNest = true
		return nil
	case !ok:
		return explain(p.lex.Text, t.Start)
	}
	h := hole{start: t.Start, end: t.Start + n, bare: bare, schema: m.schema, table: m.table}
	if m.isSchema {
		p.qualifier(&h)
	}
	return p.place(h)
}

// qualifier decides what {{schema}} is: a schema's name, or, before a dot and a name, what qualifies that name. If
// something else follows the dot, the schema's name it is, because without it the neighbours would meet:
// 'a'{{schema}}.'b'.
func (p *parser) qualifier(h *hole) {
	if h.end < len(p.lex.Text) && p.lex.Text[h.end] == '.' {
		dot := h.end
		ahead := sqllex.At(p.lex.Text, dot+1)
		switch t := ahead.Next(); {
		case t.Kind == sqllex.Word && t.Start == dot+1:
			h.kind, h.table, h.end = holeTable, p.text(t), t.End
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
		return nil // it has no end
	}
	inner := source[1 : len(source)-1]
	p.sessionIdent(inner)
	if p.stmt.syntax == Braces && (inner == "" || inner[0] == '<' || inner[len(inner)-1] == '>') {
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

// quotedQualifier is qualifier for "{{schema}}", which stays as "public" if there is no schema: an ORM that was
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

// literal reads a string, if it is a template and nothing else and a cast to a reg type follows at once.
func (p *parser) literal(t sqllex.Token) {
	source := p.text(t)
	if len(source) < 2 || p.stmt.syntax == Braces && source[1] == '<' {
		return
	}
	m, ok := matchAll(source[1 : len(source)-1])
	if !ok {
		return
	}
	if !p.castToReg() {
		p.stmt.mayNest = true
		return
	}
	h := hole{start: t.Start + 1, end: t.End - 1, schema: m.schema, table: m.table, literal: true}
	if m.isSchema {
		h.kind = holeSchema
	}
	p.add(h)
}

// castToReg reports whether ::regclass or one of its like follows. Before ::regclass[] a literal is an array, of
// which {{schema}} is a valid one.
func (p *parser) castToReg() bool {
	ahead := p.lex
	for range 2 {
		if t := ahead.Next(); t.Kind != sqllex.Punct || p.text(t) != ":" {
			return false
		}
	}
	t := ahead.Next()
	if t.Kind == sqllex.Word && sqllex.Equal(p.text(t), "pg_catalog") {
		if t = ahead.Next(); p.text(t) != "." {
			return false
		}
		t = ahead.Next()
	}
	if t.Kind != sqllex.Word || !sqllex.OneOf(p.text(t), "regclass", "regcollation", "regconfig", "regdictionary",
		"regnamespace", "regoper", "regoperator", "regproc", "regprocedure", "regrole", "regtype") {
		return false
	}
	next := p.text(ahead.Next())
	return next != "[" && !sqllex.Equal(next, "array")
}

// place records a hole and goes on behind it.
func (p *parser) place(h hole) error {
	if h.schema != "" {
		if err := CheckSchema(h.schema); err != nil {
			return newError(p.lex.Text, h.start, h.end,
				fmt.Sprintf("schema %s is reserved for PostgreSQL; write %[1]s.%s without a template", h.schema, h.table), "")
		}
	}
	p.lex.Seek(h.end)
	p.add(h)
	return nil
}
