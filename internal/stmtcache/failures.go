package stmtcache

import (
	"sync"
	"sync/atomic"
	"time"
)

// maxFailures is how many statements' failures are remembered, at most twice.
const maxFailures = 1 << 15

// Failures remembers when statements failed last, by their hash: what was known before does not count any more, on no connection. The
// zero Failures is ready. It is safe for concurrent use.
type Failures struct {
	count atomic.Uint64

	mu         sync.RWMutex
	young, old map[uint64]time.Time
	forgotten  time.Time // everything may have failed until then
	rotated    time.Time
}

// Add records that a statement has failed now.
func (f *Failures) Add(hash uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.young) >= maxFailures {
		f.old, f.young = f.young, nil
		f.forgotten, f.rotated = f.rotated, time.Now()
	}
	if f.young == nil {
		f.young = make(map[uint64]time.Time)
	}
	f.young[hash] = time.Now()
	f.count.Add(1)
}

// Count returns how many failures there were. If it is the same as before, there was none since.
func (f *Failures) Count() uint64 { return f.count.Load() }

// Since reports whether a statement may have failed at or after a time.
func (f *Failures) Since(hash uint64, t time.Time) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	failed, found := f.young[hash]
	if !found {
		failed, found = f.old[hash]
	}
	return found && !t.After(failed) || t.Before(f.forgotten)
}
