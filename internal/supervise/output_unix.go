//go:build unix

package supervise

import (
	"bytes"
	"strings"
	"sync"
)

// outputLimit is how much of the server's output is kept for messages.
const outputLimit = 64 << 10

// output receives what the server writes: it keeps the end of it, and closes
// ready when that contains mark.
type output struct {
	mark  []byte
	ready chan struct{}

	mu      sync.Mutex
	tail    []byte
	isReady bool
}

func newOutput(mark string) *output {
	return &output{mark: []byte(mark), ready: make(chan struct{})}
}

// Write never fails, so that the pipe behind it is always drained.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = append(o.tail, p...)
	if !o.isReady && bytes.Contains(o.tail, o.mark) {
		o.isReady = true
		close(o.ready)
	}
	if excess := len(o.tail) - outputLimit; excess > 0 {
		o.tail = append(o.tail[:0], o.tail[excess:]...)
	}
	return len(p), nil
}

// String returns the kept output, indented for the use in a message.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := strings.TrimSpace(string(o.tail))
	if text == "" {
		text = "(none)"
	}
	return "\t" + strings.ReplaceAll(text, "\n", "\n\t")
}
