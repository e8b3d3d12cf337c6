package schemadb

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/named"
	"github.com/pgdbm/pgdbm/internal/native"
	"github.com/pgdbm/pgdbm/internal/template"
)

// pool is a *sql.DB and what is known about it. The views of all its schemas share it.
type pool struct {
	db      *sql.DB
	kind    atomic.Uint32   // a kind, once it is known
	texts   *template.Cache // for drivers that do not expand templates themselves
	names   *named.Cache
	timeout time.Duration // Config.CommandTimeout; 0 is none
	err     error         // every use fails with it
}

// kind says what a database's driver can do.
type kind uint32

const (
	kindUnknown kind = iota
	kindPgdbm        // it expands templates, in the schema of the context
	kindPgx          // plain pgx/v5/stdlib: rows can be read through pgx
	kindOther
	kindLost // ours, behind a wrapper that loses contexts
)

const textBytes = 16 << 20 // bounds the memory of pool.texts

var errNilPool = errors.New("pgdbm: schemadb.New: the *sql.DB is nil; open one with sql.Open or schemadb.Open")

func newPool(db *sql.DB) *pool {
	p := &pool{db: db, texts: template.NewCache(textBytes, template.Both), names: named.NewCache(nameBytes)}
	if db == nil {
		p.err = errNilPool
		return p
	}
	switch db.Driver().(type) {
	case *driver.Driver:
		p.kind.Store(uint32(kindPgdbm))
	case *stdlib.Driver:
		p.kind.Store(uint32(kindPgx))
	}
	return p
}

// driver returns the kind of the pool's driver. One that is not known by its type may be a wrapper around ours, such as
// a tracer: a connection's answer tells. So the first statement on such a pool borrows a connection twice.
func (p *pool) driver(ctx context.Context) (kind, error) {
	switch k := kind(p.kind.Load()); k {
	case kindUnknown:
	case kindLost:
		return k, errNoContexts
	default:
		return k, nil
	}
	k := kindOther
	err := p.retry(func() error {
		ours, err := p.probe(ctx)
		if ours {
			k = kindPgdbm
		}
		return err
	})
	if errors.Is(err, errNoContexts) {
		p.kind.Store(uint32(kindLost))
	}
	if err != nil {
		return kindUnknown, err
	}
	p.kind.Store(uint32(k))
	return k, nil
}

// probe asks a connection whether it is one of package driver.
func (p *pool) probe(ctx context.Context) (bool, error) {
	var probe native.Probe
	ctx = native.WithProbe(ctx, &probe)
	var lost error
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return false, err
	}
	err = conn.Raw(func(driverConn any) error {
		// Nobody has seen ctx if database/sql opened the connection in the background, for a borrower who had to wait.
		if c, ok := driverConn.(sqldriver.SessionResetter); ok && !probe.Seen {
			if err := c.ResetSession(ctx); err != nil {
				return err
			}
		}
		if probe.Seen && !passesContexts(driverConn) {
			lost = errNoContexts
		}
		return nil
	})
	if err == nil {
		err = lost
	}
	if err != nil {
		_ = conn.Close() // database/sql has closed a broken one already
		return false, err
	}
	return probe.Seen, conn.Close()
}

// retry calls use until it does not fail on a connection that was broken before anything was sent. There may be as many
// of them as the pool has; database/sql, which can ask for a new connection, tries three times.
func (p *pool) retry(use func() error) error {
	err := use()
	if !errors.Is(err, sqldriver.ErrBadConn) {
		return err
	}
	for range p.db.Stats().OpenConnections + 2 {
		if err = use(); !errors.Is(err, sqldriver.ErrBadConn) {
			break
		}
	}
	return err
}

var errNoContexts = errors.New("pgdbm: something wraps the driver pgdbm and has no methods with contexts (ExecContext, " +
	"QueryContext, PrepareContext, BeginTx), which carry the schema; use schemadb on a pool without the wrapper")

// passesContexts reports whether a wrapper of our connections can hand on the contexts that name the schema.
func passesContexts(driverConn any) bool {
	_, exec := driverConn.(sqldriver.ExecerContext)
	_, query := driverConn.(sqldriver.QueryerContext)
	_, prepare := driverConn.(sqldriver.ConnPrepareContext)
	_, begin := driverConn.(sqldriver.ConnBeginTx)
	return exec && query && prepare && begin
}
