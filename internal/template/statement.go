package template

import (
	"strings"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// Syntax says what is a template: Both, or any of the others, combined with |.
type Syntax uint8

// The values of Syntax.
const (
	Both      Syntax = 0 // {{...}} and <<...>>; the zero Syntax
	Braces    Syntax = 1 // {{...}} only: << is always the shift operator
	Migration Syntax = 2 // the text was written by people: literals and dollar quotes have templates too
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

// Info describes a text apart from its templates. A text of several statements has what any of them has, unless
// a field says otherwise. What a dollar-quoted body does counts only for DO, and there everything is assumed.
type Info struct {
	// SessionState: it leaves something in the session that outlives the statement and its transaction: SET, RESET,
	// temporary objects, PREPARE, LISTEN, cursors WITH HOLD, set_config, DO (which may do any of these). A temporary table
	// with ON COMMIT DROP leaves nothing. For set_config with a parameter as its third argument, see LocalParams.
	SessionState bool
	// Temp: it creates a temporary object of any kind, also one that ON COMMIT DROP removes, or mentions the schema
	// pg_temp. For DO and CALL, which may create one, it is false.
	Temp bool
	// Settings: it changes settings, if only until the end of its transaction: SET LOCAL, set_config(..., true), and most
	// of what leaves session state.
	Settings bool
	// Semantics: it changes settings that may decide what statements mean: search_path, DateStyle, role and the like. Limits, such
	// as statement_timeout, and settings of the user's own, which have a dot in their names, do not. PREPARE, LISTEN and
	// DEALLOCATE change none. DO and CALL are in DDL.
	Semantics bool
	// Role: it may change the role or the session authorization: SET ROLE, SET SESSION AUTHORIZATION, their RESET, RESET
	// ALL, DISCARD ALL, UPDATE pg_settings, DO, CALL, and set_config whose first argument is one of these two settings or is
	// not a plain literal.
	Role bool
	// SchemaDDL: it creates, drops or renames schemas, or is a DO, which may.
	SchemaDDL bool
	// DDL: it may change what other statements mean, or the types of their parameters and results: CREATE, ALTER, DROP,
	// IMPORT FOREIGN SCHEMA, SELECT INTO, DO and CALL. What is new counts, because it may shadow something later in the
	// search path or be a better match for an operator or a function call. What is temporary does not: see Temp.
	DDL bool
	// Procedural: it is a CALL or a DO, which may commit what it has done so far and go on.
	Procedural bool
	// Commits: there is BEGIN, COMMIT, ROLLBACK or the like among other statements.
	Commits bool
	// Forgets: it is DEALLOCATE ALL or DISCARD ALL, after which no statement is prepared any more.
	Forgets bool
	// TransactionControl: it is nothing but BEGIN, COMMIT, ROLLBACK, SAVEPOINT, SET TRANSACTION and their relatives.
	TransactionControl bool
	// NoNames: all its statements look up no names of tables, and some of them must come before any query: transaction
	// control, SET (but not SET CONSTRAINTS), RESET, DISCARD, DEALLOCATE, LISTEN, UNLISTEN, NOTIFY, CHECKPOINT,
	// SHOW but for search_path, SET CONSTRAINTS ALL.
	NoNames bool
	// NoSnapshot: it has LOCK or SET CONSTRAINTS, and otherwise only statements as in NoNames. These two look names up but
	// take no snapshot, so nothing in front of them in their transaction should take one.
	NoSnapshot bool
	// Reads: it is one SELECT, VALUES or TABLE, which writes nothing but what functions in it may, and no SELECT INTO.
	Reads bool
	// LocalParams has bit n-1 set for each $n that decides whether a set_config is local. If all of these parameters are
	// true, set_config leaves nothing in the session; if not, it does, and SessionState does not say so.
	LocalParams uint64
	// Params is the highest n of a $n outside of literals, comments and dollar quotes, or 0.
	Params int
}

// hole is a template's place in the text.
type hole struct {
	start, end int // the bytes it replaces
	kind       holeKind
	place      place
	escape     byte   // inLiteral: the character besides ' that has to be doubled there, or 0
	refused    string // inLiteral: the characters of a schema that could end a quote within the literal
	bare       bool   // PostgreSQL takes no qualified name here
	quoted     bool   // the template was a quoted identifier
	split      byte   // its delimiter, { or <, if it was split as in "{{tables"."users}}"; else 0
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
	holeName                   // schema without quotes, as a value; or public
)

// place says how a name is written where a hole is.
type place uint8

const (
	inSQL     place = iota
	inLiteral       // '...': quotes are doubled
	inText          // no SQL, but in a dollar-quoted string: as it is
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
// would end the dollar-quoted body that it stands in, or, in a migration, a literal within a literal.
func (s *Statement) Expand(schema string) (string, error) { return s.expand(schema, nil) }

// expand is Expand. It tells mark, if there is one, which bytes of the result stand for which hole.
func (s *Statement) expand(schema string, mark func(h *hole, start, end int)) (string, error) {
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
		h.write(&b, schema, quoted)
		emitted := b.String()[from:]
		if err := s.checkQuotes(h, schema, b.String()[:from], emitted); err != nil {
			return "", err
		}
		if h.joinsAfter(emitted, s.Text[at:s.endOf(h)]) {
			b.WriteByte(' ')
		}
		if mark != nil {
			mark(h, from, b.Len())
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
	if before == "" || h.place != inSQL {
		return false
	}
	c := before[len(before)-1]
	return c == '"' || c == '&' || sqllex.IsWordByte(c) || c == '-' && h.kind == holePrefix
}

// joinsAfter reports whether the token behind a name would become another one: 'a\' behind a type called e would be
// E'a\'. A word or a number only makes the name longer: {{tables.users}}_2024.
func (h *hole) joinsAfter(name, after string) bool {
	if name == "" || after == "" || h.place != inSQL {
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

// write appends what stands in for the template. Quoted is the schema as an identifier, or "" for none.
func (h *hole) write(b *strings.Builder, schema, quoted string) {
	if h.place != inLiteral {
		h.writeName(b, schema, quoted)
		return
	}
	var name strings.Builder
	h.writeName(&name, schema, quoted)
	text := strings.ReplaceAll(name.String(), "'", "''")
	if h.escape != 0 {
		escape := string([]byte{h.escape})
		text = strings.ReplaceAll(text, escape, escape+escape)
	}
	b.WriteString(text)
}

func (h *hole) writeName(b *strings.Builder, name, schema string) {
	if h.schema != "" {
		schema = QuoteIdent(h.schema)
	}
	qualified := schema != "" && !h.bare && h.kind != holeTail
	switch {
	case h.kind == holeSchema && qualified:
		b.WriteString(schema)
	case h.kind == holeName && qualified:
		b.WriteString(name)
	case h.kind == holeSchema && h.quoted:
		b.WriteString(`"public"`)
	case h.kind == holeSchema || h.kind == holeName:
		b.WriteString("public")
	case qualified:
		b.WriteString(schema)
		b.WriteByte('.')
	}
	switch {
	case h.kind == holeSchema || h.kind == holePrefix || h.kind == holeName:
	case h.quoted:
		b.WriteString(QuoteIdent(h.table))
	case !qualified && isReserved(h.table):
		b.WriteString(QuoteIdent(strings.ToLower(h.table)))
	default:
		b.WriteString(h.table)
	}
}

// checkQuotes makes sure that the emitted text ends none of the dollar-quoted bodies around it: in $$ ... $$ a schema
// called a$$b would. Together with its neighbours it forms no tag in SQL, for no name touches a $ there: see
// joinsBefore and joinsAfter. In '${{tables.users}}$' it may. Of quotes within a literal nobody knows how they end,
// or whether they are quotes at all, so a schema that could end one is refused.
func (s *Statement) checkQuotes(h *hole, schema, before, emitted string) error {
	if strings.ContainsAny(schema, h.refused) {
		return newError(s.Text, h.start, h.end,
			`the schema's name has a ', a \ or a $, which could end a quote within this literal; use dollar quotes for it`, "")
	}
	for n := h.body; n > 0; n = s.bodies[n-1].outer {
		tag, near := s.bodies[n-1].tag, emitted
		if h.place != inSQL {
			after := s.Text[h.end:]
			near = before[max(0, len(before)-len(tag)+1):] + emitted + after[:min(len(after), len(tag)-1)]
		}
		if strings.Contains(near, tag) {
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
