package migrations

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"
)

// WaitError says that a run has waited for another one, and has given up.
type WaitError struct {
	Schema, Module string // Schema is "" if the Python library holds its lock of the whole module
	Waited         time.Duration
	Err            error    // what the last attempt has failed with, or nil
	Holders        []string // who holds the lock: the backend's pid, with user, application and address where they are known
}

// Error names the lock and its holders.
func (e *WaitError) Error() string {
	what := fmt.Sprintf("module %q in schema %q", e.Module, e.Schema)
	if e.Schema == "" {
		what = fmt.Sprintf("module %q", e.Module)
	}
	text := fmt.Sprintf("pgdbm: %s: others have been at work for %v, so nothing more was done: %s; wait for them, or end one with "+
		"pg_terminate_backend, or raise WaitLimit", what, e.Waited.Round(time.Millisecond), names(e.Holders))
	if e.Err != nil {
		text += fmt.Sprintf(" (the last attempt: %v)", e.Err)
	}
	return text
}

// Unwrap returns what the last attempt has failed with.
func (e *WaitError) Unwrap() error { return e.Err }

func names(holders []string) string {
	if len(holders) == 0 {
		return "nobody holds the lock now"
	}
	return strings.Join(holders, "; ")
}

// waiting is a series of attempts to get at what others hold.
type waiting struct {
	begun    time.Time
	pause    *backoff
	progress int
	logged   time.Time
	last     error // what the last attempt has failed with, or nil
}

// The pauses between two attempts. They are short, because a lock is only seen to be free by trying: whoever blocks in
// the server instead makes CREATE INDEX CONCURRENTLY wait for him.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 500 * time.Millisecond
	logPause   = 30 * time.Second // between two messages about the same wait
)

// wait waits for the next attempt. Progress is the length of the history: where it grows, the others are getting on.
func (w *waiting) wait(ctx context.Context, o *options, s *session, t target, progress int) error {
	now := time.Now()
	if w.pause == nil || progress != w.progress {
		*w = waiting{begun: now, pause: newBackoff(firstPause, lastPause), progress: progress, logged: w.logged, last: w.last}
	}
	waited := now.Sub(w.begun)
	due := waited > lastPause && now.Sub(w.logged) > logPause
	if due || waited >= o.waitLimit {
		found, err := holders(ctx, s, t)
		if err != nil {
			return err
		}
		if waited >= o.waitLimit {
			return &WaitError{Schema: t.schema, Module: t.module, Waited: waited, Holders: found, Err: w.last}
		}
		w.logged = now
		o.log.LogAttrs(ctx, slog.LevelWarn, "pgdbm: waiting for another run of the same migrations", slog.String("schema", t.schema),
			slog.String("module", t.module), slog.Duration("waited", waited), slog.String("for", names(found)))
	}
	return w.pause.wait(ctx)
}

// holders says who holds the target's key, its history, or the Python library's lock of the module.
func holders(ctx context.Context, s *session, t target) ([]string, error) {
	conditions := advisory(fmt.Sprint(t.key())) + " OR " + advisory(moduleKey(t.module)) + " AND l.mode = 'ExclusiveLock'"
	if t.schema != "" { // also a history that has to move to the shared one
		conditions += " OR l.relation = pg_catalog.to_regclass(" + literal(t.ownHistory()) + ") AND l.mode ~ 'Exclusive|^ShareLock'"
	}
	return lockers(ctx, s, "l.granted AND ("+conditions+")")
}

// advisory is the condition for the advisory locks with a key.
func advisory(key string) string {
	return fmt.Sprintf("(l.locktype = 'advisory' AND l.objsubid = 1 AND (l.classid::pg_catalog.int8 << 32 | l.objid::pg_catalog.int8) = %s)", key)
}

// lockers describes the backends that have locks, or wait for them, in this database.
func lockers(ctx context.Context, s *session, condition string) ([]string, error) {
	return backends(ctx, s, "a.pid IN (SELECT l.pid FROM pg_catalog.pg_locks l WHERE l.database = (SELECT oid FROM pg_catalog.pg_database "+
		"WHERE datname = pg_catalog.current_database()) AND "+condition+")")
}

// backends describes the other backends of this database that meet a condition. Within a transaction the server shows the
// same list again, unless it is told to forget it.
func backends(ctx context.Context, s *session, condition string) ([]string, error) {
	results, err := s.send(ctx, "SELECT pg_catalog.pg_stat_clear_snapshot();\nSELECT pg_catalog.concat('pid ', a.pid, ' (user ', a.usename, ', application ', "+
		"a.application_name, ', from ', COALESCE(pg_catalog.host(a.client_addr), 'a local socket'), ', ', a.state, ')') "+
		"FROM pg_catalog.pg_stat_activity a WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.datname = pg_catalog.current_database() AND "+condition)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, row := range results[1].Rows {
		found = append(found, string(row[0]))
	}
	return found, nil
}

// backoff is a series of pauses, each up to twice as long as the one before. They are random, so that those who wait for
// the same thing do not all come back at the same moment.
type backoff struct{ next, last time.Duration }

func newBackoff(first, last time.Duration) *backoff {
	return &backoff{next: first, last: last}
}

// wait waits for the next pause, or for the end of ctx, whose cause it returns.
func (b *backoff) wait(ctx context.Context) error {
	pause := b.next/2 + rand.N(b.next/2+1) //nolint:gosec // it guards nothing
	b.next = min(2*b.next, b.last)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
