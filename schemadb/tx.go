package schemadb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jmoiron/sqlx"
)

// Tx is a transaction, or the part of one since a savepoint. It has the methods of [DB] that run statements, bound to
// the same schema. It must be ended with Commit or Rollback, unless [DB.InTx] does it; afterwards every use fails with
// sql.ErrTxDone. Like a *sql.Tx it is safe for concurrent use; its statements run one after the other.
type Tx struct {
	queries
}

// txState is what the views of a transaction share.
type txState struct {
	ctx       context.Context // of BeginTxx, in the root
	x         *sqlx.Tx        // ignores columns without a field
	outer     *txState        // of a savepoint
	savepoint string
	depth     int
	done      atomic.Bool
	doomed    atomic.Bool // to be rolled back when CopyFrom ends
	reading   *openRows
	release   func() // gives the connection back
}

// BeginTxx begins a transaction. If ctx is cancelled before it ends, it is rolled back. The zero TxOptions, and nil,
// mean the server's defaults. The facade's schema, or what ctx says if there is none, counts for all its statements.
func (db *DB) BeginTxx(ctx context.Context, opts *sql.TxOptions) (*Tx, error) {
	if err := db.scope.check(ctx); err != nil {
		return nil, err
	}
	var tx *Tx
	err := db.pool.retry(func() error {
		conn, err := db.Connx(ctx)
		if err != nil {
			return err
		}
		if tx, err = conn.begin(ctx, opts); err != nil {
			_ = conn.Close() // database/sql has closed a broken one already
			return err
		}
		tx.tx.own(ctx, conn)
		return nil
	})
	return tx, err
}

// Beginx is BeginTxx without a context and options.
func (db *DB) Beginx() (*Tx, error) { return db.BeginTxx(context.Background(), nil) }

// MustBegin is Beginx that panics on an error, as in sqlx. It is for tests.
func (db *DB) MustBegin() *Tx { return db.MustBeginTx(context.Background(), nil) }

// MustBeginTx is BeginTxx that panics on an error, as in sqlx. It is for tests.
func (db *DB) MustBeginTx(ctx context.Context, opts *sql.TxOptions) *Tx {
	tx, err := db.BeginTxx(ctx, opts)
	if err != nil {
		panic(err)
	}
	return tx
}

func newTx(ctx context.Context, conn *Conn, x *sqlx.Tx) *Tx {
	tx := &Tx{queries: conn.queries}
	tx.runner = x
	if !tx.unsafe {
		tx.runner = &sqlx.Tx{Tx: x.Tx, Mapper: x.Mapper}
	}
	tx.tx = &txState{ctx: ctx, x: x.Unsafe(), reading: tx.reading, release: func() {}}
	tx.scope.tx = conn.scope.binding(ctx)
	return tx
}

// own makes the transaction close conn when it ends, also if that is because ctx is cancelled.
func (s *txState) own(ctx context.Context, conn *Conn) {
	stop := func() bool { return true }
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, func() { _ = conn.held.Close() }) // waits until database/sql has rolled back
	}
	s.release = func() {
		stop()
		_ = conn.held.Close() // it fails only if it is closed already
	}
}

// check returns why the transaction takes no more statements.
func (s *txState) check() error {
	for ; s != nil; s = s.outer {
		if s.done.Load() {
			return sql.ErrTxDone
		}
		if s.outer == nil && s.ctx.Err() != nil { // database/sql rolls back
			return fmt.Errorf("%w: %w", sql.ErrTxDone, s.ctx.Err())
		}
	}
	return nil
}

// root returns the state of the whole transaction.
func (s *txState) root() *txState {
	for s.outer != nil {
		s = s.outer
	}
	return s
}

// Commit commits the transaction, or releases its savepoint. Rows that are still being read are closed. An error means
// that nothing is committed, unless the connection broke while the server answered.
func (tx *Tx) Commit() error { return tx.end(true) }

// Rollback rolls the transaction back, or back to its savepoint. After Commit it returns sql.ErrTxDone and does
// nothing, so it can be deferred.
func (tx *Tx) Rollback() error { return tx.end(false) }

func (tx *Tx) end(commit bool) error {
	if tx.copies.Load() {
		if !commit {
			tx.tx.root().doomed.Store(true) // CopyFrom sees to it
		}
		if commit || tx.copies.Load() {
			return errBusy
		}
	}
	var busy error
	if tx.tx.outer != nil && tx.tx.check() == nil {
		tx.reading.close(sql.ErrTxDone)
		busy = tx.checkBusy()
	}
	err := tx.tx.end(commit)
	if err != nil && busy != nil { // else pgx's driver says driver.ErrBadConn
		return busy
	}
	return err
}

func (s *txState) end(commit bool) error {
	if err := s.outer.check(); err != nil {
		return err
	}
	if !s.done.CompareAndSwap(false, true) {
		return sql.ErrTxDone
	}
	s.root().reading.close(sql.ErrTxDone)
	if s.outer != nil {
		return s.endSavepoint(commit)
	}
	defer s.release()
	if !commit {
		return s.x.Rollback()
	}
	err := s.x.Commit()
	if cause := s.ctx.Err(); cause != nil && errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("%w: %w", err, cause) // database/sql has rolled back
	}
	return err
}

// savepointAt begins a part of the transaction that can be rolled back on its own.
func (tx *Tx) savepointAt(ctx context.Context) (*Tx, error) {
	if err := tx.tx.check(); err != nil {
		return nil, err
	}
	if err := tx.scope.check(ctx); err != nil {
		return nil, err
	}
	if err := tx.ready(ctx); err != nil {
		return nil, err
	}
	s := &txState{x: tx.tx.x, outer: tx.tx, depth: tx.tx.depth + 1}
	s.savepoint = fmt.Sprintf("pgdbm_%d", s.depth)
	if _, err := s.x.ExecContext(tx.scope.context(ctx), "SAVEPOINT "+s.savepoint); err != nil {
		return nil, err
	}
	inner := *tx
	inner.tx = s
	return &inner, nil
}

// endSavepoint runs without the caller's context: if that was cancelled, the part of the transaction still has to end.
//
// What cannot be released is rolled back, because the caller gets an error. If that fails too, because rows are open or the
// connection is broken, so is the whole transaction: it must not commit this part.
func (s *txState) endSavepoint(commit bool) (err error) {
	ctx := context.Background()
	if commit {
		if _, err = s.x.ExecContext(ctx, "RELEASE SAVEPOINT "+s.savepoint); err == nil {
			return nil
		}
	}
	for _, query := range []string{"ROLLBACK TO SAVEPOINT ", "RELEASE SAVEPOINT "} {
		if _, errBack := s.x.ExecContext(ctx, query+s.savepoint); errBack != nil {
			_ = s.root().end(false) // it is over in any case
			return errors.Join(err, errBack)
		}
	}
	return err
}

// ForSchema returns a view of the same transaction that is bound to another schema: a host's modules can share one. With
// "" it follows the context of each statement, and else runs in the schema that the transaction was begun in.
func (tx *Tx) ForSchema(schema string) *Tx {
	view := *tx
	view.scope.bound = newScope(tx.scope.pool, schema).bound
	return &view
}

// Unsafe returns a view of the same transaction that ignores columns without a field, as in sqlx.
func (tx *Tx) Unsafe() *Tx {
	view := *tx
	view.unsafe, view.runner = true, tx.tx.x
	return &view
}
