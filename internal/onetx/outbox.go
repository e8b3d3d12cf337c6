package onetx

import (
	"net"
	"sync"
)

// outbox writes to a connection what it is given, in its own time: whoever has the turn must not wait for a client that reads
// slowly, or first does something else.
type outbox struct {
	conn net.Conn

	mu     sync.Mutex
	filled sync.Cond
	data   []byte
	closed bool
	done   chan struct{} // closed when all is written, or cannot be
}

func newOutbox(conn net.Conn) *outbox {
	o := &outbox{conn: conn, done: make(chan struct{})}
	o.filled.L = &o.mu
	go o.run()
	return o
}

// Write never fails: that the client has gone is seen when it is read.
func (o *outbox) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.data = append(o.data, p...)
	o.filled.Signal()
	return len(p), nil
}

// close lets the rest be written.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.filled.Signal()
}

func (o *outbox) run() {
	defer close(o.done)
	for {
		o.mu.Lock()
		for len(o.data) == 0 && !o.closed {
			o.filled.Wait()
		}
		data := o.data
		o.data = nil
		o.mu.Unlock()
		if len(data) == 0 {
			return
		}
		if _, err := o.conn.Write(data); err != nil {
			return // run ends; what is still written stays in memory until the session ends
		}
	}
}
