package rowscan_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jmoiron/sqlx/reflectx"
	"github.com/pgdbm/pgdbm/internal/rowscan"
)

type (
	base struct {
		ID      int64
		Created *time.Time
	}
	hidden struct{ Secret string }
	city   struct {
		Name string
		Zip  *string
	}
	address struct {
		Street string
		City   *city
	}
	person struct {
		base
		*Audit
		Email    string `db:"email_address"`
		Home     address
		Work     *address `db:"office"`
		Tags     []string
		Data     map[string]any
		Skipped  int `db:"-"`
		Nickname **string
	}
	// Audit is exported, because a pointer to it is embedded.
	Audit struct{ Author string }
	node  struct {
		ID   int
		Next *node
	}
	unreachable struct{ *hidden }
	// Level is no struct, and so not found as an embedded field.
	Level      int
	namedMap   map[string]any
	scanStruct struct{ A, B int } // a Scanner, so no struct of columns
)

func (s *scanStruct) Scan(src any) error {
	s.A = len(src.(string))
	return nil
}

func ptr[T any](v T) *T { return &v }

// check compares the rows of a query.
func check[T any](t *testing.T, conn *pgx.Conn, opts rowscan.Options, query string, want ...T) {
	t.Helper()
	got, err := scan[T](conn, opts, query)
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return
	}
	if !equal(reflect.ValueOf(got), reflect.ValueOf(want)) {
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		t.Errorf("%s:\ngot  %s\nwant %s", query, g, w)
	}
}

func TestStruct(t *testing.T) {
	t.Parallel()
	conn, _ := database(t)
	none := rowscan.Options{}
	check(t, conn, none, `SELECT 1 AS id, 'a' AS author, 'e' AS email_address, 's' AS "home.street", 'c' AS "home.city.name",
		'w' AS "office.street", 'v' AS "office.city.name", 'z' AS "office.city.zip", ARRAY['x','y'] AS tags,
		'{"k": [1]}'::jsonb AS data, 'nick' AS nickname`,
		person{base: base{ID: 1}, Audit: &Audit{"a"}, Email: "e", Home: address{"s", &city{"c", nil}},
			Work: &address{"w", &city{"v", ptr("z")}}, Tags: []string{"x", "y"}, Data: map[string]any{"k": []any{1.0}},
			Nickname: ptr(ptr("nick"))})
	check(t, conn, none, `SELECT 2 AS id, NULL AS tags, NULL::jsonb AS data, NULL AS nickname, NULL::timestamptz AS created`,
		person{base: base{ID: 2}})
	check(t, conn, none, `SELECT NULL AS "office.city.zip"`, person{Work: &address{City: &city{}}})
	check(t, conn, none, `SELECT 1 AS id, 2 AS "next.id"`, node{1, &node{2, nil}})
	check(t, conn, none, `SELECT 'x' AS secret`, struct{ hidden }{hidden{"x"}})
	check(t, conn, none, `SELECT`, city{})
	check(t, conn, none, `SELECT 'n' AS name`, &city{Name: "n"})
	check(t, conn, none, `SELECT '{"Street": "s"}'::json AS home, NULL::json AS office`, person{Home: address{Street: "s"}})
	check[person](t, conn, none, `SELECT 1 AS id WHERE false`)
	check(t, conn, rowscan.Options{Mapper: reflectx.NewMapper("json")}, `SELECT 1 AS "ID"`, node{ID: 1})
}

func TestUnsafe(t *testing.T) {
	t.Parallel()
	conn, _ := database(t)
	lax := rowscan.Options{Unsafe: true}
	check(t, conn, lax, `SELECT 1 AS id, 'x' AS nothing, 2 AS id`, node{ID: 2})
	check(t, conn, lax, `SELECT 'x' AS nothing`, node{})
	check(t, conn, lax, `SELECT 1 AS id, 2 AS id`, map[string]any{"id": int64(2)})
	check(t, conn, lax, `SELECT NULL::json AS next, 3 AS "next.id"`, node{Next: &node{ID: 3}})
}

