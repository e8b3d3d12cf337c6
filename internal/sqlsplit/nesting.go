package sqlsplit

import "github.com/pgdbm/pgdbm/internal/sqllex"

// nesting knows, inside of one statement, whether a semicolon ends it.
type nesting struct {
	text   string
	parens int // how many are open
	paren  int // where the outermost of them is

	// routine is set in CREATE FUNCTION and CREATE PROCEDURE. Elsewhere, BEGIN ATOMIC can be a column and its label.
	routine bool
	body    body
	begin   int // where the body's BEGIN is
}

// body is a place before, in or behind BEGIN ATOMIC ... END.
type body uint8

const (
	noBody   body = iota
	bodyHead      // behind BEGIN, before ATOMIC
	bodyGap       // where a statement of the body can begin, or END: the grammar wants a semicolon before it
	bodyCode      // in a statement of the body
)

// ends takes the statement's next token, the one that lex returned last, and reports whether it ends the statement.
func (n *nesting) ends(t sqllex.Token, lex *sqllex.Lexer) bool {
	switch t.Kind {
	case sqllex.Semicolon:
		if n.parens > 0 {
			return false
		}
		if n.body == noBody {
			return true
		}
		n.body = bodyGap
	case sqllex.Word:
		if n.parens == 0 {
			n.word(t, lex)
		}
	default:
		n.sign(t)
	}
	return false
}

// word takes a word outside of parentheses.
func (n *nesting) word(t sqllex.Token, lex *sqllex.Lexer) {
	switch n.body {
	case noBody:
		if n.routine && isWord(n.text, t, "begin") {
			ahead := *lex
			if isWord(n.text, ahead.Next(), "atomic") {
				n.body, n.begin = bodyHead, t.Start
			}
		}
	case bodyHead:
		n.body = bodyGap
	case bodyGap:
		n.body = bodyCode
		if isWord(n.text, t, "end") {
			n.body = noBody
		}
	}
}

// sign takes anything but a word or a semicolon.
func (n *nesting) sign(t sqllex.Token) {
	if n.body == bodyGap {
		n.body = bodyCode
	}
	switch n.text[t.Start] {
	case '(':
		if n.parens == 0 {
			n.paren = t.Start
		}
		n.parens++
	case ')':
		n.parens = max(n.parens-1, 0) // one too many is for the server to refuse
	}
}

// check returns an error if something is open where the text ends.
func (n *nesting) check() error {
	switch {
	case n.parens > 0:
		return newError(n.text, n.paren, "",
			"the parenthesis is never closed, so that no semicolon behind it ends the statement")
	case n.body != noBody:
		return newError(n.text, n.begin, "", "BEGIN ATOMIC has no END; each statement before END needs a semicolon")
	}
	return nil
}
