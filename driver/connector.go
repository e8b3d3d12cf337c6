package driver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/internal/dsn"
	"github.com/pgdbm/pgdbm/internal/dsnform"
	"github.com/pgdbm/pgdbm/internal/native"
	"github.com/pgdbm/pgdbm/internal/pathsql"
	"github.com/pgdbm/pgdbm/internal/stmtcache"
	"github.com/pgdbm/pgdbm/internal/template"
)

// maxDescriptions is how many texts a Connector remembers the types of, at most twice. With so many it takes about 40 MB: ten
// thousand tenants with 50 statements each.
const maxDescriptions = 1 << 18

// maxTemplates is how many templates are remembered, at most twice.
const maxTemplates = 1 << 12

// cacheBytes bounds the memory in which a Connector remembers expanded statements.
const cacheBytes = 16 << 20

// Connector opens the connections of one *sql.DB. It is safe for concurrent use.
type Connector struct {
	settings dsn.Settings
	cache    *template.Cache
	pooled   bool // connections are borrowed from a pgxpool, which other databases may share
	err      error

	schemaArgs bool // arguments can be templates: see WithSchemaArgs

	// open returns a connection of pgx's own driver and, in schema_mode=search_path, the search_path that it was
	// asked to start with.
	open func(context.Context) (sqldriver.Conn, startPath, error)

	descriptions *stmtcache.Descriptions // of statements
	templates    *stmtcache.Descriptions // of the last schema that each template was described in: good for guessing what its columns are
	counters     counters

	// schemaChanges counts the statements that may have created or dropped a schema.
	schemaChanges atomic.Uint64

	// bound is set once a context has named a schema. A program that only ever follows its DSN is served as pgx does it.
	bound atomic.Bool

	// clashed is set once a borrower was refused a connection for what one in the DSN's schema had left in it.
	clashed atomic.Bool
}

var _ sqldriver.Connector = (*Connector)(nil)

// NewConnector returns a connector for [sql.OpenDB]. ConnString is what [sql.Open] takes. It does not connect. The DSN is
// checked now, and read again at each connect, so that a password file or a certificate may change meanwhile. The
// errors are *[DSNError] and *[SchemaError].
func NewConnector(connString string, opts ...Option) (*Connector, error) {
	return registered.connector(connString, opts)
}

// OpenDB opens a database as stdlib.OpenDB does, from a configuration that pgx.ParseConfig has made. The keys of this
// driver are read from config.RuntimeParams, where pgx.ParseConfig puts them. If they or an option are wrong, every
// use of the database returns the error.
func OpenDB(config pgx.ConnConfig, opts ...Option) *sql.DB {
	var o options
	if err := o.apply(opts); err != nil {
		return sql.OpenDB(&Connector{err: err})
	}
	c, err := configConnector(config.Copy(), &o)
	if err != nil {
		c = &Connector{err: err}
	}
	return sql.OpenDB(c)
}

// OpenDBFromPool opens a database on the connections of a pgxpool as stdlib.OpenDBFromPool does: it keeps no idle
// connections of its own, and closing it leaves the pool open. Several databases, each with its own [DefaultSchema],
// can share a pool. It works in template mode. If an option is wrong, every use of the database returns the error.
func OpenDBFromPool(pool *pgxpool.Pool, opts ...Option) *sql.DB {
	c, err := poolConnector(pool, opts)
	if err != nil {
		c = &Connector{err: err}
	}
	db := sql.OpenDB(c)
	db.SetMaxIdleConns(0) // they are the pool's
	return db
}

func newConnector(s dsn.Settings, o *options) (*Connector, error) {
	s, err := o.merge(s)
	if err != nil {
		return nil, err
	}
	return &Connector{
		settings:     s,
		schemaArgs:   o.schemaArgs,
		cache:        template.NewCache(cacheBytes, s.Syntax),
		descriptions: stmtcache.NewDescriptions(maxDescriptions),
		templates:    stmtcache.NewDescriptions(maxTemplates),
	}, nil
}

func dsnConnector(connString string, o *options) (*Connector, error) {
	_, s, err := dsn.Parse(connString)
	if err != nil {
		return nil, err
	}
	c, err := newConnector(s, o)
	if err != nil {
		return nil, err
	}
	c.open = func(ctx context.Context) (sqldriver.Conn, startPath, error) {
		config, _, err := dsn.Parse(connString)
		if err != nil {
			return nil, startPath{}, err
		}
		return c.connect(ctx, config, o)
	}
	return c, nil
}