// TestRowsAreNew has every second row with less in it.
func TestRowsAreNew(t *testing.T) {
	t.Parallel()
	conn, _ := database(t)
	const query = `SELECT i AS id, CASE i WHEN 1 THEN 'n' || i END AS nickname,
		CASE i WHEN 1 THEN '{"a": 1}' ELSE '{"b": 2}' END::jsonb AS data, CASE i WHEN 1 THEN ARRAY['a', 'b'] WHEN 2 THEN ARRAY['c'] END AS tags,
		i::text AS "office.city.name", i::text AS author FROM generate_series(1, 3) i`
	want := []person{
		{base: base{ID: 1}, Nickname: ptr(ptr("n1")), Data: map[string]any{"a": 1.0}, Tags: []string{"a", "b"},
			Work: &address{City: &city{Name: "1"}}, Audit: &Audit{"1"}},
		{base: base{ID: 2}, Data: map[string]any{"b": 2.0}, Tags: []string{"c"}, Work: &address{City: &city{Name: "2"}}, Audit: &Audit{"2"}},
		{base: base{ID: 3}, Data: map[string]any{"b": 2.0}, Work: &address{City: &city{Name: "3"}}, Audit: &Audit{"3"}},
	}
	check(t, conn, rowscan.Options{}, query, want...)
	check(t, conn, rowscan.Options{}, query, &want[0], &want[1], &want[2])
	check(t, conn, rowscan.Options{}, `SELECT i FROM generate_series(1, 3) i`, ptr(1), ptr(2), ptr(3))
	check(t, conn, rowscan.Options{}, `VALUES ('ab'::bytea), ('c'), (''), (NULL)`, []byte("ab"), []byte("c"), []byte{}, nil)
	check(t, conn, rowscan.Options{}, `VALUES ('ab'), ('c')`, sql.RawBytes("ab"), sql.RawBytes("c"))
	check(t, conn, rowscan.Options{}, `VALUES ('ab'::bytea), ('cd')`, pgtype.DriverBytes("ab"), pgtype.DriverBytes("cd"))
	check[any](t, conn, rowscan.Options{}, `VALUES ('ab'::bytea), ('cd')`, []byte("ab"), []byte("cd"))
	check(t, conn, rowscan.Options{}, `VALUES ('["ab"]'::jsonb), ('["cd"]')`, []string{"ab"}, []string{"cd"})
	check(t, conn, rowscan.Options{}, `VALUES ('ab'::bytea), ('cd')`, map[string]any{"column1": []byte("ab")}, map[string]any{"column1": []byte("cd")})
	check(t, conn, rowscan.Options{}, `VALUES ('ab'::bytea), ('cd')`, recorder{[]byte("ab")}, recorder{[]byte("cd")})
}

// sticky is a Scanner that keeps what it has.
type sticky struct{ All []string }

func (s *sticky) Scan(src any) error {
	s.All = append(s.All, src.(string))
	return nil
}

func TestScannersAreNew(t *testing.T) {
	t.Parallel()
	conn, _ := database(t)
	check(t, conn, rowscan.Options{}, `VALUES ('a'), ('b')`, sticky{[]string{"a"}}, sticky{[]string{"b"}})
	check(t, conn, rowscan.Options{}, `VALUES ('a'), ('b')`, &sticky{[]string{"a"}}, &sticky{[]string{"b"}})
}

