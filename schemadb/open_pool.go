package schemadb

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
)

// openPool opens the pool that c describes, with at least one connection in it. The errors are those of Validate, and
// *OpenError. Closing the pool is all that is needed to undo it.
func (c Config) openPool(ctx context.Context) (*sql.DB, error) {
	r, err := c.resolve()
	if err != nil {
		return nil, err
	}
	pool, err := c.newPool(r)
	if err != nil {
		return nil, err
	}
	err = c.retrier().do(ctx, func(ctx context.Context) error { return warmUp(ctx, pool, c.minConns()) })
	if err != nil {
		_ = pool.Close() // nothing in it is in use
		return nil, err
	}
	pools.warn(ctx, c.logger(), targetOf(r.config))
	return pool, nil
}

// newPool returns a pool without connections.
func (c Config) newPool(r resolved) (*sql.DB, error) {
	var pool *sql.DB
	recycle := recycler{max: c.connMaxUses(), waited: func() time.Duration { return pool.Stats().WaitDuration }}
	inner, err := driver.NewConnector(r.dsn, driver.WithStdlib(
		stdlib.OptionBeforeConnect(c.beforeConnect),
		stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
			recycle.start(conn)
			return r.startSession(ctx, conn)
		}),
		stdlib.OptionResetSession(func(_ context.Context, conn *pgx.Conn) error { return recycle.borrow(conn) })))
	if err != nil {
		return nil, &ConfigError{Field: "DSN", Err: err}
	}
	pool = sql.OpenDB(&connector{inner, pools.add(targetOf(r.config))})
	pool.SetMaxOpenConns(c.maxOpenConns())
	pool.SetMaxIdleConns(c.maxIdleConns())
	pool.SetConnMaxIdleTime(c.connMaxIdleTime())
	pool.SetConnMaxLifetime(c.ConnMaxLifetime)
	return pool, nil
}

// connector is the driver's, and hears of the end of its pool: (*sql.DB).Close closes it.
type connector struct {
	*driver.Connector
	unregister func()
}

// Close is called by (*sql.DB).Close.
func (c *connector) Close() error {
	c.unregister()
	return nil
}

// gentle is how many connections warmUp opens at a time.
const gentle = 4

// warmUp opens n connections, which are idle afterwards. Those that the pool has already count. The first one is opened
// alone: if the password is wrong, the server should hear it once.
func warmUp(ctx context.Context, pool *sql.DB, n int) error {
	conns := make([]*sql.Conn, n)
	defer func() {
		for _, conn := range conns {
			if conn != nil {
				_ = conn.Close() // gives it back
			}
		}
	}()
	var err error
	if conns[0], err = pool.Conn(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var (
		wg   sync.WaitGroup
		next atomic.Int64 // index of the one before the next connection
		errs = make(chan error, gentle)
	)
	for range min(gentle, n-1) {
		wg.Go(func() {
			for i := int(next.Add(1)); i < n && ctx.Err() == nil; i = int(next.Add(1)) {
				var err error
				if conns[i], err = pool.Conn(ctx); err != nil {
					errs <- fmt.Errorf("connection %d of MinConns=%d: %w", i+1, n, err)
					stop()
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs // the first, or nil
}
