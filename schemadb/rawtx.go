package schemadb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/native"
	"github.com/pgdbm/pgdbm/internal/schemactx"
)

// RefusedError is the error of a method that would hand out a value of database/sql whose statements could leave the
// facade's schema. Nothing was sent.
type RefusedError struct {
	Method  string // that was called
	Instead string // the method to use
	Reason  string
	Err     error // the driver's reason, or nil
}

// Error says which method to use.
func (e *RefusedError) Error() string {
	text := fmt.Sprintf("pgdbm: %s: %s; use %s", e.Method, e.Reason, e.Instead)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the driver's reason.
func (e *RefusedError) Unwrap() error { return e.Err }

// Begin is BeginTx without a context and options.
func (db *DB) Begin() (*sql.Tx, error) { return db.BeginTx(context.Background(), nil) }

// BeginTx begins a transaction for code that takes a *sql.Tx. On package driver its statements stay in the facade's
// schema, whatever their contexts say. On other drivers, nothing could expand their templates: that is a
// *[RefusedError], and [DB.BeginTxx] or [DB.InTx] are the methods to use.
func (db *DB) BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error) {
	if err := db.scope.rawTx(ctx); err != nil {
		return nil, err
	}
	return db.scope.begun(ctx, func(ctx context.Context) (*sql.Tx, error) { return db.pool.db.BeginTx(ctx, opts) })
}

// BeginTx is [DB.BeginTx] on this connection.
func (c *Conn) BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error) {
	if err := c.scope.rawTx(ctx); err != nil {
		return nil, err
	}
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	return c.scope.begun(ctx, func(ctx context.Context) (*sql.Tx, error) { return c.held.BeginTx(ctx, opts) })
}

// begun begins a transaction, unless a wrapper of the driver keeps the schema from it.
func (s scope) begun(ctx context.Context, begin func(context.Context) (*sql.Tx, error)) (*sql.Tx, error) {
	ctx = s.pinned(ctx)
	tx, err := begin(ctx)
	if b := schemactx.Of(ctx); err == nil && b != nil && b.Taken != nil && !b.Taken.Load() {
		_ = tx.Rollback()
		return nil, &RefusedError{Method: "BeginTx", Instead: "BeginTxx or InTx",
			Reason: "something wraps the driver and loses the context of BeginTx, so the *sql.Tx cannot be kept in its schema"}
	}
	return tx, err
}

// rawTx returns why there can be no *sql.Tx.
func (s scope) rawTx(ctx context.Context) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	k, err := s.pool.driver(ctx)
	if err != nil {
		return err
	}
	if k != kindPgdbm {
		return &RefusedError{Method: "BeginTx", Instead: "BeginTxx or InTx",
			Reason: "a *sql.Tx cannot be kept in its schema on this driver, only on pgdbm's"}
	}
	return nil
}

// PrepareContext prepares a statement for code that takes a *sql.Stmt. It stays in the facade's schema, on whatever
// connection and under whatever context it is executed. A facade that is bound to no schema prepares one that follows
// the context, which only package driver can; where the statement cannot be kept in its schema, the error is a
// *[RefusedError], and [DB.PreparexContext] is the method to use.
func (q *queries) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	ctx, text, err := q.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	k, err := q.scope.pool.driver(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case q.scope.bound == nil && k != kindPgdbm:
		return nil, &RefusedError{Method: "PrepareContext", Instead: "PreparexContext",
			Reason: "a *sql.Stmt cannot follow the context's schema on this driver, only on pgdbm's"}
	case q.scope.bound != nil && k == kindPgdbm:
		if text, err = q.fixed(ctx, query); err != nil {
			return nil, err
		}
	}
	stmt, err := q.runner.PrepareContext(ctx, text)
	return stmt, err
}

// fixed returns query as a text that stays in its schema, wherever database/sql prepares it again.
func (q *queries) fixed(ctx context.Context, query string) (string, error) {
	var text string
	err := q.native(ctx, func(c native.Conn) (err error) {
		text, err = c.Fixed(ctx, query)
		return err
	})
	if errors.Is(err, errNotNative) || errors.Is(err, driver.ErrSchemaRequired) {
		return "", &RefusedError{Method: "PrepareContext", Instead: "PreparexContext",
			Reason: "the *sql.Stmt cannot be kept in the facade's schema", Err: err}
	}
	return text, err
}
