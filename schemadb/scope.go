package schemadb

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/pgdbm/pgdbm/internal/schemactx"
)

// scope decides in which schema a statement runs: the one that the facade is bound to; else that of the statement's
// context; else that of its transaction's context; else the DSN's.
type scope struct {
	pool  *pool
	bound *schemactx.Binding // of the facade, nil if it follows the context
	tx    *schemactx.Binding // of the context of BeginTxx
}

func newScope(p *pool, schema string) scope {
	s := scope{pool: p}
	if schema != "" {
		s.bound = schemactx.New(schema)
	}
	return s
}

// binding returns what decides, or nil if nothing does but the DSN.
func (s scope) binding(ctx context.Context) *schemactx.Binding {
	if s.bound != nil {
		return s.bound
	}
	return schemactx.Choose(schemactx.Of(ctx), s.tx)
}

// errMistaken is what package driver makes of a statement that was meant for another driver.
var errMistaken = errors.New("pgdbm: something wraps the driver pgdbm and hides its ResetSession, so schemadb has taken it " +
	"for another driver; use schemadb on a pool without the wrapper")

// foreign is in the context of statements for other drivers, which do not look. If the driver is ours after all, it
// refuses them, because it might know a schema, the DSN's, that they were not expanded for.
var foreign = &schemactx.Binding{Err: errMistaken}

// context returns a context that makes the driver agree.
func (s scope) context(ctx context.Context) context.Context {
	switch kind(s.pool.kind.Load()) {
	case kindPgx: // it does not look
		return ctx
	case kindOther:
		return schemactx.With(ctx, foreign)
	}
	if b := s.binding(ctx); b != nil && b != schemactx.Of(ctx) {
		return schemactx.With(ctx, b)
	}
	return ctx
}

// check returns why no statement can run under ctx.
func (s scope) check(ctx context.Context) error {
	if s.pool.err != nil {
		return s.pool.err
	}
	if b := s.binding(ctx); b != nil {
		return b.Err
	}
	return nil
}

// statement returns the context and the SQL to give to database/sql. Package driver expands SQL itself.
func (s scope) statement(ctx context.Context, query string) (context.Context, string, error) {
	if err := s.check(ctx); err != nil {
		return nil, "", err
	}
	k, err := s.pool.driver(ctx)
	if err != nil {
		return nil, "", err
	}
	if k != kindPgdbm {
		query, err = s.expand(ctx, query)
	}
	return s.context(ctx), query, err
}

// expand expands query for the schema that is known without asking the driver.
func (s scope) expand(ctx context.Context, query string) (string, error) {
	schema, err := s.schema(ctx)
	if err != nil {
		return "", err
	}
	e, err := s.pool.texts.Get(query, schema)
	return e.SQL, err
}

// schema returns the schema that is known without asking the driver, "" for none.
func (s scope) schema(ctx context.Context) (string, error) {
	if err := s.check(ctx); err != nil {
		return "", err
	}
	if b := s.binding(ctx); b != nil {
		return b.Schema, nil
	}
	return "", nil
}

// pinned returns a context for a transaction whose statements database/sql will send without asking us.
func (s scope) pinned(ctx context.Context) context.Context {
	if s.bound == nil {
		return s.context(ctx)
	}
	return schemactx.With(ctx, &schemactx.Binding{Schema: s.bound.Schema, Err: s.bound.Err, Pinned: true, Taken: new(atomic.Bool)})
}

// limit returns ctx with the pool's command timeout, unless it ends earlier, or is that of a migration.
func (s scope) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.pool.timeout <= 0 || schemactx.IsUnlimited(ctx) {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.pool.timeout)
}
