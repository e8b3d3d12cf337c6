package rowscan

import (
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// short plans a way without a driver.Value, if there is one that is known to give what the long way does. It depends
// on the pair of types, and on the format: a float4 in text is no float64 without being a float32 first.
func (c column) short(target any) fill {
	switch c.fd.DataTypeOID {
	case pgtype.BoolOID:
		if p, ok := target.(*bool); ok {
			return c.plan(p)
		}
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		switch target.(type) {
		case *int, *int8, *int16, *int32, *int64, *uint, *uint8, *uint16, *uint32, *uint64:
			return c.plan(target)
		}
	case pgtype.Float4OID:
		switch target.(type) {
		case *float32:
			return c.plan(target)
		case *float64:
			if c.fd.Format == pgx.BinaryFormatCode {
				return c.plan(target)
			}
		}
	case pgtype.Float8OID:
		if p, ok := target.(*float64); ok {
			return c.plan(p)
		}
	case pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID:
		if p, ok := target.(*time.Time); ok {
			return c.plan(p)
		}
	case pgtype.ByteaOID:
		if p, ok := target.(*[]byte); ok {
			return c.plan(p)
		}
	case pgtype.CIDOID, pgtype.OIDOID, pgtype.XIDOID:
	default: // string or []byte to database/sql
		if c.fd.Format == pgx.TextFormatCode {
			return text(target)
		}
	}
	return nil
}

// plan scans by the type map, if its codec is pgx's own: one of the user's may treat each Go type in its own way.
func (c column) plan(target any) fill {
	t, ok := c.m.TypeForOID(c.fd.DataTypeOID)
	if !ok {
		return nil
	}
	switch t.Codec.(type) {
	case pgtype.BoolCodec, pgtype.Int2Codec, pgtype.Int4Codec, pgtype.Int8Codec, pgtype.Float4Codec, pgtype.Float8Codec,
		pgtype.DateCodec, *pgtype.TimestampCodec, *pgtype.TimestamptzCodec, pgtype.ByteaCodec:
		return c.native(target)
	}
	return nil
}

// text copies the text of any type.
func text(target any) fill {
	switch p := target.(type) {
	case *string:
		return func(src []byte) error {
			if src == nil {
				return errNull
			}
			*p = string(src)
			return nil
		}
	case *[]byte:
		return func(src []byte) error {
			if src != nil {
				*p = append([]byte{}, src...) // empty is not nil
			}
			return nil
		}
	}
	return nil
}
