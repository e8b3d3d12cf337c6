package migfile

import (
	"strings"
	"unicode"

	"github.com/pgdbm/pgdbm/internal/sqllex"
	"github.com/pgdbm/pgdbm/internal/sqlsplit"
)

const (
	noTransaction = "-- pgdbm:no-transaction"

	wrongDirective = "the only directive is " + noTransaction + ", spelt exactly so at the start of a line of its own; " +
		"change the line, or begin the comment with another word than pgdbm"
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
		rest := s.Text[at:end]
		size := 1 // of white space
		switch {
		case strings.HasPrefix(rest, "--"):
			if size = strings.IndexAny(rest, "\r\n"); size < 0 {
				size = len(rest)
			}
		case strings.HasPrefix(rest, "/*"):
			size = blockComment(rest)
		}
		if size > 1 {
			if err := s.comment(at, rest[:size]); err != nil {
				return err
			}
		}
		at += size
	}
	return nil
}

// blockComment returns the length of the comment that text begins with. They nest.
func blockComment(text string) int {
	depth := 0
	for i := 0; i < len(text)-1; i++ {
		switch text[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(text)
}

// comment reads one comment. What looks like a directive but is none is an error: to run in a transaction what was not
// meant to is worse.
func (s *Script) comment(at int, text string) error {
	startsLine := at == 0 || s.Text[at-1] == '\n' || s.Text[at-1] == '\r'
	if startsLine && strings.TrimRight(text, " \t\f\v") == noTransaction {
		s.NoTransaction = true
		return nil
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
