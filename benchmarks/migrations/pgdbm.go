package main

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// pgdbmOwn is package migrations as it is by default: each schema has its own history table.
var pgdbmOwn = contender{"pgdbm, own histories", func(_ context.Context, dsn string, workers int) (session, error) {
	return newPgdbmSession(dsn, workers)
}}

// pgdbmShared is package migrations with one history table for all schemas.
var pgdbmShared = contender{"pgdbm, shared history", func(_ context.Context, dsn string, workers int) (session, error) {
	return newPgdbmSession(dsn, workers, migrations.SharedHistory("pgdbm_history"))
}}

type pgdbmSession struct {
	pool    *sql.DB
	options []migrations.Option
}

func newPgdbmSession(dsn string, workers int, options ...migrations.Option) (session, error) {
	pool, err := sql.Open(driver.Name, dsn)
	if err != nil {
		return nil, err
	}
	// database/sql keeps two idle connections unless told otherwise, which is fewer than the workers give back.
	pool.SetMaxIdleConns(workers + 1)
	options = append(options, migrations.Module("bench"), migrations.Parallel(workers),
		migrations.Logger(slog.New(slog.DiscardHandler)))
	return &pgdbmSession{pool, options}, nil
}

func (s *pgdbmSession) apply(ctx context.Context, schemas []string, fresh bool) error {
	result, err := migrations.ApplyAll(ctx, schemadb.New(s.pool, ""), files, slices.Values(schemas), s.options...)
	if err != nil {
		return err
	}
	if done := len(result.Applied); fresh && done != len(schemas) || !fresh && done != 0 {
		return fmt.Errorf("%d of %d schemas were migrated (fresh: %v), %d failed", done, len(schemas), fresh, len(result.Failed))
	}
	return nil
}

func (s *pgdbmSession) close() error { return s.pool.Close() }
