package infer_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgdbm/pgdbm/internal/infer"
)

func TestArguments(t *testing.T) {
	t.Parallel()
	type name string
	for _, test := range []struct {
		arg      any
		oid      uint32
		strings  bool
		integers bool
	}{
		{"x", pgtype.TextOID, true, true},
		{nil, pgtype.Int4OID, true, true},
		{1, pgtype.Int4OID, false, true},
		{uint64(1), pgtype.NumericOID, false, true},
		{1, pgtype.TextOID, false, false},         // which pgx refuses
		{1, pgtype.Float8OID, false, false},       // where large numbers lose digits
		{name("x"), pgtype.TextOID, false, false}, // whose Value method might do anything
		{1.5, pgtype.NumericOID, false, false},
		{[]byte("x"), pgtype.ByteaOID, false, false},
		{time.Time{}, pgtype.TimestamptzOID, false, false},
	} {
		args := []any{"a", test.arg}
		if got := infer.Strings(args); got != test.strings {
			t.Errorf("Strings(%T) = %t", test.arg, got)
		}
		if got := infer.Integers(args, []uint32{pgtype.UUIDOID, test.oid}); got != test.integers {
			t.Errorf("Integers(%T for %d) = %t", test.arg, test.oid, got)
		}
	}
	if infer.Integers([]any{1}, nil) {
		t.Error("an argument without a parameter is inferred")
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for oid, want := range map[uint32][2]bool{ // in a session with another DateStyle, and with ISO
		pgtype.TextOID: {true, true}, pgtype.Int8OID: {true, true}, pgtype.DateOID: {false, true}, pgtype.TimestamptzOID: {false, true},
		pgtype.Float8OID: {false, false}, pgtype.ByteaOID: {false, false},
	} {
		columns := []pgconn.FieldDescription{{DataTypeOID: pgtype.Int4OID}, {DataTypeOID: oid}}
		if got := [2]bool{infer.Text(columns, false), infer.Text(columns, true)}; got != want {
			t.Errorf("Text(%d) = %v, want %v", oid, got, want)
		}
	}
}
