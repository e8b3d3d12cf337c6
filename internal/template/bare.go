package template

import "github.com/pgdbm/pgdbm/internal/sqllex"

// bareRule is a place where PostgreSQL's grammar takes a name without a schema, because what it names is part of a
// table, or always in the table's own schema.
//
// Not here are the names that no schema holds: those of channels, prepared statements, savepoints, cursors, CTEs and
// aliases. If the templates in LISTEN {{tables.x}} or WITH {{tables.x}} AS became x, tenants would share a channel, and
// FROM {{tables.x}} would silently read the table instead of the CTE. PostgreSQL refuses them as they are.
type bareRule struct {
	word  string   // the rule applies behind this word
	prev  []string // if not nil, the word before it is one of these
	prev2 []string // the same for the word before that
	first string   // if not "", the statement's first word
	skip  []string // words between word and the name
	list  bool     // there may be several names
}

var bareRules = []bareRule{
	{word: "of", prev: []string{"update", "share"}, prev2: []string{"for", "key"}, list: true}, // FOR NO KEY UPDATE OF
	{word: "to", prev: []string{"rename"}},
	{word: "to", first: "alter"}, // RENAME CONSTRAINT a TO b
	{word: "index", prev: []string{"create", "using"}, skip: indexSkips},
	{word: "index", prev: []string{"unique"}, prev2: []string{"create"}, skip: indexSkips},
	{word: "constraint", skip: []string{"if", "exists"}}, // also ON CONFLICT ON CONSTRAINT a
	{word: "trigger", skip: []string{"if", "exists"}},
	{word: "rule", skip: []string{"if", "exists"}},
	{word: "policy", skip: []string{"if", "exists"}},
	{word: "cluster", first: "alter", skip: []string{"on"}},
	{word: "using", first: "cluster"},
}

var indexSkips = []string{"concurrently", "if", "not", "exists"}

// bareWord reads what follows a word, the last token, if a rule applies to it.
func (p *parser) bareWord(word string) error {
	for i := range bareRules {
		r := &bareRules[i]
		if !sqllex.Equal(word, r.word) || r.first != "" && !sqllex.Equal(p.first, r.first) {
			continue
		}
		if r.prev != nil {
			prev, prev2 := p.lex.Prev()
			if !sqllex.OneOf(prev, r.prev...) || r.prev2 != nil && !sqllex.OneOf(prev2, r.prev2...) {
				continue
			}
		}
		if r.list {
			return p.bareNames()
		}
		p.skipWords(r.skip...)
		if ahead := p.lex; ahead.Next().Kind == sqllex.Word {
			return nil // which may have a rule itself, as in CREATE CONSTRAINT TRIGGER a
		}
		return p.bareName()
	}
	return nil
}

// bareNames reads the list behind FOR UPDATE OF.
func (p *parser) bareNames() error {
	for {
		if err := p.bareName(); err != nil {
			return err
		}
		ahead := p.lex
		t := ahead.Next()
		if t.Kind != sqllex.Punct || p.text(t) != "," {
			return nil
		}
		p.lex = ahead
	}
}

// bareName reads one name that PostgreSQL takes without a schema.
func (p *parser) bareName() (err error) {
	ahead, holes := p.lex, len(p.stmt.holes)
	switch t := ahead.Next(); t.Kind {
	case sqllex.Word, sqllex.UnicodeIdent:
		p.lex = ahead
	case sqllex.Braces, sqllex.Angles:
		p.lex = ahead
		err = p.template(t, true)
	case sqllex.QuotedIdent:
		p.lex = ahead
		err = p.quoted(t, true)
	}
	if n := len(p.stmt.holes); err == nil && n > holes && p.stmt.holes[n-1].kind == holePrefix {
		return p.bareName() // that was only the schema
	}
	return err
}
