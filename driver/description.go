package driver

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
)

// maxDescriptions is how many texts a Connector remembers the types of, at most twice. With so many it takes about 32 MB: ten
// thousand tenants with 50 statements each.
const maxDescriptions = 1 << 18

// descriptions remembers the types of statements' parameters and columns, by their text, for all connections of a
// Connector. It is safe for concurrent use.
//
// A text is one template in one schema, so what is remembered is what the server said about that very schema; see shared
// for what another schema's is good for. What is the same in many schemas is kept once: an entry is a pointer.
//
// There are two maps. When the younger one is full, it becomes the older one, whose entries move over when they are used.
type descriptions struct {
	max int

	mu     sync.RWMutex
	young  map[uint64]described
	old    map[uint64]described
	shapes map[string]*pgconn.StatementDescription // of young, by the types in them
}

// described is what is known about one text.
type described struct {
	types      *pgconn.StatementDescription // its ParamOIDs and the DataTypeOID of its Fields; never written to
	generation uint32                       // of the schema's tables, as this process knows it
}

func newDescriptions(most int) *descriptions {
	d := &descriptions{max: most}
	d.rotate()
	return d
}

func (d *descriptions) rotate() {
	d.old, d.young = d.young, make(map[uint64]described)
	d.shapes = make(map[string]*pgconn.StatementDescription)
}

// get returns the types of the text with this hash, or nil if they are not known or of an earlier generation.
func (d *descriptions) get(hash uint64, generation uint32) *pgconn.StatementDescription {
	d.mu.RLock()
	e, found := d.young[hash]
	older := false
	if !found {
		e, older = d.old[hash]
	}
	d.mu.RUnlock()
	if e.types == nil || e.generation != generation {
		return nil
	}
	if older {
		d.mu.Lock()
		d.add(hash, e)
		d.mu.Unlock()
	}
	return e.types
}

// put remembers what the server said and returns it in the form that is kept.
func (d *descriptions) put(hash uint64, generation uint32, sd *pgconn.StatementDescription) *pgconn.StatementDescription {
	var key []byte
	key = binary.AppendUvarint(key, uint64(len(sd.ParamOIDs)))
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
	d.add(hash, described{types, generation})
	d.shapes[string(key)] = types
	return types
}

// set remembers types as they are.
func (d *descriptions) set(hash uint64, types *pgconn.StatementDescription) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.add(hash, described{types: types})
}

func (d *descriptions) add(hash uint64, e described) {
	if _, there := d.young[hash]; !there && len(d.young) >= d.max {
		d.rotate()
	}
	d.young[hash] = e
}

// forget removes what turned out to be wrong.
func (d *descriptions) forget(hash uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.young, hash)
	delete(d.old, hash)
}

// typesOf returns what a one-shot needs of sd, and nothing else.
func typesOf(sd *pgconn.StatementDescription) *pgconn.StatementDescription {
	types := &pgconn.StatementDescription{ParamOIDs: slices.Clone(sd.ParamOIDs)}
	for i := range sd.Fields {
		types.Fields = append(types.Fields, pgconn.FieldDescription{DataTypeOID: sd.Fields[i].DataTypeOID})
	}
	return types
}

// sameTypes reports whether two descriptions have the same types.
func sameTypes(a, b *pgconn.StatementDescription) bool {
	return slices.Equal(a.ParamOIDs, b.ParamOIDs) && sameColumns(a.Fields, b.Fields)
}

func sameColumns(a, b []pgconn.FieldDescription) bool {
	return slices.EqualFunc(a, b, func(x, y pgconn.FieldDescription) bool { return x.DataTypeOID == y.DataTypeOID })
}
