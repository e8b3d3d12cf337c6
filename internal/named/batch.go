package named

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx/reflectx"
	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// maxParams is how many parameters PostgreSQL takes: its protocol counts them with 16 bits.
const maxParams = 65535

// bindBatch binds two rows or more: a slice or array of structs or maps.
func (q *Query) bindBatch(mapper *reflectx.Mapper, rows reflect.Value) (sql string, args []any, err error) {
	tuple, err := q.findTuple()
	if err != nil {
		return "", nil, err
	}
	n := rows.Len()
	if most := maxParams / len(q.names); n > most {
		return "", nil, fmt.Errorf("pgdbm: named parameters: %d rows of %d parameters are too many for one statement: "+
			"PostgreSQL takes %d parameters, so %d rows fit; use ExecMany or CopyFrom", n, len(q.names), maxParams, most)
	}
	args = make([]any, 0, n*len(q.names))
	r := reader{query: q, mapper: mapper}
	for i := range n {
		if args, err = r.appendRow(args, rows.Index(i), i+1); err != nil {
			return "", nil, err
		}
	}
	return q.repeat(tuple, n), args, nil
}

// repeat writes the statement with its tuple n times.
func (q *Query) repeat(tuple span, n int) string {
	params := paramsIn(q.sql, tuple)
	var out strings.Builder
	out.Grow(len(q.sql) + (n-1)*(tuple.end-tuple.start+4*len(params)))
	out.WriteString(q.sql[:tuple.start])
	for row := range n {
		if row > 0 {
			out.WriteString(", ")
		}
		at := tuple.start
		for _, p := range params {
			out.WriteString(q.sql[at : p.Start+1])
			out.WriteString(strconv.Itoa(paramNumber(q.sql, p) + row*len(q.names)))
			at = p.End
		}
		out.WriteString(q.sql[at:tuple.end])
	}
	out.WriteString(q.sql[tuple.end:])
	return out.String()
}

// span is the bytes [start, end) of a text.
type span struct{ start, end int }

// paramsIn returns the parameters in a part of a text.
func paramsIn(text string, part span) (params []sqllex.Token) {
	lex := sqllex.At(text[:part.end], part.start)
	for t := lex.Next(); t.Kind != sqllex.EOF; t = lex.Next() {
		if t.Kind == sqllex.Param {
			params = append(params, t)
		}
	}
	return params
}

// paramNumber returns the 1 of $1. It is for a text that Parse wrote, in which nothing else stands there.
func paramNumber(text string, t sqllex.Token) int {
	n, _ := strconv.Atoi(text[t.Start+1 : t.End])
	return n
}

var errNoTuple = errors.New("pgdbm: named parameters: several rows were given, and the statement has no VALUES (...) " +
	"with parameters to repeat for each of them; give one row, or use a statement like " +
	"INSERT INTO t (a, b) VALUES (:a, :b)")

var errTuples = errors.New("pgdbm: named parameters: several rows were given, and the statement has several tuples " +
	"with parameters behind VALUES; leave one, which is repeated for each row")

// findTuple returns the parentheses behind VALUES that hold all parameters.
func (q *Query) findTuple() (tuple span, err error) {
	found := false
	outside := sqllex.Token{}
	var seen tail
	lex := sqllex.Lexer{Text: q.sql}
	for t := lex.Next(); t.Kind != sqllex.EOF; t = lex.Next() {
		if list := q.valuesList(seen, t, lex); list.tuples > 0 {
			lex.Seek(list.end)
			if len(paramsIn(q.sql, list.span)) > 0 {
				if found || list.tuples > 1 {
					return span{}, errTuples
				}
				found, tuple = true, list.first
			}
		} else if t.Kind == sqllex.Param {
			outside = t
		}
		seen.push(t)
	}
	switch {
	case !found:
		return span{}, errNoTuple
	case outside.Kind == sqllex.Param:
		return span{}, fmt.Errorf("pgdbm: named parameters: several rows were given, and :%s stands outside of the "+
			"VALUES (...) that is repeated for each row: it is not clear which row its value comes from; "+
			"write the value into the statement, or give one row", q.names[paramNumber(q.sql, outside)-1])
	}
	return tuple, nil
}

// valuesList is VALUES and its tuples.
type valuesList struct {
	span
	first  span // with its parentheses
	tuples int
}

// valuesList reads the list that starts with t; lex stands behind t. It has no tuples if t starts none.
func (q *Query) valuesList(seen tail, t sqllex.Token, lex sqllex.Lexer) (list valuesList) {
	if t.Kind != sqllex.Word || !sqllex.Equal(q.sql[t.Start:t.End], "values") || q.is(seen.last, '.') {
		return list
	}
	list.start = t.Start
	for next := lex.Next(); q.is(next, '('); next = lex.Next() {
		list.end = q.closing(&lex)
		if list.tuples++; list.tuples == 1 {
			list.first = span{next.Start, list.end}
		}
		if next = lex.Next(); !q.is(next, ',') {
			break
		}
	}
	return list
}

// closing reads to the parenthesis that closes the one just read, and returns the position behind it. Without one
// that is the end of the text; the server says what is wrong with it.
func (q *Query) closing(lex *sqllex.Lexer) int {
	depth := 1
	for t := lex.Next(); t.Kind != sqllex.EOF; t = lex.Next() {
		switch {
		case q.is(t, '('):
			depth++
		case q.is(t, ')'):
			if depth--; depth == 0 {
				return t.End
			}
		}
	}
	return len(q.sql)
}

func (q *Query) is(t sqllex.Token, punct byte) bool {
	return t.Kind == sqllex.Punct && q.sql[t.Start] == punct
}
