package schemactx_test

import (
	"testing"

	"github.com/pgdbm/pgdbm/internal/schemactx"
)

func TestChoose(t *testing.T) {
	t.Parallel()
	a, b := &schemactx.Binding{Schema: "a"}, &schemactx.Binding{Schema: "b"}
	none, pinned := &schemactx.Binding{}, &schemactx.Binding{Schema: "p", Pinned: true}
	for _, test := range []struct{ statement, tx, want *schemactx.Binding }{
		{nil, nil, nil}, {a, nil, a}, {nil, b, b}, {a, b, a}, {none, b, none}, {a, pinned, pinned}, {nil, pinned, pinned},
	} {
		if got := schemactx.Choose(test.statement, test.tx); got != test.want {
			t.Errorf("Choose(%+v, %+v) is %+v, want %+v", test.statement, test.tx, got, test.want)
		}
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	if schemactx.Of(t.Context()) != nil {
		t.Error("a context without a binding has one")
	}
	b := schemactx.New("a")
	if schemactx.Of(schemactx.With(schemactx.With(t.Context(), schemactx.New("b")), b)) != b {
		t.Error("the inner binding does not count")
	}
	if got := schemactx.Of(schemactx.WithName(schemactx.With(t.Context(), b), "c")); got.Schema != "c" {
		t.Errorf("the inner name does not count: %+v", got)
	}
	if got := schemactx.Of(schemactx.With(schemactx.WithName(t.Context(), "c"), b)); got != b {
		t.Errorf("the inner binding does not count: %+v", got)
	}
	if b := schemactx.New("pg_x"); b.Err == nil || b.Schema != "" {
		t.Errorf("a name that no schema can have gives %+v", b)
	}
}
