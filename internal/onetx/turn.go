package onetx

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Patience is how long the statements of other connections wait for one that has a transaction and sends nothing.
const Patience = time.Second

var (
	errCancelled = errors.New("canceling statement due to user request")
	errEnded     = errors.New("the test has ended, and its transaction with it")
)

// overlap is what a connection is told that would have to wait for ever.
type overlap struct{ began string }

func (e *overlap) Error() string {
	return fmt.Sprintf("pgdbm: fixtures.Isolated: this statement would run beside a transaction that another connection has begun and "+
		"not ended (%s, then nothing for %v); all connections share one transaction here, where two cannot overlap: "+
		"use the transaction for it, or end that first, or use fixtures.New for this test", e.began, Patience)
}

// turn says whose statements the server gets: those of one session at a time, for as long as it has a transaction.
type turn struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced when something below changes
	holder  *session
	idle    time.Time // since when the holder has sent nothing; zero while it is being served
	ended   bool
}

func newTurn() *turn { return &turn{changed: make(chan struct{})} }

// change wakes those who wait. mu is held.
func (t *turn) change() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// take waits until it is the turn of s.
func (t *turn) take(s *session) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		switch {
		case t.ended:
			return errEnded
		case t.holder == nil || t.holder == s:
			t.holder, t.idle, s.cancelled = s, time.Time{}, false
			return nil
		case s.cancelled:
			s.cancelled = false
			return errCancelled
		}
		left := Patience
		if !t.idle.IsZero() {
			if left -= time.Since(t.idle); left <= 0 {
				return &overlap{t.holder.began}
			}
		}
		t.wait(left)
	}
}

// wait lets go of mu until something changes, or the time is over.
func (t *turn) wait(most time.Duration) {
	changed := t.changed
	t.mu.Unlock()
	defer t.mu.Lock()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

// rest ends the serving of s. Without a transaction it is the next one's turn.
func (t *turn) rest(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.idle = time.Now()
	if !s.inTx {
		t.holder = nil
	}
	t.change()
}

// cancel cancels what s executes or waits for. While the server is told nobody else gets a turn, whose statement it could hit.
func (t *turn) cancel(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.holder == s && t.idle.IsZero() {
		s.server.cancel()
	} else {
		s.cancelled = true
	}
	t.change()
}

// end refuses everybody from now on, and cancels what is executed.
func (t *turn) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	if t.holder != nil && t.idle.IsZero() {
		t.holder.server.cancel()
	}
	t.change()
}
