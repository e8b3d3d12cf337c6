package driver

import (
	sqldriver "database/sql/driver"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgdbm/pgdbm/internal/template"
)

// tableArg is an argument that was {{tables.x}}. It is the qualified name, which to_regclass($1) and $1::regclass take. Where the
// server expects type name, as in table_name = $1 on a catalog, it is the table's alone: see encoded.
type tableArg struct{ qualified, name string }

// Value returns the qualified name. Pgx calls it where it encodes the argument itself.
func (a tableArg) Value() (sqldriver.Value, error) { return a.qualified, nil }

// String returns the qualified name, for tracers.
func (a tableArg) String() string { return a.qualified }

// schemaArgs replaces the arguments that are templates, if that was asked for: see [WithSchemaArgs].
func (c *conn) schemaArgs(o *order, args []any) []any {
	if !c.connector.schemaArgs {
		return args
	}
	var replaced []any // a copy: the arguments are the caller's
	replace := func(i int, value any) {
		if replaced == nil {
			replaced = slices.Clone(args)
		}
		replaced[i] = value
	}
	syntax := c.connector.settings.syntax
	var openers map[string][]int // {{tables or <<tables, and where
	for i := range args {
		text, _ := args[i].(string)
		if name, ok := template.ParseValue(text, syntax); ok {
			schema, table := name.In(o.schema)
			if table == "" {
				replace(i, schema)
				continue
			}
			o.templated = true // this driver is to send it, if it may: pgx does not know what the server expects
			replace(i, tableArg{qualified: name.Qualified(o.schema), name: table})
			continue
		}
		if template.OpensValues(text) {
			if openers == nil {
				openers = make(map[string][]int)
			}
			openers[text] = append(openers[text], i)
		}
	}
	for first, at := range openers { // two at most, or a long list of rows would take quadratic time
		closed := false
		for j := range args {
			second, _ := args[j].(string)
			if name, ok := template.ParseValues(first, second, syntax); ok {
				_, table := name.In(o.schema)
				replace(j, table)
				closed = true
			}
		}
		for _, i := range at {
			if closed {
				schema, _ := template.Name{}.In(o.schema)
				replace(i, schema)
			}
		}
	}
	if replaced == nil {
		return args
	}
	return replaced
}

// namedSchemaArgs is schemaArgs for arguments of database/sql.
func (c *conn) namedSchemaArgs(o *order, named []sqldriver.NamedValue) []sqldriver.NamedValue {
	if !c.connector.schemaArgs {
		return named
	}
	named = slices.Clone(named)
	for i, value := range c.schemaArgs(o, values(named)) {
		named[i].Value = value
	}
	return named
}

// hasTableArg reports whether the types of the parameters matter.
func hasTableArg(named []sqldriver.NamedValue) bool {
	return slices.ContainsFunc(named, func(v sqldriver.NamedValue) bool {
		_, ok := v.Value.(tableArg)
		return ok
	})
}

// encoded returns the arguments as they are to be encoded for parameters of these types.
func (c *conn) encoded(args []any, types []uint32) []any {
	if !c.connector.schemaArgs {
		return args
	}
	args = slices.Clone(args)
	for i := range args {
		table, ok := args[i].(tableArg)
		switch {
		case !ok:
		case i < len(types) && types[i] == pgtype.NameOID:
			args[i] = table.name
		default:
			args[i] = table.qualified
		}
	}
	return args
}
