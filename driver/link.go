package driver

import (
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/native"
)

// link is what this driver knows about a physical connection. It is kept in the connection itself, because on a pgxpool
// each borrower's conn is a new one. One goroutine at a time uses it, as the connection.
type link struct {
	mode     pgx.QueryExecMode
	tracer   pgx.QueryTracer                         // or nil
	hot      *hotSet                                 // what is prepared, or nil if nothing is to be
	path     *pgconn.StatementDescription            // the switch to a schema's path, once it is prepared
	check    *pgconn.StatementDescription            // and the check behind it
	names    int                                     // how many statements were given a name
	given    map[string]*pgconn.StatementDescription // what was prepared before, by the text
	unwanted []string                                // prepared statements to close, by their names
	builder  pgx.ExtendedQueryBuilder
}

// linkKey is the link's among the connection's custom data.
const linkKey = "github.com/pgdbm/pgdbm/driver"

func linkOf(conn *pgx.Conn) *link {
	custom := conn.PgConn().CustomData()
	if l, ok := custom[linkKey].(*link); ok {
		return l
	}
	config := conn.Config()
	l := &link{mode: config.DefaultQueryExecMode, tracer: config.Tracer, given: native.Prepared(conn)}
	if l.mode == pgx.QueryExecModeCacheStatement && config.StatementCacheCapacity > 0 {
		l.hot = newHotSet(config.StatementCacheCapacity)
	}
	custom[linkKey] = l
	return l
}

// givenFor returns what was prepared for a statement before the driver had the connection, or nil.
func (l *link) givenFor(o *order) *pgconn.StatementDescription {
	if o.path != nil || len(l.given) == 0 {
		return nil
	}
	return l.given[o.sql]
}

// newName returns a name for a statement that no other on this connection has or had.
func (l *link) newName() string {
	l.names++
	return "pgdbm_" + strconv.Itoa(l.names)
}

// forgetPrepared forgets all statements that the server has forgotten.
func (l *link) forgetPrepared() {
	l.path, l.check, l.given, l.unwanted = nil, nil, nil, nil
	if l.hot != nil {
		l.hot.clear()
	}
}

// sent reports whether message names something that is prepared for a statement.
func (l *link) sent(o *order, message string) bool {
	named := func(sd *pgconn.StatementDescription) bool {
		return sd != nil && strings.Contains(message, strconv.Quote(sd.Name))
	}
	var hot *pgconn.StatementDescription
	if l.hot != nil {
		if t := l.hot.find(o); t != nil {
			hot = t.sd
		}
	}
	return named(hot) || named(l.path) || named(l.check) || named(l.givenFor(o))
}

// chooses reports whether this driver decides how statements are sent; else the DSN has.
func (l *link) chooses() bool { return l.hot != nil || l.mode == pgx.QueryExecModeCacheDescribe }
