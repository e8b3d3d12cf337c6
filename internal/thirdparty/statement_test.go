package thirdparty_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// form is the method that a statement is executed with.
type form int

const (
	asExec form = iota
	asQuery
	asRow // QueryRow, for statements of one column
)

// statement is a text with its arguments. A leading @ of a name stands for the schema.
type statement struct {
	text     string
	args     []any
	form     form
	writes   bool
	silently bool // what it has written does not show in its outcome
}

func (s statement) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", [...]string{"Exec", "Query", "QueryRow"}[s.form], s.text)
	for _, arg := range s.args {
		b.WriteString("," + valueOutcome(arg))
	}
	return b.String()
}

// shape is a kind of statement about a column.
type shape struct {
	text    string // # is the column, % the table
	args    string // v is a value of the column, i an id, I an array of ids, w a value of any column
	results int    // 0: it is for Exec; 1: one column, which QueryRow can read; 2: more
	writes  bool
	only    string // the columns that it is about, or "" for any
}

var shapes = []shape{
	{text: "SELECT id, # FROM @% WHERE id = $1", args: "i", results: 2},
	{text: "SELECT # FROM @% WHERE id = $1", args: "i", results: 1},
	{text: "SELECT * FROM @% WHERE id = $1", args: "i", results: 2},
	{text: "SELECT * FROM @% ORDER BY id", results: 2},
	{text: "SELECT t.*, t FROM @% t WHERE id > $1 ORDER BY id", args: "i", results: 2},
	{text: "SELECT id FROM @% WHERE # = $1 ORDER BY id", args: "v", results: 2},
	{text: "SELECT id, # FROM @% WHERE id = ANY($1) ORDER BY id", args: "I", results: 2},
	{text: "SELECT coalesce(#, $1) FROM @% WHERE id = $2", args: "vi", results: 1},
	{text: "UPDATE @% SET # = $1 WHERE id = $2", args: "vi", writes: true},
	{text: "UPDATE @% SET # = $1 WHERE id = $2 RETURNING #", args: "vi", results: 1, writes: true},
	{text: "UPDATE @% SET # = $1 WHERE id = $2 RETURNING *", args: "wi", results: 2, writes: true},
	{text: "INSERT INTO @% (id, #) VALUES ($1, $2)", args: "iv", writes: true},
	{text: "INSERT INTO @% (id, #) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET # = $2 RETURNING id, #", args: "iv", results: 2, writes: true},
	{text: "DELETE FROM @% WHERE id = $1", args: "i", writes: true},
	{text: "UPDATE @% SET n = n / $1 WHERE id = $2", args: "vi", writes: true, only: "n"},
	{text: "UPDATE @% SET n = n / $1 WHERE id = $2 RETURNING n", args: "vi", results: 1, writes: true, only: "n"},
	{text: "DELETE FROM @% WHERE n = $1", args: "v", writes: true, only: "n"},
	{text: "SELECT n + $1 FROM @% WHERE id = $2", args: "vi", results: 1, only: "n"},
	{text: "SELECT count(*), max(n) FROM @% WHERE n > $1", args: "v", results: 2, only: "n"},
	{text: "UPDATE @% SET n = n + 1 WHERE id = 3", writes: true, only: "n"},
	{text: "SELECT $1::@tp_mood, id FROM @% WHERE id = $2", args: "vi", results: 2, only: "m"},
	{text: "SELECT ($1::@tp_pair).a", args: "v", results: 1, only: "p"},
	{text: "SELECT $1::@tp_dom", args: "v", results: 1, only: "o"},
	{text: "SELECT @tp_f($1)", args: "v", results: 1, only: "n"},
	{text: "SELECT d + $1 FROM @% WHERE id = $2", args: "vi", results: 1, only: "d"},
	{text: "SELECT # = ANY($1) FROM @% WHERE id = $2", args: "wi", results: 1},
	{text: "SELECT 10 / (id - 3), # FROM @% WHERE id >= $1 ORDER BY id", args: "i", results: 2},
}

// card is a text that the deck has: statements come again, or nothing would be prepared.
type card struct {
	shape  shape
	table  string
	column column
	serial int // makes a text that nobody has sent before, unless it is 0
}

func (c card) text() string {
	text := strings.NewReplacer("%", c.table, "#", c.column.name).Replace(c.shape.text)
	if c.serial > 0 {
		text += fmt.Sprintf(" /* %d */", c.serial)
	}
	return text
}

// newCard returns a random one that the class allows.
func newCard(r *rand.Rand, of class) card {
	for {
		s := pick(r, shapes)
		if !of.shapes(s) {
			continue
		}
		t := tables[r.IntN(len(tables))]
		c := columnNamed(pick(r, t.columns))
		if s.only != "" {
			if !slices.Contains(t.columns, s.only) {
				continue
			}
			c = columnNamed(s.only)
		}
		if s.writes && c.name == "id" || of.columns != nil && !slices.Contains(of.columns, c.name) {
			continue
		}
		return card{shape: s, table: t.name, column: c}
	}
}

// statement deals a card: its text, with random arguments.
func (c card) statement(r *rand.Rand) statement {
	s := statement{text: c.text(), writes: c.shape.writes, silently: c.shape.writes && c.shape.results == 0}
	switch {
	case c.shape.results == 1 && r.IntN(2) == 0:
		s.form = asRow
	case c.shape.results > 0 && r.IntN(8) > 0:
		s.form = asQuery
	case c.shape.results > 0:
		s.silently = c.shape.writes
	}
	for _, kind := range c.shape.args {
		s.args = append(s.args, c.value(r, kind))
	}
	return s
}

func (c card) value(r *rand.Rand, kind rune) any {
	switch kind {
	case 'i':
		return pick(r, []any{1, 2, 3, 4, 5, 6, 7, int64(8), "3"})
	case 'I':
		return pick(r, []any{[]int{1, 2}, []int64{3, 7}, []string{"4"}, "{5,6}", nil})
	case 'w':
		return pick(r, pick(r, columns).values)
	}
	return pick(r, c.column.values)
}
