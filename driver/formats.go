package driver

import (
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// needsBinary reports whether the text of a value depends on the session (DateStyle, extra_float_digits, bytea_output), so that it is
// asked for as bytes. Others are asked for as text where nobody can be sure of their types any more: a text can be read whatever the
// column has become.
func needsBinary(oid uint32) bool {
	switch oid {
	case pgtype.ByteaOID, pgtype.Float4OID, pgtype.Float8OID, pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID:
		return true
	}
	return false
}

// onlyText reports whether all columns can be asked for as text.
func onlyText(types *pgconn.StatementDescription) bool {
	return !slices.ContainsFunc(types.Fields, func(f pgconn.FieldDescription) bool { return needsBinary(f.DataTypeOID) })
}
