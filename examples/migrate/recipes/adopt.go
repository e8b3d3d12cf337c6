// Package recipes has the code of docs/migrations.md: each function is one way to use package migrations.
package recipes

import (
	"context"
	"io/fs"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// FromExisting is for schemas that were made without migrations, and have what those up to version do. It records them as
// applied, once. The other ones, and all of them in a schema that is new, run as always.
func FromExisting(ctx context.Context, db *schemadb.DB, files fs.FS, version int64) error {
	m, err := migrations.New(db, files, migrations.Module("app"))
	if err != nil {
		return err
	}
	history, err := m.History(ctx)
	if err != nil {
		return err
	}
	older, err := db.TableExists(ctx, "customers") // a table of the first migration
	if err != nil {
		return err
	}
	if len(history) == 0 && older {
		if _, err := m.Baseline(ctx, version); err != nil {
			return err
		}
	}
	_, err = m.Apply(ctx)
	return err
}

// FromGolangMigrate goes on where golang-migrate has stopped. Its table was renamed before.
func FromGolangMigrate(ctx context.Context, db *schemadb.DB, files fs.FS) error {
	m, err := migrations.New(db, files, migrations.Module("app"))
	if err != nil {
		return err
	}
	version, err := schemadb.Value[int64](ctx, db, "SELECT version FROM {{tables.golang_migrate_versions}} WHERE NOT dirty")
	if err != nil {
		return err // sql.ErrNoRows: there is none, or it is dirty
	}
	if _, err := m.Baseline(ctx, version); err != nil {
		return err
	}
	_, err = m.Apply(ctx)
	return err
}

// FromGoose goes on where goose has stopped. The files were split before.
func FromGoose(ctx context.Context, db *schemadb.DB, files fs.FS) error {
	m, err := migrations.New(db, files, migrations.Module("app"))
	if err != nil {
		return err
	}
	applied, err := schemadb.Collect[int64](ctx, db, `
		SELECT version_id FROM (
			SELECT DISTINCT ON (version_id) version_id, is_applied FROM {{tables.goose_db_version}} ORDER BY version_id, id DESC) last
		WHERE is_applied AND version_id > 0 ORDER BY version_id`)
	if err != nil {
		return err
	}
	if len(applied) > 0 {
		if _, err := m.Baseline(ctx, applied[len(applied)-1]); err != nil {
			return err
		}
	}
	_, err = m.Apply(ctx)
	return err
}
