package stmtcache

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func described25(params ...uint32) *pgconn.StatementDescription {
	return &pgconn.StatementDescription{ParamOIDs: params, Fields: []pgconn.FieldDescription{{Name: "a", DataTypeOID: 25}}}
}

// Texts with the same types share them, and those from before a change are not taken.
func TestDescriptions(t *testing.T) {
	t.Parallel()
	d := NewDescriptions(10)
	asked := time.Now()
	one := d.Put(1, asked, 0, described25(23))
	if two := d.Put(2, asked, 0, described25(23)); two != one {
		t.Error("the same types are kept twice")
	}
	if three := d.Put(3, asked, 0, described25(23, 25)); three == one || SameResult(three, one) {
		t.Error("different types are taken for each other")
	}
	before := asked.Add(-1)
	if d.Get(1, before, 0) != one || d.Get(1, before, 1) != nil || d.Get(4, before, 0) != nil {
		t.Error("not what was put")
	}
	if d.Get(1, asked, 0) != nil || d.Last(1) != one {
		t.Error("what was asked before a connection was opened counts for it")
	}
	d.Forget(1)
	if d.Get(1, before, 0) != nil || d.Last(1) != nil {
		t.Error("forgotten, and still there")
	}
}

// What is used stays; what is not, goes; and there is never more than twice the bound.
func TestDescriptionsAreBounded(t *testing.T) {
	t.Parallel()
	d := NewDescriptions(10)
	before, asked := time.Now(), time.Now().Add(1)
	for i := range uint64(1000) {
		d.Put(i, asked, 0, described25(uint32(i)))
		if d.Get(0, before, 0) == nil {
			t.Fatalf("after %d others, what is used all the time is gone", i)
		}
		if n := len(d.young) + len(d.old); n > 20 {
			t.Fatalf("%d entries", n)
		}
		if len(d.shapes) > 10 {
			t.Fatalf("%d shapes", len(d.shapes))
		}
	}
	if d.Get(1, before, 0) != nil {
		t.Error("what nobody used is still there")
	}
}
