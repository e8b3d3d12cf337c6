package migrations

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is a series of pauses, each up to twice as long as the one before. They are random, so that those who wait for
// the same thing do not all come back at the same moment.
type backoff struct{ next, last time.Duration }

func newBackoff(first, last time.Duration) *backoff {
	return &backoff{next: first, last: last}
}

// wait waits for the next pause, or for the end of ctx, whose cause it returns.
func (b *backoff) wait(ctx context.Context) error {
	pause := b.next/2 + rand.N(b.next/2+1) //nolint:gosec // it guards nothing
	b.next = min(2*b.next, b.last)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