func configConnector(config *pgx.ConnConfig, o *options) (*Connector, error) {
	config = config.Copy()
	s, err := dsn.Take(config)
	if err != nil {
		return nil, err
	}
	c, err := newConnector(s, o)
	if err != nil {
		return nil, err
	}
	c.open = func(ctx context.Context) (sqldriver.Conn, startPath, error) {
		return c.connect(ctx, config.Copy(), o)
	}
	return c, nil
}

// stdlibConnector is for the names of stdlib.RegisterConnConfig, whose configurations only stdlib can see.
func stdlibConnector(name string, o *options) (*Connector, error) {
	if len(o.stdlib) > 0 {
		return nil, errors.New("pgdbm: WithStdlib does not work with a name from stdlib.RegisterConnConfig; " +
			"use driver.RegisterConnConfig or driver.OpenDB")
	}
	inner, err := stdlib.GetDefaultDriver().(sqldriver.DriverContext).OpenConnector(name)
	if err != nil {
		return nil, err
	}
	c, err := newConnector(dsn.Settings{}, o)
	if err != nil {
		return nil, err
	}
	c.open = func(ctx context.Context) (sqldriver.Conn, startPath, error) {
		conn, err := inner.Connect(ctx)
		return conn, startPath{}, err
	}
	return c, nil
}

func poolConnector(pool *pgxpool.Pool, opts []Option) (*Connector, error) {
	if pool == nil {
		return nil, errors.New("pgdbm: OpenDBFromPool: the pool is nil")
	}
	var o options
	if err := o.apply(opts); err != nil {
		return nil, err
	}
	for _, key := range dsn.Keys {
		if _, ok := pool.Config().ConnConfig.RuntimeParams[key]; ok {
			return nil, &DSNError{Key: key, Reason: "a pgxpool would send it to the server; take it out of the pool's DSN " +
				"and use options such as driver.DefaultSchema"}
		}
	}
	c, err := newConnector(dsn.Settings{}, &o)
	if err != nil {
		return nil, err
	}
	c.pooled = true
	inner := stdlib.GetPoolConnector(pool, o.stdlib...)
	c.open = func(ctx context.Context) (sqldriver.Conn, startPath, error) {
		conn, err := inner.Connect(ctx)
		return conn, startPath{}, err
	}
	return c, nil
}

// connect opens a connection with config, which it may change.
func (c *Connector) connect(ctx context.Context, config *pgx.ConnConfig, o *options) (sqldriver.Conn, startPath, error) {
	var path startPath
	if c.settings.SearchPath {
		path.followers, path.given = config.RuntimeParams["search_path"]
		if !path.given {
			path.followers, path.given = dsnform.Option(config.RuntimeParams["options"], "search_path")
		}
		if path.given {
			path.followers = pathsql.OrNone(path.followers)
		}
	}
	if c.settings.SearchPath && c.settings.Schema != "" {
		path.full = pathsql.Full(c.settings.Schema, path.followers)
		if config.RuntimeParams == nil {
			config.RuntimeParams = make(map[string]string)
		}
		config.RuntimeParams["search_path"] = path.full
	}
	conn, err := stdlib.GetConnector(*config, o.stdlib...).Connect(ctx)
	return conn, path, err
}

// startPath is a search_path that a connection is asked to start with, or nothing.
type startPath struct {
	full, followers string
	given           bool // the DSN has the followers
}

// Connect opens a connection for database/sql. It refuses a server that reads backslashes in '...' as escapes
// (standard_conforming_strings=off), because the literals of a statement could not be told from its SQL then.
func (c *Connector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	if c.err != nil {
		return nil, c.err
	}
	native.Answer(ctx)
	inner, path, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	std, ok := inner.(*stdlib.Conn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("pgdbm: pgx/v5/stdlib returned a %T, not a *stdlib.Conn", inner), inner.Close())
	}
	conn, err := newConn(ctx, c, std)
	if err == nil {
		err = conn.checkLiterals()
	}
	if err == nil && c.settings.SearchPath {
		err = conn.startPath(ctx, path)
	}
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	return conn, nil
}

// Driver returns the *[Driver].
func (c *Connector) Driver() sqldriver.Driver { return registered }
