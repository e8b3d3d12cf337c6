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
	Max    int           // how many the pool may have, see (*sql.DB).SetMaxOpenConns
	Waited time.Duration // 0 if waiting makes no sense
}

// Error says what is needed and what to do.
func (e *PoolError) Error() string {
	if e.Waited == 0 {
		return fmt.Sprintf("pgdbm: migrations need %d connections at once, and the pool has %d at most: raise MaxOpenConns "+
			"(SetMaxOpenConns)", e.Need, e.Max)
	}
	return fmt.Sprintf("pgdbm: migrations need %d connections at once, and got them not within %v from a pool that has %d at "+
		"most: raise MaxOpenConns (SetMaxOpenConns), or close rows and transactions earlier", e.Need, e.Waited, e.Max)
}

// patience is how long a borrower who needs several connections at first keeps those that it has while it waits for the
// others.
const patience = time.Second

// borrow takes n connections from the pool, or none. Who waits for a connection while he keeps one may wait for somebody
// who does the same, so after a while borrow gives back what it has and begins anew. It waits no longer than limit.
func borrow(ctx context.Context, pool *sql.DB, n int, limit time.Duration) ([]*session, error) {
	most := pool.Stats().MaxOpenConnections
	if most > 0 && most < n {
		return nil, &PoolError{Need: n, Max: most}
	}
	begun := time.Now()
	pause := newBackoff(10*time.Millisecond, patience)
	for keep := patience; ; keep *= 2 { // it grows, because connecting may be slow
		left := max(limit-time.Since(begun), time.Millisecond)
		sessions, err := tryBorrow(ctx, pool, n, left, min(keep, left))
		if !errors.Is(err, errImpatient) {
			return sessions, err
		}
		if time.Since(begun) >= limit {
			return nil, &PoolError{Need: n, Max: most, Waited: time.Since(begun).Round(time.Millisecond)}
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
		conn, err := connWithin(ctx, pool, limit)
		if err != nil {
			closeAll(sessions)
			return nil, err
		}
		sessions = append(sessions, &session{conn: conn})
		limit = keep
	}
	return sessions, nil
}

func connWithin(ctx context.Context, pool *sql.DB, limit time.Duration) (*sql.Conn, error) {
	limited, cancel := context.WithTimeoutCause(ctx, limit, errImpatient)
	defer cancel()
	conn, err := pool.Conn(limited)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(limited), errImpatient) {
		return nil, errImpatient
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
	sessions, err := borrow(ctx, db.Pool(), 1, limit)
	if err != nil {
		return err
	}
	*s = *sessions[0]
	return s.learn(ctx)
}
