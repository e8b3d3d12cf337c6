package template

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"
)

// audit counts what is in the cache, in the queue and in the table, and compares.
func audit(t *testing.T, c *Cache) (entries int) {
	t.Helper()
	bytes := 0
	queued := make(map[*entry]bool)
	for e := c.queue.oldest; e != nil; e = e.newer {
		queued[e] = true
		bytes += e.cost()
	}
	linked := 0
	for i := range *c.table.Load() {
		for e := (*c.table.Load())[i].Load(); e != nil; e = e.next.Load() {
			if linked++; !queued[e] {
				t.Errorf("%q is in the table, but not in the queue", e.text)
			}
		}
	}
	if bytes != c.bytes || len(queued) != c.count || linked != c.count {
		t.Errorf("%d entries of %d bytes queued, %d linked; counted %d of %d", len(queued), bytes, linked, c.count, c.bytes)
	}
	if size := len(*c.table.Load()); size < c.count {
		t.Errorf("%d entries in a table of %d: chains are long", c.count, size)
	}
	if c.bytes > c.maxBytes {
		t.Errorf("%d bytes, and %d are allowed", c.bytes, c.maxBytes)
	}
	return linked
}

func mustGet(t *testing.T, c *Cache, text, schema string) string {
	t.Helper()
	e, err := c.Get(text, schema)
	if err != nil {
		t.Fatalf("Get(%q, %q): %v", text, schema, err)
	}
	return e.SQL
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := NewCache(1<<20, Both)
	for i := range 100_000 {
		text, schema := fmt.Sprintf("SELECT %d FROM {{tables.t}}", i), fmt.Sprint("tenant_", i%17)
		if got, want := mustGet(t, c, text, schema), fmt.Sprintf(`SELECT %d FROM "%s".t`, i, schema); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		if i%10_000 == 0 {
			audit(t, c)
		}
	}
	if n := audit(t, c); n < 1000 {
		t.Errorf("only %d entries are kept", n)
	}
}

func TestCacheKeepsWhatIsInUse(t *testing.T) {
	t.Parallel()
	c := NewCache(1<<16, Both)
	const text = "TABLE {{tables.t}}"
	mustGet(t, c, text, "a")
	inUse := func() *entry { return c.find(Hash(text)^Hash("a"), text, "a") }
	before := inUse()
	for i := range 10_000 {
		mustGet(t, c, fmt.Sprint("SELECT ", i), "a")
		mustGet(t, c, text, "a")
	}
	if before == nil || inUse() != before {
		t.Error("the entry in use was evicted")
	}
	if c.find(Hash("SELECT 0"), "SELECT 0", anySchema) != nil {
		t.Error("a text that came once is still there")
	}
	audit(t, c)
}

func TestLargeTextsAreNotKept(t *testing.T) {
	t.Parallel()
	c := NewCache(1<<16, Both)
	text := "TABLE {{tables.t}} -- " + strings.Repeat("x", 1<<16/maxShare)
	for range 2 {
		if got := mustGet(t, c, text, "a"); got != strings.Replace(text, "{{tables.t}}", `"a".t`, 1) {
			t.Errorf("got %.100q", got)
		}
	}
	// Small text, many templates: its schemas' entries count what they hold.
	mustGet(t, c, strings.Repeat("{{tables.t}},", 100), "a")
	mustGet(t, c, strings.Repeat("DO $$$$;", 100), "a")
	if n := audit(t, c); n != 0 {
		t.Errorf("%d entries are kept", n)
	}
}

func TestPlainTextIsOneEntry(t *testing.T) {
	t.Parallel()
	c := NewCache(1<<20, Both)
	for i := range 100 {
		mustGet(t, c, "SELECT 1", fmt.Sprint("tenant_", i))
	}
	if n := audit(t, c); n != 1 {
		t.Errorf("%d entries", n)
	}
	for i := range 100 {
		mustGet(t, c, "TABLE {{tables.t}}", fmt.Sprint("tenant_", i))
	}
	if n := audit(t, c); n != 1+1+100 {
		t.Errorf("%d entries", n)
	}
}

// TestSameEntryTwice is what happens if two goroutines meet the same new text.
func TestSameEntryTwice(t *testing.T) {
	t.Parallel()
	c := NewCache(1<<20, Both)
	first, err := c.parse(1, "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.parse(1, "SELECT 1"); again != first || err != nil {
		t.Errorf("got entry %p and error %v, want the entry %p", again, err, first)
	}
	if c.count != 1 {
		t.Errorf("%d entries", c.count)
	}
}

// TestHashesMayCollide: one tenant's SQL is not found for another even if everything else is the same.
func TestHashesMayCollide(t *testing.T) {
	t.Parallel()
	c := NewCache(1<<20, Both)
	mustGet(t, c, "TABLE {{tables.t}}", "a")
	for e := c.queue.oldest; e != nil; e = e.newer {
		if c.find(e.hash, e.text, e.schema) != e {
			t.Errorf("the entry of schema %q is not found", e.schema)
		}
		if c.find(e.hash, e.text, "b") != nil || c.find(e.hash, "TABLE x", e.schema) != nil {
			t.Errorf("the entry of schema %q is found for something else", e.schema)
		}
	}
}

// TestCacheDoesNotHoldLargerStrings: a text may be a part of a file that would stay in memory with it.
func TestCacheDoesNotHoldLargerStrings(t *testing.T) {
	t.Parallel()
	c := NewCache(1<<20, Both)
	file := strings.Repeat("TABLE {{tables.t}}", 2)
	text, schema := file[:len(file)/2], "tenant_1, tenant_2"[:8]
	mustGet(t, c, text, schema)
	for e := c.queue.oldest; e != nil; e = e.newer {
		if sameMemory(e.text, text) || sameMemory(e.schema, schema) || sameMemory(e.stmt.Text, text) {
			t.Errorf("the entry of schema %q holds the caller's string", e.schema)
		}
	}
}

func sameMemory(a, b string) bool { return unsafe.StringData(a) == unsafe.StringData(b) }
