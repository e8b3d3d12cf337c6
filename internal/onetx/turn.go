package onetx

import (
	"errors"
	"fmt"
	"slices"
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
	queue   []*session // that wait
	holder  *session
	serving bool      // the holder
	idle    time.Time // since when the holder has sent nothing; zero while the server is at work for it
	ended   bool
}

// take waits until it is the turn of s, or the holder has been idle for longer than patience.
func (t *turn) take(s *session, patience time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.cancelled = false // what came before is not meant
	t.queue = append(t.queue, s)
	defer t.dequeue(s)
	for {
		switch {
		case t.ended:
			return errEnded
		case t.holder == s || t.holder == nil && t.queue[0] == s:
			t.holder, t.serving, t.idle = s, true, time.Time{}
			return nil
		case s.cancelled:
			return errCancelled
		}
		left := patience
		if !t.idle.IsZero() {
			if left -= time.Since(t.idle); left <= 0 {
				return &overlap{t.holder.began}
			}
		}
		t.wait(s, left)
	}
}

// wait lets go of mu until s is woken, or the time is over.
func (t *turn) wait(s *session, most time.Duration) {
	t.mu.Unlock()
	defer t.mu.Lock()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-s.woken:
	case <-timer.C:
	}
}

// dequeue ends the waiting of s. mu is held.
func (t *turn) dequeue(s *session) {
	t.queue = slices.DeleteFunc(t.queue, func(other *session) bool { return other == s })
	t.wakeNext()
}

// wakeNext wakes the one whose turn it is now. All would be in each other's way, if they are many. mu is held.
func (t *turn) wakeNext() {
	if t.holder == nil && len(t.queue) > 0 {
		t.queue[0].wake()
	}
}

// rest ends the serving of s. Without a transaction it is the next one's turn.
func (t *turn) rest(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.serving, t.idle = false, time.Now()
	if !s.inTx {
		t.holder, t.idle = nil, time.Time{}
	}
	t.wakeNext()
}

// pause notes that the holder has to send more.
func (t *turn) pause() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.idle = time.Now()
}

// resume notes that it has.
func (t *turn) resume() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.idle = time.Time{}
}

// cancel cancels what s executes or waits for. While the server is told nobody else gets a turn, whose statement it could hit.
func (t *turn) cancel(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.holder == s && t.serving {
		s.server.cancel()
	} else {
		s.cancelled = true
		s.wake()
	}
}

// end refuses everybody from now on, and cancels what is executed.
func (t *turn) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	if t.holder != nil && t.serving {
		t.holder.server.cancel()
	}
	for _, s := range t.queue {
		s.wake()
	}
}
