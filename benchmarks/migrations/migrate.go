package main

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"

	"github.com/golang-migrate/migrate/v4"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
)

// golangMigrate is golang-migrate with its driver for pgx. Its lock is one per schema and table of versions.
var golangMigrate = contender{"golang-migrate", func(_ context.Context, dsn string, workers int) (session, error) {
	set, err := peerSet("", ".up.sql")
	return perSchema{dsn, workers, func(_ context.Context, _ string, pool *sql.DB) error {
		return golangMigrateUp(pool, set)
	}}, err
}}

func golangMigrateUp(pool *sql.DB, set fs.FS) error {
	source, err := iofs.New(set, ".")
	if err != nil {
		return err
	}
	database, err := migratepgx.WithInstance(pool, &migratepgx.Config{})
	if err != nil {
		return err
	}
	m, err := migrate.NewWithInstance("iofs", source, "pgx5", database)
	if err != nil {
		return err
	}
	err = m.Up()
	if errors.Is(err, migrate.ErrNoChange) {
		err = nil
	}
	sourceErr, databaseErr := m.Close()
	return errors.Join(err, sourceErr, databaseErr)
}
