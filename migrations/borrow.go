package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/pgdbm/pgdbm/schemadb"
)

// PoolError says that the pool has too few connections to migrate with.
type PoolError struct {
	Need   int           // how many connections a run needs at once
	Max    int           // how many the pool may have, see (*sql.DB).SetMaxOpenConns; 0 for no limit
	Waited time.Duration // 0 if waiting makes no sense
}

// Error says what is needed and what to do.
func (e *PoolError) Error() string {
	if e.Waited == 0 {
		return fmt.Sprintf("pgdbm: migrations need %d connections at once, and the pool has %d at most: raise MaxOpenConns "+
			"(SetMaxOpenConns)", e.Need, e.Max)
	}
	if e.Max == 0 {
		return fmt.Sprintf("pgdbm: migrations need %d connections at once, and got them not within %v: raise WaitLimit, or find out why the "+
			"server is slow to accept connections", e.Need, e.Waited.Round(time.Millisecond))
	}
	return fmt.Sprintf("pgdbm: migrations need %d connections at once, and got them not within %v from a pool that has %d at "+
		"most: raise MaxOpenConns (SetMaxOpenConns), or close rows and transactions earlier", e.Need, e.Waited.Round(time.Millisecond), e.Max)
}

// How long a borrower who needs several connections keeps those that it has while it waits for the others in a full pool:
// from firstKeep, twice as long with each attempt, to lastKeep. It is short, so that those who need only one more can have it.
const (
	firstKeep = 10 * time.Millisecond
	lastKeep  = 250 * time.Millisecond
)

// connecting is how long a new connection may take at least, however short the limit for waiting is.
const connecting = 10 * time.Second

// borrow takes n connections from the pool, or none. The run has others of its own already. Who waits for a connection
// while he keeps one may wait for somebody who does the same, so after a while borrow gives back what it has and begins
// anew. It waits no longer than limit.
func borrow(ctx context.Context, pool *sql.DB, n, others int, limit time.Duration) ([]*session, error) {
	most := pool.Stats().MaxOpenConnections
	if most > 0 && most < n+others {
		return nil, &PoolError{Need: n + others, Max: most}
	}
	begun := time.Now()
	pause := newBackoff(firstKeep, 2*lastKeep)
	for keep := firstKeep; ; keep = min(2*keep, lastKeep) {
		left := max(limit-time.Since(begun), time.Millisecond)
		sessions, err := tryBorrow(ctx, pool, n, left, min(keep, left))
		if !errors.Is(err, errImpatient) {
			return sessions, err
		}
		if waited := time.Since(begun); waited >= limit {
			return nil, &PoolError{Need: n + others, Max: most, Waited: waited}
		}
		if err := pause.wait(ctx); err != nil {
			return nil, err
		}
	}
}

var errImpatient = errors.New("no connection became free")

// tryBorrow takes n connections, the first within limit, and the others within keep.
func tryBorrow(ctx context.Context, pool *sql.DB, n int, limit, keep time.Duration) (sessions []*session, err error) {
	for range n {
		s, err := liveWithin(ctx, pool, limit)
		if err != nil {
			closeAll(sessions)
			return nil, err
		}
		sessions = append(sessions, s)
		limit = keep
	}
	return sessions, nil
}

// liveWithin takes a connection that the server still answers on. Idle ones may have been cut, by the server's restart or
// by a firewall, and database/sql does not notice.
func liveWithin(ctx context.Context, pool *sql.DB, limit time.Duration) (*session, error) {
	idle := pool.Stats().Idle
	for {
		conn, err := connWithin(ctx, pool, limit)
		if err != nil {
			return nil, err
		}
		s := &session{conn: conn}
		if err = s.learn(ctx); err == nil {
			return s, nil
		}
		s.spoiled = s.spoiled || !errors.Is(err, errDriver) && !errors.Is(err, errLiterals) && !errors.Is(err, errClientEncoding)
		cut := s.spoiled && ctx.Err() == nil
		s.close()
		if idle--; idle < 0 || !cut {
			return nil, err
		}
	}
}

func connWithin(ctx context.Context, pool *sql.DB, limit time.Duration) (*sql.Conn, error) {
	return within(ctx, pool, limit, pool.Conn)
}

// within calls connect, which waits for a connection of the pool, and lets it wait no longer than limit.
func within[C any](ctx context.Context, pool *sql.DB, limit time.Duration, connect func(context.Context) (C, error)) (C, error) {
	if stats := pool.Stats(); stats.MaxOpenConnections == 0 || stats.InUse < stats.MaxOpenConnections {
		limit = max(limit, connecting)
	}
	limited, cancel := context.WithTimeoutCause(ctx, limit, errImpatient)
	defer cancel()
	conn, err := connect(limited)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(limited), errImpatient) {
		return conn, errImpatient
	}
	if err != nil && ctx.Err() != nil {
		return conn, context.Cause(ctx)
	}
	return conn, err
}

func closeAll(sessions []*session) {
	for _, s := range sessions {
		s.close()
	}
}

// connect borrows a connection, unless the session has one that others may use.
func connect(ctx context.Context, db *schemadb.DB, s *session, limit time.Duration) error {
	if s.conn != nil && !s.spoiled {
		return nil
	}
	s.close()
	sessions, err := borrow(ctx, db.Pool(), 1, 1, limit)
	if err == nil {
		*s = *sessions[0]
	}
	return err
}
