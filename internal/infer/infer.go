// Package infer decides which statements may be sent without the types of their parameters, which the server infers then, and without
// knowing the types of their columns.
package infer

import (
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// Strings reports whether all arguments are strings or NULL, which pgx sends as text for a parameter of whatever type.
func Strings(args []any) bool {
	return !slices.ContainsFunc(args, func(arg any) bool { return !isText(arg) })
}

// Integers reports whether all arguments are strings, NULL, or whole numbers for parameters of types that read the text of a number as
// pgx sends it in the binary format.
func Integers(args []any, types []uint32) bool {
	if len(args) != len(types) {
		return false
	}
	for i, arg := range args {
		if !isText(arg) && (!isInteger(arg) || !takesInteger(types[i])) {
			return false
		}
	}
	return true
}

func isText(arg any) bool {
	_, isString := arg.(string)
	return isString || arg == nil
}

func isInteger(arg any) bool {
	switch arg.(type) {
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return true
	}
	return false
}

func takesInteger(oid uint32) bool {
	switch oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.NumericOID, pgtype.OIDOID:
		return true
	}
	return false
}

// NeedsBinary reports whether the text of a value depends on settings of the session, so that it is asked for as bytes. Others are asked
// for as text where nobody can be sure of their types: a text can be read whatever the column has become.
func NeedsBinary(oid uint32) bool {
	return isTime(oid) || oid == pgtype.ByteaOID || oid == pgtype.Float4OID || oid == pgtype.Float8OID
}

// Text reports whether all columns can be asked for as text, in a session whose DateStyle is ISO or not. Of bytea_output and
// extra_float_digits nobody hears.
func Text(columns []pgconn.FieldDescription, iso bool) bool {
	return !slices.ContainsFunc(columns, func(f pgconn.FieldDescription) bool {
		return NeedsBinary(f.DataTypeOID) && (!iso || !isTime(f.DataTypeOID))
	})
}

func isTime(oid uint32) bool {
	return oid == pgtype.DateOID || oid == pgtype.TimestampOID || oid == pgtype.TimestamptzOID
}