// TestDriversMemory overwrites the raw values, as pgx does with later ones.
func TestDriversMemory(t *testing.T) {
	t.Parallel()
	for _, dst := range []any{new(string), new([]byte), new(sql.RawBytes), new(*[]byte), new(*string), new(json.RawMessage),
		new(pgtype.DriverBytes), new(*pgtype.PreallocBytes), new(any), new(recorder), new(sql.Null[[]byte]),
		new(map[string]any), new(sql.NullString), new(pgtype.Text), new(myString)} {
		for _, oid := range []uint32{pgtype.TextOID, pgtype.ByteaOID, pgtype.JSONOID, pgtype.XMLOID, 987654} {
			for _, format := range []int16{pgx.TextFormatCode, pgx.BinaryFormatCode} {
				results := [2]string{}
				for i := range results {
					fields := []pgconn.FieldDescription{{Name: "a", DataTypeOID: oid, Format: format}}
					row, err := rowscan.New(dst, rowscan.Options{}, pgtype.NewMap(), fields)
					if err != nil {
						t.Fatal(err)
					}
					raw := []byte(`\x6162`)
					if row.Scan([][]byte{raw}) != nil {
						continue
					}
					if i == 1 {
						clear(raw)
					}
					results[i] = fmt.Sprintf("%#v", reflect.ValueOf(dst).Elem())
					if v := reflect.ValueOf(dst).Elem(); v.Kind() == reflect.Pointer {
						results[i] = fmt.Sprintf("%#v", v.Elem())
					}
				}
				if results[0] != results[1] {
					t.Errorf("%T from %d in format %d: %s became %s", dst, oid, format, results[0], results[1])
				}
			}
		}
	}
}

func TestMap(t *testing.T) {
	t.Parallel()
	conn, _ := database(t)
	const query = `SELECT i AS id, 1.50::numeric AS n, '\x01'::bytea AS b, NULL::text AS none, ARRAY[i, 2] AS a
		FROM generate_series(1, 2) i`
	row := func(id int64, a string) map[string]any {
		return map[string]any{"id": id, "n": "1.50", "b": []byte{1}, "none": nil, "a": a}
	}
	check(t, conn, rowscan.Options{}, query, row(1, "{1,2}"), row(2, "{2,2}"))
	check(t, conn, rowscan.Options{}, query, namedMap(row(1, "{1,2}")), row(2, "{2,2}"))
	check(t, conn, rowscan.Options{}, query, ptr(row(1, "{1,2}")), ptr(row(2, "{2,2}")))
	check(t, conn, rowscan.Options{}, `SELECT '{"a": 1}'::jsonb AS j`, map[string]any{"j": []byte(`{"a": 1}`)})
}

func TestValue(t *testing.T) {
	t.Parallel()
	conn, _ := database(t)
	none := rowscan.Options{}
	check(t, conn, none, `VALUES (1), (2)`, 1, 2)
	check(t, conn, none, `VALUES ('a'), (NULL)`, ptr("a"), nil)
	check(t, conn, none, `SELECT '2024-01-02'::date`, time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC))
	check(t, conn, none, `SELECT 'abc'`, scanStruct{A: 3})
	check(t, conn, none, `SELECT 'abc'`, &scanStruct{A: 3})
	check(t, conn, none, `VALUES ('a'), (NULL)`, sql.NullString{String: "a", Valid: true}, sql.NullString{})
	check(t, conn, none, `SELECT ARRAY['a', 'b']`, []string{"a", "b"})
	check(t, conn, none, `SELECT '[1,3)'::int4range`, pgtype.Range[pgtype.Int4]{Lower: pgtype.Int4{Int32: 1, Valid: true},
		Upper: pgtype.Int4{Int32: 3, Valid: true}, LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true})
	check(t, conn, none, `SELECT ARRAY[[1],[2]]`, pgtype.Array[int64]{Elements: []int64{1, 2},
		Dims: []pgtype.ArrayDimension{{Length: 2, LowerBound: 1}, {Length: 1, LowerBound: 1}}, Valid: true})
	check(t, conn, none, `SELECT '10.1.2.3'::inet`, net.IPv4(10, 1, 2, 3).To4())
	check(t, conn, none, `SELECT '10.1.2.3'::inet`, netip.MustParseAddr("10.1.2.3"))
	check(t, conn, none, `SELECT '10.1.0.0/16'::cidr`, net.IPNet{IP: net.IP{10, 1, 0, 0}, Mask: net.CIDRMask(16, 32)})
	check(t, conn, none, `SELECT '08:00:2b:01:02:03'::macaddr`, net.HardwareAddr{8, 0, 0x2b, 1, 2, 3})
	check(t, conn, none, `SELECT '550e8400-e29b-41d4-a716-446655440000'::uuid`,
		[16]byte{0x55, 0x0e, 0x84, 0, 0xe2, 0x9b, 0x41, 0xd4, 0xa7, 0x16, 0x44, 0x66, 0x55, 0x44, 0, 0})
	check(t, conn, none, `SELECT NULL::json`, json.RawMessage(nil))
	check[any](t, conn, none, `VALUES ('a'), (NULL)`, "a", nil)
	type holder struct{ Column1 *jsonStruct }
	check(t, conn, none, `VALUES ('{"A": 1}'), ('null'::json), (NULL)`, holder{&jsonStruct{A: 1}}, holder{}, holder{})
	check(t, conn, none, `SELECT ARRAY[1, 2]::int2[]`, pgtype.FlatArray[uint8]{1, 2})
	check(t, conn, none, `SELECT 'ab'::bytea`, pgtype.FlatArray[uint8]("ab"))
}

