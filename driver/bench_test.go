package driver_test

import (
	"context"
	"database/sql"
	"slices"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
)

// BenchmarkQueryByKey compares a templated query by primary key with the same query, already qualified, on plain pgx.
// The two take turns query by query, so that whatever else the machine does hits both; x-pgx is the median of the pairs'
// ratios. The server is reached through a Unix socket, which is faster than TCP and so hides less.
func BenchmarkQueryByKey(b *testing.B) {
	dsn := server.Database(b)
	open := func(name, dsn string) *sql.DB {
		db, err := sql.Open(name, dsn)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { db.Close() })
		return db
	}
	plain := open("pgx", dsn)
	if _, err := plain.Exec(`CREATE SCHEMA tenant_42; CREATE TABLE tenant_42.users (id int PRIMARY KEY, name text);
		INSERT INTO tenant_42.users SELECT n, 'user ' || n FROM generate_series(1, 1000) n`); err != nil {
		b.Fatal(err)
	}
	const qualified = `SELECT name FROM "tenant_42".users WHERE id = $1`
	const templated = `SELECT name FROM {{tables.users}} WHERE id = $1`
	ctx := context.Background()
	for _, bm := range []struct {
		name string
		db   *sql.DB
		ctx  context.Context
	}{
		{"context", open("pgdbm", dsn), driver.WithSchema(ctx, "tenant_42")},
		{"dsn", open("pgdbm", dsn+"&schema=tenant_42&schema_mode=template"), ctx},
		{"search_path", open("pgdbm", dsn+"&schema=tenant_42"), ctx},
	} {
		b.Run(bm.name, func(b *testing.B) {
			pgx := &contender{db: plain, ctx: ctx, query: qualified}
			pgdbm := &contender{db: bm.db, ctx: bm.ctx, query: templated}
			compare(b, pgx, pgdbm)
		})
	}
}

// contender is one side of a comparison.
type contender struct {
	db    *sql.DB
	ctx   context.Context //nolint:containedctx // it is what is compared
	query string
	times []time.Duration
}

func (c *contender) run(b *testing.B) {
	start := time.Now()
	var name string
	if err := c.db.QueryRowContext(c.ctx, c.query, 1).Scan(&name); err != nil {
		b.Fatal(err)
	}
	c.times = append(c.times, time.Since(start))
	if name != "user 1" {
		b.Fatalf("got %s", name)
	}
}

func (c *contender) allocs(b *testing.B) float64 {
	return testing.AllocsPerRun(1000, func() { c.run(b) })
}

// compare lets two contenders take turns, in changing order, and reports the second one relative to the first.
func compare(b *testing.B, base, other *contender) {
	baseAllocs, otherAllocs := base.allocs(b), other.allocs(b)
	base.times, other.times = nil, nil
	for i := 0; b.Loop(); i++ {
		if i%2 == 0 {
			base.run(b)
			other.run(b)
		} else {
			other.run(b)
			base.run(b)
		}
	}
	ratios := make([]float64, len(base.times))
	for i := range ratios {
		ratios[i] = float64(other.times[i]) / float64(base.times[i])
	}
	b.ReportMetric(median(ratios), "x-pgx")
	b.ReportMetric(baseAllocs, "pgx-allocs")
	b.ReportMetric(otherAllocs, "pgdbm-allocs")
	b.ReportMetric(median(base.times), "pgx-ns")
	b.ReportMetric(median(other.times), "pgdbm-ns")
	b.ReportMetric(0, "ns/op") // of two contenders, which means nothing
}

func median[T time.Duration | float64](values []T) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return float64(sorted[len(sorted)/2])
}
