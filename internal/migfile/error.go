package migfile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pgdbm/pgdbm/internal/sqlsplit"
)

// ErrNoMigrations says that there is nothing to migrate with: no migration file where they are looked for, and no Go
// function. The error that wraps it says where was looked.
var ErrNoMigrations = errors.New("pgdbm: no migrations")

// Error says what is wrong with a migration before it runs: with its file's name, with the file's text, or with
// a Go function, whose File is like 001_create_users.go. Errors of several files come together, joined as by [errors.Join].
type Error struct {
	File   string // the file's path in the file system, such as migrations/001_create_users.sql
	Line   int    // from 1; 0 if the error has no place in the file
	Column int    // in characters, from 1; 0 as Line
	Reason string // what is wrong, and what to do
	Err    error  // the cause, or nil
}

// Error names the file, the place, the reason and the cause.
func (e *Error) Error() string {
	text := "pgdbm: " + e.File
	if e.Line > 0 {
		text += fmt.Sprintf(", line %d, column %d", e.Line, e.Column)
	}
	text += ": " + e.Reason
	if e.Err != nil {
		text += ": " + strings.TrimPrefix(e.Err.Error(), "pgdbm: ")
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// sourceErrorAt returns the error for the byte of text at offset.
func errorAt(file, text string, offset int, reason string) *Error {
	line, column := position(text, offset)
	return &Error{File: file, Line: line, Column: column, Reason: reason}
}

// position returns the line and the column of the byte of text at offset, for an editor, to which CR alone ends a line too.
func position(text string, offset int) (line, column int) {
	before := normalize(text[:offset])
	return sqlsplit.Position(before, len(before))
}
