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
	notAlone    = "nothing but a comment with -- can follow COPY ... FROM stdin on its line: the rows begin on the next one"
	noEnd       = "the rows of COPY ... FROM stdin have no end: a line with nothing but \\. is missing (is the file complete?)"
)

// copyData adds the rows for the COPY statement that begins at copyStart and ends at s.end.
func (s *splitter) copyData(copyStart int) error {
	if !strings.HasSuffix(s.text[:s.end], ";") {
		return newError(s.text, copyStart, "", noSemicolon)
	}
	line, _ := cutLine(s.text[s.end:])
	if note := strings.TrimLeft(line, " \t\r\n\f\v"); note != "" && !strings.HasPrefix(note, "--") {
		at := s.end + len(line) - len(note)
		return newError(s.text, at, "", notAlone)
	}
	start := s.end + len(line)
	for at := start; at < len(s.text); {
		line, rest := cutLine(s.text[at:])
		end := len(s.text) - len(rest)
		if isEndOfRows(line) {
			s.add(CopyData, start, at, end)
			s.lex.Seek(end)
			return nil
		}
		at = end
	}
	return newError(s.text, copyStart, "", noEnd)
}

// cutLine returns the first line of s, with its line end, and what follows. As for psql only LF ends a line.
func cutLine(s string) (line, rest string) {
	n := strings.IndexByte(s, '\n') + 1
	if n == 0 {
		n = len(s)
	}
	return s[:n], s[n:]
}

// isEndOfRows reports whether the line is \. with whatever line end.
func isEndOfRows(line string) bool {
	return strings.HasPrefix(line, `\.`) && (line == `\.` || line == "\\.\n" || line == "\\.\r\n" || line == "\\.\r")
}
