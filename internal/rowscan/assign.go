package rowscan

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"reflect"
	"time"
)

// basicTypes are the pointers through which database/sql's own types, and those defined as one of them, are filled.
var basicTypes = map[reflect.Kind]reflect.Type{
	reflect.Bool:    reflect.TypeFor[*bool](),
	reflect.Int:     reflect.TypeFor[*int](),
	reflect.Int8:    reflect.TypeFor[*int8](),
	reflect.Int16:   reflect.TypeFor[*int16](),
	reflect.Int32:   reflect.TypeFor[*int32](),
	reflect.Int64:   reflect.TypeFor[*int64](),
	reflect.Uint:    reflect.TypeFor[*uint](),
	reflect.Uint8:   reflect.TypeFor[*uint8](),
	reflect.Uint16:  reflect.TypeFor[*uint16](),
	reflect.Uint32:  reflect.TypeFor[*uint32](),
	reflect.Uint64:  reflect.TypeFor[*uint64](),
	reflect.Float32: reflect.TypeFor[*float32](),
	reflect.Float64: reflect.TypeFor[*float64](),
	reflect.String:  reflect.TypeFor[*string](),
	reflect.Slice:   reflect.TypeFor[*[]byte](),
	reflect.Struct:  reflect.TypeFor[*time.Time](),
}

// basic returns a pointer to v as one of the basic types, or nil if v is of another kind.
func basic(v reflect.Value) any {
	want, known := basicTypes[v.Kind()]
	switch p := v.Addr(); {
	case !known || !p.CanConvert(want):
		return nil
	case p.Type() == want:
		return p.Interface()
	default:
		return p.Convert(want).Interface()
	}
}

// exact returns target if it is a pointer to a basic type itself, which has no methods to ask for, else nil. It is there
// for speed: time.Time has so many methods that asking takes longer than the plan of a whole row.
func exact(target any) any {
	switch target.(type) {
	case *bool, *int, *int8, *int16, *int32, *int64, *uint, *uint8, *uint16, *uint32, *uint64, *float32, *float64,
		*string, *[]byte, *time.Time:
		return target
	}
	return nil
}

// newAssign returns how database/sql assigns a driver.Value that is not nil to what a pointer to a basic type points
// to.
func newAssign(target any) func(sqldriver.Value) error {
	switch p := target.(type) {
	case *bool:
		return assign(p)
	case *int:
		return assign(p)
	case *int8:
		return assign(p)
	case *int16:
		return assign(p)
	case *int32:
		return assign(p)
	case *int64:
		return assign(p)
	case *uint:
		return assign(p)
	case *uint8:
		return assign(p)
	case *uint16:
		return assign(p)
	case *uint32:
		return assign(p)
	case *uint64:
		return assign(p)
	case *float32:
		return assign(p)
	case *float64:
		return assign(p)
	case *string:
		return assign(p)
	case *[]byte:
		return assign(p)
	case *time.Time:
		return assign(p)
	}
	return nil
}

// assign has sql.Null call database/sql's conversion, which is not exported before Go 1.27.
func assign[T any](p *T) func(sqldriver.Value) error {
	var null sql.Null[T]
	return func(v sqldriver.Value) error {
		if err := null.Scan(v); err != nil {
			return err
		}
		*p = null.V
		return nil
	}
}

// assignInterface puts a driver.Value that is not nil into an interface.
func assignInterface(dst reflect.Value, v sqldriver.Value) error {
	value := reflect.ValueOf(v)
	if !value.Type().AssignableTo(dst.Type()) {
		return errNoWay
	}
	dst.Set(value)
	return nil
}
