package migrations

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pgdbm/pgdbm/internal/sqlsplit"
	"github.com/pgdbm/pgdbm/internal/template"
)

const bom = "\ufeff"

// script is the text of a file and its statements. It does not depend on the schema, never changes, and is safe for
// concurrent use.
type script struct {
	file          string // its path in the file system
	text          string // without a BOM, and with LF as the only line end, like what the checksum is made of
	checksum      string // of the file
	statements    []statement
	noTransaction bool
	once          bool // it is no migration: see ExecFile
	locks         bool // a statement takes an advisory lock that outlives its transaction
}

// statement is one statement of a script.
type statement struct {
	sql    template.Statement // without the comments before it; with its semicolon, if it has one
	start  int                // where it begins in the script's text, in bytes
	copies bool               // it is COPY ... FROM stdin, and has rows
	rows   string             // the rows to send, with the last one's line end; no template is one in there
}

// newScript reads the text of the file. The error is a [*SourceError].
//
// The text is split before its templates are expanded. The rows of COPY are users' data, where nothing is a template.
func newScript(file string, content []byte) (*script, error) {
	s := &script{file: file}
	if err := s.read(content); err != nil {
		return nil, err
	}
	if len(s.statements) == 0 {
		return nil, &SourceError{File: file, Reason: "the file has no statement: write one, or remove the file"}
	}
	return s, nil
}

// read reads the text, of which only the file's name is known so far.
func (s *script) read(content []byte) error {
	whole := normalize(string(content))
	if err := checkText(s.file, whole); err != nil {
		return err
	}
	s.text, s.checksum = strings.TrimPrefix(whole, bom), checksum(whole)
	pieces, err := sqlsplit.Split(s.text)
	if err != nil {
		return s.splitError(err)
	}
	if err := s.directives(pieces); err != nil {
		return err
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
			return sourceErrorAt(file, text, i, "there is a NUL byte, which PostgreSQL cannot store: save the file as UTF-8")
		}
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
			return sourceErrorAt(file, text, i, "the text is not UTF-8 from here on: save the file as UTF-8")
		}
	}
	return nil
}

// checkTransactions takes off the BEGIN and the COMMIT around the whole file, and refuses all other transaction control.
func (s *script) checkTransactions(pieces []sqlsplit.Piece) ([]sqlsplit.Piece, error) {
	remedy := "a transaction cannot begin or end in a file with -- pgdbm:no-transaction, because each of its statements " +
		"runs on its own: remove the statement"
	if !s.noTransaction {
		inner, _, err := sqlsplit.OuterTransaction(s.text, pieces)
		if err != nil {
			return nil, s.splitError(err)
		}
		pieces = inner
		remedy = "the migration runs in one transaction together with its row in the history, so no statement of the file can " +
			"control transactions: remove it, or put the line -- pgdbm:no-transaction into the file, " +
			"so that each statement runs on its own"
	}
	if s.once {
		remedy = "the file runs in one transaction, so no statement of it can control transactions: remove it"
	}
	for _, p := range pieces {
		if p.IsTransactionControl() {
			return nil, sourceErrorAt(s.file, s.text, p.BodyStart, p.Keyword()+": "+remedy)
		}
	}
	return pieces, nil
}

// parse makes statements of the pieces.
func (s *script) parse(pieces []sqlsplit.Piece) error {
	for _, p := range pieces {
		switch p.Kind {
		case sqlsplit.Statement:
			sql, err := template.Parse(p.Body, template.Migration)
			if err != nil {
				return s.templateError(p.BodyStart, err)
			}
			s.statements = append(s.statements, statement{sql: sql, start: p.BodyStart})
			s.locks = s.locks || hasWord(p.Body, "pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock",
				"pg_try_advisory_lock_shared")
		case sqlsplit.CopyData: // it always follows its COPY
			last := &s.statements[len(s.statements)-1]
			last.copies, last.rows = true, p.Body
		}
	}
	return nil
}

// splitError gives an error of package sqlsplit the file's name.
func (s *script) splitError(err error) error {
	var e *sqlsplit.Error
	if !errors.As(err, &e) {
		return &SourceError{File: s.file, Reason: "it cannot be split into statements", Err: err}
	}
	reason := e.Reason
	if e.Command != "" {
		reason = e.Command + ": " + reason
	}
	return sourceErrorAt(s.file, s.text, e.Offset, reason)
}

// templateError gives an error of package template, about the statement that begins at start, its place in the file.
func (s *script) templateError(start int, err error) error {
	var e *template.Error
	if !errors.As(err, &e) {
		return &SourceError{File: s.file, Reason: "its templates cannot be expanded", Err: err}
	}
	reason := fmt.Sprintf("template %s: %s", e.Template, e.Reason)
	if e.Suggestion != "" {
		reason += fmt.Sprintf("; did you mean %s?", e.Suggestion)
	}
	return sourceErrorAt(s.file, s.text, start+e.Offset, reason)
}

// expand returns the text of each statement for schema. The error is a [*SourceError].
func (s *script) expand(schema string) ([]string, error) {
	texts := make([]string, len(s.statements))
	for i := range s.statements {
		text, err := s.statements[i].sql.Expand(schema)
		if err != nil {
			return nil, s.templateError(s.statements[i].start, err)
		}
		texts[i] = text
	}
	return texts, nil
}

// place returns where in the file the byte at offset of statement i, expanded for schema, comes from: the line and the
// column, in characters, both from 1, and the whole line without its line end.
func (s *script) place(i int, schema string, offset int) (line, column int, text string) {
	st := &s.statements[i]
	at := st.start + st.sql.Source(schema, offset)
	line, column = sqlsplit.Position(s.text, at)
	start := strings.LastIndexByte(s.text[:at], '\n') + 1
	text, _, _ = strings.Cut(s.text[start:], "\n")
	return line, column, text
}

// sessionState reports whether a statement changes settings, or leaves anything in the session.
func (s *script) sessionState() bool {
	for i := range s.statements {
		if info := s.statements[i].sql.Info; info.SessionState || info.Settings {
			return true
		}
	}
	return s.locks
}

// hasTemplates reports whether any statement depends on the schema.
func (s *script) hasTemplates() bool {
	for i := range s.statements {
		if s.statements[i].sql.HasTemplates() {
			return true
		}
	}
	return false
}

// copies reports whether the script has rows to send with COPY.
func (s *script) copies() bool {
	for i := range s.statements {
		if s.statements[i].copies {
			return true
		}
	}
	return false
}

// inParts reports whether the script does not go into one message.
func (s *script) inParts() bool { return s.copies() || len(s.text) > batchBytes }
