package schemadb

import (
	"database/sql"
	"fmt"
	"reflect"

	"github.com/jmoiron/sqlx"
)

// sqlScan returns what fills to with a row, as sqlx does it.
func sqlScan(rows *sqlx.Rows, to reflect.Value) (func() error, error) {
	t := to.Type()
	pointer := t.Kind() == reflect.Pointer && !isValue(rows, t.Elem())
	if pointer {
		t = t.Elem()
	}
	target := func() any { // a new row for each pointer
		if !pointer {
			return to.Addr().Interface()
		}
		to.Set(reflect.New(t))
		return to.Interface()
	}
	switch {
	case t.Kind() == reflect.Map:
		return func() error { return mapScan(rows, reflect.ValueOf(target()).Elem()) }, nil
	case !isValue(rows, t):
		return func() error { return rows.StructScan(target()) }, nil
	}
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	if len(columns) != 1 {
		return nil, fmt.Errorf("pgdbm: there are %d columns, and %s takes one; select one, or use a struct or map[string]any",
			len(columns), t)
	}
	return func() error { return rows.Scan(target()) }, nil
}

// isValue reports whether t takes the only column, as sqlx decides it.
func isValue(rows *sqlx.Rows, t reflect.Type) bool {
	switch {
	case reflect.PointerTo(t).Implements(reflect.TypeFor[sql.Scanner]()):
		return true
	case t.Kind() == reflect.Struct:
		return len(rows.Mapper.TypeMap(t).Index) == 0
	}
	return t.Kind() != reflect.Map
}

func mapScan(rows *sqlx.Rows, to reflect.Value) error {
	values := make(map[string]any)
	if err := rows.MapScan(values); err != nil {
		return err
	}
	v := reflect.ValueOf(values)
	if !v.CanConvert(to.Type()) {
		return fmt.Errorf("pgdbm: cannot scan a row into %s; use map[string]any", to.Type())
	}
	to.Set(v.Convert(to.Type()))
	return nil
}
