package driver

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// visit uses a text as route does.
func visit(h *hotSet, i int) (hit bool) {
	sql := strconv.Itoa(i)
	t, before := h.use(sql, textHash(i))
	if t != nil {
		return true
	}
	if h.worthy(textHash(i), before) {
		h.put(sql, textHash(i), 0)
	}
	return false
}

func (h *hotSet) list() []string {
	var list []string
	for t := h.ends.next; t != &h.ends; t = t.next {
		list = append(list, t.sql)
	}
	return list
}

// Beyond the capacity, the text that was not used for the longest time goes, as in pgx's cache.
func TestHotSetOrder(t *testing.T) {
	t.Parallel()
	h := newHotSet(3)
	for _, i := range []int{1, 2, 3} {
		h.put(strconv.Itoa(i), textHash(i), 0)
	}
	h.use("1", textHash(1))
	if !h.put("4", textHash(4), 0) {
		t.Error("nothing was evicted")
	}
	h.remove("3", textHash(3))
	h.remove("5", textHash(5))
	if got, want := h.list(), []string{"4", "1"}; !slices.Equal(got, want) {
		t.Errorf("the set is %q, want %q", got, want)
	}
	if len(h.texts) != 2 {
		t.Errorf("the map has %d texts", len(h.texts))
	}
}

// Two texts with the same hash are never taken for each other.
func TestHotSetCollision(t *testing.T) {
	t.Parallel()
	h := newHotSet(3)
	h.put("a", 7, 0)
	if known, _ := h.use("b", 7); known != nil || h.worthy(7, 100) || h.put("b", 7, 0) {
		t.Error("a text was taken for another one")
	}
	h.remove("b", 7)
	if got := h.list(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the set is %q", got)
	}
}

// Whoever visits many texts once evicts none of those that are used again and again; who comes often gets in.
func TestHotSetResistsScans(t *testing.T) {
	t.Parallel()
	h := newHotSet(100)
	for range 5 {
		for i := range 100 {
			visit(h, i)
		}
	}
	want := slices.Sorted(maps.Keys(h.texts))
	for i := range 20_000 {
		visit(h, 1000+i)
		if i%5 == 0 {
			visit(h, rand.IntN(100)) // the program goes on meanwhile
		}
	}
	if got := slices.Sorted(maps.Keys(h.texts)); !slices.Equal(got, want) {
		t.Error("a scan has changed the set")
	}
	for range 100 {
		visit(h, 999)
	}
	if !visit(h, 999) {
		t.Error("a text that was used 100 times is not in the set")
	}
}
