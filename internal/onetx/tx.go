package onetx

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Tx is a transaction that connections share. It begins with the first of them. It is safe for concurrent use.
type Tx struct {
	connect func(ctx context.Context, params map[string]string) (*Conn, error)
	turn    *turn

	sessions sync.WaitGroup
	mu       sync.Mutex
	ended    bool
	open     map[*session]net.Conn
	conn     *Conn
	broken   error // why conn is of no use
}

// New returns a Tx that gets its connection from connect, with the parameters that the first client's session is to begin with.
func New(connect func(ctx context.Context, params map[string]string) (*Conn, error)) *Tx {
	return &Tx{connect: connect, turn: &turn{}, open: map[*session]net.Conn{}}
}

// Dial returns a client's side of a connection. It is a [pgconn.DialFunc]; where it is said to go does not matter.
//
// [pgconn.DialFunc]: https://pkg.go.dev/github.com/jackc/pgx/v5/pgconn#DialFunc
func (t *Tx) Dial(context.Context, string, string) (net.Conn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return nil, errEnded
	}
	theirs, ours := net.Pipe()
	s := newSession(t, ours)
	t.open[s] = ours
	t.sessions.Go(func() {
		s.run()
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.open, s)
	})
	return theirs, nil
}

// begin returns the connection that all share, with the transaction begun.
func (t *Tx) begin(params map[string]string) (*Conn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.ended:
		return nil, errEnded
	case t.broken != nil:
		return nil, t.broken
	case t.conn == nil:
		conn, err := t.connect(context.Background(), params)
		if err != nil {
			return nil, err
		}
		if err := conn.exec("BEGIN"); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		t.conn = conn
	case !maps.Equal(t.conn.params, params):
		return nil, fmt.Errorf("pgdbm: fixtures.Isolated: a connection with other parameters (%v) than the first one's (%v): all share one "+
			"session here; use fixtures.New for this test", params, t.conn.params)
	}
	return t.conn, nil
}

// fail notes that the shared connection is of no use.
func (t *Tx) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.broken == nil {
		t.broken = err
	}
}

// cancel cancels what a session executes or waits for.
func (t *Tx) cancel(m *pgproto3.CancelRequest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.open {
		if bytes.Equal(s.secret, m.SecretKey) {
			t.turn.cancel(s)
		}
	}
}

// Stop ends what is under way, and refuses what comes. Clients that go now need not be tidied up after.
func (t *Tx) Stop() { t.turn.end() }

// End closes all connections, also those that are at work, and rolls back. Used says that there was a connection of the
// server's. It is for another transaction, as fresh as a new one, or nil if it is of no use: then not even the rollback is
// certain. The last thing that it executes in between is sql, outside of a transaction.
func (t *Tx) End(sql string) (conn *Conn, used bool) {
	t.mu.Lock()
	t.ended = true
	t.turn.end()
	for _, conn := range t.open {
		_ = conn.Close()
	}
	t.mu.Unlock()
	t.sessions.Wait()
	if t.conn == nil {
		return nil, false
	}
	if t.broken == nil && t.conn.execAll("ROLLBACK", "DISCARD ALL", sql) == nil && t.conn.status == 'I' {
		t.conn.looked, t.conn.changed = t.conn.looked && !t.conn.changed, false
		return t.conn, true
	}
	_ = t.conn.Close() // it is broken
	return nil, true
}

// secret is what a client shows to cancel its statement.
func secret() []byte {
	key := make([]byte, 4) // more need a newer protocol
	_, _ = rand.Read(key)  // never fails
	return key
}
