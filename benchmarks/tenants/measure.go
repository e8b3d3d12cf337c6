package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// part is a line of the documentation's table.
type part struct {
	tenants int
	zipf    bool          // else evenly
	delay   time.Duration // each way
}

func (p part) String() string {
	text := fmt.Sprintf("%d tenants x %d queries", p.tenants, len(templates))
	if p.zipf {
		text += ", Zipf 1.1"
	}
	if p.delay > 0 {
		text += fmt.Sprintf(", %v each way", p.delay)
	}
	return text
}

// result is what a contender came to.
type result struct {
	name   string
	micros float64 // a query, of a connection: median of the rounds
	ratio  float64 // to plain pgx in the same round, median
	allocs float64 // a query
	memory float64 // MiB of a backend
}

// part lets all contenders take turns, and writes a table.
func (b *bench) part(ctx context.Context, p part) ([]result, error) {
	pools, err := b.open(ctx, p)
	defer func() {
		for _, pool := range pools {
			pool.close()
		}
	}()
	if err != nil {
		return nil, err
	}
	times := make([][]float64, len(pools))
	results := make([]result, len(pools))
	for round := -1; round < b.config.rounds; round++ { // the first one warms up
		for i, pool := range pools {
			micros, allocs, err := b.turn(ctx, pool, p, round)
			if err != nil {
				return nil, fmt.Errorf("%s, %v: %w", pool.name, p, err)
			}
			if round >= 0 {
				times[i] = append(times[i], micros)
				results[i].allocs = allocs
			}
		}
	}
	reference := slices.IndexFunc(pools, func(p *pool) bool { return p.name == defaultName })
	for i, pool := range pools {
		results[i].name, results[i].micros = pool.name, median(times[i])
		results[i].ratio = median(ratios(times[i], times[reference]))
		if results[i].memory, err = pool.memory(ctx); err != nil {
			return nil, err
		}
	}
	return results, b.write(p, results)
}

func (b *bench) open(ctx context.Context, p part) (pools []*pool, err error) {
	dial := direct
	if p.delay > 0 {
		dial = delayed(p.delay)
	}
	for _, c := range contenders {
		pool, err := c.open(ctx, b.dsn, dial, b.names[:p.tenants])
		if err != nil {
			return pools, fmt.Errorf("%s: %w", c.name, err)
		}
		pools = append(pools, pool)
	}
	return pools, nil
}

// turn runs the queries of a round. All contenders draw the same tenants. Before the first round each has seen them all, as
// a program has after a while.
func (b *bench) turn(ctx context.Context, pool *pool, p part, round int) (micros, allocs float64, err error) {
	n := b.config.queries / workers
	if round < 0 {
		n = max(n, 2*len(templates)*p.tenants)
		if p.delay > 0 {
			n = max(b.config.queries/workers, min(n, 5000))
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			draw := newDraw(p, uint64(round+1), uint64(w))
			for i := 0; i < n && errs[w] == nil; i++ {
				errs[w] = pool.query(ctx, w, draw.tenant(), draw.random.IntN(len(templates)))
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	for _, err := range errs {
		if err != nil {
			return 0, 0, err
		}
	}
	return float64(took.Microseconds()) / float64(n), float64(after.Mallocs-before.Mallocs) / float64(n*workers), nil
}

// draw draws tenants.
type draw struct {
	random *rand.Rand
	zipf   *rand.Zipf
	n      int
}

func newDraw(p part, round, worker uint64) *draw {
	d := &draw{random: rand.New(rand.NewPCG(round, worker)), n: p.tenants} //nolint:gosec // repeatable on purpose
	if p.zipf {
		const exponent = 1.1
		d.zipf = rand.NewZipf(d.random, exponent, 1, uint64(p.tenants-1)) //nolint:gosec // positive
	}
	return d
}

func (d *draw) tenant() int {
	if d.zipf != nil {
		return int(d.zipf.Uint64()) //nolint:gosec // below n
	}
	return d.random.IntN(d.n)
}

// memory is what a backend of the contender has allocated, in MiB.
func (p *pool) memory(ctx context.Context) (mib float64, err error) {
	err = p.conns[0].QueryRowContext(ctx, "SELECT sum(total_bytes) / 1048576.0 FROM pg_backend_memory_contexts").Scan(&mib)
	return mib, err
}

func ratios(times, reference []float64) []float64 {
	all := make([]float64, len(times))
	for i := range times {
		all[i] = times[i] / reference[i]
	}
	return all
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// write writes a table, as Markdown.
func (b *bench) write(p part, results []result) error {
	fmt.Fprintf(b.out, "\n%v\n\n", p)
	table := tabwriter.NewWriter(b.out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(table, "|\t| us a query\t| against pgx\t| allocations\t| MiB of a backend\t|")
	fmt.Fprintln(table, "| ---\t| ---\t| ---\t| ---\t| ---\t|")
	for _, r := range results {
		fmt.Fprintf(table, "| %s\t| %.1f\t| %.3f\t| %.1f\t| %.1f\t|\n", r.name, r.micros, r.ratio, r.allocs, r.memory)
	}
	return table.Flush()
}