// oddCodec treats an int in a way of its own.
type oddCodec struct{ pgtype.Int4Codec }

type oddPlan struct{}

func (oddPlan) Scan(_ []byte, target any) error {
	*target.(*int) = -1
	return nil
}

func (c oddCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ok := target.(*int); ok {
		return oddPlan{}
	}
	return c.Int4Codec.PlanScan(m, oid, format, target)
}

// TestUsersCodec has a codec that gives an int32, which database/sql asks for, something else than an int.
func TestUsersCodec(t *testing.T) {
	t.Parallel()
	conn, db := connect(t, server.Database(t), pgx.QueryExecModeCacheStatement, func(_ context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "int4", OID: pgtype.Int4OID, Codec: oddCodec{}})
		return nil
	})
	var want int
	if err := db.QueryRow(`SELECT 7`).Scan(&want); err != nil {
		t.Fatal(err)
	}
	check(t, conn, rowscan.Options{}, `SELECT 7`, want)
}

// into returns what is wrong with a query's rows in Ts.
func into[T any](conn *pgx.Conn) func(string) error {
	return func(query string) error {
		_, err := scan[T](conn, rowscan.Options{}, query)
		return err
	}
}

func exec(t *testing.T, conn *pgx.Conn, query string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	conn, _ := database(t)
	exec(t, conn, `CREATE TYPE mood AS ENUM ('happy')`)
	type both struct {
		UserID int
		Other  string
	}
	for _, test := range []struct {
		query string
		scan  func(string) error
		want  string
	}{
		{`SELECT NULL AS email_address`, into[person](conn), `column "email_address" (text, NULL) into field Email of type string of rowscan_test.person: it cannot hold NULL; use *string or sql.Null[string], or COALESCE in SQL`},
		{`SELECT NULL AS "office.city.name"`, into[person](conn), `column "office.city.name" (text, NULL) into field Work.City.Name of type string of rowscan_test.person: it cannot hold NULL; use *string or sql.Null[string], or COALESCE in SQL`},
		{`SELECT NULL::int`, into[int](conn), `column "int4" (int4, NULL) into int: it cannot hold NULL; use *int or sql.Null[int], or COALESCE in SQL`},
		{`SELECT NULL::timestamp`, into[time.Time](conn), `column "timestamp" (timestamp, NULL) into time.Time: it cannot hold NULL; use *time.Time or sql.Null[time.Time], or COALESCE in SQL`},
		{`SELECT NULL::uuid`, into[[16]byte](conn), `column "uuid" (uuid, NULL) into [16]uint8: it cannot hold NULL; use *[16]uint8, or COALESCE in SQL`},
		{`SELECT 3000000000 AS id`, into[struct{ ID int32 }](conn), `column "id" (int8) into field ID of type int32 of struct { ID int32 }: the value is out of range; use a wider Go type`},
		{`SELECT 3000000000::text AS id`, into[struct{ ID *int32 }](conn), `column "id" (text) into field ID of type *int32 of struct { ID *int32 }: the value is out of range; use a wider Go type`},
		{`SELECT -1 AS id`, into[uint](conn), `column "id" (int4) into uint: the value is out of range; use a wider Go type`},
		{`SELECT 'secret' AS id`, into[int](conn), `column "id" (text) into int: the value does not convert; errors.Unwrap has the cause, which may show the value`},
		{`SELECT 'secret' AS id`, into[sql.NullInt64](conn), `column "id" (text) into sql.NullInt64: the value does not convert; errors.Unwrap has the cause, which may show the value`},
		{`SELECT 'secret' AS id`, into[[]string](conn), `column "id" (text) into []string: there is no conversion; use another Go type, a sql.Scanner, or register the type with pgx`},
		{`SELECT 'secret' AS id`, into[pgtype.DriverBytes](conn), `column "id" (text) into pgtype.DriverBytes: there is no conversion; use another Go type, a sql.Scanner, or register the type with pgx`},
		{`SELECT 'happy'::mood`, into[net.IP](conn), `column "mood" (oid `},
		{`SELECT 1 AS user_id`, into[both](conn), "column \"user_id\" (int4) into rowscan_test.both: no field has that name; field UserID has the name \"userid\": tag it `db:\"user_id\"`"},
		{`SELECT 1 AS x`, into[both](conn), `column "x" (int4) into rowscan_test.both: no field has that name; there are other, userid`},
		{`SELECT 1 AS x`, into[owner](conn), `column "x" (int4) into rowscan_test.owner: no field has that name; there are account, author, profile, the_note, account.avatar, account.balance, account.created_at, account.deleted_at, account.id, account.settings, account.status, profile.any, ...`},
		{`SELECT 1 AS x`, into[struct{ Level }](conn), `column "x" (int4) into struct { rowscan_test.Level }: it has no fields for columns`},
		{`SELECT 1 AS secret`, into[unreachable](conn), `column "secret" (int4) into field hidden.Secret of type string of rowscan_test.unreachable: an embedded pointer to an unexported struct cannot be allocated; embed the struct itself, or export it`},
		{`SELECT 1 AS id, 2 AS id`, into[node](conn), `column "id" (int4) into field ID of type int of rowscan_test.node: column 1, "id", goes there too; rename one with AS, or select it once`},
		{`SELECT NULL::json AS next, 2 AS "next.id"`, into[node](conn), `column "next.id" (int4) into field Next.ID of type int of rowscan_test.node: column 1, "next", goes there too; rename one with AS, or select it once`},
		{`SELECT 2 AS "next.id", NULL::json AS next`, into[node](conn), `column "next" (json) into field Next of type *rowscan_test.node of rowscan_test.node: column 1, "next.id", goes there too; rename one with AS, or select it once`},
		{`SELECT 1 AS id, 2 AS id`, into[map[string]any](conn), `column "id" (int4) into map[string]interface {}: there are two columns of that name; rename one with AS`},
		{`SELECT 1, 2`, into[int](conn), `the result into int: there are 2 columns, and it takes one; select one, or use a struct or map[string]any`},
		{`SELECT`, into[int](conn), `the result into int: there are 0 columns, and it takes one; select one, or use a struct or map[string]any`},
		{`SELECT 1 AS a, 2 AS b`, into[scanStruct](conn), `the result into rowscan_test.scanStruct: there are 2 columns, and it takes one; select one, or use a struct or map[string]any`},
	} {
		err := test.scan(test.query)
		var e *rowscan.Error
		switch {
		case err == nil:
			t.Errorf("%s: no error, want %s", test.query, test.want)
		case !strings.HasPrefix(err.Error(), "pgdbm: "+test.want):
			t.Errorf("%s:\ngot  %s\nwant pgdbm: %s", test.query, err, test.want)
		case strings.Contains(err.Error(), "\"secret\"") && !strings.Contains(test.query, "AS secret"), strings.Contains(err.Error(), "3000000000"):
			t.Errorf("%s: %v shows the value", test.query, err)
		case !errors.As(err, &e) || e.Err == nil || errors.Unwrap(err) != e.Err:
			t.Errorf("%s: %T", test.query, err)
		}
	}
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	m := pgtype.NewMap()
	fields := []pgconn.FieldDescription{{Name: "a", DataTypeOID: pgtype.Int4OID}}
	type cycle *cycle
	for _, dst := range []any{nil, 1, (*int)(nil)} {
		if _, err := rowscan.New(dst, rowscan.Options{}, m, fields); err == nil || !strings.HasPrefix(err.Error(), "pgdbm: ") {
			t.Errorf("New(%T): %v", dst, err)
		}
	}
	row, err := rowscan.New(new(int), rowscan.Options{}, m, fields)
	if err != nil {
		t.Fatal(err)
	}
	if err := row.Scan(nil); err == nil {
		t.Error("a row without its column is no error")
	}
	row, err = rowscan.New(new(cycle), rowscan.Options{}, m, fields)
	if err != nil {
		t.Fatal(err)
	}
	if err := row.Scan([][]byte{[]byte("1")}); err == nil {
		t.Error("a pointer to itself is no error")
	}
}

