package stmtcache

import (
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Cache has the statements that are prepared on a physical connection, up to a capacity, and decides which: those that are used most. It
// is used by one goroutine at a time, as the connection.
type Cache struct {
	capacity   int
	statements map[uint64]*Prepared // by their hash
	ends       Prepared             // of the ring: next is the one used last, prev the one to go first
	uses       *sketch
}

// Key is a statement: a text and the search_path that it runs under. Hash is one of both, and of all else that decides its meaning.
type Key struct {
	SQL, Path string
	Hash      uint64
}

// Prepared is a statement that is prepared.
type Prepared struct {
	Key
	Description *pgconn.StatementDescription
	Asked       time.Time // when its types were known to be right
	Changes     uint64    // the count of changes of tables at that time
	Failures    uint64    // the count of failures, of which none was its own since
	Seen        uint64    // the borrow of the connection in which the server had it for certain
	Pins        int       // how many need it: it is not evicted before there are none

	next, prev *Prepared
}

// New returns an empty Cache. Statements with pins may exceed its capacity.
func New(capacity int) *Cache {
	c := &Cache{capacity: capacity, statements: make(map[uint64]*Prepared), uses: newSketch(capacity)}
	c.ends.next, c.ends.prev = &c.ends, &c.ends
	return c
}

// Use counts a use of a statement and returns it if it is prepared, and how often it was used before. While there is room, all
// come in, so neither counts nor the order are kept.
func (c *Cache) Use(k Key) (p *Prepared, before uint8) {
	full := len(c.statements) >= c.capacity
	if full {
		before = c.uses.add(k.Hash)
	}
	p = c.Find(k)
	if p != nil && full && c.ends.next != p {
		p.unlink()
		c.link(p)
	}
	return p, before
}

// Find returns a statement, or nil if it is not prepared.
func (c *Cache) Find(k Key) *Prepared {
	p := c.statements[k.Hash]
	if p == nil || p.SQL != k.SQL || p.Path != k.Path {
		return nil
	}
	return p
}

const (
	minUses = 2 // how often a text must have been used lately before it takes another one's place
	margin  = 1 // and how much more often, at least
)

// Admits reports whether a statement may come in: there is room, or it was clearly used more often, lately, than the one that
// would have to go. So whoever visits each tenant once pushes nobody out, and texts that are used alike do not push out each
// other, which would cost two round trips each time.
func (c *Cache) Admits(k Key, before uint8) bool {
	if c.statements[k.Hash] != nil { // of another text
		return false
	}
	if len(c.statements) < c.capacity {
		return true
	}
	for last := c.ends.prev; before >= minUses && last != &c.ends; last = last.prev {
		if last.Pins == 0 {
			return int(before) > int(c.uses.estimate(last.Hash))+margin
		}
	}
	return false
}

// Put adds a statement that was prepared, and returns those that have to go.
func (c *Cache) Put(p *Prepared) (evicted []*Prepared) {
	if other := c.statements[p.Hash]; other != nil {
		evicted = append(evicted, other)
	}
	excess := len(c.statements) - len(evicted) + 1 - c.capacity
	for last := c.ends.prev; excess > 0 && last != &c.ends; last = last.prev {
		if last.Pins == 0 {
			evicted = append(evicted, last)
			excess--
		}
	}
	for _, e := range evicted {
		c.Drop(e)
	}
	c.statements[p.Hash] = p
	c.link(p)
	return evicted
}

// Drop removes a statement.
func (c *Cache) Drop(p *Prepared) {
	if c.statements[p.Hash] == p {
		p.unlink()
		delete(c.statements, p.Hash)
	}
}

// Clear forgets all statements, which the server has forgotten.
func (c *Cache) Clear() {
	clear(c.statements)
	c.ends.next, c.ends.prev = &c.ends, &c.ends
}

func (c *Cache) link(p *Prepared) {
	p.prev, p.next = &c.ends, c.ends.next
	p.next.prev, c.ends.next = p, p
}

func (p *Prepared) unlink() { p.prev.next, p.next.prev = p.next, p.prev }
