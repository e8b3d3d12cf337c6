package schemadb

import (
	"context"
	"errors"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

var (
	errNoInsert = errors.New("pgdbm: InsertID: the statement is no INSERT; use Value with a RETURNING clause")
	errTwo      = errors.New("pgdbm: InsertID: there is more than one statement; send them one by one")
)

// InsertID executes an INSERT of one row and returns its id. It appends RETURNING id, unless the statement has a
// RETURNING clause, which then has to return one integer. If no row is inserted, as with ON CONFLICT DO NOTHING, the
// error is sql.ErrNoRows. For keys of other types use [Value] with a RETURNING clause.
func (q *queries) InsertID(ctx context.Context, query string, args ...any) (int64, error) {
	query, err := returningID(query)
	if err != nil {
		return 0, err
	}
	var id int64
	err = q.get(ctx, &id, query, args)
	return id, err
}

// returningID adds RETURNING id behind the last token of an INSERT that has no RETURNING clause: not behind a comment,
// and before a semicolon. RETURNING is a reserved word, so outside of parentheses it is the clause; inside, it belongs
// to a common table expression.
func returningID(query string) (string, error) {
	lex := sqllex.Lexer{Text: query}
	depth, end := 0, 0
	insert, returning, finished := false, false, false
	for t := lex.Next(); t.Kind != sqllex.EOF; t = lex.Next() {
		if t.Kind == sqllex.Semicolon && depth == 0 {
			finished = true
			continue
		}
		if finished {
			return "", errTwo
		}
		end = t.End
		switch word := query[t.Start:t.End]; {
		case word == "(":
			depth++
		case word == ")":
			depth--
		case t.Kind == sqllex.Word && depth == 0:
			insert = insert || sqllex.Equal(word, "insert")
			returning = returning || sqllex.Equal(word, "returning")
		}
	}
	switch {
	case !insert:
		return "", errNoInsert
	case returning:
		return query, nil
	}
	return query[:end] + " RETURNING id" + query[end:], nil
}
