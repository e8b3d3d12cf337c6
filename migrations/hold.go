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
	stop    func() // ends the watch
}

// errHoldLost is why a run stops whose hold is gone.
var errHoldLost = errors.New("pgdbm: the connection that keeps other runs out is lost: run again")

// keep begins the transaction of a hold. If the machine dies, the server ends it when the network has been silent for
// about a minute (see https://www.postgresql.org/docs/current/runtime-config-connection.html); a pool may have set
// idle_in_transaction_session_timeout.
const keep = `BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
SELECT pg_catalog.set_config('idle_in_transaction_session_timeout', '0', true), pg_catalog.set_config('tcp_keepalives_idle', '30', true),
	pg_catalog.set_config('tcp_keepalives_interval', '10', true), pg_catalog.set_config('tcp_keepalives_count', '3', true);
SELECT `

// holdModule takes the Python library's lock of the module, shared, on the session: that library takes it exclusively,
// and other runs share it. It returns a context that ends when the hold is lost.
func holdModule(ctx context.Context, o *options, s *session, t target) (context.Context, *hold, error) {
	key := "pg_catalog.pg_try_advisory_xact_lock_shared(" + moduleKey(t.module) + ")"
	wait := func(w *waiting) error {
		return w.wait(ctx, o, s, target{module: t.module}, 0)
	}
	if err := acquire(ctx, s, key, wait); err != nil {
		return nil, nil, err
	}
	return watch(ctx, o, s)
}

// holdTarget takes the key of the target, which keeps every other run out while statements run without a transaction.
func holdTarget(ctx context.Context, o *options, s *session, t target) error {
	key := fmt.Sprintf("pg_catalog.pg_try_advisory_xact_lock(%d)", t.key())
	return acquire(ctx, s, key, func(w *waiting) error { return w.wait(ctx, o, s, t, 0) })
}

// acquire tries to get the lock until it succeeds, or until wait returns an error.
func acquire(ctx context.Context, s *session, key string, wait func(*waiting) error) error {
	var w waiting
	for {
		results, err := s.send(ctx, keep+key)
		if err != nil {
			s.rollback(ctx)
			return err
		}
		if isTrue(results[2].Rows[0][0]) {
			return nil
		}
		s.rollback(ctx)
		if err := wait(&w); err != nil {
			return err
		}
	}
}

// watch reads from the connection until release. Nothing should come; if the connection breaks, the lock is gone and the
// context that watch returns ends.
func watch(ctx context.Context, o *options, s *session) (context.Context, *hold, error) {
	ctx, lose := context.WithCancelCause(ctx)
	reading, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := s.pgconn(func(pg *pgconn.PgConn) error {
			for {
				if err := pg.WaitForNotification(reading); err != nil {
					return err
				}
			}
		})
		if reading.Err() == nil {
			o.log.LogAttrs(ctx, slog.LevelWarn, errHoldLost.Error(), slog.Any("error", err))
			s.spoiled = true
			lose(fmt.Errorf("%w: %w", errHoldLost, err))
		}
	}()
	stop := func() {
		cancel()
		<-ended
		lose(nil)
	}
	return ctx, &hold{session: s, stop: stop}, nil
}

// end gives the lock back.
func (h *hold) end() {
	h.stop()
	ctx, cancel := context.WithTimeout(context.Background(), cancelLimit)
	defer cancel()
	h.session.rollback(ctx)
}

// release gives the lock and the connection back.
func (h *hold) release() {
	h.end()
	h.session.close()
}
