package main

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sync/errgroup"
)

// share runs fn once for each schema, in so many goroutines. worker counts them from 0. The first error ends it all.
func share(ctx context.Context, schemas []string, workers int,
	fn func(ctx context.Context, worker int, schema string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	next := make(chan string, len(schemas))
	for _, schema := range schemas {
		next <- schema
	}
	close(next)
	for worker := range workers {
		group.Go(func() error {
			for schema := range next {
				if err := fn(ctx, worker, schema); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func createSchema(name string) string { return "CREATE SCHEMA " + pgx.Identifier{name}.Sanitize() }

// configFor is the connection to a schema for a tool that knows of none: the schema is its search_path, as in a connection
// string with &search_path=name.
func configFor(dsn, schema string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["search_path"] = pgx.Identifier{schema}.Sanitize()
	return config, nil
}

// perSchema is the session of a tool that needs a pool for each schema. It keeps nothing between two calls.
type perSchema struct {
	dsn     string
	workers int
	up      func(ctx context.Context, schema string, pool *sql.DB) error
}

func (p perSchema) apply(ctx context.Context, schemas []string, fresh bool) error {
	return share(ctx, schemas, p.workers, func(ctx context.Context, _ int, schema string) error {
		config, err := configFor(p.dsn, schema)
		if err != nil {
			return err
		}
		pool := stdlib.OpenDB(*config)
		defer pool.Close()
		if fresh {
			if _, err := pool.ExecContext(ctx, createSchema(schema)); err != nil {
				return err
			}
		}
		return p.up(ctx, schema, pool)
	})
}

func (perSchema) close() error { return nil }
