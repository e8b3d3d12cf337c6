package named

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// Query is a statement and the names of its parameters. It does not change, and is safe for concurrent use.
type Query struct {
	sql   string   // with $1, $2 and so on, if there are names
	names []string // names[0] is the one of $1
}

// Parse finds the named parameters of a text and numbers them in the order of their first use. A text without any
// is its own Query, $1 or not. It is an error if a text has both :name and $1.
func Parse(text string) (*Query, error) {
	if !strings.Contains(text, ":") {
		return &Query{sql: text}, nil
	}
	var (
		out      strings.Builder
		copied   int
		names    []string
		numbers  = map[string]int{}
		numbered sqllex.Token
		scan     = scanner{lex: sqllex.Lexer{Text: text}}
	)
	for t, named := scan.next(); t.Kind != sqllex.EOF; t, named = scan.next() {
		if !named {
			numbered = t
			continue
		}
		name := text[t.Start+1 : t.End]
		if numbers[name] == 0 {
			names = append(names, name)
			numbers[name] = len(names)
		}
		out.WriteString(text[copied:t.Start])
		writeParam(&out, text, t.Start, t.End, numbers[name])
		copied = t.End
	}
	if len(names) == 0 {
		return &Query{sql: text}, nil
	}
	if numbered.Kind == sqllex.Param {
		return nil, mixed(text, names[0], numbered)
	}
	out.WriteString(text[copied:])
	return &Query{sql: out.String(), names: names}, nil
}

// SQL returns the statement with $1 to $n. It is the text itself if there are no names.
func (q *Query) SQL() string { return q.sql }

// Names returns the names without their colons, that of $1 first; each one once. It is empty if there are none.
func (q *Query) Names() []string { return slices.Clone(q.names) }

// writeParam writes $n in place of text[start:end]. Where the neighbours would run into it, as in LIMIT:n, it sets
// spaces, which the reader of the original did not need.
func writeParam(out *strings.Builder, text string, start, end, n int) {
	if start > 0 && sqllex.IsWordByte(text[start-1]) {
		out.WriteByte(' ')
	}
	out.WriteByte('$')
	out.WriteString(strconv.Itoa(n))
	if end < len(text) && sqllex.IsWordByte(text[end]) {
		out.WriteByte(' ')
	}
}

// mixed is the error for a text that has both kinds of parameters.
func mixed(text, name string, numbered sqllex.Token) error {
	before := text[:numbered.Start]
	lineStart := strings.LastIndexByte(before, '\n') + 1
	return fmt.Errorf("pgdbm: named parameters: the statement has :%s and also %s (line %d, column %d), and their "+
		"numbers would clash: give all of its parameters names, or none", name, text[numbered.Start:numbered.End],
		strings.Count(before, "\n")+1, utf8.RuneCountInString(before[lineStart:])+1)
}
