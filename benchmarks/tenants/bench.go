package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/pgserver"
)

const (
	workers    = 1 // and connections of each contender: one processor for it, one for its backend
	rowsOfEach = 20
	turn       = 100 // requests of a contender in a row: its code and its data are in the processor's caches, as in a program
)

// bench has the database with the tenants.
type bench struct {
	config config
	out    io.Writer
	server pgserver.Server
	dsn    string
	drop   func(context.Context) error
	names  []string
}

func newBench(ctx context.Context, out io.Writer, c config) (*bench, error) {
	b := &bench{config: c, out: out, server: pgserver.Server{Loopback: true}}
	var err error
	if b.dsn, b.drop, err = b.server.CreateDatabase(ctx); err != nil {
		return nil, errors.Join(err, b.server.Stop())
	}
	most := 0
	for _, n := range slices.Concat(c.tenants, c.zipf, c.paths) {
		most = max(most, n)
	}
	for i := range most {
		b.names = append(b.names, fmt.Sprintf("tenant_%05d", i))
	}
	began := time.Now()
	if err := b.makeTenants(ctx); err != nil {
		return nil, b.close(err)
	}
	_, err = fmt.Fprintf(out, "%d tenants made in %v; %d connection each, %d requests of %d queries in each of %d rounds\n",
		most, time.Since(began).Round(time.Second), workers, c.requests, len(templates), c.rounds)
	return b, err
}

func (b *bench) close(err error) error {
	err = errors.Join(err, b.drop(context.Background()))
	return errors.Join(err, b.server.Stop())
}

// makeTenants makes schemas, some hundred in a transaction: each takes locks until its end.
func (b *bench) makeTenants(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, b.dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	const inOne = 200
	for first := 0; first < len(b.names); first += inOne {
		var text strings.Builder
		for _, name := range b.names[first:min(first+inOne, len(b.names))] {
			fmt.Fprintf(&text, "CREATE SCHEMA %[1]s; CREATE TABLE %[1]s.items (id int PRIMARY KEY, owner int NOT NULL, amount bigint NOT NULL, "+
				"note text NOT NULL); CREATE INDEX ON %[1]s.items (owner); INSERT INTO %[1]s.items SELECT i, i %% 4, i * 10, '%[1]s ' || i "+
				"FROM generate_series(1, %[2]d) i; ", name, rowsOfEach)
		}
		if _, err := conn.Exec(ctx, text.String()); err != nil {
			return err
		}
	}
	_, err = conn.Exec(ctx, "VACUUM ANALYZE pg_class, pg_attribute, pg_namespace, pg_index")
	return err
}
