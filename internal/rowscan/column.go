package rowscan

import (
	"database/sql"
	"net"
	"reflect"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// fill writes a column's bytes, nil for NULL, to the memory it was planned for. That is zero before.
type fill func(src []byte) error

var scannerType = reflect.TypeFor[sql.Scanner]()

// maxPointers bounds how many pointers a destination may have before its value; a type can be a pointer to itself.
const maxPointers = 8

// column plans the ways of a column, fd, to destinations.
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

// standard plans for a destination that database/sql knows, following so many pointers. It returns nil for others.
func (c column) standard(dst reflect.Value, pointers int) fill {
	target := exact(dst.Addr().Interface())
	if target != nil {
		return c.basic(target)
	}
	t := dst.Addr().Type()
	switch {
	case t.Implements(scannerType):
		return c.scanner(dst.Addr().Interface().(sql.Scanner))
	case dst.Kind() == reflect.Pointer && pointers > 0:
		return c.pointer(dst, pointers-1)
	case dst.Kind() == reflect.Interface:
		return c.iface(dst)
	}
	if target = basic(dst); target == nil {
		return nil
	}
	if c.isTextInBytes(dst) {
		return c.definedBytes(dst.Addr().Interface())
	}
	return c.basic(target)
}

// basic plans for a pointer to a basic type.
func (c column) basic(target any) fill {
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

// isTextInBytes says whether dst is of a type defined as []byte, and the column is not bytes: an error to database/sql,
// because net.IP and the like are not the bytes of a text.
func (c column) isTextInBytes(dst reflect.Value) bool {
	switch t := dst.Type(); {
	case t.Kind() != reflect.Slice, t == reflect.TypeFor[[]byte](), t == reflect.TypeFor[sql.RawBytes]():
		return false
	}
	switch c.fd.DataTypeOID {
	case pgtype.ByteaOID, pgtype.JSONOID, pgtype.JSONBOID, pgtype.XMLOID:
		return false
	}
	return true
}

// definedBytes plans for such a type with the column's codec, if that knows it.
func (c column) definedBytes(target any) fill {
	t, ok := c.m.TypeForOID(c.fd.DataTypeOID)
	if !ok {
		return noWay(true)
	}
	_, isInet := t.Codec.(pgtype.InetCodec)
	switch target.(type) {
	case *net.IP:
		if isInet {
			return c.native(target)
		}
	case pgtype.BytesScanner: // may keep the driver's memory
	default:
		if t.Codec.PlanScan(c.m, c.fd.DataTypeOID, c.fd.Format, target) != nil {
			return c.native(target)
		}
	}
	return noWay(true)
}

// noWay is the plan for types that do not convert.
func noWay(nullable bool) fill {
	return func(src []byte) error {
		if src == nil {
			return nullTo(nullable)
		}
		return errNoWay
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
	if reflect.TypeOf(plan) == noPlan() { // which always fails, and slowly for NULL
		return noWay(isNullable(reflect.TypeOf(target).Elem().Kind()))
	}
	return func(src []byte) error {
		err := plan.Scan(src, target)
		if err != nil && src == nil {
			return errNull
		}
		return err
	}
}

// noPlan is the type of pgx's plan for what has none.
var noPlan = sync.OnceValue(func() reflect.Type { return reflect.TypeOf(pgtype.NewMap().PlanScan(0, 0, nil)) })

// isNullable says whether the zero value is nil.
func isNullable(kind reflect.Kind) bool {
	switch kind {
	case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface, reflect.Func, reflect.Chan:
		return true
	}
	return false
}
