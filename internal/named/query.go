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
	sql      string   // with $1, $2 and so on, if there are names
	names    []string // names[0] is the one of $1
	distinct []string // the same, each one once
}

// Parse finds the named parameters of a text and numbers them from left to right. A text without any is its own Query,
// $1 or not, but for ::::, which becomes :: everywhere. It is an error if a text has both :name and $1.
func Parse(text string) (*Query, error) {
	if !strings.Contains(text, ":") {
		return &Query{sql: text}, nil
	}
	var (
		out      strings.Builder
		copied   int
		names    []string
		numbered sqllex.Token
		scan     = scanner{lex: sqllex.Lexer{Text: text}}
	)
	for t, found := scan.next(); t.Kind != sqllex.EOF; t, found = scan.next() {
		if found == foundNumber {
			numbered = t
			continue
		}
		out.WriteString(text[copied:t.Start])
		if found == foundName {
			names = append(names, text[t.Start+1:t.End])
			writeParam(&out, text, t.Start, t.End, len(names))
		} else {
			out.WriteString("::")
		}
		copied = t.End
	}
	if copied == 0 {
		return &Query{sql: text}, nil
	}
	if numbered.Kind == sqllex.Param && len(names) > 0 {
		return nil, mixed(text, names[0], numbered)
	}
	out.WriteString(text[copied:])
	return &Query{sql: out.String(), names: names, distinct: distinct(names)}, nil
}

// distinct returns the names without repetitions, in the order of their first use.
func distinct(names []string) (once []string) {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			once = append(once, name)
		}
	}
	return once
}

// SQL returns the statement with $1 to $n. It is the text itself if there are no names.
func (q *Query) SQL() string { return q.sql }

// Names returns the names without their colons, that of $1 first; one that is used twice comes twice. It is empty if
// there are none.
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
