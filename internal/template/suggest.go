package template

import (
	"strings"
	"unicode/utf8"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// explain says why the {{ at text[i:] is no template: the reason, the likely spelling, and where the template ends,
// for the error's text. That shows no literal, which may be secret.
func explain(text string, i int) *Error {
	inner := text[i+2:]
	word := inner[:plainLen(inner)]
	if rest, found := strings.CutPrefix(inner[len(word):], "{{"); found {
		return newError(text, i, i+2+len(word)+2+plainLen(rest), "templates cannot be nested", "")
	}
	n := strings.IndexAny(inner, "}\n'$;")
	if n < 0 || !strings.HasPrefix(inner[n:], "}}") || strings.Contains(inner[:n], "{{") {
		return newError(text, i, i+2+len(word), "it is cut off: }} is missing", suggestion(word))
	}
	inner = inner[:n]
	reason := "unknown template; there are {{tables.name}}, {{tables.schema.name}} and {{schema}}"
	names, isTable := strings.CutPrefix(inner, tablesDot)
	if isTable {
		reason = badName(names)
	}
	return newError(text, i, i+2+n+2, reason, suggestion(inner))
}

// plainLen returns the length of the letters, digits and dots at the start of s, with the blanks before them.
func plainLen(s string) int {
	n := len(s) - len(strings.TrimLeft(s, " \t"))
	for n < len(s) && (s[n] == '.' || sqllex.IsWordByte(s[n]) && s[n] != '$') {
		n++
	}
	return n
}

// badName says what is wrong with the names of a {{tables.names}}.
func badName(names string) string {
	for part := range strings.SplitSeq(names, ".") {
		if len(part) > MaxNameLen {
			return "the name is longer than PostgreSQL's limit of 63 bytes"
		}
	}
	return "bad table name; it takes one name, or schema.name, of ASCII letters, digits and _, not starting with a digit"
}

// suggestion returns the template that inner was probably meant to be, or "".
func suggestion(inner string) string {
	inner = strings.Join(strings.Fields(inner), "")
	key, names, dotted := strings.Cut(inner, ".")
	key = strings.ToLower(key)
	switch {
	case !dotted && Distance(key, schemaKey) <= 2:
		inner = schemaKey
	case dotted && Distance(key, "tables") <= 2:
		inner = tablesDot + names
	case !dotted && strings.HasPrefix(key, "tables"): // {{tables users}}, {{tables:users}}
		inner = tablesDot + strings.TrimLeft(inner[len("tables"):], ":-/ ")
	}
	candidate := "{{" + inner + "}}"
	if _, ok := matchAll(candidate); ok {
		return candidate
	}
	return ""
}

// isMisspelt reports whether the {{ at the start of s, where it need not be a template, was probably meant to be one:
// apart from case and blanks it begins as one, or without blanks it is nearly that. {{ table.name }} with its blanks
// is Jinja's, and all that has other characters is an array, or JSON.
func isMisspelt(s string) bool {
	inner := s[2:]
	n := strings.IndexFunc(inner, func(r rune) bool {
		return r != '.' && r != ' ' && r != '\t' && (r >= utf8.RuneSelf || r == '$' || !sqllex.IsWordByte(byte(r)))
	})
	if n < 0 || !strings.HasPrefix(inner[n:], "}}") {
		return false
	}
	joined := strings.Join(strings.Fields(inner[:n]), "")
	key, _, dotted := strings.Cut(strings.ToLower(joined), ".")
	meant := schemaKey
	if dotted {
		meant = "tables"
	}
	d := Distance(key, meant)
	return d == 0 || len(joined) == n && (d <= 2 || key == schemaKey)
}

// Distance is the Levenshtein distance between two short words; long ones are far from everything.
func Distance(a, b string) int {
	if len(a) > 2*len(b) {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
