package named_test

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pgdbm/pgdbm/internal/named"
)

type address struct {
	City string
	Zip  *string `db:"zip_code"`
}

// Audit is embedded through a pointer, which has to be exported for others to set it.
type Audit struct {
	CreatedBy string `db:"created_by"`
}

type base struct{ ID int }

// price is a driver.Valuer that must not be asked.
type price struct{ cents int }

func (price) Value() (driver.Value, error) { return nil, errors.New("the value was asked for") }

type user struct {
	base
	*Audit
	Name    string `db:"name"`
	Home    address
	Work    *address
	Balance price
	Skipped int `db:"-"`
	hidden  int
}

type label string

func TestBind(t *testing.T) {
	t.Parallel()
	zip := "123"
	full := user{base{7}, &Audit{"root"}, "Ann", address{"Rome", &zip}, &address{"Oslo", nil}, price{5}, 1, 2}
	pointer := &full
	for _, tt := range []struct {
		names string
		arg   any
		want  []any
	}{
		{":a :b", map[string]any{"a": 1, "b": nil}, []any{1, nil}},
		{":b :a :b", map[string]any{"a": 1, "b": "x"}, []any{"x", 1, "x"}},
		{":a", map[string]int{"a": 1}, []any{1}},
		{":a", map[label]any{"a": price{1}}, []any{price{1}}},
		{":a.b", &map[string]any{"a.b": []int{1, 2}}, []any{[]int{1, 2}}},
		{"", map[string]any{}, []any{}},
		{"", map[string]any(nil), []any{}},
		{"", struct{ A int }{}, []any{}},
		{":id :name", full, []any{7, "Ann"}},
		{":id :name", &full, []any{7, "Ann"}},
		{":name :id", &pointer, []any{"Ann", 7}},
		{":created_by :home.city :home.zip_code :work.city", full, []any{"root", "Rome", &zip, "Oslo"}},
		{":balance :home", full, []any{price{5}, full.Home}},
		{":created_by :work.city :work", user{}, []any{nil, nil, (*address)(nil)}},
		{":id", struct{ *base }{&base{3}}, []any{3}},
		{":id", struct{ *base }{}, []any{nil}},
		{":name", []user{full}, []any{"Ann"}},
		{":name", [1]*user{&full}, []any{"Ann"}},
		{":a", []any{map[string]any{"a": 1}}, []any{1}},
	} {
		sql, args, err := parse(t, tt.names).Bind(newMapper(), tt.arg)
		if err != nil {
			t.Errorf("%s of %T: %v", tt.names, tt.arg, err)
		} else if want := parse(t, tt.names).SQL(); sql != want || !reflect.DeepEqual(args, tt.want) {
			t.Errorf("%s of %T: got %s %v, want %s %v", tt.names, tt.arg, sql, args, want, tt.want)
		}
	}
}

func TestBindMismatch(t *testing.T) {
	t.Parallel()
	type pair struct{ B, A int }
	for _, tt := range []struct {
		names string
		arg   any
		want  named.Error
		text  string
	}{
		{":b :a :c :b", map[string]any{"a": 1}, named.Error{Missing: []string{"b", "c"}, Names: []string{"b", "a", "c"},
			Given: []string{"a"}, Type: "map[string]interface {}"},
			"there is no value for :b, :c; map[string]interface {} has a, the statement has :b, :a, :c"},
		{":a", map[string]int{"c": 1, "a": 2, "b": 3}, named.Error{Unused: []string{"b", "c"}, Names: []string{"a"},
			Given: []string{"a", "b", "c"}, Type: "map[string]int"},
			"the statement does not use b, c (leave it out, or correct the spelling); map[string]int has a, b, c, the statement has :a"},
		{":name", map[label]any{"nam": 1}, named.Error{Missing: []string{"name"}, Unused: []string{"nam"}, Names: []string{"name"},
			Given: []string{"nam"}, Type: "map[named_test.label]interface {}"},
			"there is no value for :name; the statement does not use nam "},
		{"", map[string]any{"": 1, "a\n": 1}, named.Error{Unused: []string{"", "a\n"}, Given: []string{"", "a\n"},
			Type: "map[string]interface {}"}, `does not use "", "a\n" (leave it out, or correct the spelling); ` +
			`map[string]interface {} has "", "a\n", the statement has none`},
		{":a", map[string]any(nil), named.Error{Missing: []string{"a"}, Names: []string{"a"}, Type: "map[string]interface {}"},
			"has none, the statement has :a"},
		{":a :x", &pair{1, 2}, named.Error{Missing: []string{"x"}, Names: []string{"a", "x"}, Given: []string{"a", "b"},
			Type: "named_test.pair"}, "there is no value for :x; named_test.pair has a, b, the statement has :a, :x"},
		{":skipped :hidden :base :id", user{}, named.Error{Missing: []string{"skipped", "hidden", "base"},
			Names: []string{"skipped", "hidden", "base", "id"}, Type: "named_test.user",
			Given: strings.Fields("balance created_by home home.city home.zip_code id name work work.city work.zip_code")}, ":skipped"},
		{":t", time.Time{}, named.Error{Missing: []string{"t"}, Names: []string{"t"}, Type: "time.Time"}, "time.Time has none"},
	} {
		_, args, err := parse(t, tt.names).Bind(newMapper(), tt.arg)
		wantError(t, err, "pgdbm: named parameters: ", tt.text)
		var e *named.Error
		if !errors.As(err, &e) || !reflect.DeepEqual(*e, tt.want) || args != nil {
			t.Errorf("%s of %T:\n got %+v %v\nwant %+v", tt.names, tt.arg, e, args, tt.want)
		}
	}
}