// TestBadBytes has a server that sends half an int4.
func TestBadBytes(t *testing.T) {
	t.Parallel()
	fields := []pgconn.FieldDescription{{Name: "a", DataTypeOID: pgtype.Int4OID, Format: pgx.BinaryFormatCode}}
	for _, dst := range []any{new(int), new(*int), new(float64), new(any), new(recorder), new(pgtype.Int4), new([]string), new(map[string]any)} {
		row, err := rowscan.New(dst, rowscan.Options{}, pgtype.NewMap(), fields)
		if err != nil {
			t.Fatal(err)
		}
		var e *rowscan.Error
		if err := row.Scan([][]byte{{0, 1}}); !errors.As(err, &e) || e.Column != "a" {
			t.Errorf("%T: %v", dst, err)
		}
	}
}

// TestAllocations counts what a row costs besides its own memory: two strings, and a pointer to a third.
func TestAllocations(t *testing.T) {
	conn, _ := database(t)
	rows, err := conn.Query(t.Context(), manyUsers, rowscan.ResultFormats(), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for range 2 { // the second has a note
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
	}
	var u user
	row, err := rowscan.New(&u, rowscan.Options{}, conn.TypeMap(), rows.FieldDescriptions())
	if err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(100, func() {
		if err := row.Scan(rows.RawValues()); err != nil {
			t.Error(err)
		}
	})
	if u.Note == nil || n > 4 {
		t.Errorf("%v allocations for %+v", n, u)
	}
}

// TestValueOption reads one column as one value where a struct or map could be meant.
func TestValueOption(t *testing.T) {
	t.Parallel()
	type inner struct{ Name string }
	type outer struct{ Doc inner }
	conn, _ := database(t)
	read := func(query string, dst any) error {
		rows, err := conn.Query(t.Context(), query, rowscan.ResultFormats())
		if err != nil {
			return err
		}
		defer rows.Close()
		rows.Next()
		row, err := rowscan.New(dst, rowscan.Options{Value: true}, conn.TypeMap(), rows.FieldDescriptions())
		if err != nil {
			return err
		}
		return row.Scan(rows.RawValues())
	}
	var in inner
	if err := read(`SELECT '{"name": "n"}'::jsonb AS doc`, &in); err != nil || in.Name != "n" {
		t.Errorf("a struct without the field: %+v, %v", in, err)
	}
	var out outer
	if err := read(`SELECT '{"name": "n"}'::jsonb AS doc`, &out); err != nil || out.Doc.Name != "n" {
		t.Errorf("a struct with the field: %+v, %v", out, err)
	}
	var doc map[string]any
	if err := read(`SELECT '{"name": "n"}'::jsonb AS doc`, &doc); err != nil || doc["name"] != "n" {
		t.Errorf("a map of jsonb: %v, %v", doc, err)
	}
	var row map[string]any
	if err := read(`SELECT 'n' AS name`, &row); err != nil || row["name"] != "n" {
		t.Errorf("a map of a row: %v, %v", row, err)
	}
}
