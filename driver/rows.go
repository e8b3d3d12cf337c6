package driver

import (
	sqldriver "database/sql/driver"
	"fmt"
	"io"
	"reflect"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgdbm/pgdbm/internal/rowscan"
)

// rows are the rows of an execution for database/sql. They have what pgx's own have, and give the same values.
type rows struct {
	execution
	names  []string
	values rowscan.Reader
}

var (
	_ sqldriver.Rows                           = (*rows)(nil)
	_ sqldriver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ sqldriver.RowsColumnTypeLength           = (*rows)(nil)
	_ sqldriver.RowsColumnTypePrecisionScale   = (*rows)(nil)
	_ sqldriver.RowsColumnTypeScanType         = (*rows)(nil)
)

// Columns returns the columns' names.
func (r *rows) Columns() []string {
	if r.names == nil {
		r.names = make([]string, len(r.fields))
		for i := range r.fields {
			r.names[i] = r.fields[i].Name
		}
	}
	return r.names
}

// ColumnTypeDatabaseTypeName returns the name of a column's type in upper case, or its OID if pgx does not know it.
func (r *rows) ColumnTypeDatabaseTypeName(index int) string {
	return rowscan.DatabaseTypeName(r.typeMap(), &r.fields[index])
}

// ColumnTypeLength returns the length of a text or a byte string.
func (r *rows) ColumnTypeLength(index int) (length int64, ok bool) {
	return rowscan.Length(&r.fields[index])
}

// ColumnTypePrecisionScale returns the digits of a numeric column, and how many of them stand behind the point, or the fractional
// digits of a time.
func (r *rows) ColumnTypePrecisionScale(index int) (precision, scale int64, ok bool) {
	return rowscan.PrecisionScale(&r.fields[index])
}

// ColumnTypeScanType returns the Go type that a column is best scanned into.
func (r *rows) ColumnTypeScanType(index int) reflect.Type { return rowscan.ScanType(&r.fields[index]) }

// Close closes the rows and returns the statement's error.
func (r *rows) Close() error {
	r.finish(nil)
	return r.err
}

// Next reads the next row into dest.
func (r *rows) Next(dest []sqldriver.Value) error {
	if !r.next() {
		return r.end()
	}
	r.plan()
	for i, src := range r.row() {
		if src == nil {
			dest[i] = nil
			continue
		}
		var err error
		if dest[i], err = r.values.Value(i, src); err != nil {
			return fmt.Errorf("convert field %d failed: %w", i, err) // pgx's words
		}
	}
	return nil
}

// plan prepares the reading of values. Where pgx would have asked for the binary format, a text is read as if it had come so.
func (r *rows) plan() {
	r.values.Local = r.mode != pgx.QueryExecModeExec && r.mode != pgx.QueryExecModeSimpleProtocol
	r.values.Plan(r.typeMap(), r.fields)
}

func (r *rows) end() error {
	if r.err != nil {
		return r.err
	}
	return io.EOF
}

func (r *rows) typeMap() *pgtype.Map { return r.conn.session.pgx.TypeMap() }
