package driver

import (
	"context"

	"github.com/pgdbm/pgdbm/internal/schemactx"
)

// WithSchema returns a context whose statements run in the schema name, whatever the transaction or the DSN says.
// The innermost WithSchema or [WithoutSchema] counts.
//
// A name that is empty or otherwise no schema's (see [SchemaError]) poisons the context: every statement under it
// fails with a *SchemaError. It does not fall back to the DSN's schema, because a tenant whose name got lost must
// not see another one's rows.
func WithSchema(ctx context.Context, name string) context.Context {
	return schemactx.WithName(ctx, name)
}

// WithoutSchema returns a context whose statements run in no schema, whatever the transaction or the DSN says:
// {{tables.users}} becomes users.
func WithoutSchema(ctx context.Context) context.Context {
	return schemactx.With(ctx, &schemactx.Binding{})
}

// SchemaFromContext returns the schema that ctx names. Name is "" and ok true under [WithoutSchema]. Ok is false if
// ctx says nothing, and if it is poisoned: nobody should use the name that was refused.
func SchemaFromContext(ctx context.Context) (name string, ok bool) {
	b := schemactx.Of(ctx)
	if b == nil || b.Err != nil {
		return "", false
	}
	return b.Schema, true
}
