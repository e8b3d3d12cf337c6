// Package schemactx keeps the schema of a statement in its context. It is what driver.WithSchema writes and what the
// driver and package schemadb read.
package schemactx

import (
	"context"
	"sync/atomic"

	"github.com/pgdbm/pgdbm/internal/template"
)

// Binding is what a context says about the schema. It does not change once it is in a context.
type Binding struct {
	Schema string // "" for none
	Err    error  // why the name is no schema's; every statement fails with it

	// Pinned is for the context with which a transaction is begun: its statements stay in Schema, whatever their own
	// contexts say. The transactions that a facade hands out as *sql.Tx are pinned, because the facade is bound.
	Pinned bool

	// Taken is set by the driver when such a transaction has begun, or nil. A wrapper may have lost the context.
	Taken *atomic.Bool
}

type key struct{}

// named is a context with its binding, in one allocation: a program may make one for each query.
type named struct {
	context.Context //nolint:containedctx // it is one
	binding         Binding
}

// Value returns the binding, or what the context around has.
func (n *named) Value(k any) any {
	if k == (key{}) {
		return &n.binding
	}
	return n.Context.Value(k)
}

// New returns the binding to the schema name. If no schema can have that name, the binding's Err says why.
func New(name string) *Binding {
	if err := template.CheckSchema(name); err != nil {
		return &Binding{Err: err}
	}
	return &Binding{Schema: name}
}

// With returns a context with b, which counts instead of what ctx says.
func With(ctx context.Context, b *Binding) context.Context { return context.WithValue(ctx, key{}, b) }

// WithName returns a context with New(name).
func WithName(ctx context.Context, name string) context.Context {
	return &named{Context: ctx, binding: *New(name)}
}

// Of returns what ctx says, or nil if it says nothing.
func Of(ctx context.Context) *Binding {
	b, _ := ctx.Value(key{}).(*Binding)
	return b
}

// Choose returns what decides about a statement: the binding of its transaction if that is pinned; else that of its
// own context; else that of its transaction. It returns nil if neither says anything.
func Choose(statement, tx *Binding) *Binding {
	if statement == nil || tx != nil && tx.Pinned {
		return tx
	}
	return statement
}

type unlimitedKey struct{}

// Unlimited returns a context whose statements may take longer than the pool's command timeout.
func Unlimited(ctx context.Context) context.Context {
	return context.WithValue(ctx, unlimitedKey{}, true)
}

// IsUnlimited reports whether ctx comes from Unlimited.
func IsUnlimited(ctx context.Context) bool { return ctx.Value(unlimitedKey{}) != nil }

type qualifiedKey struct{}

// Qualified marks statements all of whose names are qualified: with schema_mode=search_path they need no path, and work while
// the schema does not exist.
func Qualified(ctx context.Context) context.Context {
	return context.WithValue(ctx, qualifiedKey{}, true)
}

// IsQualified reports whether ctx comes of [Qualified].
func IsQualified(ctx context.Context) bool { return ctx.Value(qualifiedKey{}) != nil }
