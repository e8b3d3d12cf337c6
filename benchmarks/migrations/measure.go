package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/pgserver"
)

// bench is one run of the program.
type bench struct {
	config
	out    io.Writer
	server pgserver.Server
	conn   *pgx.Conn // to the maintenance database
	cpu    serverCPU
}

func newBench(ctx context.Context, out io.Writer, c config) (*bench, error) {
	b := &bench{config: c, out: out}
	dsn, err := b.server.DSN(ctx)
	if err != nil {
		return nil, b.close(err)
	}
	if b.conn, err = pgx.Connect(ctx, dsn); err != nil {
		return nil, b.close(err)
	}
	if os.Getenv("PGDBM_TEST_DSN") == "" { // the server is ours alone
		for _, statement := range []string{"ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()"} {
			if _, err := b.conn.Exec(ctx, statement); err != nil {
				return nil, b.close(err)
			}
		}
	}
	if b.cpu, err = findServerCPU(ctx, b.conn); err != nil {
		return nil, b.close(err)
	}
	return b, nil
}

// close stops the server. It returns err and its own errors.
func (b *bench) close(err error) error {
	if b.conn != nil {
		err = errors.Join(err, b.conn.Close(context.Background()))
	}
	return errors.Join(err, b.server.Stop())
}

// inDatabase runs fn on a new database, with nothing left to write of what the server did before.
func (b *bench) inDatabase(ctx context.Context, fn func(dsn string) error) error {
	dsn, drop, err := b.server.CreateDatabase(ctx)
	if err != nil {
		return err
	}
	_, err = b.conn.Exec(ctx, "CHECKPOINT")
	if err == nil {
		err = fn(dsn)
	}
	return errors.Join(err, drop(context.WithoutCancel(ctx)))
}

// tidyUp does what autovacuum would have done by the time of the next call: without statistics the server reads all of
// pg_class to find a table, which would be a wrong charge to those who ask for one.
func tidyUp(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, "VACUUM ANALYZE pg_class, pg_namespace, pg_attribute, pg_attrdef, pg_index, pg_constraint, pg_type")
	if err == nil {
		_, err = conn.Exec(ctx, "CHECKPOINT")
	}
	return err
}

// cost is what something took.
type cost struct {
	wall time.Duration
	cpu  time.Duration // of the server
}

// migrateFresh measures a contender that makes and migrates the schemas, the opening of its connections included. The
// closing counts for the server's time only, which is complete when all connections have ended.
func (b *bench) migrateFresh(
	ctx context.Context, c contender, dsn string, workers int, schemas []string,
) (spent cost, err error) {
	before, err := b.cpu.used()
	if err != nil {
		return cost{}, err
	}
	children := b.cpu.children()
	start := time.Now()
	s, err := c.open(ctx, dsn, workers)
	if err != nil {
		return cost{}, fmt.Errorf("%s: %w", c.name, err)
	}
	err = s.apply(ctx, schemas, true)
	spent.wall = time.Since(start)
	if err = errors.Join(err, s.close()); err != nil {
		return cost{}, fmt.Errorf("%s: %w", c.name, err)
	}
	if err := b.cpu.waitForEnd(ctx, children); err != nil {
		return cost{}, err
	}
	after, err := b.cpu.used()
	spent.cpu = after - before
	return spent, err
}

// idle is the wall time of calls that find nothing to do. The server's time is left out: it is counted in steps of 10 ms.
type idle struct {
	first time.Duration // with the opening of the connections
	again time.Duration // on the connections of the first call, if the contender keeps them
}

// migrateNothing measures a contender in schemas that it has migrated already.
func (b *bench) migrateNothing(
	ctx context.Context, c contender, dsn string, workers int, schemas []string,
) (spent idle, err error) {
	start := time.Now()
	s, err := c.open(ctx, dsn, workers)
	if err != nil {
		return idle{}, fmt.Errorf("%s: %w", c.name, err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, result := range []*time.Duration{&spent.first, &spent.again} {
		if err := s.apply(ctx, schemas, false); err != nil {
			return idle{}, fmt.Errorf("%s, nothing to do: %w", c.name, err)
		}
		*result = time.Since(start)
		start = time.Now()
	}
	return spent, nil
}

// turns are the contenders in the order of a round, which moves on by one with each.
func turns[T any](all []T, round int) []T {
	first := round % len(all)
	return append(append([]T{}, all[first:]...), all[:first]...)
}

// schemaNames returns so many names.
func schemaNames(count int) (names []string) {
	for i := range count {
		names = append(names, fmt.Sprintf("tenant_%05d", i))
	}
	return names
}
