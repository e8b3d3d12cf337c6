package rowscan

import (
	"database/sql"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// fill writes a column's bytes, nil for NULL, to the memory it was planned for. That is zero before.
type fill func(src []byte) error

var (
	scannerType = reflect.TypeFor[sql.Scanner]()
	arrayType   = reflect.TypeFor[pgtype.ArraySetter]()
	bytesType   = reflect.TypeFor[pgtype.BytesScanner]()
)

// maxPointers bounds how many pointers a destination may have before its value; a type can be a pointer to itself.
const maxPointers = 8

// column plans the way of the column fd to dst.
type column struct {
	m  *pgtype.Map
	fd *pgconn.FieldDescription
}

// fill plans as database/sql would go if that knows the type, else as pgx.
func (c column) fill(dst reflect.Value) fill {
	if f := c.standard(dst, maxPointers); f != nil {
		return f
	}
	return c.native(dst.Addr().Interface())
}

// standard plans for a destination that database/sql knows. It returns nil for others. Pointers are part of the type:
// what a pointer points to decides for the whole.
func (c column) standard(dst reflect.Value, pointers int) fill {
	t := dst.Addr().Type()
	switch {
	case t.Implements(scannerType):
		return c.scanner(dst.Addr().Interface().(sql.Scanner))
	case t.Implements(arrayType), t.Implements(bytesType):
		return nil // slices with a meaning of their own to pgx
	case dst.Kind() == reflect.Pointer && pointers > 0:
		return c.pointer(dst, pointers-1)
	case dst.Kind() == reflect.Interface:
		return c.iface(dst)
	}
	target := basic(dst)
	if target == nil {
		return nil
	}
	if f := c.short(target); f != nil {
		return f
	}
	value, set := newValue(c.m, c.fd), newAssign(target)
	_, nullable := target.(*[]byte)
	return func(src []byte) error {
		if src == nil {
			return nullTo(nullable)
		}
		v, err := value(src)
		if err != nil {
			return err
		}
		return set(v)
	}
}

// nullTo is the fill of NULL into zeroed memory.
func nullTo(nullable bool) error {
	if nullable {
		return nil
	}
	return errNull
}

// scanner plans for a sql.Scanner.
func (c column) scanner(dst sql.Scanner) fill {
	value := newValue(c.m, c.fd)
	return func(src []byte) error {
		if src == nil {
			return dst.Scan(nil)
		}
		v, err := value(src)
		if err != nil {
			return err
		}
		return dst.Scan(v)
	}
}

// iface plans for an interface, most likely any, which gets the driver.Value.
func (c column) iface(dst reflect.Value) fill {
	value := newValue(c.m, c.fd)
	return func(src []byte) error {
		if src == nil {
			return nil
		}
		v, err := value(src)
		if err != nil {
			return err
		}
		return assignInterface(dst, v)
	}
}

// pointer plans for a pointer: NULL is nil, other values are filled into fixed memory and copied to new.
func (c column) pointer(dst reflect.Value, pointers int) fill {
	fixed := reflect.New(dst.Type().Elem()).Elem()
	elem := c.standard(fixed, pointers)
	switch {
	case elem == nil && c.isJSON():
		return nil // pgx makes a nil pointer of null, too
	case elem == nil:
		elem = c.native(fixed.Addr().Interface()) // rather than pgx, which panics for a *pgtype.Multirange
	}
	return func(src []byte) error {
		if src == nil {
			return nil
		}
		fixed.SetZero() // for Scan methods, which may leave something
		if err := elem(src); err != nil {
			return err
		}
		dst.Set(newCopy(dst.Type(), fixed))
		return nil
	}
}

// isJSON says whether the column's values are read as JSON by pgx.
func (c column) isJSON() bool {
	t, ok := c.m.TypeForOID(c.fd.DataTypeOID)
	if !ok {
		return false
	}
	switch t.Codec.(type) {
	case *pgtype.JSONCodec, *pgtype.JSONBCodec:
		return true
	}
	return false
}

// newCopy returns a pointer of type t to a copy of v.
func newCopy(t reflect.Type, v reflect.Value) reflect.Value {
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	if p.Type() != t {
		p = p.Convert(t)
	}
	return p
}

// native plans with the type map alone.
func (c column) native(target any) fill {
	plan := c.m.PlanScan(c.fd.DataTypeOID, c.fd.Format, target)
	return func(src []byte) error {
		err := plan.Scan(src, target)
		if err != nil && src == nil {
			return errNull
		}
		return err
	}
}

// short plans a way without a driver.Value, if there is one that is known to give what the long way does. It depends
// on the pair of types, and on the format: a float4 in text is no float64 without being a float32 first.
func (c column) short(target any) fill {
	switch c.fd.DataTypeOID {
	case pgtype.BoolOID:
		if p, ok := target.(*bool); ok {
			return c.plan(p)
		}
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		switch target.(type) {
		case *int, *int8, *int16, *int32, *int64, *uint, *uint8, *uint16, *uint32, *uint64:
			return c.plan(target)
		}
	case pgtype.Float4OID:
		switch target.(type) {
		case *float32:
			return c.plan(target)
		case *float64:
			if c.fd.Format == pgx.BinaryFormatCode {
				return c.plan(target)
			}
		}
	case pgtype.Float8OID:
		if p, ok := target.(*float64); ok {
			return c.plan(p)
		}
	case pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID:
		if p, ok := target.(*time.Time); ok {
			return c.plan(p)
		}
	case pgtype.ByteaOID:
		if p, ok := target.(*[]byte); ok {
			return c.plan(p)
		}
	case pgtype.CIDOID, pgtype.OIDOID, pgtype.XIDOID:
	default: // string or []byte to database/sql
		if c.fd.Format == pgx.TextFormatCode {
			return text(target)
		}
	}
	return nil
}

// plan scans by the type map, if its codec is pgx's own: one of the user's may treat each Go type in its own way.
func (c column) plan(target any) fill {
	t, ok := c.m.TypeForOID(c.fd.DataTypeOID)
	if !ok {
		return nil
	}
	switch t.Codec.(type) {
	case pgtype.BoolCodec, pgtype.Int2Codec, pgtype.Int4Codec, pgtype.Int8Codec, pgtype.Float4Codec, pgtype.Float8Codec,
		pgtype.DateCodec, *pgtype.TimestampCodec, *pgtype.TimestamptzCodec, pgtype.ByteaCodec:
		return c.native(target)
	}
	return nil
}

// text copies the text of any type.
func text(target any) fill {
	switch p := target.(type) {
	case *string:
		return func(src []byte) error {
			if src == nil {
				return errNull
			}
			*p = string(src)
			return nil
		}
	case *[]byte:
		return func(src []byte) error {
			if src != nil {
				*p = append([]byte{}, src...) // empty is not nil
			}
			return nil
		}
	}
	return nil
}
