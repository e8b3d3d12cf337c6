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

// OpensValues reports whether a value may be the first of two for [ParseValues].
func OpensValues(first string) bool { return opens(first) && first[2:]+"." == tablesDot }

// ParseValues reads two values that are one whole template, cut at its dot: {{tables and users}}.
func ParseValues(first, second string, syntax Syntax) (Name, bool) {
	if !OpensValues(first) || strings.Contains(second, ".") {
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
