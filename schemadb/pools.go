package schemadb

import (
	"context"
	"log/slog"
	"sync"

	"github.com/jackc/pgx/v5"
)

// pools are the pools that Open has opened in this process. Two of them on one database are most often a mistake, which
// shows only when the server runs out of connections.
var pools poolRegistry

// poolRegistry counts open pools by database. The zero value is ready to use. It is safe for concurrent use.
type poolRegistry struct {
	mu   sync.Mutex
	open map[poolTarget]*poolCount
}

// poolTarget is the database that a pool connects to. Of several hosts it is the first.
type poolTarget struct {
	host     string
	port     uint16
	database string
}

type poolCount struct {
	n      int
	warned bool // of several pools, since there was none
}

func targetOf(config *pgx.ConnConfig) poolTarget {
	target := poolTarget{config.Host, config.Port, config.Database}
	if target.database == "" {
		target.database = config.User // as the server does it
	}
	return target
}

// add registers a pool. The function that it returns undoes it, once.
func (r *poolRegistry) add(target poolTarget) (remove func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = make(map[poolTarget]*poolCount)
	}
	if r.open[target] == nil {
		r.open[target] = &poolCount{}
	}
	r.open[target].n++
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.open[target].n--; r.open[target].n == 0 {
			delete(r.open, target)
		}
	})
}

// shouldWarn reports whether target has several pools and nobody has been told.
func (r *poolRegistry) shouldWarn(target poolTarget) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := r.open[target]
	if count == nil || count.n < 2 || count.warned {
		return false
	}
	count.warned = true
	return true
}

func (r *poolRegistry) warn(ctx context.Context, logger *slog.Logger, target poolTarget) {
	if r.shouldWarn(target) {
		logger.WarnContext(ctx, "pgdbm: this process has another pool on the same database: each takes its own connections "+
			"of the server's max_connections; share one pool with schemadb.New(pool, schema)",
			"host", target.host, "port", target.port, "database", target.database)
	}
}
