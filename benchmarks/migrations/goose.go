package main

import (
	"context"
	"database/sql"
	"io/fs"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// gooseHeader begins a file of goose's.
const gooseHeader = "-- +goose Up\n"

// goosePools is goose as its manual has it: a Provider per schema, each with a pool whose search_path is the schema. A
// Provider takes no lock unless one is configured; none is here.
var goosePools = contender{"goose, a pool per schema", func(_ context.Context, dsn string, workers int) (session, error) {
	set, err := peerSet(gooseHeader, ".sql")
	return perSchema{dsn, workers, func(ctx context.Context, _ string, pool *sql.DB) error {
		return gooseUp(ctx, pool, set)
	}}, err
}}

// gooseOnePool is the faster way that goose leaves open, for those who write the schema into the SQL themselves: all
// Providers use one pool, the version table is named with its schema, and each Provider has files of its own.
var gooseOnePool = contender{"goose, one pool", func(_ context.Context, dsn string, workers int) (session, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxIdleConns(workers)
	return &gooseSession{pool, workers}, nil
}}

type gooseSession struct {
	pool    *sql.DB
	workers int
}

func (g *gooseSession) apply(ctx context.Context, schemas []string, fresh bool) error {
	return share(ctx, schemas, g.workers, func(ctx context.Context, _ int, schema string) error {
		if fresh {
			if _, err := g.pool.ExecContext(ctx, createSchema(schema)); err != nil {
				return err
			}
		}
		set, err := gooseSet(schema)
		if err != nil {
			return err
		}
		return gooseUp(ctx, g.pool, set, goose.WithTableName(schema+".goose_db_version"))
	})
}

func (g *gooseSession) close() error { return g.pool.Close() }

// gooseSet is the files with the schema written into them.
func gooseSet(schema string) (fs.FS, error) {
	names, _, err := readSet()
	if err != nil {
		return nil, err
	}
	texts, err := expandedSet(schema)
	set := fstest.MapFS{}
	for i, text := range texts {
		set[names[i]] = &fstest.MapFile{Data: []byte(gooseHeader + text)}
	}
	return set, err
}

func gooseUp(ctx context.Context, pool *sql.DB, set fs.FS, options ...goose.ProviderOption) error {
	options = append(options, goose.WithLogger(goose.NopLogger()))
	provider, err := goose.NewProvider(goose.DialectPostgres, pool, set, options...)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}
