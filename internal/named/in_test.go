package named_test

import (
	"database/sql/driver"
	"encoding/json"
	"net"
	"reflect"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/named"
)

// list is a driver.Valuer and a slice, which is one value.
type list []int

func (list) Value() (driver.Value, error) { return nil, nil }

type level byte

func TestIn(t *testing.T) {
	t.Parallel()
	one := 1
	for _, tt := range []struct {
		text     string
		args     []any
		want     string
		wantArgs []any
	}{
		{"a IN (?)", []any{[]int{1, 2, 3}}, "a IN (?, ?, ?)", []any{1, 2, 3}},
		{"a IN (?)", []any{[]any{1, nil}}, "a IN (?, ?)", []any{1, nil}},
		{"a = ? AND b IN (?) AND c = ? AND d IN (?)", []any{1, []string{"x", "y"}, nil, []level{4}},
			"a = ? AND b IN (?, ?) AND c = ? AND d IN (?)", []any{1, "x", "y", nil, level(4)}},
		{"?, ?, ?, ?, ?, ?, IN(?)", []any{[]byte{1}, list{1}, json.RawMessage("{}"), net.IP{1}, [2]int{1, 2}, &one, []*int{&one, nil}},
			"?, ?, ?, ?, ?, ?, IN(?, ?)", []any{[]byte{1}, list{1}, json.RawMessage("{}"), net.IP{1}, [2]int{1, 2}, &one, &one, (*int)(nil)}},
		{"IN (?)", []any{[][]byte{{1}, {2}}}, "IN (?, ?)", []any{[]byte{1}, []byte{2}}},
		{"j ? 'a' AND j ?? 'b' AND '?' <> ? AND a IN (?) -- ?", []any{"x", []int{1, 2}},
			"j ? 'a' AND j ?? 'b' AND '?' <> ? AND a IN (?, ?) -- ?", []any{"x", 1, 2}},
		{"j ? ? AND a IN (?)", []any{"x", []int{1, 2}}, "j ? ? AND a IN (?, ?)", []any{"x", 1, 2}},
		// Nothing to expand, and nothing is checked:
		{"a = ?", []any{[]byte(nil)}, "a = ?", []any{[]byte(nil)}},
		{"a = $1", []any{1}, "a = $1", []any{1}},
		{"a = ?", []any{1, 2}, "a = ?", []any{1, 2}},
	} {
		sql, args, err := named.In(tt.text, tt.args...)
		if err != nil || sql != tt.want || !reflect.DeepEqual(args, tt.wantArgs) {
			t.Errorf("%s %v:\n got %s %v, %v\nwant %s %v", tt.text, tt.args, sql, args, err, tt.want, tt.wantArgs)
		}
	}
	if sql, args, err := named.In("SELECT 1"); sql != "SELECT 1" || len(args) != 0 || err != nil {
		t.Errorf("no arguments: %s %v %v", sql, args, err)
	}
}

func TestInErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		args []any
		part string
	}{
		{"a IN (?)", []any{[]string{}}, "argument 1 of 1, a []string, is empty"},
		{"a = ? AND b IN (?)", []any{"secret", []int(nil)}, "argument 2 of 2, a []int, is empty"},
		{"a IN (?)", []any{[]string{"secret"}, 2}, "has 1 bindvars, and there are 2 arguments"},
		{"a IN (?) AND b = ?", []any{[]int{1}}, "has 2 bindvars, and there are 1 arguments"},
		{"a IN ('?')", []any{[]int{1}}, "has 0 bindvars"},
		{"a = $1 AND b IN (?)", []any{[]int{1}}, "without $1"},
	} {
		sql, args, err := named.In(tt.text, tt.args...)
		wantError(t, err, tt.part)
		if sql != "" || args != nil || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q, %v, %v", tt.text, sql, args, err)
		}
	}
}
