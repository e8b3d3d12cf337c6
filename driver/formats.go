package driver

import (
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// needsBinary reports whether the text of a value depends on settings of the session that nobody reports (extra_float_digits,
// bytea_output), so that it is asked for as bytes. Others are asked for as text where nobody can be sure of their types: a text can be
// read whatever the column has become.
func needsBinary(oid uint32) bool {
	switch oid {
	case pgtype.ByteaOID, pgtype.Float4OID, pgtype.Float8OID, pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID:
		return true
	}
	return false
}

// readsText reports whether all columns can be asked for as text. For times that depends on the session's DateStyle.
func (c *conn) readsText(types *pgconn.StatementDescription) bool {
	iso := strings.HasPrefix(c.pg().ParameterStatus("DateStyle"), "ISO")
	return !slices.ContainsFunc(types.Fields, func(f pgconn.FieldDescription) bool {
		switch f.DataTypeOID {
		case pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID:
			return !iso
		}
		return needsBinary(f.DataTypeOID)
	})
}