func TestErrorNamesAreACopy(t *testing.T) {
	t.Parallel()
	q := parse(t, ":a")
	for _, arg := range []any{map[string]any{}, struct{}{}} {
		var e *named.Error
		if _, _, err := q.Bind(newMapper(), arg); errors.As(err, &e) {
			e.Names[0], e.Missing[0] = "b", "b"
		}
		if q.Names()[0] != "a" {
			t.Errorf("the name became %s", q.Names()[0])
		}
	}
}

func TestErrorIsShort(t *testing.T) {
	t.Parallel()
	arg := map[string]any{}
	for i := range 1000 {
		arg[strings.Repeat("k", i+1)] = i
	}
	_, _, err := parse(t, ":a").Bind(newMapper(), arg)
	wantError(t, err, " and 960 more")
	if n := len(err.Error()); n > 4096 {
		t.Errorf("the error has %d bytes", n)
	}
}

func TestBindWrongArgument(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		arg  any
		part string
	}{
		{nil, "the argument is nil;"},
		{(*user)(nil), "the argument is a nil *named_test.user;"},
		{(*[]user)(nil), "the argument is a nil *[]named_test.user;"},
		{42, "the argument is int;"},
		{"secret", "the argument is string;"},
		{map[int]any{1: "secret"}, "the argument is map[int]interface {};"},
		{[]byte("secret"), "the argument is []uint8;"},
		{json.RawMessage("secret"), "the argument is json.RawMessage;"},
		{[]string{"secret"}, "the argument is []string;"},
		{[]string{"secret", "b"}, "the argument is []string;"},
		{[]int{}, "the argument is []int;"},
		{[][]user{{}}, "the argument is [][]named_test.user;"},
		{[]user{}, "[]named_test.user is empty"},
		{[0]map[string]any{}, "[0]map[string]interface {} is empty"},
		{[]any{nil}, "the argument is nil;"},
		{[]any{"secret"}, "the argument is string;"},
		{[]*user{nil}, "the argument is a nil *named_test.user;"},
		{[]*user{{}, nil}, "row 2 of the argument is a nil *named_test.user;"},
		{[]any{user{}, "secret"}, "row 2 of the argument is string;"},
		{[]any{user{}, nil}, "row 2 of the argument is nil;"},
		{[]any{user{}, []byte("secret")}, "row 2 of the argument is []uint8;"},
	} {
		_, _, err := parse(t, "INSERT INTO t VALUES (:name)").Bind(newMapper(), tt.arg)
		wantError(t, err, tt.part)
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("a value is in the error: %v", err)
		}
	}
}

func TestArgs(t *testing.T) {
	t.Parallel()
	q := parse(t, "SELECT :b, :a")
	if args, err := q.Args(newMapper(), map[string]any{"a": 1, "b": 2}); err != nil || !reflect.DeepEqual(args, []any{2, 1}) {
		t.Errorf("Args = %v, %v", args, err)
	}
	_, err := q.Args(newMapper(), []map[string]any{{"a": 1, "b": 2}})
	wantError(t, err, "the argument is []map[string]interface {}")
}
