package recipes

import (
	"context"
	"fmt"
	"io/fs"
	"os/signal"
	"syscall"
	"time"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// AtStart is for a program that migrates when it starts, in many copies at once, while others are at work.
func AtStart(ctx context.Context, db *schemadb.DB, files fs.FS) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	m, err := migrations.New(db, files, migrations.Module("app"),
		migrations.LockTimeout(2*time.Second, 30), // leave the queue for a lock, and try again
		migrations.AllowRemoved())                 // a deployment was rolled back, and the database is ahead
	if err != nil {
		return err
	}
	_, err = m.Apply(ctx)
	return err
}

// Ready is for a program whose migrations are applied by somebody else: it returns an error until they are.
func Ready(ctx context.Context, m *migrations.Migrator) error {
	pending, err := m.Pending(ctx)
	if err != nil {
		return err
	}
	if len(pending) > 0 {
		return fmt.Errorf("%d migrations are pending, the first is %s", len(pending), pending[0].File)
	}
	return nil
}

// OpenPool opens a small pool for migrations behind PgBouncer, without the limits that are good for a program's queries.
func OpenPool(ctx context.Context, dsn string) (*schemadb.DB, error) {
	return schemadb.Open(ctx, schemadb.Config{DSN: dsn, MaxOpenConns: 10,
		StatementTimeout: -1, LockTimeout: -1, IdleInTransactionTimeout: -1, CommandTimeout: -1})
}
