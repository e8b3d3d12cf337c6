package template

import "strings"

// Name is what a template names that is a value of its own.
type Name struct {
	Schema string // of {{tables.schema.table}}, else ""
	Table  string // "" for {{schema}}
}

// ParseValue reads a value that is one whole template.
func ParseValue(text string, syntax Syntax) (Name, bool) {
	if syntax&Braces != 0 && strings.HasPrefix(text, "<") {
		return Name{}, false
	}
	t, ok := matchAll(text)
	return Name{Schema: t.schema, Table: t.table}, ok && (t.schema == "" || CheckSchema(t.schema) == nil)
}

// FirstHalves are what a table's template begins with that was cut at its first dot.
var FirstHalves = []string{"{{tables", "<<tables"}

// ParseHalves reads two values that are one whole template, cut at its dot: one of FirstHalves, and users}}.
func ParseHalves(first, second string, syntax Syntax) (Name, bool) {
	if strings.Contains(second, ".") || !strings.HasSuffix(second, closer(first[0])) {
		return Name{}, false
	}
	return ParseValue(first+"."+second, syntax)
}

// In returns the names of the schema and the table, for an effective schema that may be "".
func (n Name) In(schema string) (ofSchema, table string) {
	switch {
	case n.Schema != "":
		schema = n.Schema
	case schema == "":
		schema = "public"
	}
	return schema, n.Table
}

// Qualified returns the table's name as an identifier, for an effective schema that may be "".
func (n Name) Qualified(schema string) string {
	if n.Schema != "" {
		schema = n.Schema
	}
	if schema == "" {
		return QuoteIdent(n.Table)
	}
	return QuoteIdent(schema) + "." + QuoteIdent(n.Table)
}
