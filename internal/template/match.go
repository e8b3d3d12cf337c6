package template

import (
	"strings"
)

// tmpl is one template, taken apart.
type tmpl struct {
	isSchema bool   // {{schema}}
	schema   string // in {{tables.schema.table}}
	table    string
}

const (
	tablesDot = "tables."
	schemaKey = "schema"
)

// closer returns the delimiter that ends what opener begins.
func closer(opener byte) string {
	if opener == '{' {
		return "}}"
	}
	return ">>"
}

// match reads the template at the start of s, which begins with {{ or <<, and returns how long it is, delimiters
// included.
func match(s string) (t tmpl, length int, ok bool) {
	inner, end := s[2:], closer(s[0])
	if rest, found := strings.CutPrefix(inner, schemaKey); found && strings.HasPrefix(rest, end) {
		return tmpl{isSchema: true}, 2 + len(schemaKey) + 2, true
	}
	names, found := strings.CutPrefix(inner, tablesDot)
	if !found {
		return tmpl{}, 0, false
	}
	n := nameLen(names)
	if n == 0 {
		return tmpl{}, 0, false
	}
	t.table = names[:n]
	if strings.HasPrefix(names[n:], ".") {
		m := nameLen(names[n+1:])
		if m == 0 {
			return tmpl{}, 0, false
		}
		t.schema, t.table = names[:n], names[n+1:n+1+m]
		n += 1 + m
	}
	if !strings.HasPrefix(names[n:], end) {
		return tmpl{}, 0, false
	}
	return t, 2 + len(tablesDot) + n + 2, true
}

// matchAll is match for a template that is all of s.
func matchAll(s string) (tmpl, bool) {
	if !opens(s) {
		return tmpl{}, false
	}
	t, n, ok := match(s)
	return t, ok && n == len(s)
}

// matchSplit reads what an ORM makes of a template when it quotes the name part by part: s begins with
// "{{tables"."users}}" or "{{tables"."audit"."events}}", with << likewise.
func matchSplit(s string) (t tmpl, length int, ok bool) {
	const key = `tables"."`
	if !opens(s[1:]) || !strings.HasPrefix(s[3:], key) {
		return tmpl{}, 0, false
	}
	end := closer(s[1]) + `"`
	rest := s[3+len(key):]
	n := nameLen(rest)
	length = 3 + len(key) + n
	t.table = rest[:n]
	if strings.HasPrefix(rest[n:], `"."`) {
		rest = rest[n+3:]
		m := nameLen(rest)
		t.schema, t.table = t.table, rest[:m]
		length += 3 + m
		if n = m; t.schema == "" {
			return tmpl{}, 0, false
		}
	}
	if t.table == "" || !strings.HasPrefix(rest[n:], end) {
		return tmpl{}, 0, false
	}
	return t, length + len(end), true
}

// matchTail reads "users}}" and returns users.
func matchTail(s string) (table string, ok bool) {
	n := nameLen(s[1:])
	tail := s[1+n:]
	return s[1 : 1+n], n > 0 && (tail == `}}"` || tail == `>>"`)
}

func opens(s string) bool { return strings.HasPrefix(s, "{{") || strings.HasPrefix(s, "<<") }

// nameLen returns the length of the table name at the start of s, or 0 if there is none, or if it is too long.
func nameLen(s string) int {
	n := 0
	for n < len(s) && (isNameStart(s[n]) || n > 0 && '0' <= s[n] && s[n] <= '9') {
		n++
	}
	if n > MaxNameLen {
		return 0
	}
	return n
}

func isNameStart(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }
