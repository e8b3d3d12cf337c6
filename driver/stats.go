package driver

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"

	"github.com/pgdbm/pgdbm/internal/native"
)

// Stats counts how the statements of a [Connector] reached the server since it was made. Statements that leave the
// choice to nobody, such as those without arguments through Exec, those with a pgx.QueryExecMode, and those that
// an [sql.Stmt] has prepared, are not counted. It can be published as it is:
//
//	expvar.Publish("pgdbm", expvar.Func(func() any { return connector.Stats() }))
type Stats struct {
	Hits      uint64 // statements that were prepared on the connection
	Prepares  uint64 // statements that were prepared, and kept
	Evictions uint64 // prepared statements that made room for one used more often
	OneShots  uint64 // statements that were sent in one go, and left nothing prepared
	Describes uint64 // questions for the types of a one-shot, one round trip each
	Retries   uint64 // statements that were sent again because somebody had changed a table
	Pooled    uint64 // connections that were found to lead to a pooler, so that nothing is prepared on them
}

// counters are the Stats as they are counted.
type counters struct {
	hits, prepares, evictions, oneShots, describes, retries, pooled atomic.Uint64
}

// count counts a connection that was opened, or borrowed from a pgxpool for the first time.
func (n *counters) count(s *session) {
	if s.pooled && s.borrows == 1 {
		n.pooled.Add(1)
	}
}

// Stats returns the counters. It is safe for concurrent use.
func (c *Connector) Stats() Stats {
	n := &c.counters
	return Stats{
		Hits:      n.hits.Load(),
		Prepares:  n.prepares.Load(),
		Evictions: n.evictions.Load(),
		OneShots:  n.oneShots.Load(),
		Describes: n.describes.Load(),
		Retries:   n.retries.Load(),
		Pooled:    n.pooled.Load(),
	}
}

// StatsOf returns the Stats of the Connector behind db. It borrows a connection, because database/sql shows the
// Connector to nobody; a program that has made it with [NewConnector] had better ask that. The error says why no
// connection can be had, or that db is not one of this driver, or is wrapped.
func StatsOf(ctx context.Context, db *sql.DB) (Stats, error) {
	held, err := db.Conn(ctx)
	if err != nil {
		return Stats{}, err
	}
	defer held.Close()
	var stats Stats
	err = held.Raw(func(driverConn any) error {
		c, ok := driverConn.(native.Connection)
		if !ok {
			return fmt.Errorf("pgdbm: StatsOf: the database is not one of pgdbm: its connections are %T", driverConn)
		}
		stats = c.Native().(nativeConn).connector.Stats()
		return nil
	})
	return stats, err
}
