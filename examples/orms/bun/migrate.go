package bun

import (
	"context"
	"embed"
	"errors"
	"io/fs"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"
)

//go:embed migrations
var files embed.FS

// Migrate applies the migrations of a folder, template or bare, to the context's tenant, and returns how many there were. Each
// tenant has bun's own tables, so nobody waits for the lock of another tenant.
func Migrate(ctx context.Context, db *bun.DB, folder string) (n int, err error) {
	migrator, err := migrator(db, folder)
	if err != nil {
		return 0, err
	}
	if err := migrator.Init(ctx); err != nil {
		return 0, err
	}
	if err := migrator.Lock(ctx); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, migrator.Unlock(ctx)) }()
	group, err := migrator.Migrate(ctx)
	return len(group.Migrations), err
}

// Rollback takes back what the last [Migrate] did to the context's tenant.
func Rollback(ctx context.Context, db *bun.DB, folder string) (n int, err error) {
	migrator, err := migrator(db, folder)
	if err != nil {
		return 0, err
	}
	group, err := migrator.Rollback(ctx)
	return len(group.Migrations), err
}

// migrator returns a migrator whose own tables are templates, like the SQL in the folder, or bare names.
func migrator(db *bun.DB, folder string) (*migrate.Migrator, error) {
	dir, err := fs.Sub(files, "migrations/"+folder)
	if err != nil {
		return nil, err
	}
	found := migrate.NewMigrations()
	if err := found.Discover(dir); err != nil {
		return nil, err
	}
	opts := []migrate.MigratorOption{migrate.WithMarkAppliedOnSuccess(true)}
	if folder == "template" {
		// Not WithUpsert, which makes the name of an index from the table's: "{{tables"."bun_migrations}}_name_unique" is none.
		// Nor WithTemplateData, because Go's templates have braces too; with it, write <<tables.notes>>.
		opts = append(opts, migrate.WithTableName("{{tables.bun_migrations}}"),
			migrate.WithLocksTableName("{{tables.bun_migration_locks}}"))
	} else {
		opts = append(opts, migrate.WithUpsert(true))
	}
	return migrate.NewMigrator(db, found, opts...), nil
}
