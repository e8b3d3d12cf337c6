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
	syntax, copied := c.connector.settings.syntax, false
	for i := range args {
		text, ok := args[i].(string)
		if !ok {
			continue
		}
		var values []any
		if name, ok := template.ParseValue(text, syntax); ok {
			schema, table := name.In(o.schema)
			values = []any{schema}
			if table != "" {
				o.templated = true // this driver is to send it, if it may: pgx does not know what the server expects
				values[0] = tableArg{qualified: name.Qualified(o.schema), name: table}
			}
		} else if i+1 < len(args) {
			next, _ := args[i+1].(string)
			if name, ok := template.ParseValues(text, next, syntax); ok {
				schema, table := name.In(o.schema)
				values = []any{schema, table}
			}
		}
		if len(values) > 0 && !copied {
			args, copied = slices.Clone(args), true // they are the caller's
		}
		copy(args[i:], values)
	}
	return args
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
