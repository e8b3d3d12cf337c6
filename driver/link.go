package driver

import (
	"github.com/jackc/pgx/v5"
)

// link is what this driver knows about a physical connection. It is kept in the connection itself, because on a pgxpool
// each borrower's conn is a new one. One goroutine at a time uses it, as the connection.
type link struct {
	mode    pgx.QueryExecMode
	tracer  pgx.QueryTracer // or nil
	hot     *hotSet         // what pgx has prepared, or nil if it is to prepare nothing
	builder pgx.ExtendedQueryBuilder
}

// linkKey is the link's among the connection's custom data.
const linkKey = "github.com/pgdbm/pgdbm/driver"

func linkOf(conn *pgx.Conn) *link {
	custom := conn.PgConn().CustomData()
	if l, ok := custom[linkKey].(*link); ok {
		return l
	}
	config := conn.Config()
	l := &link{mode: config.DefaultQueryExecMode, tracer: config.Tracer}
	if l.mode == pgx.QueryExecModeCacheStatement && config.StatementCacheCapacity > 0 {
		l.hot = newHotSet(config.StatementCacheCapacity)
	}
	custom[linkKey] = l
	return l
}

// chooses reports whether this driver decides how statements are sent; else the DSN has.
func (l *link) chooses() bool { return l.hot != nil || l.mode == pgx.QueryExecModeCacheDescribe }
