package named

import (
	"fmt"
	"strings"
	"testing"
)

// TestCacheIsBounded sends texts that come once, and among them one that is in use.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	const size = 1 << 16
	c := NewCache(size)
	used, parsed := (*Query)(nil), 0
	for i := range 10_000 {
		if _, err := c.Get(fmt.Sprintf("SELECT :a, %d", i)); err != nil {
			t.Fatal(err)
		}
		q, _ := c.Get("SELECT :used")
		if q != used {
			used, parsed = q, parsed+1
		}
		bytes := bytesIn(t, &c.recent) + bytesIn(t, c.settled.Load())
		if bytes > size {
			t.Fatalf("text %d: %d bytes in a cache of %d", i, bytes, size)
		}
	}
	if parsed > 200 {
		t.Errorf("the text in use was parsed %d times", parsed)
	}
}

// bytesIn checks that the bytes of a generation are counted right.
func bytesIn(t *testing.T, g *generation) int {
	t.Helper()
	sum := 0
	for text, q := range g.queries {
		sum += q.cost(text)
	}
	if sum != g.bytes {
		t.Fatalf("%d bytes are counted as %d", sum, g.bytes)
	}
	return sum
}

func TestTextsSettle(t *testing.T) {
	t.Parallel()
	c := NewCache(1 << 20)
	for range 10 { // 100 texts, ten times each
		for i := range 100 {
			if _, err := c.Get(fmt.Sprint("SELECT :a", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 300 { // and one that comes later
		if _, err := c.Get("SELECT :late"); err != nil {
			t.Fatal(err)
		}
	}
	late, _ := c.Get("SELECT :late")
	c.add("SELECT :late", late) // as somebody does who was slower
	if n := len(c.settled.Load().queries); n != 101 || len(c.recent.queries) != 0 || c.hits != 0 {
		t.Errorf("%d texts have settled, and %d with %d hits have not", n, len(c.recent.queries), c.hits)
	}
	bytesIn(t, c.settled.Load())
}

func TestLargeTextsAreNotKept(t *testing.T) {
	t.Parallel()
	c := NewCache(1 << 16)
	for _, text := range []string{"SELECT 1", "SELECT :a /*" + strings.Repeat("x", 1<<13), strings.Repeat(":a,", 1<<12)} {
		if _, err := c.Get(text); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.recent.queries) + len(c.settled.Load().queries); n != 1 {
		t.Errorf("%d texts are kept", n)
	}
}
