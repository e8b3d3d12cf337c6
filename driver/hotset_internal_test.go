package driver

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

func orderOf(i int) *order { return &order{sql: strconv.Itoa(i), hash: textHash(i)} }

// visit uses a text as route does.
func visit(h *hotSet, i int) (hit bool) {
	o := orderOf(i)
	t, before := h.use(o)
	if t != nil {
		return true
	}
	if h.worthy(o, before) {
		h.put(o, nil, nil)
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

// Beyond the capacity, the text that was not used for the longest time goes.
func TestHotSetOrder(t *testing.T) {
	t.Parallel()
	h := newHotSet(3)
	for _, i := range []int{1, 2, 3} {
		h.put(orderOf(i), nil, nil)
	}
	h.use(orderOf(1))
	if evicted := h.put(orderOf(4), nil, nil); evicted == nil || evicted.sql != "2" {
		t.Errorf("evicted: %+v", evicted)
	}
	h.drop(h.find(orderOf(3)))
	if h.find(orderOf(3)) != nil || h.find(orderOf(5)) != nil {
		t.Error("there is a text that was dropped")
	}
	if got, want := h.list(), []string{"4", "1"}; !slices.Equal(got, want) {
		t.Errorf("the set is %q, want %q", got, want)
	}
	if len(h.texts) != 2 {
		t.Errorf("the map has %d texts", len(h.texts))
	}
	h.clear()
	if len(h.texts) != 0 || len(h.list()) != 0 {
		t.Errorf("the set is %q", h.list())
	}
}

// Two texts with the same hash, and the same text under two search_paths, are never taken for each other.
func TestHotSetCollision(t *testing.T) {
	t.Parallel()
	h := newHotSet(3)
	a := &order{sql: "a", hash: 7, path: &pathSwitch{schema: "a"}}
	h.put(a, nil, nil)
	for _, other := range []*order{
		{sql: "b", hash: 7, path: a.path}, {sql: "a", hash: 7, path: &pathSwitch{schema: "b"}}, {sql: "a", hash: 7},
	} {
		if known, _ := h.use(other); known != nil || h.worthy(other, 100) {
			t.Errorf("%+v was taken for another one", other)
		}
	}
	if evicted := h.put(&order{sql: "b", hash: 7}, nil, nil); evicted == nil || evicted.sql != "a" || h.find(a) != nil {
		t.Errorf("evicted: %+v", evicted)
	}
	if got := h.list(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("the set is %q", got)
	}
}

// Whoever visits many texts once evicts hardly any of those that are used again and again; who comes often gets in.
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
	lost := 0
	for _, hash := range want {
		if h.texts[hash] == nil {
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
