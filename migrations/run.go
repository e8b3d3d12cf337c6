package migrations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

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
	level   slog.Level // of the event that a migration is done

	waited  waiting
	retried int // how often the next job ran into a lock timeout
}

// planner decides what to do, when done steps of the run are done already.
type planner func(st *state, done int) ([]job, error)

// busyError says that somebody else works on the target, or has just done so.
type busyError struct{ err error } // what the guard has failed with, or nil

func (*busyError) Error() string { return "somebody else migrates the schema" }

// do does what the plan says. St is what is known about the target, or nil.
func (r *run) do(ctx context.Context, st *state) (err error) {
	begun := time.Now()
	defer func() { r.result.Duration = time.Since(begun) }()
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
	var timeout *lockTimeoutError
	var busy *busyError
	switch {
	case errors.As(err, &busy):
		if err := r.connect(ctx); err != nil {
			return err
		}
		progress := r.waited.progress
		if st != nil {
			progress = len(st.applied)
		}
		r.waited.last = busy.err
		return r.waited.wait(ctx, r.options, r.session, r.target, progress)
	case errors.As(err, &timeout):
		if r.retried == r.lockRetries {
			return timeout.err
		}
		r.retried++
		r.log.LogAttrs(ctx, slog.LevelWarn, "pgdbm: a migration did not get a lock; it is tried again",
			append(r.attrs(), slog.String("file", timeout.file), slog.Int("retry", r.retried))...)
		pause := newBackoff(100*time.Millisecond<<min(r.retried-1, 7), 10*time.Second)
		return pause.wait(ctx)
	}
	return err
}

