package named_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/pgdbm/pgdbm/internal/named"
)

func get(t *testing.T, c *named.Cache, text string) *named.Query {
	t.Helper()
	q, err := c.Get(text)
	if err != nil {
		t.Fatalf("Get(%q): %v", text, err)
	}
	return q
}

func TestCacheGet(t *testing.T) {
	t.Parallel()
	c := named.NewCache(1 << 20)
	first := get(t, c, "SELECT :a")
	for i := range 10 {
		if q := get(t, c, strings.Clone("SELECT :a")); q != first || q.SQL() != "SELECT $1" {
			t.Errorf("use %d: another Query, %s", i, q.SQL())
		}
	}
	large := "SELECT 1 /* large */"
	if q := get(t, c, large[:8]); q.SQL() != "SELECT 1" || unsafe.StringData(q.SQL()) == unsafe.StringData(large) {
		t.Error("the cache keeps the large string")
	}
	for range 3 {
		if _, err := c.Get(":a $1"); err == nil {
			t.Error("no error")
		}
	}
}

// TestHitsDoNotAllocate cannot run in parallel: testing.AllocsPerRun counts what others allocate too.
func TestHitsDoNotAllocate(t *testing.T) {
	c := named.NewCache(1 << 20)
	if n := testing.AllocsPerRun(100, func() { get(t, c, "SELECT :a") }); n != 0 {
		t.Errorf("a hit allocates %v times", n)
	}
}

// TestCacheUnderLoad reads and writes a cache that is far too small for what it gets, and one that is not.
func TestCacheUnderLoad(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1 << 10, 1 << 14, 1 << 24} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			c := named.NewCache(size)
			var wg sync.WaitGroup
			for g := range 8 {
				wg.Go(func() {
					for i := range 3000 {
						n := (i*7 + g*g) % 500
						q, err := c.Get(fmt.Sprintf("SELECT :a%d, %[1]d", n))
						if err != nil || q.SQL() != fmt.Sprintf("SELECT $1, %d", n) || q.Names()[0] != fmt.Sprintf("a%d", n) {
							t.Errorf("%d: %s %v", n, q.SQL(), err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
