package rowscan

import (
	"database/sql"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// ForSQL reports whether database/sql knows how to fill a destination of this type, or a pointer to one.
func ForSQL(t reflect.Type) bool {
	const deepest = 16 // a type such as type p *p has no end
	for range deepest {
		switch {
		case t.Implements(reflect.TypeFor[sql.Scanner]()):
			return true
		case t.Implements(reflect.TypeFor[pgtype.ArraySetter]()), t.Implements(reflect.TypeFor[pgtype.BytesScanner]()):
			return false // a slice of bytes that is more than one
		case t.Kind() != reflect.Pointer:
			return isScalar(t)
		}
		t = t.Elem()
	}
	return false
}

func isScalar(t reflect.Type) bool {
	switch kind := t.Kind(); kind {
	case reflect.Slice:
		return t.Elem().Kind() == reflect.Uint8
	case reflect.Struct:
		return t.ConvertibleTo(reflect.TypeFor[time.Time]())
	case reflect.String, reflect.Interface:
		return true
	default:
		return kind >= reflect.Bool && kind <= reflect.Float64 && kind != reflect.Uintptr
	}
}
