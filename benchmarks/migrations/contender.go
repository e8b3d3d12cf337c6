package main

import "context"

// contender is a tool that applies the set to schemas.
type contender struct {
	name string
	// open prepares the tool for one database and so many workers. It need not connect yet.
	open func(ctx context.Context, dsn string, workers int) (session, error)
}

// session is a contender at work on one database. It is not safe for concurrent use.
type session interface {
	// apply brings the schemas up to date. If fresh is true they do not exist yet and apply makes them.
	apply(ctx context.Context, schemas []string, fresh bool) error
	// close ends the connections.
	close() error
}

// contenders are all there are. Their figures are shown relative to those of floor and of goosePools.
var contenders = []contender{floor, pgdbmOwn, pgdbmShared, goosePools, gooseOnePool, golangMigrate, tern}
