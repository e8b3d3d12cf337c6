package schemadb

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// TxOption configures a transaction of [DB.InTx].
type TxOption func(*txOptions)

type txOptions struct {
	sql      *sql.TxOptions
	attempts int
}

// WithTxOptions sets the isolation level and whether the transaction is read-only. The default is the server's.
func WithTxOptions(opts sql.TxOptions) TxOption {
	return func(o *txOptions) { o.sql = &opts }
}

// WithRetry runs the whole closure again, in a new transaction, if PostgreSQL has rolled it back because of a
// serialization failure (40001) or a deadlock (40P01), up to attempts times in all. 0 and 1, the default, do not
// retry. The closure must do nothing that a rollback does not undo. Between the attempts it waits for some
// milliseconds, longer each time, and stops when the context ends.
func WithRetry(attempts int) TxOption {
	return func(o *txOptions) { o.attempts = attempts }
}

// errNestedOptions is for options that a savepoint cannot have.
var errNestedOptions = errors.New("pgdbm: InTx: a nested transaction is a savepoint and takes no options; give them to the " +
	"outermost InTx")

// InTx runs fn in a transaction: it commits if fn returns nil, and rolls back if fn returns an error, panics or calls
// runtime.Goexit. It returns fn's error as it is, joined with that of the rollback if this fails too, or the error of the
// commit. Fn must not use tx after its end, nor let others use it: that fails with sql.ErrTxDone. What fn does has to
// go through tx; on db it would be outside.
func (db *DB) InTx(ctx context.Context, fn func(tx *Tx) error, opts ...TxOption) error {
	return inTx(ctx, db.BeginTxx, fn, opts)
}

// InTx runs fn in a transaction on this connection. See [DB.InTx].
func (c *Conn) InTx(ctx context.Context, fn func(tx *Tx) error, opts ...TxOption) error {
	return inTx(ctx, c.BeginTxx, fn, opts)
}

// InTx runs fn in a part of the transaction that is rolled back on its own, to a savepoint, if fn returns an error,
// panics or calls runtime.Goexit. The transaction can go on then. Options are an error: they are those of the
// outermost InTx, which also retries.
func (tx *Tx) InTx(ctx context.Context, fn func(tx *Tx) error, opts ...TxOption) error {
	if len(opts) > 0 {
		return errNestedOptions
	}
	inner, err := tx.savepointAt(ctx)
	if err != nil {
		return err
	}
	return run(ctx, inner, fn)
}

func inTx(
	ctx context.Context, begin func(context.Context, *sql.TxOptions) (*Tx, error), fn func(*Tx) error, opts []TxOption,
) error {
	var o txOptions
	for _, opt := range opts {
		opt(&o)
	}
	for attempt := 1; ; attempt++ {
		tx, err := begin(ctx, o.sql)
		if err != nil {
			return err
		}
		err = run(ctx, tx, fn)
		if err == nil || attempt >= o.attempts || !IsSerializationFailure(err) && !IsDeadlock(err) {
			return err
		}
		if !pause(ctx, attempt) {
			return fmt.Errorf("%w; after %d attempts: %w", context.Cause(ctx), attempt, err)
		}
	}
}

// run calls fn and ends tx.
func run(ctx context.Context, tx *Tx, fn func(*Tx) error) error {
	defer tx.Rollback() // after Commit or Rollback it does nothing; else there is a panic on its way
	err := fn(tx)
	if err == nil {
		return tx.Commit()
	}
	errBack := tx.Rollback()
	switch {
	case errBack == nil, ctx.Err() != nil, errors.Is(errBack, sql.ErrTxDone), errors.Is(errBack, sqldriver.ErrBadConn):
		return err // the server rolls back when the context or the connection has ended
	}
	return errors.Join(err, fmt.Errorf("pgdbm: InTx: rolling back: %w", errBack))
}

// pause waits before the next attempt. Two transactions that met must not meet again, so the time is random.
func pause(ctx context.Context, attempt int) bool {
	limit := time.Millisecond << min(attempt, 8)
	timer := time.NewTimer(rand.N(limit))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
