package schemadb

import "context"

// Open opens a pool as config says, with connections in it, and returns the view of config.Schema, or of the DSN's
// schema. Close of that view closes the pool; the other views of it are from [DB.ForSchema].
//
// Errors are a *[ConfigError] for what is wrong with the configuration, in which case it has not tried to connect, and
// an *[OpenError] if it could not connect. They show no password.
func Open(ctx context.Context, config Config) (*DB, error) {
	sqlDB, err := config.openPool(ctx)
	if err != nil {
		return nil, err
	}
	p := newPool(sqlDB)
	p.timeout = config.commandTimeout()
	db := newDB(p, config.schema())
	db.owner = true
	return db, nil
}
