package main

import (
	"context"
	"errors"
	"io/fs"

	"github.com/jackc/pgx/v5"
	ternmigrate "github.com/jackc/tern/v2/migrate"
)

// tern is tern's library on a connection per schema: between migrations it resets the session's settings, so a search_path
// that was set on a shared connection would be lost. Its lock is one for the whole database, so its workers take turns.
var tern = contender{"tern", func(_ context.Context, dsn string, workers int) (session, error) {
	set, err := peerSet("", ".sql")
	return &ternSession{dsn, workers, set}, err
}}

type ternSession struct {
	dsn     string
	workers int
	set     fs.FS
}

func (t *ternSession) apply(ctx context.Context, schemas []string, fresh bool) error {
	return share(ctx, schemas, t.workers, func(ctx context.Context, _ int, schema string) (err error) {
		config, err := configFor(t.dsn, schema)
		if err != nil {
			return err
		}
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
		if fresh {
			if _, err := conn.Exec(ctx, createSchema(schema)); err != nil {
				return err
			}
		}
		return ternUp(ctx, conn, schema, t.set)
	})
}

func (*ternSession) close() error { return nil }

func ternUp(ctx context.Context, conn *pgx.Conn, schema string, set fs.FS) error {
	migrator, err := ternmigrate.NewMigrator(ctx, conn, schema+".schema_version")
	if err != nil {
		return err
	}
	if err := migrator.LoadMigrations(set); err != nil {
		return err
	}
	return migrator.Migrate(ctx)
}
