package driver

import (
	sqldriver "database/sql/driver"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// rows are the rows of an execution for database/sql. They have what pgx's own have, and give the same values.
type rows struct {
	execution
	names   []string
	columns []column // how to read each, made with the first row
	scratch scratch
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
	oid := r.fields[index].DataTypeOID
	if t, ok := r.typeMap().TypeForOID(oid); ok {
		return strings.ToUpper(t.Name)
	}
	return strconv.FormatUint(uint64(oid), 10)
}

// modifierHeader is what PostgreSQL adds to the length, or the precision, in a type's modifier.
const modifierHeader = 4

// noModifier is the modifier of a type that was declared without a length or a precision.
const noModifier = -1

// ColumnTypeLength returns the length of a text or a byte string.
func (r *rows) ColumnTypeLength(index int) (length int64, ok bool) {
	switch f := &r.fields[index]; f.DataTypeOID {
	case pgtype.TextOID, pgtype.ByteaOID:
		return math.MaxInt64, true
	case pgtype.VarcharOID, pgtype.BPCharOID, pgtype.VarbitOID:
		if f.TypeModifier == noModifier {
			return math.MaxInt64, true
		}
	}
	switch f := &r.fields[index]; f.DataTypeOID {
	case pgtype.VarcharOID, pgtype.BPCharOID:
		return int64(f.TypeModifier - modifierHeader), true
	case pgtype.VarbitOID:
		return int64(f.TypeModifier), true
	}
	return 0, false
}

// ColumnTypePrecisionScale returns the digits of a numeric column, and how many of them stand behind the point, or the fractional
// digits of a time, as pgx does since 5.13.
func (r *rows) ColumnTypePrecisionScale(index int) (precision, scale int64, ok bool) {
	const most = 6 // microseconds
	switch f := &r.fields[index]; f.DataTypeOID {
	case pgtype.NumericOID:
		modifier := f.TypeModifier - modifierHeader
		if f.TypeModifier == noModifier {
			return 0, 0, false
		}
		return int64(modifier >> 16 & 0xffff), int64(modifier & 0xffff), true
	case pgtype.TimestampOID, pgtype.TimestamptzOID, pgtype.TimeOID, pgtype.TimetzOID:
		if f.TypeModifier == noModifier {
			return 0, most, true
		}
		return 0, int64(f.TypeModifier), true
	case pgtype.IntervalOID:
		if digits := f.TypeModifier & 0xffff; f.TypeModifier != noModifier && digits != 0xffff { // the rest says from year to second
			return 0, int64(digits), true
		}
		return 0, most, true
	}
	return 0, 0, false
}

// ColumnTypeScanType returns the Go type that a column is best scanned into.
func (r *rows) ColumnTypeScanType(index int) reflect.Type {
	switch r.fields[index].DataTypeOID {
	case pgtype.BoolOID:
		return reflect.TypeFor[bool]()
	case pgtype.Int2OID:
		return reflect.TypeFor[int16]()
	case pgtype.Int4OID:
		return reflect.TypeFor[int32]()
	case pgtype.Int8OID:
		return reflect.TypeFor[int64]()
	case pgtype.Float4OID:
		return reflect.TypeFor[float32]()
	case pgtype.Float8OID, pgtype.NumericOID:
		return reflect.TypeFor[float64]()
	case pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID:
		return reflect.TypeFor[time.Time]()
	case pgtype.ByteaOID:
		return reflect.TypeFor[[]byte]()
	}
	return reflect.TypeFor[string]()
}

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
		if dest[i], err = r.value(i, src); err != nil {
			return fmt.Errorf("convert field %d failed: %w", i, err) // pgx's words
		}
	}
	return nil
}

func (r *rows) end() error {
	if r.err != nil {
		return r.err
	}
	return io.EOF
}

func (r *rows) typeMap() *pgtype.Map { return r.conn.session.pgx.TypeMap() }

// column is how the values of a column are read.
type column struct {
	oid    uint32
	format int16
	plan   pgtype.ScanPlan
}

// scratch is where a value is read into before it becomes a driver.Value.
type scratch struct {
	truth       bool
	bytes       []byte
	small       int16
	integer     int32
	big         int64
	number      pgtype.Uint32
	single      float32
	double      float64
	date        pgtype.Date
	timestamp   pgtype.Timestamp
	timestamptz pgtype.Timestamptz
	text        string
}

// place returns where values of a type are read into.
func (s *scratch) place(oid uint32) any {
	switch oid {
	case pgtype.BoolOID:
		return &s.truth
	case pgtype.ByteaOID, pgtype.JSONOID, pgtype.JSONBOID, pgtype.XMLOID:
		return &s.bytes
	case pgtype.CIDOID, pgtype.OIDOID, pgtype.XIDOID:
		return &s.number
	case pgtype.DateOID:
		return &s.date
	case pgtype.Float4OID:
		return &s.single
	case pgtype.Float8OID:
		return &s.double
	case pgtype.Int2OID:
		return &s.small
	case pgtype.Int4OID:
		return &s.integer
	case pgtype.Int8OID:
		return &s.big
	case pgtype.TimestampOID:
		return &s.timestamp
	case pgtype.TimestamptzOID:
		return &s.timestamptz
	}
	return &s.text
}

// take returns what was read.
func (s *scratch) take(oid uint32) (sqldriver.Value, error) {
	switch oid {
	case pgtype.BoolOID:
		return s.truth, nil
	case pgtype.ByteaOID, pgtype.JSONOID, pgtype.JSONBOID, pgtype.XMLOID:
		return s.bytes, nil
	case pgtype.CIDOID, pgtype.OIDOID, pgtype.XIDOID:
		return s.number.Value()
	case pgtype.DateOID:
		return s.date.Value()
	case pgtype.Float4OID:
		return float64(s.single), nil
	case pgtype.Float8OID:
		return s.double, nil
	case pgtype.Int2OID:
		return int64(s.small), nil
	case pgtype.Int4OID:
		return int64(s.integer), nil
	case pgtype.Int8OID:
		return s.big, nil
	case pgtype.TimestampOID:
		return s.timestamp.Value()
	case pgtype.TimestamptzOID:
		return s.timestamptz.Value()
	}
	return s.text, nil
}

// plan prepares the reading of the columns.
func (r *rows) plan() {
	if r.columns != nil {
		return
	}
	m := r.typeMap()
	r.columns = make([]column, len(r.fields))
	for i, f := range r.fields {
		r.columns[i] = column{f.DataTypeOID, f.Format, m.PlanScan(f.DataTypeOID, f.Format, r.scratch.place(f.DataTypeOID))}
	}
}

// value reads a value that is not NULL.
func (r *rows) value(i int, src []byte) (sqldriver.Value, error) {
	c := &r.columns[i]
	if err := c.plan.Scan(src, r.scratch.place(c.oid)); err != nil {
		return nil, err
	}
	return r.scratch.take(c.oid)
}
