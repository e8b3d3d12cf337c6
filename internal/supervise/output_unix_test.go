//go:build unix

package supervise

import (
	"strings"
	"testing"
)

func TestOutputKeepsTheEnd(t *testing.T) {
	t.Parallel()
	const mark = "ready to accept connections"
	o := newOutput(mark)
	for _, text := range []string{strings.Repeat("x", 2*outputLimit), "\nLOG:  ", mark[:20]} {
		o.Write([]byte(text))
	}
	select {
	case <-o.ready:
		t.Fatal("ready too early")
	default:
	}
	o.Write([]byte(mark[20:]))
	<-o.ready
	o.Write([]byte("\n" + mark + " again")) // does not close twice
	if got := o.String(); len(got) > outputLimit+100 || !strings.HasSuffix(got, "again") {
		t.Errorf("%d bytes, ending with %q", len(got), got[len(got)-20:])
	}
}
