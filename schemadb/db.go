package schemadb

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/pgdbm/pgdbm/driver"
)

// driverName is what sqlx is told, whatever the driver: the facade speaks PostgreSQL.
const driverName = driver.Name

// DB is a view of a pool that is bound to a schema, or that follows the context if it is bound to none. It has the
// methods of sqlx.DB, and is safe for concurrent use, like a *sql.DB.
type DB struct {
	queries
	pool  *pool
	x     *sqlx.DB
	owner bool // Close closes the pool
}

// New returns a view of a pool, bound to schema: all its statements run there, whatever their contexts say. If schema
// is "", they follow their contexts, as [driver.WithSchema] says. The pool stays the caller's, so Close leaves it open.
//
// It works on every *sql.DB with a driver for PostgreSQL. If the name is no schema's, or db is nil, every use returns
// an error.
func New(db *sql.DB, schema string) *DB { return newDB(newPool(db), schema) }

func newDB(p *pool, schema string) *DB {
	x := sqlx.NewDb(p.db, driverName)
	return &DB{
		queries: queries{scope: newScope(p, schema), runner: x, mapper: x.Mapper},
		pool:    p,
		x:       x,
	}
}

// ForSchema returns a view of the same pool that is bound to another schema, or that follows the context if schema is
// "". It costs no round trip, so a program can make one for each request. Close of a view leaves the pool open.
func (db *DB) ForSchema(schema string) *DB {
	view := *db
	view.owner = false
	view.scope = newScope(db.pool, schema)
	return &view
}

// Unsafe returns a view that ignores columns without a field, as in sqlx.
func (db *DB) Unsafe() *DB {
	view := *db
	view.owner = false
	view.unsafe = true
	view.x = db.x.Unsafe()
	view.runner = view.x
	return &view
}

// MapperFunc sets how the name of a field without a db tag becomes that of its column, for this view and those that are
// made from it afterwards. The default is strings.ToLower. It must not be called while the view is in use.
func (db *DB) MapperFunc(f func(string) string) {
	x := *db.x
	x.MapperFunc(f)
	db.x, db.runner, db.mapper = &x, &x, x.Mapper
}

// Pool returns the pool, for libraries that take a *sql.DB. What they do there is not bound to the schema.
func (db *DB) Pool() *sql.DB { return db.pool.db }

// Close closes the pool if [Open] has opened it for this DB. On a view that [New] or [DB.ForSchema] has made it does nothing.
func (db *DB) Close() error {
	if !db.owner {
		return nil
	}
	return db.pool.db.Close()
}

// Ping is PingContext without a context.
func (db *DB) Ping() error { return db.PingContext(context.Background()) }

// PingContext asks whether the server answers.
func (db *DB) PingContext(ctx context.Context) error {
	if err := db.scope.check(ctx); err != nil {
		return err
	}
	return db.pool.db.PingContext(ctx)
}

// Stats returns the state of the pool, which all views of it share.
func (db *DB) Stats() sql.DBStats {
	if db.pool.err != nil {
		return sql.DBStats{}
	}
	return db.pool.db.Stats()
}

// Driver returns the pool's driver.
func (db *DB) Driver() sqldriver.Driver {
	if db.pool.err != nil {
		return nil
	}
	return db.pool.db.Driver()
}

// SetMaxOpenConns limits the connections of the pool, for all its views; 0 is no limit.
func (db *DB) SetMaxOpenConns(n int) { db.configure(func(pool *sql.DB) { pool.SetMaxOpenConns(n) }) }

// SetMaxIdleConns limits the idle connections of the pool, for all its views; 0 keeps none.
func (db *DB) SetMaxIdleConns(n int) { db.configure(func(pool *sql.DB) { pool.SetMaxIdleConns(n) }) }

// SetConnMaxLifetime limits the age of the pool's connections, for all its views; 0 is no limit.
func (db *DB) SetConnMaxLifetime(d time.Duration) {
	db.configure(func(pool *sql.DB) { pool.SetConnMaxLifetime(d) })
}

// SetConnMaxIdleTime limits how long a connection of the pool stays idle, for all its views; 0 is no limit.
func (db *DB) SetConnMaxIdleTime(d time.Duration) {
	db.configure(func(pool *sql.DB) { pool.SetConnMaxIdleTime(d) })
}

func (db *DB) configure(set func(*sql.DB)) {
	if db.pool.db != nil {
		set(db.pool.db)
	}
}