// jobs does the jobs, and keeps st as the server has it.
func (r *run) jobs(ctx context.Context, st *state, jobs []job) error {
	if len(jobs) == 0 && st.own {
		return r.moveOnly(ctx, st)
	}
	for len(jobs) > 0 {
		if err := r.announce(ctx, jobs[0]); err != nil {
			return err
		}
		done, err := r.some(ctx, st, jobs)
		if busy := (*busyError)(nil); r.after != nil && !errors.As(err, &busy) {
			r.after(ctx, r.step(jobs[0]), err)
		}
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

// some does as many of the jobs as fit together. It returns their number.
func (r *run) some(ctx context.Context, st *state, jobs []job) (done int, err error) {
	script := jobs[0].script()
	switch {
	case jobs[0].function() != nil:
		return 1, r.callFunction(ctx, st, jobs[0])
	case script != nil && script.noTransaction:
		return 1, r.withoutTransaction(ctx, st, jobs[0])
	case script != nil && script.copies():
		return 1, r.copyRows(ctx, st, jobs[0])
	}
	return r.batch(ctx, st, jobs)
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
			if texts, err = script.expand(r.target.name); err != nil {
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
	return &message{target: r.target, options: r.options, session: r.session}
}

// earlyError says that the server could not read the message, because of a job that is not its first: it has done none.
type earlyError struct{ job int }

func (*earlyError) Error() string { return "the server cannot read a later job" }

// send sends the message, and notes which of the jobs are done.
func (r *run) send(ctx context.Context, st *state, m *message, jobs []job) (done int, err error) {
	results, err := r.session.send(ctx, m.text.String())
	took := durations(m, results)
	for i := range results {
		if m.marks[i].role == commits {
			r.done(ctx, st, jobs[done], took[jobs[done].m.File])
			done++
		}
	}
	if jobs[m.jobs-1].changesSession() { // a rollback does not end all of it: PREPARE stays
		r.session.spoiled = true
	}
	if err == nil {
		return done, nil
	}
	r.session.rollback(ctx)
	if done > 0 {
		r.noteDurations(ctx, m.timed, jobs[:done])
	}
	return done, r.sendError(m, len(results), jobs, err)
}

// noteDurations records the durations of a message's first jobs, when a later one has failed. That of the last of them is
// not known. Nobody waits for it.
func (r *run) noteDurations(ctx context.Context, timed []string, done []job) {
	files := timed[:0:0]
	for _, j := range done {
		if slices.Contains(timed, j.m.File) {
			files = append(files, j.m.File)
		}
	}
	if len(files) < 2 || r.session.spoiled || ctx.Err() != nil {
		return
	}
	_, err := r.session.send(ctx, "BEGIN; SELECT pg_catalog.set_config('lock_timeout', '100', true); "+
		r.target.durations(files, "NULL")+"; COMMIT")
	if err != nil {
		r.session.rollback(ctx)
	}
}

// sendError says what the error of a message means: *busyError, *earlyError, *lockTimeoutError, or the failure of a job.
func (r *run) sendError(m *message, results int, jobs []job, err error) error {
	at := m.marks[min(results, len(m.marks)-1)]
	offset := -1
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Position > 0 {
		if found, o, ok := m.place(int(pgErr.Position)); ok {
			at, offset = found, o
		}
	}
	// Before anything has run, the server has not said where what it cannot read is: so each job goes on its own.
	unreadable := results == 0 && offset < 0 && pgErr != nil && pgErr.SeverityUnlocalized == "ERROR"
	switch {
	case results == 0 && at.job > 0:
		return &earlyError{job: at.job}
	case unreadable && m.jobs > 1:
		return &earlyError{job: 1}
	}
	j := jobs[at.job]
	switch {
	case unreadable:
		return r.failed(j, err)
	case at.role == guards && isBusy(err):
		return &busyError{err}
	case at.role == guards:
		return fmt.Errorf("pgdbm: module %q in schema %q: the history cannot be used: %w", r.target.module, r.target.schema, err)
	}
	return r.jobFailed(j, at.statement, offset, err)
}

// jobFailed is the error of a job whose statement, or -1 if it was none of its own, has failed. Offset is where in the
// expanded statement, or -1.
func (r *run) jobFailed(j job, statement, offset int, err error) error {
	failed := r.failed(j, err)
	if statement >= 0 {
		failed.locate(j.script(), statement, r.target.name, offset)
	}
	if hasCode(err, activeTransaction) {
		failed.Note = "put the line -- pgdbm:no-transaction into the file, so that each of its statements runs on its own"
	}
	if r.lockTimeout > 0 && hasCode(err, lockNotAvailable, deadlockDetected) {
		return &lockTimeoutError{file: j.m.File, err: failed}
	}
	return failed
}

// lockTimeoutError is a failure that may go away by itself.
type lockTimeoutError struct {
	file string
	err  *MigrationError
}

func (e *lockTimeoutError) Error() string { return e.err.Error() }
func (e *lockTimeoutError) Unwrap() error { return e.err }

// isBusy reports whether a guard has failed because of others.
func isBusy(err error) bool {
	return hasCode(err, divisionByZero, lockNotAvailable, deadlockDetected, undefinedTable, invalidSchema,
		duplicateSchema, duplicateTable, duplicateObject, uniqueViolation, internalError)
}

// done notes that a job is done.
func (r *run) done(ctx context.Context, st *state, j job, took time.Duration) {
	st.after(j)
	step := r.step(j)
	step.Duration = took
	r.result.Steps = append(r.result.Steps, step)
	r.retried = 0
	r.log.LogAttrs(ctx, r.level, "pgdbm: "+j.kind.past(),
		append(r.attrs(), slog.String("file", j.m.File), slog.Duration("took", took))...)
}

func (r *run) step(j job) Step {
	return Step{Schema: r.target.schema, Module: r.target.module, Migration: j.m.Migration,
		Undo: j.kind == undoJob, RecordOnly: j.kind == recordJob || j.kind == forgetJob}
}

func (r *run) attrs() []slog.Attr {
	return []slog.Attr{slog.String("schema", r.target.schema), slog.String("module", r.target.module)}
}

// moveOnly moves the rows of a schema that is up to date to the shared history.
func (r *run) moveOnly(ctx context.Context, st *state) error {
	if err := r.connect(ctx); err != nil {
		return err
	}
	m := r.newMessage()
	m.open(newGuard(r.target, st), false)
	m.commit(true)
	_, err := r.session.send(ctx, m.text.String())
	if err == nil {
		return nil
	}
	r.session.rollback(ctx)
	if isBusy(err) {
		return &busyError{err}
	}
	return fmt.Errorf("pgdbm: module %q in schema %q: its history cannot be moved to %s: %w",
		r.target.module, r.target.schema, r.target.history(), err)
}

// durations returns how long the migrations of a message took, by their files.
func durations(m *message, results []*pgconn.Result) map[string]time.Duration {
	took := map[string]time.Duration{}
	for i, result := range results {
		if m.marks[i].role != records {
			continue
		}
		for _, row := range result.Rows {
			if ms, err := strconv.Atoi(string(row[1])); err == nil { // else it is NULL
				took[string(row[0])] = time.Duration(ms) * time.Millisecond
			}
		}
	}
	return took
}
