package template

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
)

// Cache remembers what [Parse] found in a text and what [Statement.Expand] made of it for each schema. It is safe
// for concurrent use; a hit takes no lock and does not allocate.
//
// Its size is bounded in bytes. When it is full, the entries that came first and were not used since they were last
// passed over go first (the second-chance, or CLOCK, policy), so texts that come only once, as from a library that
// writes values into the SQL, do not push out the ones in use.
type Cache struct {
	syntax   Syntax
	maxBytes int
	table    atomic.Pointer[table]

	mu    sync.Mutex // for writers: guards what is below, and all changes of the table
	bytes int
	count int
	queue queue
}

// table is a hash table that is read without a lock: the chains are linked through atomic pointers, and an entry
// does not change once it is in. A reader that meets a change in progress at worst misses an entry.
type table []atomic.Pointer[entry]

type entry struct {
	hash   uint64
	text   string
	schema string // the schema that it is expanded for, or anySchema in the entry of the Statement itself
	stmt   *Statement
	Expanded
	used atomic.Bool
	next atomic.Pointer[entry] // in the same chain

	newer *entry // the queue
}

const (
	anySchema     = "\x00" // no schema has this name
	entryOverhead = 256    // an entry, its Statement, their share of the table, and the allocator's rounding
	holeCost      = 128    // a hole or a body, in a slice with room to spare
	minTable      = 64
	maxShare      = 8 // an entry that would take more than this fraction of the cache is not kept
)

// NewCache returns an empty cache that holds at most maxBytes.
func NewCache(maxBytes int, syntax Syntax) *Cache {
	c := &Cache{syntax: syntax, maxBytes: maxBytes}
	t := make(table, minTable)
	c.table.Store(&t)
	return c
}

// Expanded is a text as it is for a schema.
type Expanded struct {
	SQL  string
	Hash uint64 // Hash(SQL)
	Info Info   // about the text
}

// hashSeed is the same for all caches, so that what they return can be compared. It is never written to.
var hashSeed = maphash.MakeSeed()

// Hash returns a hash of s, which is another one in each process.
func Hash(s string) uint64 { return maphash.String(hashSeed, s) }

// Get returns text expanded for schema. Schema has passed [CheckSchema] or is "". Errors are those of [Parse] and
// [Statement.Expand]; they are not remembered.
func (c *Cache) Get(text, schema string) (Expanded, error) {
	textHash := Hash(text)
	hash := textHash ^ Hash(schema)
	if e := c.find(hash, text, schema); e != nil {
		return e.Expanded, nil
	}
	known := c.find(textHash, text, anySchema)
	if known == nil {
		var err error
		if known, err = c.parse(textHash, text); err != nil {
			return Expanded{}, err
		}
	}
	stmt := known.stmt
	if !stmt.HasTemplates() {
		return Expanded{SQL: text, Hash: textHash, Info: stmt.Info}, nil
	}
	sql, err := stmt.Expand(schema)
	if err != nil {
		return Expanded{}, err
	}
	e := c.add(&entry{hash: hash, text: stmt.Text, schema: strings.Clone(schema), stmt: stmt,
		Expanded: Expanded{SQL: sql, Hash: Hash(sql), Info: stmt.Info}})
	return e.Expanded, nil
}

func (c *Cache) parse(hash uint64, text string) (*entry, error) {
	if len(text) <= c.maxBytes/maxShare {
		text = strings.Clone(text) // the caller's may be a small part of a large string
	}
	stmt, err := Parse(text, c.syntax)
	if err != nil {
		return nil, err
	}
	return c.add(&entry{hash: hash, text: text, schema: anySchema, stmt: &stmt}), nil
}

func (c *Cache) find(hash uint64, text, schema string) *entry {
	t := *c.table.Load()
	for e := t[hash%uint64(len(t))].Load(); e != nil; e = e.next.Load() {
		if e.hash == hash && e.schema == schema && e.text == text {
			if !e.used.Load() { // writing each time would move the cache line between the processors
				e.used.Store(true)
			}
			return e
		}
	}
	return nil
}

// add puts e into the cache, unless it is too large or somebody else was faster, and returns the entry to use.
func (c *Cache) add(e *entry) *entry {
	if e.cost() > c.maxBytes/maxShare {
		return e
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.find(e.hash, e.text, e.schema); known != nil {
		return known
	}
	c.bytes += e.cost()
	c.count++
	for c.bytes > c.maxBytes {
		c.evict()
	}
	c.queue.push(e)
	if c.count > len(*c.table.Load()) {
		c.grow()
	}
	c.link(*c.table.Load(), e)
	return e
}

// evict removes the oldest entry that was not used since it was last looked at.
func (c *Cache) evict() {
	e := c.queue.pop()
	for e.used.Swap(false) {
		c.queue.push(e)
		e = c.queue.pop()
	}
	t := *c.table.Load()
	at := &t[e.hash%uint64(len(t))]
	for at.Load() != e {
		at = &at.Load().next
	}
	at.Store(e.next.Load()) // e.next stays, for readers that are standing on e
	c.bytes -= e.cost()
	c.count--
}

// grow doubles the table. Readers of the old one may miss entries while their chains are built anew.
func (c *Cache) grow() {
	t := make(table, 2*len(*c.table.Load()))
	for e := c.queue.oldest; e != nil; e = e.newer {
		if e != c.queue.newest { // which the caller links
			c.link(t, e)
		}
	}
	c.table.Store(&t)
}

func (c *Cache) link(t table, e *entry) {
	at := &t[e.hash%uint64(len(t))]
	e.next.Store(at.Load())
	at.Store(e)
}

func (e *entry) cost() int {
	return len(e.text) + len(e.schema) + len(e.SQL) + (len(e.stmt.holes)+len(e.stmt.bodies))*holeCost + entryOverhead
}

// queue holds the entries in the order in which they came.
type queue struct{ oldest, newest *entry }

func (q *queue) push(e *entry) {
	e.newer = nil
	if q.newest == nil {
		q.oldest, q.newest = e, e
		return
	}
	q.newest.newer, q.newest = e, e
}

func (q *queue) pop() *entry {
	e := q.oldest
	if q.oldest = e.newer; q.oldest == nil {
		q.newest = nil
	}
	return e
}
