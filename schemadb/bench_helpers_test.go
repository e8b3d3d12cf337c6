package schemadb_test

import (
	"database/sql"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
)

// side is one side of a comparison.
type side struct {
	name  string
	reset func() // what comes before run and does not count
	run   func()

	times  []time.Duration
	allocs float64
}

func (s *side) once() {
	if s.reset != nil {
		s.reset()
	}
	start := time.Now()
	s.run()
	s.times = append(s.times, time.Since(start))
}

// countAllocs is testing.AllocsPerRun for the first or only run after a reset.
func (s *side) countAllocs(runs int) {
	var before, after runtime.MemStats
	var total uint64
	for range runs {
		if s.reset != nil {
			s.reset()
		}
		runtime.ReadMemStats(&before)
		s.run()
		runtime.ReadMemStats(&after)
		total += after.Mallocs - before.Mallocs
	}
	s.allocs = float64(total) / float64(runs)
}

// compare lets the sides take turns, in an order that changes, so that whatever else the machine does hits all of them.
// The last side is the one to measure: x-name is the median of the ratios of its times to those of side name in the
// same round. The allocations are counted in runs of their own after one that fills the caches; 0 does not count them.
func compare(b *testing.B, allocRuns int, sides ...*side) {
	b.Helper()
	for _, s := range sides {
		if allocRuns > 0 {
			s.countAllocs(1)
			s.countAllocs(allocRuns)
		}
		s.times = nil
	}
	for i := 0; b.Loop(); i++ {
		for j := range sides {
			if i/len(sides)%2 == 1 { // in both directions, so that none always follows the same one
				j = len(sides) - 1 - j
			}
			sides[(i+j)%len(sides)].once()
		}
	}
	last := sides[len(sides)-1]
	for _, s := range sides {
		b.ReportMetric(median(s.times)/1e3, s.name+"-µs")
		if allocRuns > 0 {
			b.ReportMetric(s.allocs, s.name+"-allocs")
		}
		if s != last {
			b.ReportMetric(medianRatio(last.times, s.times), "x-"+s.name)
		}
	}
	b.ReportMetric(0, "ns/op") // of all sides together, which means nothing
}

// medianRatio is of pairs that ran one after the other.
func medianRatio(a, b []time.Duration) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = float64(a[i]) / float64(b[i])
	}
	return median(ratios)
}

func median[T time.Duration | float64](values []T) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return float64(sorted[len(sorted)/2])
}

// openConfig opens a pool of a driver on config.
func openConfig(b testing.TB, name string, config *pgx.ConnConfig) *sql.DB {
	b.Helper()
	pool := stdlib.OpenDB(*config)
	if name == driver.Name {
		pool = driver.OpenDB(*config)
	}
	b.Cleanup(func() { pool.Close() })
	return pool
}

// connect opens a connection of pgx itself.
func connect(b *testing.B, config *pgx.ConnConfig) *pgx.Conn {
	b.Helper()
	conn, err := pgx.ConnectConfig(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.PgConn().Conn().Close() })
	return conn
}

// configOf parses the connection string of a test's database.
func configOf(b testing.TB, dsn string) *pgx.ConnConfig {
	b.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		b.Fatal(err)
	}
	return config
}
