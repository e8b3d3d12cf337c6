package rowscan

import (
	sqldriver "database/sql/driver"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// valueFunc returns the driver.Value of bytes that are not NULL.
type valueFunc func(src []byte) (sqldriver.Value, error)

// newValue returns how pgx's database/sql driver makes the driver.Value of a column. A []byte is a new one each time.
// The columns' own types are decoded by the type map, so that a codec of the user counts here where it counts there.
func newValue(m *pgtype.Map, fd *pgconn.FieldDescription) valueFunc {
	switch fd.DataTypeOID {
	case pgtype.BoolOID:
		return decode(m, fd, func(v bool) (sqldriver.Value, error) { return v, nil })
	case pgtype.Int2OID:
		return decode(m, fd, func(v int16) (sqldriver.Value, error) { return int64(v), nil })
	case pgtype.Int4OID:
		return decode(m, fd, func(v int32) (sqldriver.Value, error) { return int64(v), nil })
	case pgtype.Int8OID:
		return decode(m, fd, func(v int64) (sqldriver.Value, error) { return v, nil })
	case pgtype.Float4OID:
		return decode(m, fd, func(v float32) (sqldriver.Value, error) { return float64(v), nil })
	case pgtype.Float8OID:
		return decode(m, fd, func(v float64) (sqldriver.Value, error) { return v, nil })
	case pgtype.CIDOID, pgtype.OIDOID, pgtype.XIDOID:
		return decode(m, fd, pgtype.Uint32.Value)
	case pgtype.DateOID:
		return decode(m, fd, pgtype.Date.Value)
	case pgtype.TimestampOID:
		return decode(m, fd, pgtype.Timestamp.Value)
	case pgtype.TimestamptzOID:
		return decode(m, fd, pgtype.Timestamptz.Value)
	case pgtype.ByteaOID, pgtype.JSONOID, pgtype.JSONBOID, pgtype.XMLOID:
		return decode(m, fd, func(v []byte) (sqldriver.Value, error) { return v, nil })
	default:
		if fd.DataTypeOID == pgtype.NumericOID && fd.Format == pgx.BinaryFormatCode {
			return numericText
		}
		return decode(m, fd, func(v string) (sqldriver.Value, error) { return v, nil })
	}
}

// decode scans the column into a T, and makes the driver.Value of that.
func decode[T any](m *pgtype.Map, fd *pgconn.FieldDescription, value func(T) (sqldriver.Value, error)) valueFunc {
	v := new(T)
	plan := m.PlanScan(fd.DataTypeOID, fd.Format, v)
	return func(src []byte) (sqldriver.Value, error) {
		if err := plan.Scan(src, v); err != nil {
			return nil, err
		}
		return value(*v)
	}
}
