package migrations

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pgdbm/pgdbm/internal/migfile"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// MigrationError says which migration has failed, and where. Nothing of a migration that runs in a transaction is left:
// correct the file and run again. The server's error is a *pgconn.PgError, which errors.As finds.
type MigrationError struct {
	Schema, Module string   // Module is "" if the file is none of a module's: see ExecFile
	File           string   // the file's path, or the Go function's name
	Undo           bool     // the file is an undo
	Line, Column   int      // where in the file, from 1, the column in characters; 0 if it is not known
	Source         string   // that line
	Applied        []string // what the run has done in this schema before
	Note           string   // what may be the mistake; what is left of a migration without a transaction, and what the next run does
	Err            error
}

// Error names the place, shows the line with a caret, and says what the server says and what has been done before.
func (e *MigrationError) Error() string {
	var b strings.Builder
	b.WriteString("pgdbm: ")
	if e.Module != "" {
		fmt.Fprintf(&b, "module %q in schema %q: ", e.Module, e.Schema)
	}
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	if e.Line > 0 {
		number := fmt.Sprint(e.Line)
		source, column := window(e.Source, e.Column)
		fmt.Fprintf(&b, "\n  %s | %s\n  %s | %s^", number, source, strings.Repeat(" ", len(number)), strings.Repeat(" ", column-1))
	}
	var pgErr *pgconn.PgError
	if errors.As(e.Err, &pgErr) {
		for _, part := range []struct{ name, text string }{{"DETAIL", pgErr.Detail}, {"HINT", pgErr.Hint}, {"CONTEXT", pgErr.Where}} {
			if part.text != "" {
				fmt.Fprintf(&b, "\n  %s: %s", part.name, strings.ReplaceAll(part.text, "\n", "\n    "))
			}
		}
	}
	if e.Note != "" {
		b.WriteString("\n  " + e.Note)
	}
	switch {
	case e.Module == "":
	case len(e.Applied) == 0:
		b.WriteString("\n  nothing was done before it")
	default:
		b.WriteString("\n  done before it: " + strings.Join(e.Applied, ", "))
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *MigrationError) Unwrap() error { return e.Err }

// failed returns the error of a job.
func (r *run) failed(j job, err error) *MigrationError {
	e := &MigrationError{Schema: r.target.schema, Module: r.target.module, File: j.m.File, Undo: j.kind == undoJob,
		Applied: r.result.Files(), Err: err}
	if script := j.script(); script != nil {
		e.File = script.File
	}
	return e
}

// locate adds the place of a statement's error: the byte at offset of the expanded text, or its beginning if offset is
// negative, because the server has not said where.
func (e *MigrationError) locate(s *migfile.Script, statement int, t target, offset int) {
	e.Line, e.Column, e.Source = s.Place(statement, t.name, max(offset, 0))
	if advice := roleAdvice(e.Err); advice != "" {
		e.note(advice)
	}
	if offset < 0 || t.name == "" || t.path != "" || !hasCode(e.Err, undefinedTable) {
		return
	}
	if name := bareName(string([]rune(e.Source)[e.Column-1:])); name != "" {
		e.note(fmt.Sprintf("%s is looked up in the search_path, because it has no template: should it be {{tables.%[1]s}}?", name))
	}
}

// roleAdvice says why a role is in the way in the second database of a server, such as a test's; or it is "". The server's function tells
// what has failed, in a DO block and in a function too, and whatever the language of its messages.
func roleAdvice(err error) string {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return ""
	}
	switch {
	case pgErr.Code == duplicateObject && pgErr.Routine == "CreateRole", pgErr.Code == uniqueViolation && pgErr.TableName == "pg_authid":
		return "roles belong to the server, and a migration of another of its databases, such as another test's, may have made this one: write " +
			"DO $$ BEGIN CREATE ROLE ...; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
	case pgErr.Code == dependentObjects && pgErr.Routine == "DropRole":
		return "roles belong to the server, and another of its databases may need this one: REVOKE there what was granted to it and DROP OWNED " +
			"BY it, or leave the role"
	}
	return ""
}

// bareName returns the name that the text begins with, or "" if it has a schema or is none that a template can have.
func bareName(text string) string {
	lex := sqllex.Lexer{Text: text}
	name, next := lex.Next(), lex.Next()
	if name.Kind != sqllex.Word || text[next.Start:next.End] == "." {
		return ""
	}
	return text[:name.End]
}

// note adds to the notes.
func (e *MigrationError) note(text string) {
	if e.Note != "" {
		e.Note += "\n  "
	}
	e.Note += text
}

// windowSize is how much of a line an error shows, in characters.
const windowSize = 160

// window returns the part of a line around a column that fits on a screen, and the column in it.
func window(line string, column int) (part string, at int) {
	runes := []rune(strings.ReplaceAll(line, "\t", " "))
	if len(runes) <= windowSize {
		return string(runes), column
	}
	start := min(max(column-windowSize/2, 0), len(runes)-windowSize)
	return string(runes[start : start+windowSize]), column - start
}
