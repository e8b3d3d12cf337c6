package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
)

// pathWay is a way to look bare names up in a tenant's schema.
type pathWay struct {
	name     string
	settings string // keys of the DSN
	pgdbm    bool
	against  string // the way that it is compared with
	// tenant makes the tenant's context, and says so to the server if that is the way.
	tenant func(ctx context.Context, conn *sql.Conn, name string) (context.Context, error)
	// changes says that each query is another tenant's. Otherwise all are of the same one.
	changes bool
	// hand is without database/sql and with no check: the least that a switch in the same round trip can cost.
	hand bool
}

const (
	plainPath = "pgx, search_path in the DSN"
	alone     = "pgconn, the query alone"
	byHand    = "pgconn, set_config and query in one group"
	setPath   = "pgx, SET + query, changing"
	ownSchema = "tenant_00000"
)

func inContext(ctx context.Context, _ *sql.Conn, name string) (context.Context, error) {
	return driver.WithSchema(ctx, name), nil
}

var pathWays = []pathWay{
	{name: plainPath, settings: "search_path=" + ownSchema, against: plainPath},
	{name: "pgdbm, the DSN's schema", settings: "schema=" + ownSchema, pgdbm: true, against: plainPath},
	{name: "pgdbm, a context's schema", settings: "schema_mode=search_path", pgdbm: true, against: plainPath, tenant: inContext},
	{name: alone, settings: "search_path=tenant_00001", against: alone, hand: true},
	{name: byHand, settings: "search_path=tenant_00001", against: alone, hand: true},
	{name: setPath, against: setPath, changes: true,
		tenant: func(ctx context.Context, conn *sql.Conn, name string) (context.Context, error) {
			_, err := conn.ExecContext(ctx, "SET search_path = "+name)
			return ctx, err
		}},
	{name: "pgdbm, changing", settings: "schema_mode=search_path", pgdbm: true, against: setPath, tenant: inContext, changes: true},
}

// open returns a connection of its own.
func (w pathWay) open(ctx context.Context, dsn string, dial dialer) (*sql.DB, *sql.Conn, error) {
	config, err := pgx.ParseConfig(dsn + "&" + w.settings)
	if err != nil {
		return nil, nil, err
	}
	config.DialFunc = dial
	db := stdlib.OpenDB(*config)
	if w.pgdbm {
		db = driver.OpenDB(*config)
	}
	conn, err := db.Conn(ctx)
	return db, conn, err
}

// query reads one row by its primary key.
func (w pathWay) query(ctx context.Context, conn *sql.Conn, tenant string, id int) (err error) {
	if w.hand {
		return byThemselves(ctx, conn, w.name == byHand, tenant, id)
	}
	if w.tenant != nil {
		if ctx, err = w.tenant(ctx, conn, tenant); err != nil {
			return err
		}
	}
	var owner, amount int64
	var note string
	return conn.QueryRowContext(ctx, "SELECT owner, amount, note FROM items WHERE id = $1", id).Scan(&owner, &amount, &note)
}

// byThemselves sends the query, prepared, and with switches the switch before it, as one group.
func byThemselves(ctx context.Context, conn *sql.Conn, switches bool, tenant string, id int) error {
	return conn.Raw(func(driverConn any) error {
		c := driverConn.(*stdlib.Conn).Conn()
		set, err := c.Prepare(ctx, "set", "SELECT set_config('search_path', $1, true)")
		if err != nil {
			return err
		}
		query, err := c.Prepare(ctx, "query", "SELECT owner, amount, note FROM items WHERE id = $1")
		if err != nil {
			return err
		}
		var batch pgconn.Batch
		if switches {
			batch.ExecStatement(set, [][]byte{[]byte(tenant)}, nil, nil)
		}
		batch.ExecStatement(query, [][]byte{strconv.AppendInt(nil, int64(id), 10)}, nil, nil)
		_, err = c.PgConn().ExecBatch(ctx, &batch).ReadAll()
		return err
	})
}

// paths measures schema_mode=search_path: one query by primary key, in one of some schemas.
func (b *bench) paths(ctx context.Context, p part) (err error) {
	dial := direct
	if p.delay > 0 {
		delay := new(atomic.Int64)
		delay.Store(int64(p.delay))
		dial = delayed(delay)
	}
	conns := make([]*sql.Conn, len(pathWays))
	for i, way := range pathWays {
		db, conn, openErr := way.open(ctx, b.dsn, dial)
		if openErr != nil {
			return fmt.Errorf("%s: %w", way.name, openErr)
		}
		defer func() { err = errors.Join(err, conn.Close(), db.Close()) }()
		conns[i] = conn
	}
	times := make([][]float64, len(pathWays))
	random := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // repeatable on purpose
	for round := range b.config.rounds + 1 {
		micros, err := b.pathRound(ctx, conns, p, random)
		if err != nil {
			return err
		}
		for i := range micros {
			if round > 0 { // the first one fills the caches
				times[i] = append(times[i], micros[i])
			}
		}
	}
	return b.writePaths(p, times)
}

// pathRound returns the microseconds that each way takes for a query. They take turns, and all ask for the same rows.
func (b *bench) pathRound(ctx context.Context, conns []*sql.Conn, p part, random *rand.Rand) ([]float64, error) {
	took := make([][]time.Duration, len(pathWays))
	for done := 0; done < p.requests(b.config)*len(templates); done += turn {
		first := random.IntN(p.tenants)
		for _, next := range random.Perm(len(pathWays)) {
			for i := range turn {
				tenant := b.names[1%p.tenants] // not the DSN's
				if pathWays[next].changes {
					tenant = b.names[(first+i)%p.tenants]
				}
				began := time.Now()
				if err := pathWays[next].query(ctx, conns[next], tenant, 1+i%rowsOfEach); err != nil {
					return nil, fmt.Errorf("%s: %w", pathWays[next].name, err)
				}
				took[next] = append(took[next], time.Since(began))
			}
		}
	}
	micros := make([]float64, len(pathWays))
	for i := range took {
		micros[i] = trimmed(took[i]) * float64(len(templates)) // which are requests of one query here
	}
	return micros, nil
}

func (b *bench) writePaths(p part, times [][]float64) error {
	reference := make(map[string][]float64)
	for i, way := range pathWays {
		reference[way.name] = times[i]
	}
	delay := ""
	if p.delay > 0 {
		delay = fmt.Sprintf(", %v each way", p.delay)
	}
	fmt.Fprintf(b.out, "\nbare names, a query by primary key, %d tenants%s\n\n", p.tenants, delay)
	table := tabwriter.NewWriter(b.out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(table, "|\t| us a query\t| against\t| ratio\t|")
	fmt.Fprintln(table, "| ---\t| ---\t| ---\t| ---\t|")
	for i, way := range pathWays {
		fmt.Fprintf(table, "| %s\t| %.1f\t| %s\t| %.3f\t|\n", way.name, median(times[i]), way.against, median(ratios(times[i], reference[way.against])))
	}
	return table.Flush()
}
