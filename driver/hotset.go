package driver

// hotSet mirrors the cache of prepared statements that pgx keeps on a physical connection: the same texts, the same
// capacity, the same order of use. Pgx's own cannot be looked into. What it prepares beyond the capacity, it throws away
// again, so the mirror decides beforehand which texts are worth it.
//
// It is a forecast: pgx also drops a text whose rows end with an error, and whoever has the pgx.Conn uses it too. Where
// the two differ, pgx prepares a statement again; nothing else depends on it.
type hotSet struct {
	capacity int
	texts    map[uint64]*hotText // by their hash
	ends     hotText             // of the ring: next is the one used last, prev the one to go first
	uses     *sketch
}

// hotText is a text that pgx has prepared.
type hotText struct {
	sql        string
	hash       uint64
	generation uint32 // of the tables, when it was last known to fit them
	next, prev *hotText
}

func newHotSet(capacity int) *hotSet {
	h := &hotSet{capacity: capacity, texts: make(map[uint64]*hotText), uses: newSketch(capacity)}
	h.ends.next, h.ends.prev = &h.ends, &h.ends
	return h
}

// use counts a use of a text and returns it if it is prepared, and how often it was used before. While there is room, all come
// in, so neither counts nor the order are kept.
func (h *hotSet) use(sql string, hash uint64) (t *hotText, before uint8) {
	full := len(h.texts) == h.capacity
	if full {
		before = h.uses.add(hash)
	}
	t = h.texts[hash]
	if t == nil || t.sql != sql {
		return nil, before
	}
	if full && h.ends.next != t {
		t.unlink()
		h.link(t)
	}
	return t, before
}

const (
	minUses = 2 // how often a text must have been used lately before it takes another one's place
	margin  = 1 // and how much more often, at least
)

// worthy reports whether a text that is not in may come in: there is room, or it was clearly used more often, lately, than
// the text that would have to go. So whoever visits each tenant once pushes nobody out, and texts that are used alike do not
// push out each other, which would cost two round trips each time.
func (h *hotSet) worthy(hash uint64, before uint8) bool {
	if h.texts[hash] != nil { // of another text
		return false
	}
	return len(h.texts) < h.capacity || before >= minUses && int(before) > int(h.uses.estimate(h.ends.prev.hash))+margin
}

// put adds a text that pgx is about to prepare, and reports whether another one had to go.
func (h *hotSet) put(sql string, hash uint64, generation uint32) (evicted bool) {
	if h.texts[hash] != nil {
		return false
	}
	if len(h.texts) == h.capacity {
		h.drop(h.ends.prev)
		evicted = true
	}
	t := &hotText{sql: sql, hash: hash, generation: generation}
	h.texts[hash] = t
	h.link(t)
	return evicted
}

// remove forgets a text that pgx has dropped, as it does after an error.
func (h *hotSet) remove(sql string, hash uint64) {
	if t := h.texts[hash]; t != nil && t.sql == sql {
		h.drop(t)
	}
}

func (h *hotSet) drop(t *hotText) {
	t.unlink()
	delete(h.texts, t.hash)
}

func (h *hotSet) link(t *hotText) {
	t.prev, t.next = &h.ends, h.ends.next
	t.next.prev, h.ends.next = t, t
}

func (t *hotText) unlink() { t.prev.next, t.next.prev = t.next, t.prev }
