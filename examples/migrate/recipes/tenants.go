package recipes

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"log/slog"
	"time"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// AllTenants migrates the schema of each tenant, and says in the log how far it is.
func AllTenants(ctx context.Context, db *schemadb.DB, files fs.FS, tenants iter.Seq[string]) error {
	_, err := migrations.ApplyAll(ctx, db, files, tenants,
		migrations.Module("app"),
		migrations.SharedHistory("admin"),
		migrations.Parallel(8), // 9 connections of the pool, 17 while files without a transaction run
		migrations.Progress(func(r migrations.Report) {
			slog.Info("tenant", "schema", r.Schema, "failed", r.Failed, "done", r.Applied+r.UpToDate, "of", r.Total,
				"left", r.Left.Round(time.Second))
		}))
	var all *migrations.AllError
	if errors.As(err, &all) {
		for _, failure := range all.Failed {
			slog.Error("tenant", "schema", failure.Schema, "error", failure.Err)
		}
	}
	return err
}

// NewTenant makes the schema of one tenant, with the same options, so that AllTenants finds it up to date.
func NewTenant(ctx context.Context, db *schemadb.DB, files fs.FS, tenant string) error {
	m, err := migrations.New(db.ForSchema(tenant), files, migrations.Module("app"), migrations.SharedHistory("admin"))
	if err != nil {
		return err
	}
	_, err = m.Apply(ctx)
	return err
}
