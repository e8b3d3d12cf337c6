package template

import (
	"slices"
	"strings"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// maxDepth is how many dollar-quoted bodies may stand inside each other; deeper ones are left alone, or, in a migration,
// plain text.
const maxDepth = 8

// Parse reads text once. It returns an *[Error] if a {{ outside of quotes and comments is no template; in a migration
// also if one in a literal looks misspelt. It does not allocate if the text has no template; that of a migration may.
func Parse(text string, syntax Syntax) (Statement, error) {
	p := parser{lex: sqllex.Lexer{Text: text}, stmt: Statement{Text: text, syntax: syntax}}
	if err := p.run(); err != nil {
		return Statement{}, err
	}
	p.summarize()
	return p.stmt, nil
}

// parser reads a text, and in turn each dollar-quoted body in it. Where the templates are is in template.go, what
// the text does to its session in session.go.
type parser struct {
	lex  sqllex.Lexer
	stmt Statement

	start   sqllex.Lexer // where the statement being read begins
	first   string       // its first word
	firstAt int          // where that begins
	routine bool         // it creates a function or a procedure: the dollar-quoted string behind AS is SQL
	block   bool         // it is a DO: the dollar-quoted string is SQL
	atomic  bool         // what is being read is a routine's body, BEGIN ATOMIC ...; END, whose statements are none of the text's
	tails   []hole       // identifiers that may be tails of templates
	holes   int          // len(stmt.holes) where it begins

	body  int // the body being read: index into stmt.bodies plus one, or 0
	depth int
	code  bool // it is the body of a routine or a DO
	loose bool // it need not be SQL: a {{ that is no template means itself

	temp      bool // the statement creates something temporary
	dropsTemp bool // and has ON COMMIT DROP

	// How many statements there were, and how many of them: control transactions; are other ones that look up no tables;
	// are LOCK and SET CONSTRAINTS.
	statements, controls, utilities, locks, reads int
}

// interesting are the words that parser.word looks at.
var interesting = sqllex.NewWordFilter("create", "do", "begin", // word
	"temp", "temporary", "hold", "set_config", "pg_temp", "pg_settings", "drop", "into", // sessionWord
	"of", "to", "index", "constraint", "trigger", "rule", "policy", "cluster", "using") // bareRules

func (p *parser) run() (err error) {
	p.begin()
	for err == nil {
		switch t := p.lex.Skim(interesting); t.Kind {
		case sqllex.EOF:
			p.end()
			return nil
		case sqllex.Semicolon:
			p.end()
			if !p.endsAtomic() {
				p.begin()
			}
		case sqllex.Word:
			err = p.word(t)
		case sqllex.Braces, sqllex.Angles:
			err = p.template(t, false)
		case sqllex.QuotedIdent:
			err = p.quoted(t, false)
		case sqllex.String:
			err = p.literal(t)
		case sqllex.EscapeString, sqllex.PrefixString:
			if p.migrates() {
				err = p.anyLiteral(t)
			}
		case sqllex.DollarString:
			err = p.dollar(t)
		case sqllex.Param:
			n, _ := sqllex.ParamNumber(p.lex.Text, t)
			p.stmt.Info.Params = max(p.stmt.Info.Params, n)
		case sqllex.UnicodeIdent:
			// Its escapes could spell set_config or pg_temp; nobody writes this by accident.
			p.stmt.Info.SessionState, p.stmt.Info.Temp = true, true
		}
	}
	return err
}

// begin looks at the first words of a statement.
func (p *parser) begin() {
	p.start = p.lex
	p.first, p.routine, p.block, p.tails, p.holes = "", false, false, p.tails[:0], len(p.stmt.holes)
	p.temp, p.dropsTemp = false, false
	ahead := p.lex
	t := ahead.Next()
	if t.Kind == sqllex.EOF || t.Kind == sqllex.Semicolon {
		return
	}
	p.statements++
	if t.Kind != sqllex.Word {
		return
	}
	p.first, p.firstAt = p.text(t), t.Start
	second := ""
	if t = ahead.Next(); t.Kind == sqllex.Word {
		second = p.text(t)
	}
	if t = ahead.Next(); t.Kind == sqllex.Punct && p.text(t) == "." {
		second = "" // it is half of a name, as in SET local.x = 1
	}
	p.classify(second)
}

// end settles what the whole of a statement tells. Tails whose opener it has are templates.
func (p *parser) end() {
	p.endSession()
	if len(p.tails) == 0 {
		return
	}
	type opener struct {
		split byte
		table string
	}
	openers := make(map[opener]bool)
	for _, h := range p.stmt.holes[p.holes:] {
		openers[opener{h.split, h.table}] = true
	}
	for _, t := range p.tails {
		if openers[opener{t.split, t.table}] {
			p.add(t)
		}
	}
	slices.SortFunc(p.stmt.holes[p.holes:], func(a, b hole) int { return a.start - b.start })
}

// word looks at a word that changes what follows, or that leaves something in the session.
func (p *parser) word(t sqllex.Token) error {
	switch word := p.text(t); {
	case sqllex.Equal(word, "create"):
		p.routine = p.routine || p.begins(t) && p.lex.CreatesRoutine()
		if t.Start == p.firstAt || sqllex.Equal(p.first, "explain") {
			p.stmt.Info.DDL = p.stmt.Info.DDL || !p.isTemporary()
		}
	case sqllex.Equal(word, "begin"):
		p.atomic = p.atomic || p.routine && p.beginsAtomic()
	case sqllex.Equal(word, "do"):
		p.block = p.block || p.begins(t) && p.startsBlock()
	default:
		p.sessionWord(word)
		return p.bareWord(word)
	}
	return nil
}

// begins reports whether the statement may begin with a word. In a body it always may: BEGIN and THEN begin statements
// there. Elsewhere, as in SELECT t.do language, the word is a name.
func (p *parser) begins(t sqllex.Token) bool { return p.depth > 0 || t.Start == p.firstAt }

// startsBlock tells DO $$ ... $$ from ON CONFLICT DO NOTHING.
func (p *parser) startsBlock() bool {
	ahead := p.lex
	t := ahead.Next()
	return t.Kind == sqllex.DollarString || t.Kind == sqllex.Word && sqllex.Equal(p.text(t), "language")
}

// beginsAtomic looks at the words behind BEGIN. In parentheses they are other names.
func (p *parser) beginsAtomic() bool {
	ahead := *p
	ahead.skipWords("atomic")
	if ahead.lex == p.lex || p.inParentheses() {
		return false
	}
	t := ahead.lex.Next()
	return t.Kind != sqllex.Word || !sqllex.Equal(p.text(t), "end") // the body may be empty
}

// inParentheses reports whether the last token stands in any.
func (p *parser) inParentheses() bool {
	depth := 0
	for l := p.start; ; {
		t := l.Next()
		switch {
		case l == p.lex, t.Kind == sqllex.EOF:
			return depth > 0
		case t.Kind == sqllex.Punct && p.text(t) == "(":
			depth++
		case t.Kind == sqllex.Punct && p.text(t) == ")":
			depth--
		}
	}
}

// endsAtomic reads the END of a routine's body, if it stands here. It is no COMMIT.
func (p *parser) endsAtomic() bool {
	ahead := *p
	ahead.skipWords("end")
	if !p.atomic || ahead.lex == p.lex {
		return false
	}
	p.atomic, p.lex = false, ahead.lex
	return true
}

func (p *parser) skipWords(words ...string) {
	for {
		ahead := p.lex
		if t := ahead.Next(); t.Kind != sqllex.Word || !sqllex.OneOf(p.text(t), words...) {
			return
		}
		p.lex = ahead
	}
}

// dollar reads a dollar-quoted string, if it is the body of a function, a procedure or a DO, or in a migration.
func (p *parser) dollar(t sqllex.Token) error {
	tag, start, end, closed := sqllex.DollarBody(p.lex.Text, t)
	isBody := p.isBody()
	switch {
	case p.migrates() && !closed:
		return p.unclosed(start, end)
	case p.migrates():
	case !closed || p.depth == maxDepth || !isBody:
		source := p.text(t)
		p.stmt.mayNest = p.stmt.mayNest || strings.Contains(source, "{{") || strings.Contains(source, "<<")
		return nil
	}
	inner := parser{lex: sqllex.At(p.lex.Text[:end], start), stmt: p.stmt, depth: p.depth + 1, code: isBody,
		loose: p.loose || !isBody}
	inner.stmt.bodies = append(p.stmt.bodies, body{tag: tag, start: start, end: end, outer: p.body})
	inner.body = len(inner.stmt.bodies)
	run := inner.run
	if _, ok := matchAll(p.lex.Text[start:end]); p.migrates() && (p.depth == maxDepth || ok && inner.loose) {
		run = func() error {
			return inner.prose(literal{place: inText, open: t.Start, first: start, last: end, after: p.lex})
		}
	}
	if err := run(); err != nil {
		return err
	}
	// What the body does to a session it does when it is called, so only the places of its templates count here.
	p.stmt.holes, p.stmt.bodies, p.stmt.mayNest = inner.stmt.holes, inner.stmt.bodies, inner.stmt.mayNest
	return nil
}

// isBody reports whether the dollar-quoted string that was read last is SQL. In CREATE FUNCTION it could be a
// parameter's default as well.
func (p *parser) isBody() bool {
	if p.block || !p.routine {
		return p.block
	}
	prev, _ := p.lex.Prev()
	return sqllex.Equal(prev, "as")
}

// text returns the source of a token.
func (p *parser) text(t sqllex.Token) string { return p.lex.Text[t.Start:t.End] }

func (p *parser) add(h hole) {
	h.body = p.body
	p.stmt.holes = append(p.stmt.holes, h)
}
