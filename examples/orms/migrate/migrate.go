// Package migrate shows golang-migrate on pgdbm, for a schema each tenant.
//
// The library takes no context: it calls the database with context.Background(). So a tenant is migrated on a *sql.DB of
// its own, which names the schema. (The context that its driver postgres takes in WithConnection is for the first
// statements only.) The tables may have bare names in the files, or be templates. A file is sent as one text, which may be
// several statements.
//
// Its bookkeeping table is in the schema that pgx.Config names, or in that of CURRENT_SCHEMA(), which in template mode is
// public: then what one tenant has counts for all. So name it.
//
// Its driver postgres works in the same way: postgres.WithInstance(db, &postgres.Config{SchemaName: tenant}).
package migrate

import (
	"context"
	"database/sql"
	"embed"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"

	"github.com/pgdbm/pgdbm/schemadb"
)

//go:embed bare template
var files embed.FS

// The migrations of [New].
const (
	Bare      = "bare"     // with bare names, for schema_mode=search_path, the default if the DSN names a schema
	Templates = "template" // with templates, for both modes
)

// New returns a tenant's migrations, and creates the schema if there is none. Close them, which closes db too. That is one of
//
//   - sql.Open with a DSN of driver.AddSchema(dsn, tenant),
//   - driver.OpenDBFromPool(pool, driver.DefaultSchema(tenant)), which works in template mode: only for templates. Closing
//     it leaves the pool open, so that many tenants can be migrated on few connections.
func New(ctx context.Context, db *sql.DB, tenant, migrations string) (*migrate.Migrate, error) {
	source, err := iofs.New(files, migrations)
	if err != nil {
		return nil, err
	}
	if err := schemadb.New(db, tenant).EnsureSchema(ctx); err != nil {
		return nil, err
	}
	target, err := pgx.WithInstance(db, &pgx.Config{SchemaName: tenant})
	if err != nil {
		return nil, err
	}
	return migrate.NewWithInstance("iofs", source, tenant, target)
}
