package stmtcache

import (
	"sync"
	"sync/atomic"
)

// Database is what all connections to a database have to know. It is safe for concurrent use.
type Database struct {
	Changes  atomic.Uint64 // how often this process has changed tables
	Failures Failures
}

// Databases has the databases by their names. Those of the same name on different servers are one, because there are many ways to one
// server. The zero Databases is ready. It is safe for concurrent use.
type Databases struct {
	mu     sync.Mutex
	byName map[string]*Database
}

// Get returns the database of a name.
func (d *Databases) Get(name string) *Database {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byName == nil {
		d.byName = make(map[string]*Database)
	}
	db := d.byName[name]
	if db == nil {
		db = new(Database)
		d.byName[name] = db
	}
	return db
}
