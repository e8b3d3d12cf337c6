package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
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
	micros float64 // a query: median of the rounds
	ratio  float64 // to plain pgx in the same round, median
	allocs float64 // a query
	memory float64 // MiB of a backend
}

// part lets all contenders take short turns, because a burst of other work on the machine would hit one of them in longer
// ones, and writes a table.
func (b *bench) part(ctx context.Context, p part) ([]result, error) {
	var delay atomic.Int64 // it counts from when all is warm
	pools, err := b.open(ctx, p, &delay)
	defer func() {
		for _, pool := range pools {
			pool.close()
		}
	}()
	if err != nil {
		return nil, err
	}
	if err := b.warmUp(ctx, pools, p); err != nil {
		return nil, err
	}
	delay.Store(int64(p.delay))
	times := make([][]float64, len(pools))
	for round := range b.config.rounds {
		micros, err := b.round(ctx, pools, p, round)
		if err != nil {
			return nil, err
		}
		for i := range pools {
			times[i] = append(times[i], micros[i])
		}
	}
	reference := slices.IndexFunc(pools, func(p *pool) bool { return p.name == defaultName })
	results := make([]result, len(pools))
	for i, pool := range pools {
		results[i] = result{name: pool.name, micros: median(times[i]), ratio: median(ratios(times[i], times[reference]))}
		if results[i].allocs, err = b.allocations(ctx, pool, p); err != nil {
			return nil, err
		}
		if results[i].memory, err = pool.memory(ctx); err != nil {
			return nil, err
		}
	}
	return results, b.write(p, results)
}

func (b *bench) open(ctx context.Context, p part, delay *atomic.Int64) (pools []*pool, err error) {
	dial := direct
	if p.delay > 0 {
		dial = delayed(delay)
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

// requests returns how many requests of each contender a round has: behind a delay, where a query takes milliseconds, fewer.
func (p part) requests(c config) int {
	if p.delay > 0 {
		return max(1, c.requests/5) //nolint:mnd // a fifth
	}
	return c.requests
}

// each calls fn for every worker, at the same time.
func each(fn func(worker int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() { errs[w] = fn(w) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// warmUp lets each contender see all tenants, as a program has after a while.
func (b *bench) warmUp(ctx context.Context, pools []*pool, p part) error {
	n := max(b.config.requests, 2*p.tenants)
	return each(func(w int) error {
		for _, pool := range pools {
			draw := newDraw(p, 0, uint64(w)) //nolint:gosec // positive
			for range n {
				if err := pool.serve(ctx, w, draw.tenant()); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// round returns the microseconds that each contender takes for a query. All draw the same tenants.
func (b *bench) round(ctx context.Context, pools []*pool, p part, round int) ([]float64, error) {
	took := make([][]time.Duration, len(pools))
	var mu sync.Mutex
	err := each(func(w int) error {
		draw := newDraw(p, uint64(round+1), uint64(w)) //nolint:gosec // positive
		mine := make([][]time.Duration, len(pools))
		for done := 0; done < p.requests(b.config)/workers; done += turn {
			tenants := make([]int, turn)
			for i := range tenants {
				tenants[i] = draw.tenant()
			}
			for _, next := range draw.random.Perm(len(pools)) { // nobody is always behind the same one
				for _, tenant := range tenants {
					began := time.Now()
					if err := pools[next].serve(ctx, w, tenant); err != nil {
						return err
					}
					mine[next] = append(mine[next], time.Since(began))
				}
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for i := range mine {
			took[i] = append(took[i], mine[i]...)
		}
		return nil
	})
	micros := make([]float64, len(pools))
	for i := range took {
		micros[i] = trimmed(took[i])
	}
	return micros, err
}

// trimmed is the mean of all requests but the slowest twentieth, in microseconds a query: those waited for something else on the
// machine.
func trimmed(took []time.Duration) float64 {
	slices.Sort(took)
	kept := took[:len(took)-len(took)/20]
	var sum time.Duration
	for _, d := range kept {
		sum += d
	}
	return float64(sum.Nanoseconds()) / 1000 / float64(max(1, len(kept)*len(templates)))
}

// allocations counts those of a query, while nobody else is at work.
func (b *bench) allocations(ctx context.Context, pool *pool, p part) (float64, error) {
	const n = 200
	draw := newDraw(p, 0, workers)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		if err := pool.serve(ctx, 0, draw.tenant()); err != nil {
			return 0, err
		}
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n*len(templates)), nil
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
