// Command migrate shows package migrations at work: a module that brings its migrations along (package billing) runs alone,
// then in another program's pool, then for twenty tenants.
//
//	DATABASE_URL=postgres://localhost/scratch go run ./examples/migrate
//
// It creates the schemas billing, shop and tenant_01 to tenant_21 in that database, and leaves them there.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"

	_ "github.com/jackc/pgx/v5/stdlib" // the host's driver; it could be pgdbm's as well

	"github.com/pgdbm/pgdbm/examples/migrate/billing"
	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn) // of level Info there is an event for each migration
	// When the context ends, what is in flight is finished or rolled back. To start the program again does the rest.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, os.Getenv("DATABASE_URL"))
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer, dsn string) error {
	for _, step := range []func(context.Context, io.Writer, string) error{alone, inHost, forTenants} {
		if err := step(ctx, w, dsn); err != nil {
			return err
		}
	}
	return nil
}

// alone opens the module as a program of its own does.
func alone(ctx context.Context, w io.Writer, dsn string) error {
	b, err := billing.Open(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	return invoice(ctx, w, "alone", b)
}

// inHost gives the module a schema in the pool of a host, whose driver is plain pgx.
func inHost(ctx context.Context, w io.Writer, dsn string) error {
	pool, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	b, err := billing.New(ctx, schemadb.New(pool, "shop"))
	if err != nil {
		return err
	}
	return invoice(ctx, w, "in a host", b)
}

func invoice(ctx context.Context, w io.Writer, where string, b *billing.Billing) error {
	for _, cents := range []int{1250, 800} {
		if err := b.Invoice(ctx, "ada@example.com", cents); err != nil {
			return err
		}
	}
	cents, err := b.Owed(ctx, "Ada@example.com")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s: Ada owes %d.%02d\n", where, cents/100, cents%100)
	return err
}

// forTenants migrates twenty tenants, and again when there is one more.
func forTenants(ctx context.Context, w io.Writer, dsn string) error {
	db, err := schemadb.Open(ctx, schemadb.Config{DSN: dsn, MaxOpenConns: 10}) // bound to no schema
	if err != nil {
		return err
	}
	defer db.Close()
	var tenants []string
	for i := range 20 {
		tenants = append(tenants, fmt.Sprintf("tenant_%02d", i+1))
	}
	if err := migrateTenants(ctx, w, db, tenants); err != nil {
		return err
	}
	return migrateTenants(ctx, w, db, append(tenants, "tenant_21"))
}

func migrateTenants(ctx context.Context, w io.Writer, db *schemadb.DB, tenants []string) error {
	result, err := billing.MigrateAll(ctx, db, slices.Values(tenants))
	fmt.Fprintf(w, "%d tenants: %d migrated, %d up to date, %d failed, %d not reached\n", len(tenants),
		len(result.Applied), len(result.UpToDate), len(result.Failed), len(result.NotReached))
	var all *migrations.AllError
	if errors.As(err, &all) {
		for _, failure := range all.Failed { // the error's own text shows the first three
			fmt.Fprintln(w, failure.Err)
		}
	}
	return err
}
