package sqlsplit

import "github.com/pgdbm/pgdbm/internal/sqllex"

// OuterTransaction takes off the BEGIN and the COMMIT of a file that is one transaction as a whole. Pieces are those of
// text. If the first statement is BEGIN or START TRANSACTION and the last one COMMIT or END, found is true, and inner
// is what stands between the two; else inner is pieces. Statements in between are not looked at: other transaction
// control is the caller's to find. Isolation is the level that BEGIN sets, in capitals, or "". The error is an [*Error]
// if one of the pair has other options, such as READ ONLY or AND CHAIN, which would be lost.
func OuterTransaction(text string, pieces []Piece) (inner []Piece, isolation string, found bool, err error) {
	first, last := 0, len(pieces)-1
	for first <= last && pieces[first].Kind != Statement {
		first++
	}
	for last > first && pieces[last].Kind != Statement {
		last--
	}
	if first >= last || pieces[first].Control() != sqllex.Begin || pieces[last].Control() != sqllex.Commit {
		return pieces, "", false, nil
	}
	isolation, other := sqllex.Isolation(pieces[first].Body)
	refused := pieces[first]
	if other < 0 {
		refused, other = pieces[last], pieces[last].options()
	}
	if other >= 0 {
		return nil, "", false, newError(text, refused.BodyStart+other, "",
			"options of the transaction around a whole file, but for its isolation level, are not supported, because the migration runs in a "+
				"transaction of its own: remove them")
	}
	return pieces[first+1 : last], isolation, true, nil
}

// options returns the offset in Body of what follows COMMIT or END besides a noise word, or -1.
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
