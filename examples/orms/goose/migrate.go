// Package goose shows the migration tool goose on pgdbm, for a schema each tenant.
//
// A [goose.Provider] remembers that it has made its bookkeeping table, so each tenant needs one of its own. The table must
// be in the tenant's schema too, or what one tenant has counts for all:
//
//   - [Bare] needs a pool with schema_mode=search_path. Both the migrations and goose's table have bare names, which follow
//     the context or the DSN. In template mode goose's table would be in public.
//   - [Templated] works in both modes.
//
// Give the pool schema_required=context, or name the schema in its DSN: then no call can forget whose tables it makes.
package goose

import (
	"database/sql"
	"embed"
	"hash/fnv"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed bare template
var files embed.FS

// Bare returns a tenant's migrations with bare names. Call its methods with the tenant's context.
func Bare(db *sql.DB, tenant string) (*goose.Provider, error) {
	return provider(goose.DialectPostgres, db, tenant, "bare")
}

// Templated returns a tenant's migrations with templates. Call its methods with the tenant's context.
func Templated(db *sql.DB, tenant string) (*goose.Provider, error) {
	own, err := database.NewStore(goose.DialectPostgres, "{{tables.goose_db_version}}")
	if err != nil {
		return nil, err
	}
	return provider(goose.DialectCustom, db, tenant, "template", goose.WithStore(store{own}))
}

// store is goose's own, but for its method TableExists, which looks for the table's name in a literal, where a template is
// not one. With WithTableName alone it would find nothing, and the second run would fail to create the table again. Without
// the method goose asks the table itself, and creates it if that fails.
type store struct{ database.Store }

func provider(dialect goose.Dialect, db *sql.DB, tenant, folder string, opts ...goose.ProviderOption) (*goose.Provider, error) {
	migrations, err := fs.Sub(files, folder)
	if err != nil {
		return nil, err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockID(tenant)), lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(dialect, db, migrations, append(opts, goose.WithSessionLocker(locker))...)
}

// lockID is the tenant's advisory lock: with goose's default, which is the same for all, tenants would wait for each other.
func lockID(tenant string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("goose " + tenant)) // it cannot fail
	return int64(h.Sum64())
}
