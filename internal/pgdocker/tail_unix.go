//go:build unix

package pgdocker

import (
	"strings"
	"sync"
)

// tail keeps the end of what is written to it, for messages.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailLimit = 8 << 10

// Write never fails, so that the container is not held up.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if excess := len(t.text) - tailLimit; excess > 0 {
		t.text = append(t.text[:0], t.text[excess:]...)
	}
	return len(p), nil
}

// String returns the text, indented for the use in a message.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return "\t" + strings.ReplaceAll(strings.TrimSpace(string(t.text)), "\n", "\n\t")
}
