package migfile

import (
	"strings"
	"unicode"

	"github.com/pgdbm/pgdbm/internal/sqllex"
	"github.com/pgdbm/pgdbm/internal/sqlsplit"
)

const (
	noTransaction  = "-- pgdbm:no-transaction"
	isolationLevel = "-- pgdbm:isolation" // and a level

	wrongDirective = "the directives are " + noTransaction + " and " + isolationLevel + " with read committed, repeatable read or serializable, " +
		"spelt exactly so at the start of a line of their own; change the line, or begin the comment with another word than pgdbm"
)

// directives reads the comments of the text for directives, and sets what they say. Rows of COPY have no comments.
func (s *Script) directives(pieces []sqlsplit.Piece) error {
	for _, p := range pieces {
		end := p.End
		if p.Kind == sqlsplit.CopyData {
			end = p.BodyStart
		}
		lex, gap := sqllex.At(s.Text[:end], p.Start), p.Start
		for t := lex.Next(); ; t = lex.Next() {
			if err := s.comments(gap, t.Start); err != nil {
				return err
			}
			if gap = t.End; t.Kind == sqllex.EOF {
				break
			}
		}
	}
	return nil
}

// comments reads the comments in text[start:end], which lies between two tokens and holds nothing else but white space.
func (s *Script) comments(start, end int) error {
	for at := start; at < end; {
		next, _, ok := sqllex.Comment(s.Text[:end], at)
		if !ok {
			at++ // white space
			continue
		}
		if err := s.comment(at, s.Text[at:next]); err != nil {
			return err
		}
		at = next
	}
	return nil
}

// comment reads one comment. What looks like a directive but is none is an error: to run in a transaction what was not
// meant to is worse.
func (s *Script) comment(at int, text string) error {
	startsLine := at == 0 || s.Text[at-1] == '\n' || s.Text[at-1] == '\r'
	line := strings.TrimRight(text, " \t\f\v")
	if startsLine && line == noTransaction {
		s.NoTransaction = true
		return nil
	}
	if level, ok := strings.CutPrefix(line, isolationLevel+" "); ok && startsLine {
		var other int
		if s.Isolation, other = sqllex.Isolation("SET TRANSACTION ISOLATION LEVEL " + level); other < 0 {
			return nil
		}
	}
	if looksLikeDirective(text) {
		return errorAt(s.File, s.Text, at, wrongDirective)
	}
	if tool := otherTool(text); tool != "" {
		return errorAt(s.File, s.Text, at, "this line is a command to "+tool+", and means nothing here, so that a part of "+
			"the file that undoes it would run too: move that part to "+undoFolder+"/, in a file with the same name, and "+
			"remove such lines")
	}
	return nil
}

// looksLikeDirective reports whether a comment begins with pgdbm and a colon, or has the letters of the directive and no
// others.
func looksLikeDirective(comment string) bool {
	letters := strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, comment)
	if letters == "pgdbmnotransaction" || letters == "pgdbmnotransactions" {
		return true
	}
	words := strings.ToLower(strings.TrimLeft(comment, "-/* \t"))
	rest, ok := strings.CutPrefix(words, "pgdbm")
	return ok && strings.HasPrefix(strings.TrimLeft(rest, " \t"), ":")
}

// otherTool returns the name of the migration tool that the comment is a command for, or "". Those tools have the
// migration and its undo in one file.
func otherTool(comment string) string {
	text := strings.ToLower(strings.TrimLeft(comment, "- \t"))
	switch {
	case strings.HasPrefix(text, "+goose "):
		return "goose"
	case strings.HasPrefix(text, "+migrate "):
		return "sql-migrate"
	case strings.HasPrefix(text, "migrate:up"), strings.HasPrefix(text, "migrate:down"):
		return "dbmate"
	case strings.HasPrefix(text, "create above / drop below"):
		return "tern"
	}
	return ""
}
