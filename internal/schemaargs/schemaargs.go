// Package schemaargs replaces the arguments of a statement that are templates. See driver.WithSchemaArgs.
package schemaargs

import (
	sqldriver "database/sql/driver"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgdbm/pgdbm/internal/template"
)

// tableArg is an argument that was {{tables.x}}. It is the qualified name, which to_regclass($1) and $1::regclass take. Where the
// server expects type name, as in table_name = $1 on a catalog, it is the table's alone: see [Encode].
type tableArg struct{ qualified, name string }

// Value returns the qualified name. Pgx calls it where it encodes the argument itself.
func (a tableArg) Value() (sqldriver.Value, error) { return a.qualified, nil }

// String returns the qualified name, for tracers.
func (a tableArg) String() string { return a.qualified }

// Replace returns args with those that are templates replaced for a schema. The slice is the caller's if there is none.
func Replace(args []any, schema string, syntax template.Syntax) []any {
	r := replacedArgs{args: args, schema: schema, syntax: syntax}
	r.templates()
	r.halves()
	return r.args
}

// replacedArgs are the arguments of a statement, some of which are replaced.
type replacedArgs struct {
	args   []any
	copied bool // they are the caller's until then
	schema string
	syntax template.Syntax
}

func (r *replacedArgs) replace(i int, value any) {
	if !r.copied {
		r.args, r.copied = slices.Clone(r.args), true
	}
	r.args[i] = value
}

// templates replaces those that are whole templates.
func (r *replacedArgs) templates() {
	for i := range r.args {
		text, _ := r.args[i].(string)
		name, ok := template.ParseValue(text, r.syntax)
		if !ok {
			continue
		}
		schema, table := name.In(r.schema)
		if table == "" {
			r.replace(i, schema)
			continue
		}
		r.replace(i, tableArg{qualified: name.Qualified(r.schema), name: table})
	}
}

// halves replaces {{tables and users}}, wherever they stand. There are two ways to write the first half, so that a long list of rows
// is gone through four times at most.
func (r *replacedArgs) halves() {
	for _, first := range template.FirstHalves {
		schema, closed := "", false
		if !slices.Contains(r.args, any(first)) {
			continue
		}
		for i := range r.args {
			second, _ := r.args[i].(string)
			if name, ok := template.ParseHalves(first, second, r.syntax); ok {
				var table string
				schema, table = name.In(r.schema)
				r.replace(i, table)
				closed = true
			}
		}
		for i := range r.args {
			if closed && r.args[i] == any(first) {
				r.replace(i, schema)
			}
		}
	}
}

// Encode returns the arguments as they are to be encoded for parameters of these types.
func Encode(args []any, types []uint32) []any {
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
