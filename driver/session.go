package driver

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/native"
	"github.com/pgdbm/pgdbm/internal/pooler"
	"github.com/pgdbm/pgdbm/internal/stmtcache"
	"github.com/pgdbm/pgdbm/internal/template"
)

// session is what is known about a physical connection. It is kept in the connection itself, because on a pgxpool each
// borrower's conn is a new one. One goroutine at a time uses it, as the connection.
type session struct {
	pgx    *pgx.Conn
	mode   pgx.QueryExecMode // the DSN's
	tracer pgx.QueryTracer   // or nil
	opened time.Time         // what the server said before does not count here
	pooled bool              // a pooler hands out other sessions, with whatever is prepared there

	*stmtcache.Database // what other connections have learned too

	identity stmtcache.Identity // what decides the meaning of statements besides their texts

	capacity, described int // pgx's limits of what is remembered; 0 forbids a mode

	cache    *stmtcache.Cache // the prepared statements, or nil where there can be none
	unwanted []string         // names of prepared statements to close

	toPath, check *pgconn.StatementDescription // the switch to a schema's path and the check behind it, once they are prepared

	borrows uint64 // how often it was borrowed, or in the hands of others: see stmtcache.Prepared
	builder pgx.ExtendedQueryBuilder
	formats []int16 // memory for those of one statement
}

// sessionKey is the session's among the connection's custom data.
const sessionKey = "github.com/pgdbm/pgdbm/driver"

// sessionOf returns what is known about a connection. The first time it asks whether there is a pooler.
func sessionOf(ctx context.Context, conn *pgx.Conn) (*session, error) {
	custom := conn.PgConn().CustomData()
	if s, ok := custom[sessionKey].(*session); ok {
		return s, nil
	}
	config := conn.Config()
	s := &session{pgx: conn, mode: config.DefaultQueryExecMode, tracer: config.Tracer, opened: time.Now(), identity: identityOf(config),
		Database: registered.databases.Get(config.Database),
		capacity: config.StatementCacheCapacity, described: config.DescriptionCacheCapacity}
	var err error
	if s.pooled, err = pooler.Find(ctx, conn.PgConn()); err != nil {
		return nil, err
	}
	if !s.pooled {
		s.cache = stmtcache.New(max(config.StatementCacheCapacity, 1))
		for sql, sd := range native.Prepared(conn) {
			k := stmtcache.Key{SQL: sql, Hash: template.Hash(sql) ^ s.identity.Hash}
			s.cache.Put(&stmtcache.Prepared{Key: k, Description: sd, Asked: s.opened, Changes: s.Changes.Load(), Pins: 1})
		}
	}
	custom[sessionKey] = s
	return s, nil
}

// identityOf returns what a configuration says that decides about the meaning of statements.
func identityOf(config *pgx.ConnConfig) stmtcache.Identity {
	parts := []string{config.User, config.Database}
	for _, key := range slices.Sorted(maps.Keys(config.RuntimeParams)) {
		if key != "application_name" {
			parts = append(parts, key, config.RuntimeParams[key])
		}
	}
	return stmtcache.NewIdentity(parts...)
}

// namePrefix begins the names of our prepared statements.
const namePrefix = "pgdbm_"

// doubt forgets what is known for sure, because somebody else has had the session.
func (s *session) doubt() {
	s.borrows++
	s.identity.Change(rand.Text())
}

// forgetPrepared forgets all statements, after the server has.
func (s *session) forgetPrepared() {
	s.unwanted = nil
	s.forgetSwitch()
	if s.cache != nil {
		s.cache.Clear()
	}
}

// drop forgets a prepared statement. The server hears of it in the next group.
func (s *session) drop(p *stmtcache.Prepared) {
	s.cache.Drop(p)
	s.unwanted = append(s.unwanted, p.Description.Name)
}

// keep records a statement that was prepared, and closes those that have to make room.
func (s *session) keep(st *statement, sd *pgconn.StatementDescription, how *plan) (p *stmtcache.Prepared, evicted int) {
	p = &stmtcache.Prepared{Key: st.key(), Description: sd, Asked: how.asked, Changes: how.changes, Seen: s.borrows}
	st.pin.add(p)
	for _, old := range s.cache.Put(p) {
		evicted++
		s.unwanted = append(s.unwanted, old.Description.Name)
	}
	return p, evicted
}

// pinned reports whether somebody has prepared the statement. Then pgx executes it as such without arguments too.
func (s *session) pinned(st *statement) bool {
	if s.cache == nil {
		return false
	}
	p := s.cache.Find(st.key())
	return p != nil && p.Pins > 0
}

// forgetSwitch makes the next group prepare the switch again.
func (s *session) forgetSwitch() { s.toPath, s.check = nil, nil }
