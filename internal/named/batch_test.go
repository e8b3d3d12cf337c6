package named_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/named"
)

type row struct {
	A int
	B string
}

func TestBatch(t *testing.T) {
	t.Parallel()
	rows := []row{{1, "x"}, {2, "y"}, {3, "z"}}
	for text, want := range map[string]string{
		"VALUES (:a, (:b)":                                "VALUES ($1, ($2), ($3, ($4), ($5, ($6)", // PostgreSQL complains anyway
		"INSERT INTO t (a, b) VALUES (:a, :b)":            "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4), ($5, $6)",
		"INSERT INTO t(a,b)values(:a,:b);":                "INSERT INTO t(a,b)values($1,$2), ($3,$4), ($5,$6);",
		"INSERT INTO {{tables.t}} VALUES\n (:b, 1, :a) ":  "INSERT INTO {{tables.t}} VALUES\n ($1, 1, $2), ($3, 1, $4), ($5, 1, $6) ",
		"VALUES (lower(:b), (:a::int), ')', /*)*/ $$)$$)": "VALUES (lower($1), ($2::int), ')', /*)*/ $$)$$), (lower($3), ($4::int), ')', /*)*/ $$)$$), (lower($5), ($6::int), ')', /*)*/ $$)$$)",
		"INSERT INTO t (values, b) VALUES (:a, :b) ON CONFLICT (values) DO UPDATE SET b = excluded.b || ' VALUES (' RETURNING t.values (1)": "INSERT INTO t (values, b) VALUES ($1, $2), ($3, $4), ($5, $6) ON CONFLICT (values) DO UPDATE SET b = excluded.b || ' VALUES (' RETURNING t.values (1)",
		"WITH v AS (VALUES (1), (2)) INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (:b, :a)":                                                 "WITH v AS (VALUES (1), (2)) INSERT INTO t OVERRIDING SYSTEM VALUE VALUES ($1, $2), ($3, $4), ($5, $6)",
		"UPDATE t SET b = v.b FROM (VALUES (:a, :b)) AS v (a, b) WHERE t.a = v.a":                                                           "UPDATE t SET b = v.b FROM (VALUES ($1, $2), ($3, $4), ($5, $6)) AS v (a, b) WHERE t.a = v.a",
		"INSERT INTO t VALUES (:a, (SELECT max(x) FROM (VALUES (1), (:b)) v (x)))":                                                          "INSERT INTO t VALUES ($1, (SELECT max(x) FROM (VALUES (1), ($2)) v (x))), ($3, (SELECT max(x) FROM (VALUES (1), ($4)) v (x))), ($5, (SELECT max(x) FROM (VALUES (1), ($6)) v (x)))",
	} {
		sql, args, err := parse(t, text).Bind(newMapper(), rows)
		if err != nil || sql != want {
			t.Errorf("%s:\n got %s %v\nwant %s", text, sql, err, want)
		}
		var wantArgs []any
		for _, r := range rows {
			if strings.Index(text, ":a") < strings.Index(text, ":b") {
				wantArgs = append(wantArgs, r.A, r.B)
			} else {
				wantArgs = append(wantArgs, r.B, r.A)
			}
		}
		if !reflect.DeepEqual(args, wantArgs) {
			t.Errorf("%s: got %v, want %v", text, args, wantArgs)
		}
	}
}

// TestBatchOfMany has more rows than a number has digits, and rows of different types.
func TestBatchOfMany(t *testing.T) {
	t.Parallel()
	want, rows := "VALUES ", [11]any{}
	for i := range rows {
		rows[i] = []any{row{A: i}, &row{A: i}, map[string]int{"a": i}, struct {
			X string
			A int
		}{A: i}}[i%4]
		want += fmt.Sprintf("($%d), ", i+1)
	}
	sql, args, err := parse(t, "VALUES (:a)").Bind(newMapper(), &rows)
	if err != nil || sql != strings.TrimSuffix(want, ", ") || fmt.Sprint(args) != "[0 1 2 3 4 5 6 7 8 9 10]" {
		t.Errorf("got %s %v %v", sql, args, err)
	}
}

func TestBatchErrors(t *testing.T) {
	t.Parallel()
	rows := []row{{}, {}}
	for text, part := range map[string]string{
		"UPDATE t SET a = :a":                                                    "no VALUES (...)",
		"INSERT INTO t VALUES (1)":                                               "no VALUES (...)",
		"INSERT INTO t SELECT :a":                                                "no VALUES (...)",
		"SELECT t.values (:a)":                                                   "no VALUES (...)",
		"INSERT INTO t VALUES (:a), (:b)":                                        "several tuples",
		"INSERT INTO t VALUES (:a), (0)":                                         "several tuples",
		"INSERT INTO t VALUES (0), (:a)":                                         "several tuples",
		"WITH v AS (VALUES (:a)) INSERT INTO t VALUES (:b)":                      "several tuples",
		"INSERT INTO t VALUES (:a) ON CONFLICT DO UPDATE SET b = 1 WHERE x = :b": ":b stands outside of the VALUES",
		"INSERT INTO t VALUES (:a) RETURNING :a":                                 ":a stands outside of the VALUES",
		"WITH x AS (SELECT :b) INSERT INTO t VALUES (:a)":                        ":b stands outside of the VALUES",
	} {
		_, _, err := parse(t, text).Bind(newMapper(), rows)
		wantError(t, err, "several rows were given", part)
		if strings.Contains(text, "(1)") {
			continue
		}
		if sql, _, err := parse(t, text).Bind(newMapper(), rows[:1]); err != nil || sql != parse(t, text).SQL() {
			t.Errorf("one row for %s: %s, %v", text, sql, err)
		}
	}
}

func TestBatchMismatch(t *testing.T) {
	t.Parallel()
	_, _, err := parse(t, "VALUES (:a)").Bind(newMapper(), []map[string]any{{"a": 1}, {"a": 2, "c": 3}, {"b": 1}})
	wantError(t, err, "row 2: the statement does not use c ")
	_, _, err = parse(t, "VALUES (:a)").Bind(newMapper(), []any{row{}, row{}, user{}})
	wantError(t, err, "row 3: there is no value for :a; named_test.user has ")
	var e *named.Error
	if !errors.As(err, &e) || e.Row != 3 {
		t.Errorf("error %+v, want one of row 3", e)
	}
	_, _, err = parse(t, "VALUES (:a)").Bind(newMapper(), []map[string]any{{"b": 1}})
	if errors.As(err, &e); e.Row != 0 {
		t.Errorf("the only row has the number %d", e.Row)
	}
}

func TestBatchLimit(t *testing.T) {
	t.Parallel()
	q := parse(t, "INSERT INTO t VALUES (:a, :b)")
	sql, args, err := q.Bind(newMapper(), make([]row, 32767))
	if err != nil || len(args) != 65534 || !strings.HasSuffix(sql, ", ($65533, $65534)") {
		t.Errorf("32767 rows: %d arguments, %v", len(args), err)
	}
	_, _, err = q.Bind(newMapper(), make([]row, 32768))
	wantError(t, err, "32768 rows of 2 parameters", "32767 rows fit", "ExecMany or CopyFrom")
	_, _, err = parse(t, "VALUES (:a)").Bind(newMapper(), make([]row, 65535))
	if err != nil {
		t.Errorf("65535 parameters: %v", err)
	}
}
