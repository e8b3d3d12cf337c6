package migrations

import (
	"context"
	"log/slog"
)

// worker migrates one schema after the other.
type worker struct {
	*all
	session *session
	holder  *session // the connection for the lock of each schema's module, or nil if the run has the lock of all
	hold    *hold    // the lock of the module, if no other worker shares it
	uses    int      // how much the session's backend has been used
}

// usesOfMigration is how much more of the server's memory it takes to migrate a schema than to read its history.
const usesOfMigration = 25

// used counts how much a connection is used, and gives it up in time.
func (w *worker) used(ctx context.Context, n int) {
	if w.uses += n; w.uses >= w.options.recycleAfter*usesOfMigration {
		w.uses = 0
		w.recycle(ctx)
	}
}

func (w *worker) close() {
	w.session.close()
	if w.holder != nil {
		w.holder.close()
	}
}

func (w *worker) migrate(ctx context.Context, t target, st *state) {
	r := &run{options: &w.options, db: w.db.ForSchema(t.name), target: t, session: w.session, lane: w.lane, level: slog.LevelDebug,
		result: &Result{Schema: t.schema, Module: t.module},
		plan: func(st *state, _ int) ([]job, error) {
			if err := w.options.check(w.source.drift(t, st)); err != nil {
				return nil, err
			}
			return w.source.pending(st), nil
		}}
	err := w.held(ctx, t, func(ctx context.Context) error {
		r.hold = w.hold
		return r.do(ctx, st)
	})
	w.note(r.result, err)
}

// recycle gives the connection up.
func (w *worker) recycle(ctx context.Context) {
	if w.session.conn == nil { // A Go function has had it. The pool lends that first which it got last.
		if connect(ctx, w.db, w.session, w.options.waitLimit) != nil {
			return // there is none
		}
	}
	w.session.spoiled = true
}

// held calls fn while the module's lock is held.
func (w *worker) held(ctx context.Context, t target, fn func(context.Context) error) error {
	if w.options.module != "" {
		return fn(ctx)
	}
	if t.pooled {
		if w.holder != nil {
			w.holder.close()
		}
		return fn(ctx)
	}
	if w.holder == nil || w.holder.conn == nil || w.holder.spoiled {
		if w.holder != nil {
			w.holder.close()
		}
		w.session.close()
		sessions, err := borrow(ctx, w.db.Pool(), 2, 0, w.options.waitLimit)
		if err != nil {
			return err
		}
		w.holder, *w.session = sessions[0], *sessions[1]
	}
	ctx, hold, err := holdModule(ctx, &w.options, w.holder, t)
	if err != nil {
		return err
	}
	defer hold.end()
	w.hold = hold
	return fn(ctx)
}
