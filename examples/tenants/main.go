// Command tenants serves the notes of many tenants from one connection pool: each tenant has a schema, and the repository
// (notes.go) is plain database/sql with plain SQL, which knows nothing of that. What makes the difference is a few lines:
//
//   - middleware.go finds the tenant of a request, and puts its schema into the request's context;
//   - handlers.go hands that context on to every call, as it would anyway;
//   - main.go migrates the schemas of all tenants, with one set of files.
//
// The DSN must hold two keys besides what pgx needs, and the program does not start without them:
//
//   - schema_mode=search_path: names without a template, such as notes, are looked up in the schema of the context. Without
//     the key they would be public's, for all tenants.
//   - schema_required=context: a statement whose context names no schema is an error. Without the key, a handler that was
//     mounted without the middleware would work, on public's rows.
//
// To run it:
//
//	export DATABASE_URL='postgres://localhost/scratch?schema_mode=search_path&schema_required=context'
//	go run ./examples/tenants
//	curl -d '{"author": "ann", "text": "buy flour"}' http://acme.localhost:8080/notes
//	curl http://acme.localhost:8080/notes
//	curl http://globex.localhost:8080/notes
//
// It creates the schemas acme and globex in that database, and leaves them there.
//
// After the tenant's schema, names are looked up in public, for extensions and for what tenants share. So keep tables out of
// public that have the name of a tenant's table: if that one is missing, public's would serve. With extensions elsewhere,
// search_path=extensions in the DSN takes public's place.
//
// What is left out: who may do what. The tenant is a part of the address, which everybody can choose, so a service has to check
// that the user is one of that tenant's. It does so behind the middleware, where the users' table is the tenant's too.
package main

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/migrations"
)

// tenants has the schema of each tenant, by subdomain. That the two may differ is of use when a tenant is renamed. A service
// reads them from its configuration, or from a table of its own.
var tenants = map[string]string{"acme": "acme", "globex": "globex"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "localhost:8080")
	if err == nil {
		err = run(ctx, os.Getenv("DATABASE_URL"), tenants, listener)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tenants:", err)
		os.Exit(1)
	}
}

// run serves the tenants until ctx ends, and then lets running requests finish.
func run(ctx context.Context, dsn string, tenants map[string]string, listener net.Listener) error {
	db, err := open(ctx, dsn, slices.Collect(maps.Values(tenants)))
	if err != nil {
		return err
	}
	defer db.Close()
	server := &http.Server{
		Handler:           newHandler(&Notes{db}, tenants),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      20 * time.Second, // longer than requestTimeout, so that there is time to say so
		IdleTimeout:       time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	slog.Info("serving notes", "address", listener.Addr().String(), "tenants", len(tenants))
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*requestTimeout)
	defer cancel()
	return server.Shutdown(ctx)
}

// newHandler puts every route behind the middleware: there is nothing here that has no tenant.
func newHandler(notes *Notes, tenants map[string]string) http.Handler {
	return withTenant(tenants, subdomain, withTimeout(routes(notes)))
}

//go:embed migrations
var files embed.FS

// open opens the one pool, and brings the tables of all schemas up to date.
func open(ctx context.Context, dsn string, schemas []string) (*sql.DB, error) {
	db, err := sql.Open("pgdbm", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(20) // for all tenants together
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err = check(ctx, db, schemas); err == nil {
		_, err = migrations.ApplyAll(ctx, db, files, slices.Values(schemas), migrations.Module("notes"), migrations.Parallel(4))
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

var errDSN = errors.New("DATABASE_URL must hold schema_mode=search_path and schema_required=context")

// check finds out whether the DSN holds what it must, before there are tables in public.
func check(ctx context.Context, db *sql.DB, schemas []string) error {
	if len(schemas) == 0 {
		return errors.New("there are no tenants")
	}
	const query = "SELECT coalesce(current_schema(), '')"
	var schema string
	switch err := db.QueryRowContext(ctx, query).Scan(&schema); {
	case err == nil:
		return errDSN
	case !errors.Is(err, driver.ErrSchemaRequired):
		return err
	}
	err := db.QueryRowContext(driver.WithSchema(ctx, schemas[0]), query).Scan(&schema)
	var missing *driver.MissingSchemaError
	switch {
	case errors.As(err, &missing): // the key has been heeded; the migrations will create the schema
		return nil
	case err == nil && schema != schemas[0]:
		return errDSN
	}
	return err
}
