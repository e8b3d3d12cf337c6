package migrations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgconn"
)

// hold is an advisory lock on a connection of its own: an open transaction that does nothing, so that the lock also
// holds behind PgBouncer, and ends with the connection. It is READ COMMITTED and asks by the simple protocol, so it keeps
// no snapshot, which CREATE INDEX CONCURRENTLY would wait for.
type hold struct {
	session *session
	log     *slog.Logger
	lose    context.CancelCauseFunc // ends the context of the run
	pause   func()                  // ends the watch
	take    func(context.Context) error
}

// errHoldLost is why a run stops whose hold is gone.
var errHoldLost = errors.New("pgdbm: the connection that keeps other runs out is lost: run again")

// keepAlive lets a transaction wait without statements, though a pool may have set idle_in_transaction_session_timeout, or since
// PostgreSQL 17 transaction_timeout. If
// the machine dies, the server ends it when the network has been silent for about a minute: see
// https://www.postgresql.org/docs/current/runtime-config-connection.html
const keepAlive = `pg_catalog.set_config('idle_in_transaction_session_timeout', '0', true), pg_catalog.set_config('tcp_keepalives_idle', '30', true),
	pg_catalog.set_config('tcp_keepalives_interval', '10', true), pg_catalog.set_config('tcp_keepalives_count', '3', true),
	CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 170000 THEN pg_catalog.set_config('transaction_timeout', '0', true) END`

// keep begins the transaction of a hold; a lock follows.
const keep = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;\nSELECT " + keepAlive + ";\nSELECT "

// holdModule takes the Python library's lock of the module on the session, which it owns from then on, and returns a context that ends
// when the hold is lost.
//
// Through a pooler it takes none, and gives the connection back: PgBouncer's PAUSE would wait for the end of the hold, and the run for the
// end of the PAUSE. Each transaction takes the lock then.
func holdModule(ctx context.Context, o *options, s *session, t target) (context.Context, *hold, error) {
	if s.pooled {
		s.close()
		return ctx, nil, nil
	}
	take := func(ctx context.Context) error {
		return acquire(ctx, s, keep+shareModule(t.module), "ROLLBACK", func(w *waiting) error {
			return w.wait(ctx, o, s, target{module: t.module}, 0)
		})
	}
	if err := take(ctx); err != nil {
		s.close()
		return nil, nil, err
	}
	ctx, lose := context.WithCancelCause(ctx)
	h := &hold{session: s, log: o.log, lose: lose, take: take}
	h.watch(ctx)
	return ctx, h, nil
}

// Inside of the transaction of a hold a second lock begins and ends with a savepoint.
const (
	keepToo = "SAVEPOINT target;\nSELECT "
	drop    = "ROLLBACK TO SAVEPOINT target;\nRELEASE SAVEPOINT target"
)

// holdTarget takes the key of the target, which keeps every other run out while statements run without a transaction. It
// returns the session that has it. If the hold of the module is for this run alone, it has room for that key too; so the
// run needs no other connection.
func (r *run) holdTarget(ctx context.Context) (holder *session, release func(), err error) {
	key := r.target.lock()
	wait := func(w *waiting) error { return w.wait(ctx, r.options, r.session, r.target, 0) }
	if r.hold != nil {
		if err := r.connect(ctx); err != nil {
			return nil, nil, err
		}
		r.hold.pause()
		waitAndRenew := func(w *waiting) error {
			if err := wait(w); err != nil {
				return err
			}
			return r.hold.renew(ctx)
		}
		if err := r.hold.acquireToo(ctx, r.session, key, waitAndRenew); err != nil {
			r.hold.watch(ctx)
			return nil, nil, err
		}
		return r.hold.session, func() {
			r.hold.session.finish(ctx, drop)
			r.hold.watch(ctx)
		}, nil
	}
	r.session.close()
	const others = 1 // the hold of all
	sessions, err := borrow(ctx, r.db.Pool(), 2, others, r.waitLimit)
	if err != nil {
		return nil, nil, err
	}
	holder, *r.session = sessions[0], *sessions[1]
	release = func() {
		holder.rollback(ctx)
		holder.close()
	}
	if err := acquire(ctx, holder, keep+key, "ROLLBACK", wait); err != nil {
		release()
		return nil, nil, err
	}
	return holder, release, nil
}

// renew gives the lock back and takes it again, for a run that waits for others anyway. Who takes a lock has a snapshot for a
// moment, and a CREATE INDEX CONCURRENTLY that sees it waits for the end of the transaction: it might be the one that the run
// waits for. The watch has to pause meanwhile.
func (h *hold) renew(ctx context.Context) error {
	h.session.rollback(ctx)
	return h.take(ctx)
}

// acquireToo gets another lock in the transaction of the hold. It tries on another session first, because who tries has a
// snapshot for a moment, and a CREATE INDEX CONCURRENTLY that sees it then waits for the end of the transaction: here for
// ever, if that one has the lock.
func (h *hold) acquireToo(ctx context.Context, other *session, key string, wait func(*waiting) error) error {
	var w waiting
	for {
		if err := acquire(ctx, other, "BEGIN;\nSELECT "+key, "ROLLBACK", wait); err != nil {
			return err
		}
		other.rollback(ctx)
		results, err := h.session.send(ctx, keepToo+key)
		if err == nil && isTrue(results[1].Rows[0][0]) {
			return nil
		}
		h.session.finish(ctx, drop)
		if err != nil {
			return fmt.Errorf("%w: %w", errHoldLost, err)
		}
		if err := wait(&w); err != nil {
			return err
		}
	}
}

// acquire tries to get the lock until it succeeds, or until wait returns an error. Undo undoes an attempt.
func acquire(ctx context.Context, s *session, attempt, undo string, wait func(*waiting) error) error {
	var w waiting
	for {
		results, err := s.send(ctx, attempt)
		if err != nil {
			s.finish(ctx, undo)
			return err
		}
		if isTrue(results[len(results)-1].Rows[0][0]) {
			return nil
		}
		s.finish(ctx, undo)
		if err := wait(&w); err != nil {
			return err
		}
	}
}

// watch reads from the connection until pause is called. Nothing should come; if the connection breaks, the lock is gone
// and the context of the run ends.
func (h *hold) watch(ctx context.Context) {
	reading, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := h.session.pgconn(func(pg *pgconn.PgConn) error {
			for {
				if err := pg.WaitForNotification(reading); err != nil {
					return err
				}
			}
		})
		if reading.Err() == nil {
			h.log.LogAttrs(ctx, slog.LevelWarn, errHoldLost.Error(), slog.Any("error", err))
			h.session.spoiled = true
			h.lose(fmt.Errorf("%w: %w", errHoldLost, err))
		}
	}()
	h.pause = func() {
		cancel()
		<-ended
	}
}

// end gives the lock back.
func (h *hold) end() {
	if h == nil {
		return
	}
	h.pause()
	h.lose(nil)
	h.session.rollback(context.Background())
}

// release gives the lock and the connection back.
func (h *hold) release() {
	if h.end(); h != nil {
		h.session.close()
	}
}
