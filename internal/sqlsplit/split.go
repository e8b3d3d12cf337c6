package sqlsplit

import (
	"strings"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// bom is what some editors of Windows write at the start of a UTF-8 file. To the lexer it would be a letter.
const bom = "\ufeff"

// Split returns the pieces of text. Their Texts, joined, are the text again; an empty text has none. The error is an
// [*Error] for the first thing in the text that Split refuses: see the package's documentation. Split keeps no state.
func Split(text string) ([]Piece, error) {
	s := splitter{text: text, lex: sqllex.Lexer{Text: text}}
	if strings.HasPrefix(text, bom) {
		s.lex.Seek(len(bom))
	}
	for s.end < len(text) || s.copies != nil {
		if err := s.next(); err != nil {
			return nil, err
		}
	}
	return s.pieces, nil
}

type splitter struct {
	text   string
	lex    sqllex.Lexer
	pieces []Piece
	end    int   // of the last piece
	copies []int // where the COPY ... FROM stdin of a line begin whose rows are still to come
	rows   int   // where those begin
}

// next adds the next piece, or the rows of COPY.
func (s *splitter) next() error {
	first := s.lex.Next()
	switch {
	case s.copies != nil && (first.Kind == sqllex.EOF || !s.onLineOfCopy(first.Start)):
		return s.copyData()
	case first.Kind == sqllex.EOF:
		s.add(Blank, len(s.text), len(s.text), len(s.text))
		return s.checkComment(s.pieces[len(s.pieces)-1].Start)
	case first.Kind == sqllex.Semicolon:
		s.add(Blank, first.End, first.End, first.End)
		return nil
	case first.Kind == sqllex.Punct && s.text[first.Start] == '\\':
		return s.command(first.Start, false)
	}
	if err := s.statement(first); err != nil {
		return err
	}
	if isWord(s.text, first, "copy") && readsRows(s.text[first.Start:s.end]) {
		return s.awaitsRows(first.Start)
	}
	return nil
}

// add adds the piece that reaches from the last piece to end, with the body [from, to).
func (s *splitter) add(kind Kind, from, to, end int) {
	s.pieces = append(s.pieces, Piece{
		Kind: kind, Start: s.end, End: end, Text: s.text[s.end:end], Body: s.text[from:to], BodyStart: from,
	})
	s.end = end
}

// statement adds the statement that begins with the token first.
func (s *splitter) statement(first sqllex.Token) error {
	in := nesting{text: s.text, routine: isWord(s.text, first, "create") && s.lex.CreatesRoutine()}
	last := first
	for t := first; t.Kind != sqllex.EOF; t = s.lex.Next() {
		last = t
		if s.onLineOfCopy(first.Start) && t.End > s.rows {
			return newError(s.text, first.Start, "", notAlone)
		}
		if t.Kind == sqllex.Punct && s.text[t.Start] == '\\' {
			return s.command(t.Start, true)
		}
		if t.End == len(s.text) && !closed(s.text[t.Start:]) {
			return newError(s.text, t.Start, "", openLiteral(t.Kind))
		}
		if in.ends(t, &s.lex) {
			s.add(Statement, first.Start, t.End, t.End)
			return nil
		}
	}
	if err := s.checkComment(last.End); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	s.add(Statement, first.Start, last.End, last.End)
	return nil
}
