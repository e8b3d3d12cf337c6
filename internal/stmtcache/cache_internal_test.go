package stmtcache

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

func keyOf(i int) Key { return Key{SQL: strconv.Itoa(i), Hash: textHash(i)} }

// put adds a statement, and returns the first that had to go.
func put(c *Cache, k Key) *Prepared {
	if evicted := c.Put(&Prepared{Key: k}); len(evicted) > 0 {
		return evicted[0]
	}
	return nil
}

// visit uses a text as the driver does.
func visit(h *Cache, i int) (hit bool) {
	o := keyOf(i)
	t, before := h.Use(o)
	if t != nil {
		return true
	}
	if h.Admits(o, before) {
		put(h, o)
	}
	return false
}

func (h *Cache) list() []string {
	var list []string
	for t := h.ends.next; t != &h.ends; t = t.next {
		list = append(list, t.SQL)
	}
	return list
}

// Beyond the capacity, the text that was not used for the longest time goes.
func TestCacheOrder(t *testing.T) {
	t.Parallel()
	h := New(3)
	for _, i := range []int{1, 2, 3} {
		put(h, keyOf(i))
	}
	h.Use(keyOf(1))
	if evicted := put(h, keyOf(4)); evicted == nil || evicted.SQL != "2" {
		t.Errorf("evicted: %+v", evicted)
	}
	h.Drop(h.Find(keyOf(3)))
	if h.Find(keyOf(3)) != nil || h.Find(keyOf(5)) != nil {
		t.Error("there is a text that was dropped")
	}
	if got, want := h.list(), []string{"4", "1"}; !slices.Equal(got, want) {
		t.Errorf("the set is %q, want %q", got, want)
	}
	if len(h.statements) != 2 {
		t.Errorf("the map has %d texts", len(h.statements))
	}
	h.Clear()
	if len(h.statements) != 0 || len(h.list()) != 0 {
		t.Errorf("the set is %q", h.list())
	}
}

// Two texts with the same hash, and the same text under two search_paths, are never taken for each other.
func TestCacheCollision(t *testing.T) {
	t.Parallel()
	h := New(3)
	a := Key{SQL: "a", Hash: 7, Path: "a"}
	put(h, a)
	for _, other := range []Key{
		{SQL: "b", Hash: 7, Path: "a"}, {SQL: "a", Hash: 7, Path: "b"}, {SQL: "a", Hash: 7},
	} {
		if known, _ := h.Use(other); known != nil || h.Admits(other, 100) {
			t.Errorf("%+v was taken for another one", other)
		}
	}
	if evicted := put(h, Key{SQL: "b", Hash: 7}); evicted == nil || evicted.SQL != "a" || h.Find(a) != nil {
		t.Errorf("evicted: %+v", evicted)
	}
	if got := h.list(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("the set is %q", got)
	}
}

// Whoever visits many texts once evicts hardly any of those that are used again and again; who comes often gets in.
func TestCacheResistsScans(t *testing.T) {
	t.Parallel()
	h := New(100)
	for range 5 {
		for i := range 100 {
			visit(h, i)
		}
	}
	want := slices.Sorted(maps.Keys(h.statements))
	for i := range 20_000 {
		visit(h, 1000+i)
		if i%5 == 0 {
			visit(h, rand.IntN(100)) // the program goes on meanwhile
		}
	}
	lost := 0
	for _, hash := range want {
		if h.statements[hash] == nil {
			lost++
		}
	}
	if lost > 2 { // the sketch may take a text for one that was used more often, but seldom
		t.Errorf("a scan has pushed out %d of 100 texts in use", lost)
	}
	for range 100 {
		visit(h, 999)
	}
	if !visit(h, 999) {
		t.Error("a text that was used 100 times is not in the set")
	}
}
