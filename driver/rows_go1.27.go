//go:build go1.27

package driver

import (
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"reflect"

	"github.com/pgdbm/pgdbm/internal/rowscan"
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
	if !rowscan.ForSQL(to.Type()) {
		f := &r.fields[index]
		return r.typeMap().Scan(f.DataTypeOID, f.Format, src, dest)
	}
	var value sqldriver.Value
	if src != nil {
		r.plan()
		var err error
		if value, err = r.values.Value(index, src); err != nil {
			return err
		}
	}
	return sql.ConvertAssign(ctx, dest, value)
}
