package migrations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/pgdbm/pgdbm/schemadb"
)

// run is a run of some jobs in one schema. It is used by one goroutine.
//
// It looks at the history, decides what to do, and does it, without a lock in between. Each transaction takes the lock and
// checks that the history is still the same; if it is not, because others are at work, the run waits and begins anew.
type run struct {
	*options
	db      *schemadb.DB // of the target's schema
	target  target
	plan    planner
	session *session
	hold    *hold // of the module, if it is for this run alone; or nil
	result  *Result
	lane    chan struct{} // holds one of the run's schemas that are tried again; nil if there is one schema
	level   slog.Level    // of the event that a migration is done

	waited    waiting
	conflicts int  // how often in a row the schema or the history was not there, or was, against what had been seen
	retried   int  // how often the next job has failed in a way that may go away
	inLane    bool // of the run's schemas that failed so, this one has its turn
	progress  bool // the progress table exists; only known for jobs that end what it says
}

// planner decides what to do, when done steps of the run are done already.
type planner func(st *state, done int) ([]job, error)

// busyError says that somebody else works on the target, or has just done so.
type busyError struct{ err error } // what the guard has failed with, or nil

func (*busyError) Error() string { return "somebody else migrates the schema" }

// do does what the plan says. St is what is known about the target, or nil.
func (r *run) do(ctx context.Context, st *state) (err error) {
	begun := time.Now()
	defer func() {
		r.leaveLane()
		r.result.Duration = time.Since(begun)
	}()
	for {
		if st == nil {
			st, err = r.look(ctx)
			if hasCode(err, lockNotAvailable) {
				err, st = r.again(ctx, nil, &busyError{err}), nil
				if err == nil {
					continue
				}
			}
			if err != nil {
				return err
			}
		}
		jobs, err := r.plan(st, len(r.result.Steps))
		if err != nil {
			return err
		}
		if err = r.jobs(ctx, st, jobs); err == nil {
			return nil
		}
		if err = r.again(ctx, st, err); err != nil {
			return err
		}
		st = nil
	}
}

func (r *run) look(ctx context.Context) (*state, error) {
	if err := r.connect(ctx); err != nil {
		return nil, err
	}
	return look(ctx, r.session, r.target)
}

func (r *run) connect(ctx context.Context) (err error) {
	if err := connect(ctx, r.db, r.session, r.waitLimit); err != nil {
		return err
	}
	r.target.path, err = r.session.enter(ctx, r.target)
	return err
}

// again decides whether a run that has stopped goes on, and waits until then. St is nil if it could not be read.
func (r *run) again(ctx context.Context, st *state, err error) error {
	var transient *transientError
	var busy *busyError
	switch {
	case errors.As(err, &busy) && r.inVain(st, busy.err):
		return &HistoryError{Table: r.target.history(), Err: busy.err, Reason: fmt.Sprintf("it or its schema cannot be created or used, and "+
			"nobody else is at work: %v", busy.err)}
	case errors.As(err, &busy):
		if err := r.connect(ctx); err != nil {
			return err
		}
		progress := r.waited.progress
		if st != nil {
			progress = len(st.applied)
		}
		r.waited.last = busy.err
		if err := r.waited.wait(ctx, r.options, r.session, r.target, progress); err != nil || r.hold == nil {
			return err
		}
		r.hold.pause()
		defer r.hold.watch(ctx)
		return r.hold.renew(ctx)
	case errors.As(err, &transient):
		return r.retry(ctx, transient)
	}
	return err
}

// maxConflicts is how often runs that begin at the same moment may get in each other's way.
const maxConflicts = 10

// inVain reports whether it makes no sense to try again: not others are in the way, but something that stays.
func (r *run) inVain(st *state, err error) bool {
	if !hasCode(err, undefinedTable, invalidSchema, duplicateTable, duplicateObject, duplicateSchema) || st != nil && len(st.applied) > r.waited.progress {
		r.conflicts = 0
		return false
	}
	r.conflicts++
	return r.conflicts > maxConflicts
}

// mostTimes is how often a run applies a migration at most, if others undo it meanwhile.
const mostTimes = 5

// twice returns an error if a job is to apply what this run has applied already, and nobody can have undone it.
func (r *run) twice(st *state, jobs []job) error {
	most := mostTimes
	if !st.schema || !st.table {
		most = 1
	}
	applied := map[string]int{}
	for _, step := range r.result.Steps {
		if !step.Undo && !step.RecordOnly {
			applied[step.Migration.File]++
		}
	}
	for _, j := range jobs {
		if j.kind == applyJob && applied[j.m.File] >= most {
			return &HistoryError{Table: r.target.history(), Reason: j.m.File + " is not in it any more, though this run has applied it: " +
				"a migration has removed it, or somebody else has"}
		}
		applied[j.m.File] = 0 // or else it is undone before
	}
	return nil
}

