package driver

import (
	"context"

	"github.com/pgdbm/pgdbm/internal/template"
)

// bindingKey is the key of a context's *binding.
type bindingKey struct{}

// binding is what a context says about the schema. It does not change once it is made.
type binding struct {
	schema string // "" for none
	err    error  // why the name is none; every statement fails with it
}

// WithSchema returns a context whose statements run in the schema name, whatever the transaction or the DSN says.
// The innermost WithSchema or [WithoutSchema] counts.
//
// A name that is empty or otherwise no schema's (see [SchemaError]) poisons the context: every statement under it
// fails with a *SchemaError. It does not fall back to the DSN's schema, because a tenant whose name got lost must
// not see another one's rows.
func WithSchema(ctx context.Context, name string) context.Context {
	b := &binding{schema: name}
	if err := template.CheckSchema(name); err != nil {
		b = &binding{err: err}
	}
	return context.WithValue(ctx, bindingKey{}, b)
}

// WithoutSchema returns a context whose statements run in no schema, whatever the transaction or the DSN says:
// {{tables.users}} becomes users.
func WithoutSchema(ctx context.Context) context.Context {
	return context.WithValue(ctx, bindingKey{}, &binding{})
}

// SchemaFromContext returns the schema that ctx names. Name is "" and ok true under [WithoutSchema]. Ok is false if
// ctx says nothing, and if it is poisoned: nobody should use the name that was refused.
func SchemaFromContext(ctx context.Context) (name string, ok bool) {
	b := bindingOf(ctx)
	if b == nil || b.err != nil {
		return "", false
	}
	return b.schema, true
}

func bindingOf(ctx context.Context) *binding {
	b, _ := ctx.Value(bindingKey{}).(*binding)
	return b
}
