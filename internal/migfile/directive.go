package migfile

import (
	"path"
	"strings"
	"unicode"

	"github.com/pgdbm/pgdbm/internal/sqllex"
	"github.com/pgdbm/pgdbm/internal/sqlsplit"
)

const (
	noTransaction  = "-- pgdbm:no-transaction"
	ignoreMarkers  = "-- pgdbm:ignore-markers"
	isolationLevel = "-- pgdbm:isolation" // and a level

	wrongDirective = "the directives are " + noTransaction + ", " + ignoreMarkers + " and " + isolationLevel + " with read committed, " +
		"repeatable read or serializable, spelt exactly so at the start of a line of their own; change the line, or begin the comment with " +
		"another word than pgdbm"
)

// commentReader reads the comments of a script.
type commentReader struct {
	*Script
	marker  int    // where the first marker of another tool is, or -1
	tool    string // the tool, for an error
	harmful bool   // a statement follows it
	ignored bool   // markers are comments like any other
}

// directives reads the comments of the text for directives, and sets what they say. Rows of COPY have no comments.
func (s *Script) directives(pieces []sqlsplit.Piece) error {
	r := &commentReader{Script: s, marker: -1}
	for _, p := range pieces {
		if err := r.piece(p); err != nil {
			return err
		}
	}
	if r.harmful && !r.ignored {
		name := strings.TrimSuffix(path.Base(s.File), ".sql")
		name = strings.TrimSuffix(strings.TrimSuffix(name, ".up"), ".down") + "."
		if _, ok := ownFolder(s.File); ok {
			name = ""
		}
		return errorAt(s.File, s.Text, r.marker, "this line is a command to "+r.tool+". Here the whole file would run, the undo right after "+
			"the migration: split it into "+name+"up.sql and "+name+"down.sql, without such lines; or, if all of it belongs together, remove "+
			"the line, or add the line "+ignoreMarkers)
	}
	return nil
}

// piece reads the comments of a piece. Those before its first token are between statements, where other tools have their markers; so are
// those behind #, with which the markers of Play can begin.
func (r *commentReader) piece(p sqlsplit.Piece) error {
	end := p.End
	if p.Kind == sqlsplit.CopyData {
		end = p.BodyStart
	}
	lex, gap, between := sqllex.At(r.Text[:end], p.Start), p.Start, true
	for t := lex.Next(); ; t = lex.Next() {
		if err := r.comments(gap, t.Start, between); err != nil {
			return err
		}
		if gap = t.End; t.Kind == sqllex.EOF {
			break
		}
		between = between && r.Text[t.Start:t.End] == "#"
	}
	if r.marker >= 0 && p.Kind == sqlsplit.Statement && p.Control() == sqllex.NoControl {
		r.harmful = true
	}
	return nil
}

// comments reads the comments in text[start:end], which lies between two tokens and holds nothing else but white space.
func (r *commentReader) comments(start, end int, between bool) error {
	for at := start; at < end; {
		next, _, ok := sqllex.Comment(r.Text[:end], at)
		if !ok {
			at++ // white space
			continue
		}
		if err := r.comment(at, r.Text[at:next], between); err != nil {
			return err
		}
		at = next
	}
	return nil
}

// comment reads one comment. What looks like a directive but is none is an error: to run in a transaction what was not
// meant to is worse.
func (r *commentReader) comment(at int, text string, between bool) error {
	before, after := onLine(r.Text, at, at+len(text))
	line := strings.TrimRight(text, " \t\f\v")
	switch {
	case before == "" && line == noTransaction:
		r.NoTransaction = true
	case before == "" && line == ignoreMarkers, strings.HasPrefix(text, "--liquibase formatted sql"): // its undos are comments
		r.ignored = true
	case before == "" && r.isolation(line):
	case looksLikeDirective(text):
		return errorAt(r.File, r.Text, at, wrongDirective)
	case r.marker < 0 && between && strings.Trim(before+after, "# \t\f\v") == "":
		if r.tool = r.otherTool(text); r.tool != "" {
			r.marker = at
		}
	}
	return nil
}

// isolation reports whether the line is the directive for an isolation level, and sets it.
func (s *Script) isolation(line string) bool {
	level, ok := strings.CutPrefix(line, isolationLevel+" ")
	if !ok {
		return false
	}
	var other int
	s.Isolation, other = sqllex.Isolation("SET TRANSACTION ISOLATION LEVEL " + level)
	return other < 0
}

// looksLikeDirective reports whether a comment begins with pgdbm and a colon, or has the letters of a directive and no
// others.
func looksLikeDirective(comment string) bool {
	letters := strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, comment)
	switch strings.TrimSuffix(letters, "s") {
	case "pgdbmnotransaction", "pgdbmignoremarker":
		return true
	}
	words := strings.ToLower(strings.TrimLeft(comment, "-/* \t"))
	rest, ok := strings.CutPrefix(words, "pgdbm")
	return ok && strings.HasPrefix(strings.TrimLeft(rest, " \t"), ":")
}
