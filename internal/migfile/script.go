package migfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pgdbm/pgdbm/internal/sqllex"
	"github.com/pgdbm/pgdbm/internal/sqlsplit"
	"github.com/pgdbm/pgdbm/internal/template"
)

const bom = "\ufeff"

// Script is the text of a file and its statements. It does not depend on the schema, never changes, and is safe for
// concurrent use.
type Script struct {
	File          string // its path in the file system
	Text          string // as the file has it, without a BOM
	Checksum      string // of the file
	Statements    []Statement
	NoTransaction bool
	Isolation     string // of its transaction, in capitals; "" is READ COMMITTED

	once  bool // it is not a migration: see ReadOnce
	undo  bool // it undoes a migration
	locks bool // a statement takes an advisory lock that outlives its transaction
}

// Statement is one statement of a script.
type Statement struct {
	SQL     template.Statement // without the comments before it; with its semicolon, if it has one
	Start   int                // where it begins in the script's text, in bytes
	HasRows bool               // it is COPY ... FROM stdin
	Rows    string             // the rows to send, with the last one's line end; nothing in there is a template
}

// load reads the text of a migration, of which only the file's name is known so far. The error is an [*Error]. A file of comments does
// nothing, and is applied like any other, so that an undo with nothing to do can say so; but not a draft.
//
// The text is split before its templates are expanded. The rows of COPY are users' data, where nothing is a template.
func (s *Script) load(content []byte) error {
	if err := s.read(content); err != nil {
		return err
	}
	if len(s.Statements) == 0 && (strings.TrimSpace(s.Text) == "" || strings.Contains(s.Text, unwritten)) {
		return &Error{File: s.File, Reason: "the file has no statement: write one, or remove the file"}
	}
	return nil
}

// read reads the text of any file.
func (s *Script) read(content []byte) error {
	whole := string(content)
	if err := checkText(s.File, whole); err != nil {
		return err
	}
	s.Text, s.Checksum = strings.TrimPrefix(whole, bom), Checksum(whole)
	pieces, err := sqlsplit.Split(s.Text)
	if err != nil {
		return s.splitError(err)
	}
	if err := s.directives(pieces); err != nil {
		return err
	}
	if s.NoTransaction && s.Isolation != "" {
		return &Error{File: s.File, Reason: "the statements of a file with " + noTransaction + " run one by one, so it cannot have an isolation level: " +
			"remove the line " + isolationLevel}
	}
	if pieces, err = s.checkTransactions(pieces); err != nil {
		return err
	}
	return s.parse(pieces)
}

// checkText refuses what no server can read.
func checkText(file, text string) error {
	for i, r := range text {
		if r == 0 {
			return errorAt(file, text, i, "there is a NUL byte, which PostgreSQL cannot store: save the file as UTF-8")
		}
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
			return errorAt(file, text, i, "the text is not UTF-8 from here on: save the file as UTF-8")
		}
	}
	return nil
}

// checkTransactions takes off the BEGIN and the COMMIT around the whole file, or a SET TRANSACTION at its start, and refuses what else
// begins or ends a transaction, or would do nothing.
func (s *Script) checkTransactions(pieces []sqlsplit.Piece) ([]sqlsplit.Piece, error) {
	if !s.NoTransaction {
		inner, isolation, _, err := sqlsplit.OuterTransaction(s.Text, pieces)
		if err != nil {
			return nil, s.splitError(err)
		}
		if pieces = inner; isolation != "" {
			s.Isolation = isolation
		}
		first := slices.IndexFunc(pieces, func(p sqlsplit.Piece) bool { return p.Kind == sqlsplit.Statement })
		if first >= 0 && pieces[first].Control() == sqllex.SetTransaction {
			isolation, other := sqllex.Isolation(pieces[first].Body)
			if other >= 0 || isolation == "" {
				return nil, errorAt(s.File, s.Text, pieces[first].BodyStart+max(other, 0), "a migration can set nothing but its ISOLATION LEVEL")
			}
			s.Isolation, pieces = isolation, pieces[first+1:]
		}
	}
	for _, p := range pieces {
		if reason := s.refuses(p); reason != "" {
			return nil, errorAt(s.File, s.Text, p.BodyStart, reason)
		}
		if at := sqllex.StringsOff(p.Body); p.Kind == sqlsplit.Statement && at >= 0 {
			return nil, errorAt(s.File, s.Text, p.BodyStart+at, "with standard_conforming_strings = off a backslash could hide the end of a literal: "+
				"remove this, and write the literals that have a backslash as E'...'")
		}
	}
	return pieces, nil
}

// refuses says why a statement cannot be in the file, or "".
func (s *Script) refuses(p sqlsplit.Piece) string {
	control := p.Control()
	isSavepoint := control == sqllex.Savepoint || control == sqllex.RollbackTo
	switch {
	case p.Kind != sqlsplit.Statement:
	case s.NoTransaction && (isSavepoint || sqllex.NeedsTransaction(p.Body) != ""):
		what := sqllex.NeedsTransaction(p.Body)
		if isSavepoint {
			what = p.Keyword()
		}
		return what + ": in a file with " + noTransaction + " each statement runs on its own, and this one would have no effect on the next: " +
			"remove it, or put what belongs together into a file without that line"
	case control == sqllex.NoControl || isSavepoint:
	case control == sqllex.SetTransaction:
		return "SET TRANSACTION has to be the first statement of its file; the line " + isolationLevel + " serializable says the same"
	case s.NoTransaction:
		return p.Keyword() + ": no transaction can begin or end in a file with " + noTransaction + ", because each of its statements " +
			"runs on its own: remove the statement, and put what belongs together into a file without that line"
	case s.once:
		return p.Keyword() + ": the file runs in one transaction, so no statement of it can begin or end one: remove it"
	default:
		return p.Keyword() + ": the migration runs in one transaction together with its row in the history, so no statement of the file can " +
			"begin or end one: remove each BEGIN and COMMIT, or put what stands between them into a file of its own"
	}
	return ""
}

