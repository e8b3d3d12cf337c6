package named_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/pgdbm/pgdbm/internal/named"
)

// simpleSQL writes a text that sqlx and this package have to understand alike: spaces between all tokens, no
// question mark or colon in data, and no operator with one. Its parameters are mark(0), mark(1) and so on.
func simpleSQL(r *rand.Rand, mark func(n int) string) (text string, params int) {
	tokens := []string{"a", "=", ",", "(", ")", "'b'", "AND", "SELECT", "1", `"c"`, "-- d\n", "$$e$$", "<", "\n", "ä", "[", "]", "||"}
	for range r.IntN(20) {
		text += tokens[r.IntN(len(tokens))] + " "
		if r.IntN(3) == 0 {
			text += "= " + mark(params) + " "
			params++
		}
	}
	return text + ";", params
}

// TestNamedAsSqlx compares with sqlx.Named, also where names come more than once.
func TestNamedAsSqlx(t *testing.T) {
	t.Parallel()
	const texts, seed = 2000, 1
	for i := range uint64(texts) {
		r := rand.New(rand.NewPCG(seed, i))
		arg := map[string]any{}
		text, n := simpleSQL(r, func(n int) string {
			name := fmt.Sprintf("p%d%s", n%5, []string{"", "_x", ".y"}[r.IntN(3)])
			arg[name] = n
			return ":" + name
		})
		want, wantArgs, err := sqlx.Named(text, arg)
		if err != nil {
			t.Fatal(err)
		}
		want = sqlx.Rebind(sqlx.DOLLAR, want)
		got, args, err := parse(t, text).Bind(newMapper(), arg)
		if err != nil || got != want || len(args) != n || fmt.Sprint(args) != fmt.Sprint(wantArgs) {
			t.Fatalf("seed %d, %d: %s\n got %s %v, %v\nwant %s %v", seed, i, text, got, args, err, want, wantArgs)
		}
	}
}

func TestNamedStructAsSqlx(t *testing.T) {
	t.Parallel()
	zip := "1"
	full := user{base{7}, &Audit{"root"}, "Ann", address{"Rome", &zip}, &address{"Oslo", nil}, price{5}, 1, 2}
	for _, text := range []string{":id, :created_by, :name, :home.city, :home.zip_code, :work.city, :work.zip_code, :balance", ":work, :home"} {
		for _, arg := range []any{full, &full, []user{full}, []any{&full}} {
			want, wantArgs, err := sqlx.Named(text+" ", arg)
			if err != nil {
				t.Fatal(err)
			}
			got, args, err := parse(t, text+" ").Bind(newMapper(), arg)
			if err != nil || got != sqlx.Rebind(sqlx.DOLLAR, want) || !reflect.DeepEqual(args, wantArgs) {
				t.Errorf("%s of %T: got %s %v, %v, want %s %v", text, arg, got, args, err, want, wantArgs)
			}
		}
	}
}

func TestBatchAsSqlx(t *testing.T) {
	t.Parallel()
	for _, rest := range []string{"", " ON CONFLICT (a) DO UPDATE SET b = excluded.b RETURNING (a)"} {
		for n := 1; n < 5; n++ {
			text := "INSERT INTO t (a, b) VALUES (:a, lower(:b))" + rest
			want, wantArgs, err := sqlx.Named(text, make([]row, n))
			if err != nil {
				t.Fatal(err)
			}
			want = strings.ReplaceAll(sqlx.Rebind(sqlx.DOLLAR, want), "),(", "), (")
			got, args, err := parse(t, text).Bind(newMapper(), make([]row, n))
			if err != nil || got != want || !reflect.DeepEqual(args, wantArgs) {
				t.Errorf("%d rows:\n got %s %v, %v\nwant %s %v", n, got, args, err, want, wantArgs)
			}
		}
	}
}

func TestRebindAndInAsSqlx(t *testing.T) {
	t.Parallel()
	const texts, seed = 2000, 2
	for i := range uint64(texts) {
		r := rand.New(rand.NewPCG(seed, i))
		text, n := simpleSQL(r, func(int) string { return "?" })
		args := make([]any, n)
		for i := range args {
			args[i] = []any{1, "x", []byte("ab"), []int{1, 2, 3}[:1+r.IntN(3)], []any{nil, "b"}}[r.IntN(5)]
		}
		want, wantArgs, err := sqlx.In(text, args...)
		if err != nil {
			t.Fatal(err)
		}
		got, gotArgs, err := named.In(text, args...)
		if err != nil || got != want || !reflect.DeepEqual(gotArgs, wantArgs) {
			t.Fatalf("seed %d, %d: %s\n got %s %v, %v\nwant %s %v", seed, i, text, got, gotArgs, err, want, wantArgs)
		}
		if got, want := named.Rebind(got), sqlx.Rebind(sqlx.DOLLAR, want); got != want {
			t.Fatalf("seed %d, %d:\n got %s\nwant %s", seed, i, got, want)
		}
	}
}
