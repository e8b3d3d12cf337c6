package driver

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func described25(params ...uint32) *pgconn.StatementDescription {
	return &pgconn.StatementDescription{ParamOIDs: params, Fields: []pgconn.FieldDescription{{Name: "a", DataTypeOID: 25}}}
}

// Texts with the same types share them, and those of another generation are not taken.
func TestDescriptions(t *testing.T) {
	t.Parallel()
	d := newDescriptions(10)
	one := d.put(1, 0, described25(23))
	if two := d.put(2, 0, described25(23)); two != one {
		t.Error("the same types are kept twice")
	}
	if three := d.put(3, 0, described25(23, 25)); three == one || sameTypes(three, one) {
		t.Error("different types are taken for each other")
	}
	if d.get(1, 0) != one || d.get(1, 1) != nil || d.get(4, 0) != nil {
		t.Error("not what was put")
	}
	d.forget(1)
	if d.get(1, 0) != nil {
		t.Error("forgotten, and still there")
	}
}

// What is used stays; what is not, goes; and there is never more than twice the bound.
func TestDescriptionsAreBounded(t *testing.T) {
	t.Parallel()
	d := newDescriptions(10)
	for i := range uint64(1000) {
		d.put(i, 0, described25(uint32(i)))
		if d.get(0, 0) == nil {
			t.Fatalf("after %d others, what is used all the time is gone", i)
		}
		if n := len(d.young) + len(d.old); n > 20 {
			t.Fatalf("%d entries", n)
		}
		if len(d.shapes) > 10 {
			t.Fatalf("%d shapes", len(d.shapes))
		}
	}
	if d.get(1, 0) != nil {
		t.Error("what nobody used is still there")
	}
}
