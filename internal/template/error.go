package template

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error says what is wrong with a template, and where.
type Error struct {
	Template   string // the template as it stands in the text, or its beginning
	Reason     string
	Suggestion string // the template that was probably meant, or ""
	Offset     int    // in bytes, from 0
	Line       int    // from 1
	Column     int    // in characters, from 1
}

// Error names the template, its place, the reason, and the likely spelling.
func (e *Error) Error() string {
	text := fmt.Sprintf("pgdbm: template %s at line %d, column %d: %s", e.Template, e.Line, e.Column, e.Reason)
	if e.Suggestion != "" {
		text += fmt.Sprintf("; did you mean %s?", e.Suggestion)
	}
	return text
}

// newError describes the template text[start:end].
func newError(text string, start, end int, reason, suggestion string) *Error {
	before := text[:start]
	lineStart := strings.LastIndexByte(before, '\n') + 1
	return &Error{
		Template:   snippet(text[start:end]),
		Reason:     reason,
		Suggestion: suggestion,
		Offset:     start,
		Line:       strings.Count(before, "\n") + 1,
		Column:     utf8.RuneCountInString(before[lineStart:]) + 1,
	}
}

// snippet shortens what an error shows: the template, but not the statement behind it.
func snippet(s string) string {
	const most = 80
	cut := len(s) > most
	if cut {
		s = s[:most]
	}
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if cut {
		return s + "..."
	}
	return s
}
