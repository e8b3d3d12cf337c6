package thirdparty_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// marker is in the name of every table, type and function of the tenants, and so in every statement of the test. It tells these
// from what the driver asks for itself.
const marker = "tp_"

// fate is what becomes of a message group.
type fate int

const (
	loseNothing fate = iota
	loseRequest      // it is not sent, and the connection breaks
	loseAnswer       // it is executed, and the connection breaks before the answer
	loseHalf         // in the middle of the answer
)

// tap is what the test does to the connections of one pool. It waits for the first message group that executes a
// statement of the test.
type tap struct {
	mu        sync.Mutex
	armed     bool
	hold      func() // is called before the group goes out
	fate      fate
	cut       int // how much of the answer arrives with loseHalf
	executed  int // groups since it was armed
	described int // groups that describe a statement of the test before the first of them
	lost      int
}

// arm makes the tap do something to the next execution.
func (t *tap) arm(hold func(), f fate, cut int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.armed, t.hold, t.fate, t.cut, t.executed, t.described = true, hold, f, cut, 0, 0
}

// disarm returns what has happened since.
func (t *tap) disarm() (executed, described int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.armed, t.hold, t.fate = false, nil, loseNothing
	return t.executed, t.described
}

// see notes a group and returns what to do to it.
func (t *tap) see(executes, describes bool) (hold func(), f fate, cut int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case executes:
		t.executed++
	case describes && t.executed == 0:
		t.described++
	}
	if !executes || !t.armed {
		return nil, loseNothing, 0
	}
	t.armed = false
	if t.fate != loseNothing {
		t.lost++
	}
	return t.hold, t.fate, t.cut
}

// attach makes the connections of a configuration go through the tap, unencrypted.
func (t *tap) attach(config *pgx.ConnConfig) {
	dial := config.DialFunc
	config.TLSConfig, config.Fallbacks = nil, []*pgconn.FallbackConfig{}
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &wire{Conn: c, tap: t, texts: make(map[string]string)}, nil
	}
}

// wire is a connection to the server that reads along.
type wire struct {
	net.Conn
	tap     *tap
	started bool
	pending []byte            // not yet a whole message
	group   []byte            // the messages since the last Sync
	texts   map[string]string // of prepared statements, by name

	executes, describes bool // what the group does, to a statement of the test
	ends                bool // its transaction ends with it
	open                bool // its transaction has begun, and has locked the tables: nobody can change them now

	mu     sync.Mutex
	fate   fate
	cut    int
	answer []byte
}

// Write sends whole groups, and holds or loses the one that the tap waits for.
func (w *wire) Write(b []byte) (int, error) {
	w.pending = append(w.pending, b...)
	for {
		message, ok := w.next()
		if !ok {
			break
		}
		w.group = append(w.group, message...)
		if w.read(message) {
			if err := w.send(); err != nil {
				return 0, err
			}
		}
	}
	if len(w.group) > 0 && !w.executes { // startup, passwords, COPY
		if _, err := w.Conn.Write(w.group); err != nil {
			return 0, err
		}
		w.group = w.group[:0]
	}
	return len(b), nil
}

// next takes a whole message off what was written.
func (w *wire) next() ([]byte, bool) {
	head := 1
	if !w.started { // the first one has no type
		head = 0
	}
	if len(w.pending) < head+4 {
		return nil, false
	}
	length := head + int(binary.BigEndian.Uint32(w.pending[head:]))
	if len(w.pending) < length {
		return nil, false
	}
	message := w.pending[:length:length]
	w.pending = w.pending[length:]
	return message, true
}

// read looks at a message and reports whether it ends a group.
func (w *wire) read(message []byte) bool {
	if !w.started {
		w.started, w.ends = true, true
		return true
	}
	body := message[5:]
	switch message[0] {
	case 'P':
		name, rest := cString(body)
		w.texts[name], _ = cString(rest)
	case 'D':
		if name, _ := cString(body[1:]); body[0] == 'S' && strings.Contains(w.texts[name], marker) {
			w.describes = true
		}
	case 'B':
		_, rest := cString(body)
		if name, _ := cString(rest); strings.Contains(w.texts[name], marker) {
			w.executes = true
		}
	case 'Q':
		w.executes, w.ends = bytes.Contains(body, []byte(marker)), true
		return true
	case 'S', 'X':
		w.ends = true
		return true
	case 'H':
		return true
	}
	return false
}

func cString(b []byte) (string, []byte) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return string(b), nil
	}
	return string(b[:i]), b[i+1:]
}

var errCut = &net.OpError{Op: "write", Net: "unix", Err: syscall.EPIPE}

// send lets a group go.
func (w *wire) send() error {
	hold, f, cut := w.tap.see(w.executes, w.describes)
	w.executes, w.describes = false, false
	wasOpen := w.open
	w.open, w.ends = !w.ends, false
	if hold != nil && !wasOpen {
		hold()
	}
	if f == loseRequest {
		_ = w.Close()
		return errCut
	}
	if f != loseNothing {
		w.mu.Lock()
		w.fate, w.cut = f, cut
		w.mu.Unlock()
	}
	_, err := w.Conn.Write(w.group)
	w.group = w.group[:0]
	return err
}

// Read is the connection's, unless the answer is to be lost: then it waits for the end of it, so that the server has committed.
func (w *wire) Read(b []byte) (int, error) {
	for {
		n, err := w.Conn.Read(b)
		w.mu.Lock()
		f, cut := w.fate, w.cut
		w.mu.Unlock()
		if f == loseNothing {
			return n, err
		}
		w.answer = append(w.answer, b[:n]...)
		if err == nil && !complete(w.answer) {
			continue
		}
		_ = w.Close()
		n = min(cut, len(w.answer)-1, len(b))
		if f == loseAnswer || n <= 0 {
			return 0, []error{io.EOF, &net.OpError{Op: "read", Net: "unix", Err: syscall.ECONNRESET}}[cut%2]
		}
		w.mu.Lock()
		w.fate = loseAnswer // for what comes next
		w.mu.Unlock()
		copy(b, w.answer[:n])
		w.answer = nil
		return n, nil
	}
}

// complete reports whether an answer has its ReadyForQuery.
func complete(answer []byte) bool {
	for len(answer) >= 5 {
		length := 1 + int(binary.BigEndian.Uint32(answer[1:]))
		if answer[0] == 'Z' {
			return true
		}
		if length > len(answer) {
			return false
		}
		answer = answer[length:]
	}
	return false
}

// isLost reports whether an error says that the connection is gone.
func isLost(err error) bool {
	var network net.Error
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code == "57P01" || pgErr.Code == "08P01" && strings.HasPrefix(pgErr.Message, "server conn crashed") // PgBouncer's
	}
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.EPIPE) || strings.HasSuffix(err.Error(), "conn closed") // pgconn's, which has no type
}
