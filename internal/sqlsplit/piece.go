package sqlsplit

import (
	"strings"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// Kind says what a [Piece] is.
type Kind uint8

// The kinds of piece.
const (
	Blank       Kind = iota // nothing to run: white space and comments, a semicolon at most; the zero Kind
	Statement               // one SQL statement
	CopyData                // the rows for a COPY ... FROM stdin before it
	PsqlIgnored             // \restrict or \unrestrict
)

// Piece is one part of a text: the bytes [Start, End).
type Piece struct {
	Kind       Kind
	Start, End int

	// Text is the whole piece.
	Text string
	// Body is the part that counts, and BodyStart is its place in the split text. For a Statement it is what to send:
	// the piece without the white space and the comments before its first token; the semicolon is in it, if there is
	// one. For CopyData it is what to send with pgconn's CopyFrom: the lines before the \. with their line ends. For
	// PsqlIgnored it is the command. For Blank it is empty.
	Body      string
	BodyStart int

	// Copy is the BodyStart of the COPY that CopyData is for. For all other kinds it is 0.
	Copy int
}

// Keyword returns a statement's first word in upper case, such as CREATE, and "" for a statement that begins with
// something else, such as a parenthesis, and for all other kinds.
func (p Piece) Keyword() string {
	if p.Kind != Statement {
		return ""
	}
	lex := sqllex.Lexer{Text: p.Body}
	t := lex.Next()
	if t.Kind != sqllex.Word {
		return ""
	}
	return strings.ToUpper(p.Body[t.Start:t.End])
}

// Control returns what the piece, if it is a statement, does to its transaction.
func (p Piece) Control() sqllex.Control {
	if p.Kind != Statement {
		return sqllex.NoControl
	}
	return sqllex.ControlOf(p.Body)
}

// isWord reports whether the token is one of the keywords. Nothing but a word looks like one: "create" has its quotes.
func isWord(text string, t sqllex.Token, keywords ...string) bool {
	return sqllex.OneOf(text[t.Start:t.End], keywords...)
}
