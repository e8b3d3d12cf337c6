package sqlsplit

import "github.com/pgdbm/pgdbm/internal/sqllex"

// IsTransactionControl reports whether the piece is a statement that begins or ends a transaction or a part of it:
// BEGIN, START TRANSACTION, COMMIT, END, ROLLBACK, ABORT, SAVEPOINT, RELEASE, PREPARE TRANSACTION, COMMIT PREPARED and
// ROLLBACK PREPARED. What a procedure or a DO block does inside is not seen.
func (p Piece) IsTransactionControl() bool {
	if p.Kind != Statement {
		return false
	}
	lex := sqllex.Lexer{Text: p.Body}
	first := lex.Next()
	switch {
	case isWord(p.Body, first, "begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"):
		return true
	case isWord(p.Body, first, "prepare") && isWord(p.Body, lex.Next(), "transaction"):
		// PREPARE transaction AS SELECT 1 prepares a statement of that name.
		next := lex.Next()
		return next.Kind != sqllex.Word && next.Kind != sqllex.Punct
	}
	return false
}

// OuterTransaction takes off the BEGIN and the COMMIT of a file that is one transaction as a whole. Pieces are those of
// text. If the first statement is BEGIN or START TRANSACTION and the last one COMMIT or END, found is true, and inner
// is what stands between the two; else inner is pieces. Statements in between are not looked at: other transaction
// control is the caller's to find. The error is an [*Error] if one of the pair has options, such as ISOLATION LEVEL
// or AND CHAIN, which would be lost.
func OuterTransaction(text string, pieces []Piece) (inner []Piece, found bool, err error) {
	first, last := 0, len(pieces)-1
	for first <= last && pieces[first].Kind != Statement {
		first++
	}
	for last > first && pieces[last].Kind != Statement {
		last--
	}
	if first >= last || !pieces[first].beginsTransaction() || !pieces[last].endsTransaction() {
		return pieces, false, nil
	}
	for _, p := range []Piece{pieces[first], pieces[last]} {
		if at := p.options(); at >= 0 {
			return nil, false, newError(text, p.BodyStart+at, "",
				"options of the transaction around a whole file are not supported, because the migration runs in a "+
					"transaction of its own: remove them")
		}
	}
	return pieces[first+1 : last], true, nil
}

func (p Piece) beginsTransaction() bool { return p.Begins("begin") || p.Begins("start", "transaction") }

func (p Piece) endsTransaction() bool {
	return p.Begins("end") || p.Begins("commit") && !p.Begins("commit", "prepared")
}

// options returns the offset in Body of what follows BEGIN, START, COMMIT or END besides a noise word, or -1.
func (p Piece) options() int {
	lex := sqllex.Lexer{Text: p.Body}
	lex.Next()
	t := lex.Next()
	if isWord(p.Body, t, "work", "transaction") {
		t = lex.Next()
	}
	if t.Kind == sqllex.EOF || t.Kind == sqllex.Semicolon {
		return -1
	}
	return t.Start
}
