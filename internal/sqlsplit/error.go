package sqlsplit

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error says what in a text cannot be split or run, and where. It shows nothing of the text but a psql command's name.
type Error struct {
	Command string // the psql command that is refused, such as \connect; else ""
	Reason  string // what is wrong, and what to do
	Offset  int    // in bytes, from 0
	Line    int    // from 1
	Column  int    // in characters, from 1
}

// Error names the place, the command if it is one, and the reason.
func (e *Error) Error() string {
	what := ""
	if e.Command != "" {
		what = e.Command + ": "
	}
	return fmt.Sprintf("pgdbm: line %d, column %d: %s%s", e.Line, e.Column, what, e.Reason)
}

func newError(text string, offset int, command, reason string) *Error {
	line, column := Position(text, offset)
	return &Error{Command: command, Reason: reason, Offset: offset, Line: line, Column: column}
}

// Position returns the line and the column of the byte at offset, both from 1, the column in characters. LF ends a
// line, a BOM at the start of the text is no character, and an offset outside of the text counts as its nearer end.
func Position(text string, offset int) (line, column int) {
	before := text[:min(max(offset, 0), len(text))]
	lineStart := strings.LastIndexByte(before, '\n') + 1
	inLine := before[lineStart:]
	if lineStart == 0 {
		inLine = strings.TrimPrefix(inLine, bom)
	}
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(inLine) + 1
}