// jobs does the jobs, and keeps st as the server has it.
func (r *run) jobs(ctx context.Context, st *state, jobs []job) error {
	if st.own {
		if err := r.move(ctx, st); err != nil {
			return err
		}
	}
	if err := r.twice(st, jobs); err != nil {
		return err
	}
	for len(jobs) > 0 {
		if err := r.announce(ctx, jobs[0]); err != nil {
			return err
		}
		done, err := r.some(ctx, st, jobs)
		r.report(ctx, jobs[0], err)
		if err != nil {
			return err
		}
		jobs = jobs[done:]
	}
	return nil
}

// announce calls the hook.
func (r *run) announce(ctx context.Context, j job) error {
	if r.before == nil {
		return nil
	}
	if err := r.before(ctx, r.step(j)); err != nil {
		return r.failed(j, fmt.Errorf("the hook Before: %w", err))
	}
	return nil
}

// report calls the hook, unless others are at work and the job has not begun.
func (r *run) report(ctx context.Context, j job, err error) {
	var busy *busyError
	var transient *transientError
	switch {
	case r.after == nil || errors.As(err, &busy):
		return
	case errors.As(err, &transient):
		err = transient.err
	}
	r.after(ctx, r.step(j), err)
}

// some does as many of the jobs as fit together. It returns their number.
func (r *run) some(ctx context.Context, st *state, jobs []job) (done int, err error) {
	if err := r.findProgress(ctx, jobs); err != nil {
		return 0, err
	}
	if err := r.refuseTouching(jobs[0]); err != nil {
		return 0, err
	}
	script := jobs[0].script()
	switch {
	case jobs[0].function() != nil:
		return 1, r.callFunction(ctx, st, jobs[0])
	case script != nil && script.NoTransaction:
		if r.target.pooled { // the locks of some such files would take all of the pooler's connections to the server
			if err := r.enterLane(ctx); err != nil {
				return 0, err
			}
		}
		return 1, r.withoutTransaction(ctx, st, jobs[0])
	case script != nil && inParts(script):
		return 1, r.inParts(ctx, st, jobs[0])
	}
	return r.batch(ctx, st, jobs)
}

// findProgress asks whether there is a progress table, if a job has to change it.
func (r *run) findProgress(ctx context.Context, jobs []job) error {
	if r.progress = r.target.shared != ""; r.progress || !slices.ContainsFunc(jobs, job.endsProgress) {
		return nil
	}
	if err := r.connect(ctx); err != nil {
		return err
	}
	results, err := r.session.send(ctx, "SELECT pg_catalog.to_regclass("+literal(r.target.progress())+") IS NOT NULL")
	if err != nil {
		return fmt.Errorf("pgdbm: looking for the table %s: %w", r.target.progress(), err)
	}
	r.progress = isTrue(results[0].Rows[0][0])
	return nil
}

// batch sends jobs in one message.
func (r *run) batch(ctx context.Context, st *state, jobs []job) (done int, err error) {
	if err := r.connect(ctx); err != nil {
		return 0, err
	}
	for n := len(jobs); ; n = done {
		m, err := r.message(st, jobs[:n])
		if err != nil {
			return 0, err
		}
		done, err = r.send(ctx, st, m, jobs)
		var early *earlyError
		if !errors.As(err, &early) {
			return done, err
		}
		done = early.job
	}
}

// message makes one message of jobs, from the first on, as many as it may hold.
func (r *run) message(st *state, jobs []job) (*message, error) {
	m := r.newMessage()
	g := newGuard(r.target, st)
	for i, j := range jobs {
		var texts []string
		if script := j.script(); script != nil {
			var err error
			if texts, err = script.Expand(r.target.name); err != nil {
				return nil, r.failed(j, err)
			}
		}
		m.job(j, g, texts)
		last := i == len(jobs)-1 || r.before != nil || r.after != nil || j.changesSession() ||
			m.text.Len() > batchBytes || !jobs[i+1].fitsInMessage()
		m.commit(last)
		if last {
			break
		}
		g = g.next()
	}
	return m, nil
}

func (r *run) newMessage() *message {
	return &message{target: r.target, options: r.options, session: r.session, progress: r.progress}
}
