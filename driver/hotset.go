package driver

import "github.com/jackc/pgx/v5/pgconn"

// hotSet has the statements that are prepared on a physical connection, up to a capacity, and decides which: those that are
// used most.
type hotSet struct {
	capacity int
	texts    map[uint64]*hotText // by their hash
	ends     hotText             // of the ring: next is the one used last, prev the one to go first
	uses     *sketch
}

// hotText is a text that is prepared.
type hotText struct {
	sql        string
	schema     string // of the search_path under which it is prepared, or ""
	hash       uint64
	sd         *pgconn.StatementDescription
	generation uint32       // of the tables, when it was last known to fit them
	counted    *generations // whose count that is: two databases on one pgxpool do not know of each other's
	next, prev *hotText
}

func newHotSet(capacity int) *hotSet {
	h := &hotSet{capacity: capacity, texts: make(map[uint64]*hotText), uses: newSketch(capacity)}
	h.ends.next, h.ends.prev = &h.ends, &h.ends
	return h
}

// use counts a use of a statement and returns it if it is prepared, and how often it was used before. While there is room, all
// come in, so neither counts nor the order are kept.
func (h *hotSet) use(o *order) (t *hotText, before uint8) {
	full := len(h.texts) == h.capacity
	if full {
		before = h.uses.add(o.hash)
	}
	t = h.find(o)
	if t != nil && full && h.ends.next != t {
		t.unlink()
		h.link(t)
	}
	return t, before
}

func (h *hotSet) find(o *order) *hotText {
	t := h.texts[o.hash]
	if t == nil || t.sql != o.sql || t.schema != o.pathSchema() {
		return nil
	}
	return t
}

const (
	minUses = 2 // how often a text must have been used lately before it takes another one's place
	margin  = 1 // and how much more often, at least
)

// worthy reports whether a text that is not in may come in: there is room, or it was clearly used more often, lately, than
// the text that would have to go. So whoever visits each tenant once pushes nobody out, and texts that are used alike do not
// push out each other, which would cost two round trips each time.
func (h *hotSet) worthy(o *order, before uint8) bool {
	if h.texts[o.hash] != nil { // of another text
		return false
	}
	return len(h.texts) < h.capacity || before >= minUses && int(before) > int(h.uses.estimate(h.ends.prev.hash))+margin
}

// put adds a text that was prepared, and returns the one that had to go, or nil.
func (h *hotSet) put(o *order, sd *pgconn.StatementDescription, counted *generations) (evicted *hotText) {
	if other := h.texts[o.hash]; other != nil { // of another text
		h.drop(other)
		evicted = other
	} else if len(h.texts) == h.capacity {
		evicted = h.ends.prev
		h.drop(evicted)
	}
	t := &hotText{sql: o.sql, schema: o.pathSchema(), hash: o.hash, sd: sd, generation: o.generation, counted: counted}
	h.texts[t.hash] = t
	h.link(t)
	return evicted
}

func (h *hotSet) drop(t *hotText) {
	t.unlink()
	delete(h.texts, t.hash)
}

// clear forgets all texts, which the server has forgotten.
func (h *hotSet) clear() {
	clear(h.texts)
	h.ends.next, h.ends.prev = &h.ends, &h.ends
}

func (h *hotSet) link(t *hotText) {
	t.prev, t.next = &h.ends, h.ends.next
	t.next.prev, h.ends.next = t, t
}

func (t *hotText) unlink() { t.prev.next, t.next.prev = t.next, t.prev }
