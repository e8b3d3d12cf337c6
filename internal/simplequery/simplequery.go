// Package simplequery writes arguments into the text of a statement, for the simple query protocol. The result is what
// pgx sends in its mode QueryExecModeSimpleProtocol, and the errors are those of pgx, in the same words.
//
// It differs from pgx only where the scanner of pgx does not find the tokens that PostgreSQL finds. There package
// sqllex decides, so a $1 is replaced exactly where the server would read a parameter:
//
//   - a$1 is an identifier, and so are the first two bytes of a$$;
//   - in date'\' the backslash means itself, although an e stands before the quote;
//   - the second line of an E'...' may have backslashes too;
//   - a byte that is not valid UTF-8 is sent, for the server to refuse. pgx drops what follows it.
package simplequery

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// Session tells the parameters that the server has reported, as a [pgconn.PgConn] does.
//
// [pgconn.PgConn]: https://pkg.go.dev/github.com/jackc/pgx/v5/pgconn#PgConn.ParameterStatus
type Session interface {
	ParameterStatus(key string) string
}

// Check returns an error if a literal could mean something else in the session. Call it before each [Interpolate]: SET
// changes what it looks at.
func Check(s Session) error {
	switch {
	case s.ParameterStatus("standard_conforming_strings") != "on":
		return errors.New("simple protocol queries must be run with standard_conforming_strings=on")
	case s.ParameterStatus("client_encoding") != "UTF8":
		return errors.New("simple protocol queries must be run with client_encoding=UTF8")
	}
	return nil
}

// noWords makes Skim stop at no word.
var noWords = sqllex.NewWordFilter()

// Interpolate returns sql with a literal in place of each $n, after it has passed [Check]. Every argument must be used.
//
// With no arguments, (*pgx.Conn).Exec sends a text as it is, and (*pgx.Conn).Query calls a $1 an error, as Interpolate
// does.
func Interpolate(m *pgtype.Map, sql string, args []any) (string, error) {
	values, err := encode(m, args)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.Grow(len(sql) + values.size())
	done := 0
	lex := sqllex.Lexer{Text: sql}
	for t := lex.Skim(noWords); t.Kind != sqllex.EOF; t = lex.Skim(noWords) {
		if t.Kind != sqllex.Param {
			continue
		}
		n, end := sqllex.ParamNumber(sql, t)
		switch {
		case n == 0:
			return "", errors.New("first sql argument must be > 0")
		case n > len(args):
			return "", errors.New("insufficient arguments")
		}
		b.WriteString(sql[done:t.Start])
		values.write(&b, n-1)
		done = end
		lex.Seek(end)
	}
	if i := values.unused(); i >= 0 {
		return "", fmt.Errorf("unused argument: %d", i)
	}
	b.WriteString(sql[done:])
	return b.String(), nil
}

// values are the arguments in text format.
type values struct {
	text []byte // all of them
	list []value
}

type value struct {
	start, end int // in text
	null, used bool
}

func encode(m *pgtype.Map, args []any) (v values, err error) {
	v = values{text: []byte{}, list: make([]value, len(args))} // for nil, Encode would return nil for an empty string
	for i, arg := range args {
		start := len(v.text)
		text, err := m.Encode(0, pgx.TextFormatCode, arg, v.text)
		if err != nil {
			return values{}, err
		}
		if text == nil {
			v.list[i].null = true
			continue
		}
		v.text = text
		v.list[i].start, v.list[i].end = start, len(text)
	}
	return v, nil
}

// size returns about how many bytes the literals take.
func (v *values) size() int { return len(v.text) + len(v.list)*len(" null ") }

// write appends the literal of an argument, between blanks. Without them a minus before a negative number would begin
// a comment, and the literal could become part of a token beside it.
func (v *values) write(b *strings.Builder, i int) {
	a := &v.list[i]
	a.used = true
	if a.null {
		b.WriteString(" null ")
		return
	}
	b.WriteString(" '")
	for _, c := range v.text[a.start:a.end] {
		if c == '\'' {
			b.WriteByte('\'')
		}
		b.WriteByte(c)
	}
	b.WriteString("' ")
}

// unused returns the first argument that was not written, or -1.
func (v *values) unused() int {
	for i := range v.list {
		if !v.list[i].used {
			return i
		}
	}
	return -1
}
