package migrations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/template"
)

// earlyError says that the server could not read the message, because of a job that is not its first: it has done none.
type earlyError struct{ job int }

func (*earlyError) Error() string { return "the server cannot read a later job" }

// send sends the message, and notes which of the jobs are done.
func (r *run) send(ctx context.Context, st *state, m *message, jobs []job) (done int, err error) {
	a, err := r.exchange(ctx, m)
	results := a.results
	r.hear(ctx, a.notices, func(n int) (job, int) { return jobs[m.marks[n].job], m.marks[n].statement })
	took, mark := durations(m, results)
	if mark != "" && m.longer {
		r.session.mark = strings.TrimSuffix(r.session.mark, template.QuoteIdent(r.target.schema)) + r.target.path
	}
	if mark != "" && mark != r.session.mark {
		r.session.spoiled = true
	}
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

// failed returns the statement of the message that has failed after so many results, and the byte offset in it, or -1.
func (m *message) failed(results int, err error) (at mark, offset int) {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Position > 0 {
		if at, offset, ok := m.place(int(pgErr.Position)); ok {
			return at, offset
		}
	}
	return m.marks[min(results, len(m.marks)-1)], -1
}

// sendError says what the error of a message means: *busyError, *earlyError, *transientError, or the failure of a job.
func (r *run) sendError(m *message, results int, jobs []job, err error) error {
	at, offset := m.failed(results, err)
	var pgErr *pgconn.PgError
	errors.As(err, &pgErr)
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
	case at.role == checks && pgErr != nil:
		return r.touched(j, at.statement, err)
	case at.role == guards && isBusy(err):
		return &busyError{err}
	case at.role == guards && isWorker(err):
		return fmt.Errorf("pgdbm: module %q in schema %q: this server is a worker of a Citus cluster: migrate through its coordinator: %w",
			r.target.module, r.target.schema, err)
	case at.role == guards && pgErr == nil: // the connection, or the context
		return r.failed(j, err)
	case at.role == guards:
		return fmt.Errorf("pgdbm: module %q in schema %q: the schema or its history cannot be created or used (CREATE on the database makes "+
			"schemas, CREATE on the schema makes the history): %w", r.target.module, r.target.schema, err)
	}
	return r.jobFailed(j, at.statement, offset, err)
}

// jobFailed is the error of a job whose statement, or -1 if it was none of its own, has failed. Offset is where in the
// expanded statement, or -1.
func (r *run) jobFailed(j job, statement, offset int, err error) error {
	failed := r.failed(j, err)
	if statement >= 0 {
		failed.locate(j.script(), statement, r.target, offset)
	}
	if hasCode(err, activeTransaction, invalidTermination) && r.target.module != "" {
		failed.note("put the line -- pgdbm:no-transaction into the file, so that each of its statements runs on its own")
	}
	if retries := r.retries(j, statement, err); retries > 0 {
		return &transientError{file: j.m.File, retries: retries, err: failed}
	}
	return failed
}

// isBusy reports whether a guard has failed because of others.
func isBusy(err error) bool {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Message == "query_wait_timeout" {
		return true // of PgBouncer, which has sent nothing to the server
	}
	return changedCatalog(err) || hasCode(err, divisionByZero, lockNotAvailable, deadlockDetected, undefinedTable, invalidSchema,
		duplicateSchema, duplicateTable, duplicateObject, uniqueViolation, serializationFailure)
}

// done notes that a job is done.
func (r *run) done(ctx context.Context, st *state, j job, took time.Duration) {
	st.after(j)
	step := r.step(j)
	step.Duration = took
	r.result.Steps = append(r.result.Steps, step)
	r.leaveLane()
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

// durations returns how long the migrations of a message took, by their files, and the session's mark after them.
func durations(m *message, results []*pgconn.Result) (took map[string]time.Duration, mark string) {
	took = map[string]time.Duration{}
	for i, result := range results {
		if m.marks[i].role != records {
			continue
		}
		for _, row := range result.Rows {
			mark = string(row[2])
			if ms, err := strconv.Atoi(string(row[1])); err == nil { // else it is NULL
				took[string(row[0])] = time.Duration(ms) * time.Millisecond
			}
		}
	}
	return took, mark
}
