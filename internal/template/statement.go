package template

import (
	"strings"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// Syntax says which delimiters open a template.
type Syntax uint8

// The values of Syntax.
const (
	Both   Syntax = iota // {{...}} and <<...>>; the zero Syntax
	Braces               // {{...}} only: << is always the shift operator
)

// Statement is what one SQL text says, whatever the schema. It is immutable, and safe for concurrent use.
type Statement struct {
	Text string
	Info Info

	syntax  Syntax
	holes   []hole
	bodies  []body
	mayNest bool // there are parts that could be a template together with what is emitted: see checkNested
}

// Info is what the driver has to know about a text besides its templates. A text of several statements has what any
// of them has.
type Info struct {
	// SessionState: it leaves something in the session that outlives the statement and its transaction: SET, RESET,
	// temporary tables, PREPARE, LISTEN, cursors WITH HOLD, set_config, DO (which may do any of these).
	SessionState bool
	// Settings: it changes settings, if only until the end of its transaction: SET LOCAL, set_config(..., true), and most
	// of what leaves session state.
	Settings bool
	// SchemaDDL: it creates, drops or renames schemas, or is a DO, which may.
	SchemaDDL bool
	// TransactionControl: it is nothing but BEGIN, COMMIT, ROLLBACK, SAVEPOINT and their relatives.
	TransactionControl bool
}

// hole is a template's place in the text.
type hole struct {
	start, end int // the bytes it replaces
	kind       holeKind
	bare       bool   // PostgreSQL takes no qualified name here
	quoted     bool   // the template was a quoted identifier
	split      byte   // its delimiter, { or <, if it was split as in "{{tables"."users}}"; else 0
	literal    bool   // it stands inside '...'
	schema     string // the template's own schema, as in {{tables.audit.events}}; else ""
	table      string
	body       int // index into bodies plus one; 0 outside of any body
}

type holeKind uint8

const (
	holeTable  holeKind = iota // "schema".table
	holeSchema                 // "schema", or public
	holePrefix                 // "schema". with its dot, or nothing
	holeTail                   // "table", the tail of a quoted template
)

// body is a dollar-quoted string that is SQL itself.
type body struct {
	tag        string
	start, end int // between the tags
	outer      int // like hole.body
}

// HasTemplates reports whether the text depends on the schema.
func (s *Statement) HasTemplates() bool { return len(s.holes) > 0 }

// Expand returns the text for schema, which has passed [CheckSchema], or for no schema if it is "". Without
// templates that is the text itself. It returns an *[Error] if the templates are nested, or if the schema's name
// would end the dollar-quoted body that it stands in.
func (s *Statement) Expand(schema string) (string, error) {
	if len(s.holes) == 0 {
		return s.Text, nil
	}
	quoted := ""
	if schema != "" {
		quoted = QuoteIdent(schema)
	}
	var b strings.Builder
	b.Grow(len(s.Text) + len(s.holes)*(len(quoted)+1))
	at := 0
	for i := range s.holes {
		h := &s.holes[i]
		b.WriteString(s.Text[at:h.start])
		at = h.end
		if h.joinsBefore(b.String()) {
			b.WriteByte(' ')
		}
		from := b.Len()
		h.write(&b, quoted)
		emitted := b.String()[from:]
		if err := s.checkBody(h, emitted); err != nil {
			return "", err
		}
		if h.joinsAfter(emitted, s.Text[at:s.endOf(h)]) {
			b.WriteByte(' ')
		}
	}
	b.WriteString(s.Text[at:])
	if err := s.checkNested(b.String()); err != nil {
		return "", err
	}
	return b.String(), nil
}

// endOf returns where the body ends that h stands in, or the text.
func (s *Statement) endOf(h *hole) int {
	if h.body > 0 {
		return s.bodies[h.body-1].end
	}
	return len(s.Text)
}

// joinsBefore reports whether a name behind before would become one token with its end: u&{{schema}}.f(1) is a
// bitwise AND, u&"myapp".f(1) is not. A qualifier may vanish, and a minus meet a comment behind it.
func (h *hole) joinsBefore(before string) bool {
	if before == "" || h.literal {
		return false
	}
	c := before[len(before)-1]
	return c == '"' || c == '&' || sqllex.IsWordByte(c) || c == '-' && h.kind == holePrefix
}

// joinsAfter reports whether the token behind a name would become another one: 'a\' behind a type called e would be
// E'a\'. A word or a number only makes the name longer: {{tables.users}}_2024.
func (h *hole) joinsAfter(name, after string) bool {
	if name == "" || after == "" || h.literal {
		return false
	}
	last, next := name[len(name)-1], after[0]
	switch {
	case last == '"':
		return next == '"'
	case !sqllex.IsWordByte(last):
		return false
	case !sqllex.IsWordByte(next):
		return next == '\'' || next == '&'
	}
	l := sqllex.Lexer{Text: after}
	t := l.Next()
	return t.Kind != sqllex.Word && t.Kind != sqllex.Number || t.End < len(after) && after[t.End] == '$'
}

// write appends what stands in for the template. Schema is quoted already, or "" for none.
func (h *hole) write(b *strings.Builder, schema string) {
	switch {
	case h.schema != "":
		schema = QuoteIdent(h.schema)
	case h.literal:
		schema = strings.ReplaceAll(schema, "'", "''")
	}
	qualified := schema != "" && !h.bare && h.kind != holeTail
	switch {
	case h.kind == holeSchema && qualified:
		b.WriteString(schema)
	case h.kind == holeSchema && h.quoted:
		b.WriteString(`"public"`)
	case h.kind == holeSchema:
		b.WriteString("public")
	case qualified:
		b.WriteString(schema)
		b.WriteByte('.')
	}
	switch {
	case h.kind == holeSchema || h.kind == holePrefix:
	case h.quoted:
		b.WriteString(QuoteIdent(h.table))
	case !qualified && isReserved(h.table):
		b.WriteString(QuoteIdent(strings.ToLower(h.table)))
	default:
		b.WriteString(h.table)
	}
}

// checkBody makes sure that the emitted text ends none of the dollar-quoted bodies around it: in $$ ... $$ a schema
// called a$$b would. Together with its neighbours it forms no tag, for no name touches a $: see joinsBefore and
// joinsAfter.
func (s *Statement) checkBody(h *hole, emitted string) error {
	for n := h.body; n > 0; n = s.bodies[n-1].outer {
		if tag := s.bodies[n-1].tag; strings.Contains(emitted, tag) {
			return newError(s.Text, h.start, h.end,
				"the expanded name would end the dollar-quoted body; give the body another tag", "")
		}
	}
	return nil
}

// checkNested refuses an expansion that has templates again, as of <<tables.<<tables.a>>>> with no schema. That takes
// a << that belongs to no template, half of a quoted one, or a template that was data, but is none beside what is
// emitted: '{{schema}}'::{{tables.regclass}}.
func (s *Statement) checkNested(out string) error {
	if !s.mayNest {
		return nil
	}
	again, err := Parse(out, s.syntax)
	if err == nil && len(again.holes) == 0 {
		return nil
	}
	h := s.holes[0]
	return newError(s.Text, h.start, h.end, "templates cannot be nested", "")
}
