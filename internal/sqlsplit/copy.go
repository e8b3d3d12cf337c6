package sqlsplit

import (
	"strings"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// readsRows reports whether a COPY statement reads its rows from the client. It does so where the first FROM outside of
// parentheses is FROM STDIN; later ones can be IS DISTINCT FROM. FROM STDOUT means the same to the server.
func readsRows(stmt string) bool {
	lex := sqllex.Lexer{Text: stmt}
	depth := 0
	for t := lex.Next(); t.Kind != sqllex.EOF; t = lex.Next() {
		switch stmt[t.Start] {
		case '(':
			depth++
		case ')':
			depth--
		case '.':
			lex.Next() // behind a dot, FROM is a name
		}
		if depth == 0 && isWord(stmt, t, "from") {
			return isWord(stmt, lex.Next(), "stdin", "stdout")
		}
	}
	return false
}

// What is wrong with the rows of COPY ... FROM stdin.
const (
	noSemicolon = "COPY ... FROM stdin needs a semicolon, its rows on the lines behind it, and a line \\."
	notAlone    = "what begins on the line of COPY ... FROM stdin has to end there: the rows begin on the next one"
)

// awaitsRows notes a COPY that begins at start and ends at s.end. Its rows begin on the line behind it.
func (s *splitter) awaitsRows(start int) error {
	if !strings.HasSuffix(s.text[:s.end], ";") {
		return newError(s.text, start, "", noSemicolon)
	}
	if s.copies = append(s.copies, start); len(s.copies) == 1 {
		line := firstLine(s.text[s.end:])
		s.rows = s.end + len(line)
	}
	return nil
}

// onLineOfCopy reports whether what begins at start stands on the line of a COPY whose rows are still to come.
func (s *splitter) onLineOfCopy(start int) bool { return len(s.copies) > 0 && start < s.rows }

// copyData adds the rows of each COPY on a line. The end of the text ends rows too.
func (s *splitter) copyData() error {
	lex := sqllex.At(s.text[:s.rows], s.end)
	if rest := lex.Next(); rest.Kind != sqllex.EOF {
		return newError(s.text, rest.Start, "", notAlone)
	}
	line := splitter{text: s.text[:s.rows]}
	if line.checkComment(s.end) != nil {
		return newError(s.text, s.end, "", notAlone)
	}
	start := s.rows
	for _, statement := range s.copies {
		last, end := endOfRows(s.text, start)
		s.add(CopyData, start, last, end)
		s.pieces[len(s.pieces)-1].Copy = statement
		start = end
	}
	s.copies = nil
	s.lex.Seek(s.end)
	return nil
}

// endOfRows returns where the rows that begin at start end, without and with the line \. behind them.
func endOfRows(text string, start int) (last, end int) {
	for at := start; at < len(text); {
		row := firstLine(text[at:])
		end := at + len(row)
		if isEndOfRows(row) {
			return at, end
		}
		at = end
	}
	return len(text), len(text)
}

// firstLine returns the first line of s, with its line end. As for psql only LF ends a line.
func firstLine(s string) string {
	n := strings.IndexByte(s, '\n') + 1
	if n == 0 {
		n = len(s)
	}
	return s[:n]
}

// isEndOfRows reports whether the line is \. with whatever line end.
func isEndOfRows(line string) bool {
	return strings.HasPrefix(line, `\.`) && (line == `\.` || line == "\\.\n" || line == "\\.\r\n" || line == "\\.\r")
}
