package driver_test

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
)

// BenchmarkQueryByKey compares a templated query by primary key with the same query, already qualified, on plain pgx.
// The two take turns in small rounds, so that whatever else the machine does hits both; x-pgx is the median of the
// rounds' ratios. The allocations are counted over all rounds of each.
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
	db     *sql.DB
	ctx    context.Context //nolint:containedctx // it is what is compared
	query  string
	rounds []time.Duration
	allocs uint64
}

const perRound = 100

func (c *contender) round(b *testing.B) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	var name string
	for i := range perRound {
		if err := c.db.QueryRowContext(c.ctx, c.query, i+1).Scan(&name); err != nil {
			b.Fatal(err)
		}
		if i == 0 && name != "user 1" {
			b.Fatal(fmt.Errorf("got %s", name))
		}
	}
	c.rounds = append(c.rounds, time.Since(start))
	runtime.ReadMemStats(&after)
	c.allocs += after.Mallocs - before.Mallocs
}

// compare lets two contenders take turns, in changing order, and reports the second one relative to the first.
func compare(b *testing.B, base, other *contender) {
	for range 3 { // connect, prepare
		base.round(b)
		other.round(b)
	}
	base.rounds, other.rounds, base.allocs, other.allocs = nil, nil, 0, 0
	for i := 0; b.Loop(); i++ {
		if i%2 == 0 {
			base.round(b)
			other.round(b)
		} else {
			other.round(b)
			base.round(b)
		}
	}
	ratios := make([]float64, len(base.rounds))
	for i := range ratios {
		ratios[i] = float64(other.rounds[i]) / float64(base.rounds[i])
	}
	queries := float64(len(ratios) * perRound)
	b.ReportMetric(median(ratios), "x-pgx")
	b.ReportMetric(median(base.rounds)/perRound, "pgx-ns/query")
	b.ReportMetric(median(other.rounds)/perRound, "pgdbm-ns/query")
	b.ReportMetric(float64(base.allocs)/queries, "pgx-allocs/query")
	b.ReportMetric(float64(other.allocs)/queries, "pgdbm-allocs/query")
	b.ReportMetric(0, "ns/op") // of two contenders, which means nothing
}

func median[T time.Duration | float64](values []T) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return float64(sorted[len(sorted)/2])
}
