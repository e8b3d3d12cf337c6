package migrations

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// BlockedError says that a statement with CONCURRENTLY was stopped, or not begun, because it would have waited for
// somebody who waits for this run: a run of the Python library, which blocks in pg_advisory_lock. PostgreSQL does not see
// that the two wait for each other.
type BlockedError struct {
	Module  string
	Waiters []string // the backends' pids, and what is known about them
}

// Error says who has to give way.
func (e *BlockedError) Error() string {
	return fmt.Sprintf("pgdbm: CONCURRENTLY would wait for ever: it waits for every older transaction, and this one waits for the lock "+
		"of module %q, which this run keeps: %s; end it with pg_terminate_backend, then run again", e.Module, names(e.Waiters))
}

// watchPause is how often a run looks whether it still keeps others out, and for those who block in its way.
const watchPause = 500 * time.Millisecond

// statement runs statement i, as long as the run keeps others out. Again says that an earlier run may have begun it.
func (f *fileRun) statement(ctx context.Context, i int, again bool) error {
	var looker *session // who looks for those who block
	defer func() {
		if looker != nil {
			looker.close()
		}
	}()
	if sqllex.HasWord(f.texts[i], "concurrently") {
		if err := f.givingWay(ctx, func() (err error) {
			looker, err = f.looker(ctx)
			return err
		}); err != nil {
			return err
		}
	}
	if err := f.givingWay(ctx, func() error { return f.check(ctx, looker) }); err != nil {
		return err
	}
	watched, cancel := context.WithCancelCause(ctx)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		ticker := time.NewTicker(watchPause)
		defer ticker.Stop()
		for {
			select {
			case <-watched.Done():
				return
			case <-ticker.C:
				if err := f.check(ctx, looker); err != nil {
					cancel(err)
				}
			}
		}
	}()
	err := f.try(watched, i, again && looker != nil)
	cancel(nil)
	<-watching
	return err
}

// looker returns a connection for looking at the locks while the run's own are in use: one of the pool if it has one to
// spare, or else one beside it, because who has all of a pool's connections could wait for ever.
func (f *fileRun) looker(ctx context.Context) (*session, error) {
	const others, noWaiting = 2, 0
	if sessions, err := borrow(ctx, f.db.Pool(), 1, others, noWaiting); err == nil {
		return sessions[0], nil
	}
	return f.session.sibling(ctx)
}

// try runs statement i, after what is left of an attempt is gone. If that attempt is as good as done, it only completes it.
func (f *fileRun) try(ctx context.Context, i int, again bool) error {
	c := concurrentOf(f.texts[i])
	if c != nil && again && (f.pending || !c.unnamed) {
		if err := f.clear(ctx, c, nil); err != nil || c.completes {
			return err
		}
	}
	if c != nil && c.unnamed { // what is there now is not this statement's
		left, err := f.left(ctx, c)
		if err != nil {
			return err
		}
		f.before = left
	}
	if err := f.run.statement(ctx, f.job, i, f.texts[i]); err != nil || c == nil || !c.creates {
		return err
	}
	left, err := f.left(ctx, c)
	if err == nil && len(left) > 0 && !c.unnamed {
		err = errInvalidIndex
	}
	return err
}

// errInvalidIndex says that IF NOT EXISTS has found an index that is of no use.
var errInvalidIndex = errors.New("the index is there already, but it is invalid: an attempt to create it has failed before, which was " +
	"not this file's; DROP INDEX it, and run again")

// check asks the connection that holds the lock: if it answers, the lock is still there. SHOW takes no snapshot, which
// CONCURRENTLY would wait for. The end of ctx does not interrupt it, because a failed statement would end the lock. Looker,
// if there is one, looks whether somebody blocks.
func (f *fileRun) check(ctx context.Context, looker *session) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkLimit)
	defer cancel()
	if _, err := f.holder.send(ctx, "SHOW transaction_isolation"); err != nil {
		return fmt.Errorf("%w: %w", errHoldLost, err)
	}
	if looker == nil {
		return nil
	}
	found, err := lockers(ctx, looker, "NOT l.granted AND "+advisory(moduleKey(f.target.module)))
	switch {
	case err == nil && len(found) > 0:
		return &BlockedError{Module: f.target.module, Waiters: found}
	case f.target.pooled: // it may have no connection to spare
		return nil
	}
	return err
}

// checkLimit is how long the server has to answer. After that the connection counts as lost.
const checkLimit = 30 * time.Second
