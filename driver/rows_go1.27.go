//go:build go1.27

package driver

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

var _ sqldriver.RowsColumnScanner = (*rows)(nil)

// NextRow goes to the next row, whose columns ScanColumn reads.
func (r *rows) NextRow() error {
	if !r.next() {
		return r.end()
	}
	return nil
}

// ScanColumn reads a column into dest: what database/sql knows, as it does; what only pgx knows, such as slices and
// ranges, straight through pgx.
func (r *rows) ScanColumn(ctx sqldriver.ScanContext, index int, dest any) error {
	if dest == nil {
		return errors.New("destination not a pointer")
	}
	to := reflect.ValueOf(dest)
	if to.Kind() == reflect.Pointer && to.IsNil() {
		return errors.New("destination pointer is nil")
	}
	src := r.row()[index]
	if !forSQL(to.Type()) {
		f := &r.fields[index]
		return r.typeMap().Scan(f.DataTypeOID, f.Format, src, dest)
	}
	var value sqldriver.Value
	if src != nil {
		r.plan()
		var err error
		if value, err = r.value(index, src); err != nil {
			return err
		}
	}
	return sql.ConvertAssign(ctx, dest, value)
}

// forSQL reports whether database/sql knows how to fill a destination of this type, or a pointer to one.
func forSQL(t reflect.Type) bool {
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
