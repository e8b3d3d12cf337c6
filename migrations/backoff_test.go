package migrations

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestBackoff looks at how long the pauses may become: they double, up to the last one.
func TestBackoff(t *testing.T) {
	t.Parallel()
	b := newBackoff(3*time.Nanosecond, 20*time.Nanosecond)
	for i, most := range []time.Duration{3, 6, 12, 20, 20} {
		if b.next != most {
			t.Errorf("pause %d is up to %v, want %v", i+1, b.next, most)
		}
		if err := b.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	cause := errors.New("the caller is gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if err := newBackoff(time.Hour, time.Hour).wait(ctx); !errors.Is(err, cause) {
		t.Errorf("the error is %v", err)
	}
}
