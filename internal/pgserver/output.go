//go:build unix

package pgserver

import (
	"bytes"
	"strings"
	"sync"
)

// outputLimit is how much of the server's output is kept for error messages.
const outputLimit = 64 << 10

// readyMark is in the line that the server logs when it accepts connections.
// The server runs with LC_ALL=C, so the line is not translated.
var readyMark = []byte("database system is ready to accept connections")

// output receives what the server writes: it keeps the end of it, and closes
// ready when the server accepts connections.
type output struct {
	ready chan struct{}

	mu      sync.Mutex
	tail    []byte
	isReady bool
}

func newOutput() *output {
	return &output{ready: make(chan struct{})}
}

// Write never fails, so that the pipe behind it is always drained.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = append(o.tail, p...)
	if !o.isReady && bytes.Contains(o.tail, readyMark) {
		o.isReady = true
		close(o.ready)
	}
	if excess := len(o.tail) - outputLimit; excess > 0 {
		o.tail = append(o.tail[:0], o.tail[excess:]...)
	}
	return len(p), nil
}

// String returns the kept output, indented for the use in an error message.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := strings.TrimSpace(string(o.tail))
	if text == "" {
		text = "(none)"
	}
	return "\t" + strings.ReplaceAll(text, "\n", "\n\t")
}
