package rowscan

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// What database/sql asks about columns is answered here as pgx's own driver answers it. The Rows of that cannot be made elsewhere; the
// conformance tests of package driver compare the answers.

// DatabaseTypeName returns the name of a column's type in upper case, or its OID if pgx does not know it.
func DatabaseTypeName(m *pgtype.Map, f *pgconn.FieldDescription) string {
	if t, ok := m.TypeForOID(f.DataTypeOID); ok {
		return strings.ToUpper(t.Name)
	}
	return strconv.FormatUint(uint64(f.DataTypeOID), 10)
}

const (
	modifierHeader = 4  // is added to the length, or the precision, in a type's modifier
	noModifier     = -1 // of a type that was declared without a length or a precision
)

// Length returns the length of a text or a byte string.
func Length(f *pgconn.FieldDescription) (length int64, ok bool) {
	switch f.DataTypeOID {
	case pgtype.TextOID, pgtype.ByteaOID:
		return math.MaxInt64, true
	case pgtype.VarcharOID, pgtype.BPCharOID, pgtype.VarbitOID:
	default:
		return 0, false
	}
	switch {
	case f.TypeModifier == noModifier:
		return math.MaxInt64, true
	case f.DataTypeOID == pgtype.VarbitOID:
		return int64(f.TypeModifier), true
	}
	return int64(f.TypeModifier - modifierHeader), true
}

// PrecisionScale returns the digits of a numeric column, and how many of them stand behind the point, or the fractional digits of a
// time.
func PrecisionScale(f *pgconn.FieldDescription) (precision, scale int64, ok bool) {
	const microseconds = 6
	switch f.DataTypeOID {
	case pgtype.NumericOID:
		if f.TypeModifier == noModifier {
			return 0, 0, false
		}
		modifier := f.TypeModifier - modifierHeader
		return int64(modifier >> 16 & 0xffff), int64(modifier & 0xffff), true
	case pgtype.TimestampOID, pgtype.TimestamptzOID, pgtype.TimeOID, pgtype.TimetzOID:
		if f.TypeModifier == noModifier {
			return 0, microseconds, true
		}
		return 0, int64(f.TypeModifier), true
	case pgtype.IntervalOID:
		if digits := f.TypeModifier & 0xffff; f.TypeModifier != noModifier && digits != 0xffff { // the rest says from year to second
			return 0, int64(digits), true
		}
		return 0, microseconds, true
	}
	return 0, 0, false
}

// ScanType returns the Go type that a column is best scanned into.
func ScanType(f *pgconn.FieldDescription) reflect.Type {
	switch f.DataTypeOID {
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
