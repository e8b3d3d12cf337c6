package named

import (
	"strings"
	"sync"
	"sync/atomic"
)

// Cache remembers what [Parse] found. It is safe for concurrent use. A hit takes no lock and does not allocate, once
// the text has settled, which it does after a few uses.
//
// Its size is bounded in bytes. There are two generations of texts, of half the size each. When the younger one is
// full it takes the place of the older one, which is forgotten; a text in use comes back with its next use.
type Cache struct {
	maxBytes int
	settled  atomic.Pointer[generation] // does not change once it is here

	mu     sync.Mutex // guards what is below
	recent generation
	hits   int // of recent
}

type generation struct {
	queries map[string]*Query
	bytes   int
}

const (
	entryOverhead = 256 // a Query, its share of the map, and the allocator's rounding
	maxShare      = 8   // an entry that would take more than this fraction of the cache is not kept
)

// NewCache returns an empty cache that holds at most maxBytes.
func NewCache(maxBytes int) *Cache {
	c := &Cache{maxBytes: maxBytes}
	c.recent.queries = map[string]*Query{}
	c.settled.Store(&generation{})
	return c
}

// Get returns what [Parse] returns for text. Errors are not remembered.
func (c *Cache) Get(text string) (*Query, error) {
	if q := c.settled.Load().queries[text]; q != nil {
		return q, nil
	}
	if q := c.findRecent(text); q != nil {
		return q, nil
	}
	if len(text) <= c.maxBytes/maxShare {
		text = strings.Clone(text) // the caller's may be a small part of a large string
	}
	q, err := Parse(text)
	if err != nil {
		return nil, err
	}
	c.add(text, q)
	return q, nil
}

// findRecent finds a text of the younger generation. When that has been asked as often as the copying costs, it
// makes its texts quick to find.
func (c *Cache) findRecent(text string) *Query {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.recent.queries[text]
	if q == nil {
		return nil
	}
	if c.hits++; c.hits > len(c.recent.queries)+len(c.settled.Load().queries) {
		c.settle()
	}
	return q
}

func (c *Cache) add(text string, q *Query) {
	cost := q.cost(text)
	if cost > c.maxBytes/maxShare {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.recent.queries[text] != nil || c.settled.Load().queries[text] != nil {
		return // somebody else was faster
	}
	if c.recent.bytes+cost > c.maxBytes/2 {
		c.settle()
	}
	c.recent.queries[text] = q
	c.recent.bytes += cost
}

// settle makes the younger generation the older one, together with the texts of that as long as there is room.
func (c *Cache) settle() {
	next, old := c.recent, c.settled.Load()
	if next.bytes+old.bytes <= c.maxBytes/2 {
		for text, q := range old.queries {
			next.queries[text] = q
		}
		next.bytes += old.bytes
	}
	c.settled.Store(&next)
	c.recent = generation{queries: map[string]*Query{}}
	c.hits = 0
}

func (q *Query) cost(text string) int {
	const header = 16 // of a string; the names are parts of the text
	return len(text) + len(q.sql) + header*len(q.names) + entryOverhead
}
