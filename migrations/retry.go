package migrations

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// transientError is a failure that may go away by itself: somebody else was in the way, and nothing of the migration has stayed.
type transientError struct {
	file    string
	retries int // at most so many
	err     *MigrationError
}

func (e *transientError) Error() string { return e.err.Error() }
func (e *transientError) Unwrap() error { return e.err }

const (
	// transientRetries is how often a migration is tried again that others were in the way of, as when many schemas create the same
	// extension. After the first failure of each, the schemas of a run take turns, so most need one.
	transientRetries = 20
	// racingRetries is for errors that may as well be a mistake in the file.
	racingRetries = 3
)

// retries returns how often a job that has failed with err may be tried again. Only what runs in one transaction is.
func (r *run) retries(j job, statement int, err error) int {
	function := j.function() != nil
	switch {
	case r.lockTimeout > 0 && hasCode(err, lockNotAvailable), function && r.lockTimeout > 0 && hasCode(err, deadlockDetected):
		return r.lockRetries
	case function && !r.retryFunctions:
		return 0
	case hasCode(err, deadlockDetected, serializationFailure), changedCatalog(err):
		return transientRetries
	case statement >= 0 && isRace(j.script().Statements[statement].SQL.Text, err):
		return racingRetries
	}
	return 0
}

// changedCatalog reports whether two transactions have changed the same row of a catalog, or added the same one. The server does not
// translate the texts of internal errors.
func changedCatalog(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	return pgErr.Code == uniqueViolation && pgErr.SchemaName == "pg_catalog" ||
		pgErr.Code == internalError && (strings.Contains(pgErr.Message, "concurrently") || strings.HasPrefix(pgErr.Message, "cache lookup failed") ||
			strings.HasPrefix(pgErr.Message, "could not open relation with OID"))
}

// isRace reports whether a statement has found what it has just looked for in vain, or the other way round: IF NOT EXISTS and IF EXISTS do
// not see what another transaction is about to commit, nor does the code of a DO block.
func isRace(text string, err error) bool {
	const undefinedObject, undefinedFunction, duplicateFunction = "42704", "42883", "42723"
	isThere := hasCode(err, duplicateObject, duplicateSchema, duplicateTable, duplicateFunction)
	isGone := hasCode(err, undefinedObject, undefinedTable, undefinedFunction)
	return (isThere || isGone) && sqllex.HasWord(text, "if") && sqllex.HasWord(text, "exists") || isThere && sqllex.Begins(text, "do")
}

// retry waits until a migration may be tried again, or returns its error.
func (r *run) retry(ctx context.Context, e *transientError) error {
	if r.retried >= e.retries {
		return e.err
	}
	r.retried++
	event, attrs := "pgdbm: a migration did not get a lock; it is tried again", append(r.attrs(), slog.String("file", e.file), slog.Int("retry", r.retried))
	pause := newBackoff(100*time.Millisecond<<min(r.retried-1, 7), 10*time.Second)
	if !hasCode(e.err, lockNotAvailable, deadlockDetected) {
		event, attrs = "pgdbm: another transaction was in the way of a migration; it is tried again", append(attrs, slog.String("error", e.err.Err.Error()))
		pause = newBackoff(firstPause<<min(r.retried-1, 5), lastPause)
	}
	r.log.LogAttrs(ctx, slog.LevelWarn, event, attrs...)
	if err := pause.wait(ctx); err != nil {
		return err
	}
	return r.enterLane(ctx)
}

// enterLane waits until no other schema of the run that others were in the way of is being migrated: one by one they do not meet again.
func (r *run) enterLane(ctx context.Context) error {
	if r.lane == nil || r.inLane {
		return nil
	}
	select {
	case r.lane <- struct{}{}:
		r.inLane = true
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// leaveLane lets the next one in.
func (r *run) leaveLane() {
	if r.retried = 0; r.inLane {
		r.inLane = false
		<-r.lane
	}
}
