package named

import (
	"fmt"
	"strconv"
	"strings"
)

// Error says which names of a statement and of the argument do not match. It holds no values.
type Error struct {
	Missing []string // parameters that the argument has no value for, in the order of their first use
	Unused  []string // keys of a map that no parameter uses, sorted; a struct may have more than is used
	Names   []string // the parameters of the statement, each once, in the order of their first use
	Given   []string // the argument's keys or field paths, sorted
	Type    string   // the argument's type, in a batch that of the row
	Row     int      // in a batch the number of the row, from 1; else 0
}

// Error tells what is missing, what is too much, what was given, and what the statement has.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("pgdbm: named parameters: ")
	if e.Row > 0 {
		fmt.Fprintf(&b, "row %d: ", e.Row)
	}
	if len(e.Missing) > 0 {
		fmt.Fprintf(&b, "there is no value for %s; ", list(":", e.Missing))
	}
	if len(e.Unused) > 0 {
		fmt.Fprintf(&b, "the statement does not use %s (leave it out, or correct the spelling); ", list("", e.Unused))
	}
	fmt.Fprintf(&b, "%s has %s, the statement has %s", e.Type, list("", e.Given), list(":", e.Names))
	return b.String()
}

// list writes names for an error, but not thousands of them.
func list(prefix string, names []string) string {
	const most = 40
	if len(names) == 0 {
		return "none"
	}
	var b strings.Builder
	for i, name := range names {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(names)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		if name == "" || nameLen(name) < len(name) {
			name = strconv.Quote(name) // a key of a map, which can be anything
		}
		b.WriteString(prefix + name)
	}
	return b.String()
}
