package soak_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"runtime/pprof"
	"sync"
	"testing"
	"time"
)

var (
	soakTime = flag.Duration("soak.time", time.Second, "how long to look for the rows of others")
	soakSeed = flag.Uint64("soak.seed", 0, "where the random numbers start; 0 means anywhere")
)

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

// slack is how long a slow machine may take longer.
const slack = time.Minute

// run lets everybody do something until something is wrong, or the time is over, and returns what is wrong.
func (w *world) run(t *testing.T, limit time.Duration) []string {
	t.Helper()
	seed := *soakSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-soak.seed %d", seed)
	ctx, stop := context.WithTimeout(t.Context(), limit+slack)
	defer stop()
	w.stop, w.until = stop, time.Now().Add(limit)
	var all sync.WaitGroup
	for n := range actors {
		a := &actor{world: w, random: rand.New(rand.NewPCG(seed, uint64(n)))}
		all.Go(func() { a.live(ctx) })
	}
	wait(t, limit+2*slack, &all)
	return w.wrong
}

// wait ends the program if somebody does not come to an end.
func wait(t *testing.T, limit time.Duration, all *sync.WaitGroup) {
	t.Helper()
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(limit):
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		t.Fatalf("after %s somebody still waits", limit)
	}
}

func TestSoak(t *testing.T) {
	t.Parallel()
	for _, s := range setups {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, s)
			for _, wrong := range w.run(t, *soakTime) {
				t.Error(wrong)
			}
			summary, never := w.summary()
			t.Logf("\n%s", summary)
			if len(never) > 0 && !t.Failed() {
				t.Errorf("these never worked: %q", never)
			}
			if err := w.checkData(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
