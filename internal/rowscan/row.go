package rowscan

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jmoiron/sqlx/reflectx"
)

// Options say how columns find their fields.
type Options struct {
	// Mapper maps columns to fields. The default is sqlx's: by the tag db, else by the field's name in lower case.
	Mapper *reflectx.Mapper
	// Unsafe ignores columns without a field, and lets the last of several columns for one field win.
	Unsafe bool
	// Value prefers to fill the destination as one value: a struct that has no field for the only column, and a map if
	// the only column is json or jsonb.
	Value bool
	// Keep leaves the fields of a struct alone that no column goes to, as sqlx does. It is for one row.
	Keep bool
}

// isValue says whether a row with these fields fills a t as one value.
func (o Options) isValue(t reflect.Type, fields []pgconn.FieldDescription) bool {
	if o.Value && len(fields) == 1 {
		switch t.Kind() {
		case reflect.Struct:
			return isValue(t, o.Mapper, 1) || o.Mapper.TypeMap(t).Names[fields[0].Name] == nil
		case reflect.Map:
			oid := fields[0].DataTypeOID
			return isValue(t, o.Mapper, 1) || oid == pgtype.JSONOID || oid == pgtype.JSONBOID
		}
	}
	return isValue(t, o.Mapper, len(fields))
}

// defaultMapper is a memo: it remembers what it finds out about types.
var defaultMapper = reflectx.NewMapperFunc("db", strings.ToLower)

// Row fills one Go value from rows of one result. It must not be used concurrently.
type Row struct {
	m       *pgtype.Map
	fields  []pgconn.FieldDescription
	dst     reflect.Type
	columns []target
	blocks  []reflect.Value // memory that a row starts with as zero
	links   []link          // pointers to set to copies of blocks, inner ones first
	newMap  *map[string]any // the map to make for each row, or nil
	keep    bool            // the blocks hold what the caller had in them
}

// target is where a column goes.
type target struct {
	index int // of the column
	fill  fill
	field *reflectx.FieldInfo // nil if it is no field
	typ   reflect.Type
}

// link is a pointer that has to point to a copy of a block, so that rows share no memory.
type link struct {
	pointer, block reflect.Value
}

// New plans how rows with these fields fill what dst, a pointer, points to. It returns an [Error] if a column has no
// place. m is the type map of the rows' connection. fields are kept, and have to be valid as long as the Row is used:
// pgx does not touch them while it reads the rows.
func New(dst any, opts Options, m *pgtype.Map, fields []pgconn.FieldDescription) (*Row, error) {
	p := reflect.ValueOf(dst)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return nil, fmt.Errorf("pgdbm: cannot scan a row into %T; pass a pointer that is not nil", dst)
	}
	if opts.Mapper == nil {
		opts.Mapper = defaultMapper
	}
	v := p.Elem()
	r := &Row{m: m, fields: fields, dst: v.Type(), blocks: []reflect.Value{v}, keep: opts.Keep}
	if t := v.Type(); t.Kind() == reflect.Pointer && !opts.isValue(t.Elem(), fields) {
		v = r.block(v)
	}
	var err error
	switch t := v.Type(); {
	case opts.isValue(t, fields):
		err = r.value(v)
	case t.Kind() == reflect.Map:
		err = r.mapping(v, opts)
	default:
		err = r.structure(v, opts)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Scan fills the value from the raw values of a row. What it filled before it zeroes first, so nothing of the last row
// is left, and nothing is shared with it. The values are not kept. After an error, an [Error], the value is undefined.
func (r *Row) Scan(raw [][]byte) error {
	if len(raw) != len(r.fields) {
		return r.fail(nil, reason(fmt.Sprintf("the row has %d columns and was planned for %d", len(raw), len(r.fields))))
	}
	if !r.keep {
		for _, b := range r.blocks {
			b.SetZero()
		}
	}
	if r.newMap != nil {
		*r.newMap = make(map[string]any, len(raw))
	}
	for i := range r.columns {
		c := &r.columns[i]
		if err := c.fill(raw[c.index]); err != nil {
			return r.fail(c, err)
		}
	}
	for i := len(r.links) - 1; i >= 0; i-- {
		l := &r.links[i]
		l.pointer.Set(newCopy(l.pointer.Type(), l.block))
	}
	return nil
}

// block returns fixed memory for what the pointer v points to.
func (r *Row) block(v reflect.Value) reflect.Value {
	b := reflect.New(v.Type().Elem()).Elem()
	if r.keep && !v.IsNil() {
		b.Set(v.Elem())
	}
	r.blocks = append(r.blocks, b)
	r.links = append(r.links, link{v, b})
	return b
}

// value plans for the only column.
func (r *Row) value(v reflect.Value) error {
	if len(r.fields) != 1 {
		return r.fail(nil, reason(fmt.Sprintf(
			"there are %d columns, and it takes one; select one, or use a struct or map[string]any", len(r.fields))))
	}
	v.SetZero()
	f := column{r.m, &r.fields[0]}.fill(v)
	r.columns = []target{{fill: f, typ: v.Type()}}
	return nil
}

// mapping plans for a map from names to values.
func (r *Row) mapping(v reflect.Value, opts Options) error {
	r.newMap = v.Addr().Convert(reflect.TypeFor[*map[string]any]()).Interface().(*map[string]any)
	for i := range r.fields {
		name := r.fields[i].Name
		if !opts.Unsafe {
			for j := range i {
				if r.fields[j].Name == name {
					return r.fail(&target{index: i}, reason("there are two columns of that name; rename one with AS"))
				}
			}
		}
		value := newValue(r.m, &r.fields[i])
		r.columns = append(r.columns, target{index: i, fill: func(src []byte) (err error) {
			var v any
			if src != nil {
				v, err = value(src)
			}
			(*r.newMap)[name] = v
			return err
		}})
	}
	return nil
}

// fail describes an error of a column, or with nil of the whole row.
func (r *Row) fail(c *target, err error) *Error {
	e := &Error{Dest: r.dst.String(), Err: err}
	if c == nil {
		return e
	}
	e.Column = r.fields[c.index].Name
	e.PGType = pgTypeName(r.m, r.fields[c.index].DataTypeOID)
	if c.typ != nil {
		e.Type = c.typ.String()
	}
	for f := c.field; f != nil && f.Field.Name != ""; f = f.Parent {
		if e.Field != "" {
			e.Field = "." + e.Field
		}
		e.Field = f.Field.Name + e.Field
	}
	return e
}
