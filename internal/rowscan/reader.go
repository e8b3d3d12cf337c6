package rowscan

import (
	sqldriver "database/sql/driver"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// Reader reads the columns of rows into the values that pgx's database/sql driver makes of them. The zero Reader is ready. Its memory is
// its own, so a row costs no more allocations than its values.
type Reader struct {
	// Local says that a time with a zone is in the local one, as it is read from the binary format, if it came as text.
	Local bool

	columns []readColumn // made with the first row
	scratch scratch
}

// readColumn is how the values of a column are read.
type readColumn struct {
	oid    uint32
	format int16
	plan   pgtype.ScanPlan
}

// Plan prepares the reading of the columns, the first time.
func (r *Reader) Plan(m *pgtype.Map, fields []pgconn.FieldDescription) {
	if r.columns != nil {
		return
	}
	r.columns = make([]readColumn, len(fields))
	for i := range fields {
		f := &fields[i]
		r.columns[i] = readColumn{f.DataTypeOID, f.Format, m.PlanScan(f.DataTypeOID, f.Format, r.scratch.place(f.DataTypeOID))}
	}
}

// Value reads a value of a column that is not NULL. A []byte is a new one.
func (r *Reader) Value(i int, src []byte) (sqldriver.Value, error) {
	c := &r.columns[i]
	if c.oid == pgtype.NumericOID && c.format == pgx.BinaryFormatCode {
		return numericText(src)
	}
	if err := c.plan.Scan(src, r.scratch.place(c.oid)); err != nil {
		return nil, err
	}
	value, err := r.scratch.take(c.oid)
	if at, ok := value.(time.Time); ok && r.Local && c.oid == pgtype.TimestamptzOID {
		return at.Local(), err
	}
	return value, err
}

// numericText returns the text of a number in the binary format. Pgx's driver asks for text; a column that was something else when its
// statement was described may come like this.
func numericText(src []byte) (sqldriver.Value, error) {
	var n pgtype.Numeric
	if err := (pgtype.NumericCodec{}).PlanScan(nil, pgtype.NumericOID, pgx.BinaryFormatCode, &n).Scan(src, &n); err != nil {
		return nil, err
	}
	return n.Value()
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
