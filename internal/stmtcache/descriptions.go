package stmtcache

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Descriptions remembers the types of statements' parameters and columns, by the hash of what decides their meaning. It is safe for
// concurrent use.
//
// What is the same in many schemas is kept once: an entry is a pointer. There are two maps. When the younger one is full, it
// becomes the older one, whose entries move over when they are used.
type Descriptions struct {
	max   int
	since time.Time // what the times of descriptions count from

	mu     sync.RWMutex
	young  map[uint64]description
	old    map[uint64]description
	shapes map[string]*pgconn.StatementDescription // of young, by the types in them
}

// description is what the server said about one text.
type description struct {
	types   *pgconn.StatementDescription // its ParamOIDs and the DataTypeOID of its Fields; never written to
	asked   time.Duration                // when
	changes uint64                       // how often this process had changed tables then
}

// NewDescriptions returns an empty one. It remembers at most twice as many.
func NewDescriptions(most int) *Descriptions {
	d := &Descriptions{max: most, since: time.Now()}
	d.rotate()
	return d
}

func (d *Descriptions) rotate() {
	d.old, d.young = d.young, make(map[uint64]description)
	d.shapes = make(map[string]*pgconn.StatementDescription)
}

// Get returns the types of the text with this hash, or nil if they are not known, or not for a connection that was opened then, or
// this process has changed tables since.
func (d *Descriptions) Get(hash uint64, opened time.Time, changes uint64) *pgconn.StatementDescription {
	e, older := d.find(hash)
	if e.types == nil || e.changes != changes || e.asked <= opened.Sub(d.since) {
		return nil
	}
	if older {
		d.mu.Lock()
		d.add(hash, e)
		d.mu.Unlock()
	}
	return e.types
}

func (d *Descriptions) find(hash uint64) (e description, older bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	e, found := d.young[hash]
	if !found {
		e = d.old[hash]
	}
	return e, !found
}

// Put remembers what the server said, and returns it in the form that is kept. Asked and changes are of the time before it was asked.
func (d *Descriptions) Put(hash uint64, asked time.Time, changes uint64, sd *pgconn.StatementDescription) *pgconn.StatementDescription {
	key := binary.AppendUvarint(nil, uint64(len(sd.ParamOIDs)))
	for _, oid := range sd.ParamOIDs {
		key = binary.AppendUvarint(key, uint64(oid))
	}
	for i := range sd.Fields {
		key = binary.AppendUvarint(key, uint64(sd.Fields[i].DataTypeOID))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	types := d.shapes[string(key)]
	if types == nil {
		types = typesOf(sd)
	}
	d.add(hash, description{types, asked.Sub(d.since), changes})
	d.shapes[string(key)] = types
	return types
}

func (d *Descriptions) add(hash uint64, e description) {
	if _, there := d.young[hash]; !there && len(d.young) >= d.max {
		d.rotate()
	}
	d.young[hash] = e
}

// Forget removes what may have turned out to be wrong.
func (d *Descriptions) Forget(hash uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.young, hash)
	delete(d.old, hash)
}

// typesOf returns the types in sd, and nothing else.
func typesOf(sd *pgconn.StatementDescription) *pgconn.StatementDescription {
	types := &pgconn.StatementDescription{ParamOIDs: slices.Clone(sd.ParamOIDs)}
	for i := range sd.Fields {
		types.Fields = append(types.Fields, pgconn.FieldDescription{DataTypeOID: sd.Fields[i].DataTypeOID})
	}
	return types
}

// SameResult reports whether a prepared statement still has the description b, as far as the server looks at it when it executes a.
func SameResult(a, b *pgconn.StatementDescription) bool {
	return slices.Equal(a.ParamOIDs, b.ParamOIDs) && slices.EqualFunc(a.Fields, b.Fields, func(x, y pgconn.FieldDescription) bool {
		return x.Name == y.Name && x.DataTypeOID == y.DataTypeOID && x.TypeModifier == y.TypeModifier && x.DataTypeSize == y.DataTypeSize
	})
}

// Last returns the types that were put last for a hash, whatever has happened since, or nil.
func (d *Descriptions) Last(hash uint64) *pgconn.StatementDescription {
	e, _ := d.find(hash)
	return e.types
}