// parse makes statements of the pieces.
func (s *Script) parse(pieces []sqlsplit.Piece) error {
	for _, p := range pieces {
		switch p.Kind {
		case sqlsplit.Statement:
			sql, err := template.Parse(p.Body, template.Migration)
			if err != nil {
				return s.templateError(p.BodyStart, err)
			}
			s.Statements = append(s.Statements, Statement{SQL: sql, Start: p.BodyStart})
			s.locks = s.locks || sqllex.HasWord(p.Body, "pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock",
				"pg_try_advisory_lock_shared")
		case sqlsplit.CopyData:
			of := slices.IndexFunc(s.Statements, func(st Statement) bool { return st.Start == p.Copy })
			s.Statements[of].HasRows, s.Statements[of].Rows = true, p.Body
		}
	}
	return nil
}

// splitError gives an error of package sqlsplit the file's name.
func (s *Script) splitError(err error) error {
	var e *sqlsplit.Error
	if !errors.As(err, &e) {
		return &Error{File: s.File, Reason: "it cannot be split into statements", Err: err}
	}
	reason := e.Reason
	if e.Command != "" {
		reason = e.Command + ": " + reason
	}
	return errorAt(s.File, s.Text, e.Offset, reason)
}

// templateError gives an error of package template, about the statement that begins at start, its place in the file.
func (s *Script) templateError(start int, err error) error {
	var e *template.Error
	if !errors.As(err, &e) {
		return &Error{File: s.File, Reason: "its templates cannot be expanded", Err: err}
	}
	reason := fmt.Sprintf("template %s: %s", e.Template, e.Reason)
	if e.Suggestion != "" {
		reason += fmt.Sprintf("; did you mean %s?", e.Suggestion)
	}
	return errorAt(s.File, s.Text, start+e.Offset, reason)
}

// Expand returns the text of each statement for schema. The error is a [*Error].
func (s *Script) Expand(schema string) ([]string, error) {
	texts := make([]string, len(s.Statements))
	for i := range s.Statements {
		text, err := s.Statements[i].SQL.Expand(schema)
		if err != nil {
			return nil, s.templateError(s.Statements[i].Start, err)
		}
		texts[i] = text
	}
	return texts, nil
}

// Place returns where in the file the byte at offset of statement i, expanded for schema, comes from: the line and the
// column, in characters, both from 1, and the whole line without its line end.
func (s *Script) Place(i int, schema string, offset int) (line, column int, text string) {
	st := &s.Statements[i]
	at := st.Start + st.SQL.Source(schema, offset)
	line, column = position(s.Text, at)
	before, after := onLine(s.Text, at, at)
	return line, column, before + after
}

// onLine returns what stands before and after text[start:end] on its line.
func onLine(text string, start, end int) (before, after string) {
	before, after = text[strings.LastIndexAny(text[:start], "\r\n")+1:start], text[end:]
	if n := strings.IndexAny(after, "\r\n"); n >= 0 {
		after = after[:n]
	}
	return before, after
}

// SessionState reports whether a statement changes settings, or leaves anything in the session.
func (s *Script) SessionState() bool {
	for i := range s.Statements {
		if info := s.Statements[i].SQL.Info; info.SessionState || info.Settings {
			return true
		}
	}
	return s.locks
}

// HasTemplates reports whether any statement depends on the schema, or there is none.
func (s *Script) HasTemplates() bool {
	for i := range s.Statements {
		if s.Statements[i].SQL.HasTemplates() {
			return true
		}
	}
	return len(s.Statements) == 0
}

// HasRows reports whether the script has rows to send with COPY.
func (s *Script) HasRows() bool {
	for i := range s.Statements {
		if s.Statements[i].HasRows {
			return true
		}
	}
	return false
}

// Prefix identifies the first n statements, with the comments between them.
func (s *Script) Prefix(n int) string {
	end := len(s.Text)
	if n < len(s.Statements) {
		end = s.Statements[n].Start
	}
	return Checksum(s.Text[:end])
}

// Render returns the whole text with its statements expanded for schema. The error is a [*Error].
func (s *Script) Render(schema string) (string, error) {
	texts, err := s.Expand(schema)
	var b strings.Builder
	at := 0
	for i, text := range texts {
		st := &s.Statements[i]
		b.WriteString(s.Text[at:st.Start] + text)
		at = st.Start + len(st.SQL.Text)
	}
	b.WriteString(s.Text[at:])
	return b.String(), err
}

// Join returns the statements, expanded to texts, as one text that psql could run.
func (s *Script) Join(texts []string) string {
	var b strings.Builder
	for i, text := range texts {
		b.WriteString(text)
		if !strings.HasSuffix(text, ";") {
			b.WriteString("\n;")
		}
		b.WriteByte('\n')
		if s.Statements[i].HasRows {
			b.WriteString(s.Statements[i].Rows)
			if !strings.HasSuffix(b.String(), "\n") { // they ended with the file
				b.WriteByte('\n')
			}
			b.WriteString("\\.\n")
		}
	}
	return b.String()
}

// ReadOnce reads the text of a file that is run without a history. It may have no statement.
func ReadOnce(file string, content []byte) (*Script, error) {
	s := &Script{File: file, once: true}
	if err := s.read(content); err != nil {
		return nil, err
	}
	if s.NoTransaction {
		return nil, &Error{File: file, Reason: "the file runs in one transaction: remove the line " + noTransaction}
	}
	return s, nil
}
