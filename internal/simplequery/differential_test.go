package simplequery_test

import (
	"bytes"
	"context"
	sqldriver "database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/pgdbm/pgdbm/internal/simplequery"
)

// recorder is a connection that keeps what is written to it.
type recorder struct {
	net.Conn
	written *bytes.Buffer
}

func (r recorder) Write(b []byte) (int, error) {
	r.written.Write(b)
	return r.Conn.Write(b)
}

// plain is a connection of pgx that tells what it sends.
type plain struct {
	*pgx.Conn
	written *bytes.Buffer
}

func connect(t *testing.T, dsn string) plain {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	written, dial := new(bytes.Buffer), config.DialFunc
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return recorder{conn, written}, err
	}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return plain{conn, written}
}

// sends returns the text of the Query message that pgx sends. The error is that of pgx, if it sends none.
func (p plain) sends(ctx context.Context, sql string, args []any) (string, error) {
	p.written.Reset()
	rows, err := p.Query(ctx, sql, append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...)
	if err == nil {
		rows.Close()
		err = rows.Err()
	}
	message := p.written.Bytes()
	if len(message) == 0 {
		return "", err
	}
	if size := int(binary.BigEndian.Uint32(message[1:])) + 1; message[0] != 'Q' || message[size-1] != 0 || len(message) != size {
		return "", fmt.Errorf("not one Query message: %q", message)
	}
	return string(message[5 : len(message)-1]), nil
}

// compare makes sure that Interpolate does what pgx does.
func (p plain) compare(t *testing.T, sql string, args []any) {
	t.Helper()
	want, wantErr := p.sends(t.Context(), sql, args)
	got, err := simplequery.Interpolate(p.TypeMap(), sql, args)
	if got != want || fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Errorf("%q with %#v:\n got %q, %v\nwant %q, %v", sql, args, got, err, want, wantErr)
	}
}

// valuer is a driver.Valuer.
type valuer struct {
	value any
	err   error
}

func (v valuer) Value() (sqldriver.Value, error) { return v.value, v.err }

type (
	name    string
	number  int16
	flag    bool
	ratio   float32
	blob    []byte
	address struct {
		Street string `json:"street"`
		Number *int
	}
	stringer struct{ s string }
	texter   struct{ s string }
)

func (s stringer) String() string { return s.s }

func (t texter) MarshalText() ([]byte, error) { return []byte(t.s), nil }

func pointer[T any](v T) *T { return &v }

// arguments are of all kinds that pgx encodes, and of some that it does not.
func arguments() []any {
	var nilValuer *valuer
	pair := pointer(pointer("it's"))
	return []any{
		nil, (*int)(nil), nilValuer, []byte(nil), []string(nil), map[string]any(nil), (*time.Time)(nil), any(nil),
		0, -1, int8(-8), int16(16), int32(-32), int64(math.MinInt64), uint(1), uint8(8), uint16(16), uint32(32), uint64(math.MaxUint64),
		uint64(math.MaxInt64) + 1, 1.5, -2.25, float32(0.1), math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 1e300, 5e-324,
		true, false, name("o'brien"), number(-7), flag(true), ratio(-1.5), blob(`\x00'`),
		"", "plain", "it's", `\`, `\'`, "'; DROP TABLE x; --", "a\x00b", "\xff\xfe", "größe \U0001f600", "$1 $2 $$ /* -- */", "\n'\n'",
		[]byte{}, []byte("it's \\ \x00\xff"), json.RawMessage(`{"a": "it's"}`), pointer(json.RawMessage(`[1]`)), json.RawMessage(nil),
		time.Time{}, time.Date(-44, 3, 15, 12, 0, 0, 1, time.UTC), time.Date(2024, 2, 29, 23, 59, 59, 999999999, time.FixedZone("x", -5400)),
		time.Date(123456, 1, 1, 0, 0, 0, 0, time.UTC), time.Now(), 90 * time.Minute, -time.Microsecond, pointer(time.Unix(0, 0)),
		valuer{"it's", nil}, valuer{int64(-5), nil}, valuer{nil, nil}, valuer{[]byte(`\'`), nil}, valuer{2.5, nil}, valuer{true, nil},
		valuer{time.Unix(1, 0), nil}, valuer{nil, errors.New("no value")}, &valuer{"x", nil}, valuer{valuer{"y", nil}, nil}, valuer{int32(3), nil},
		pgtype.Text{String: "it's", Valid: true}, pgtype.Text{}, pgtype.Int4{Int32: -4, Valid: true}, pgtype.Int8{}, pgtype.Bool{Bool: true, Valid: true},
		pgtype.Float8{Float64: math.NaN(), Valid: true}, pgtype.Numeric{Int: big.NewInt(-12345), Exp: -2, Valid: true}, pgtype.Numeric{NaN: true, Valid: true},
		pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}, pgtype.Date{Time: time.Unix(0, 0), Valid: true},
		pgtype.Timestamp{Time: time.Unix(0, 0).UTC(), Valid: true}, pgtype.Interval{Months: -1, Days: 2, Microseconds: 3, Valid: true},
		pgtype.UUID{Bytes: [16]byte{1, 2}, Valid: true}, pgtype.Point{P: pgtype.Vec2{X: 1, Y: -2}, Valid: true}, pgtype.Bits{Bytes: []byte{5}, Len: 8, Valid: true},
		pgtype.Range[pgtype.Int4]{Lower: pgtype.Int4{Int32: 1, Valid: true}, LowerType: pgtype.Inclusive, UpperType: pgtype.Unbounded, Valid: true},
		pgtype.FlatArray[string]{"a", "it's"}, pgtype.Array[int32]{Elements: []int32{1, 2}, Dims: []pgtype.ArrayDimension{{Length: 2, LowerBound: 5}}, Valid: true},
		pgtype.Hstore{"a": pointer("it's")}, pgtype.Hstore{"b": nil}, pgtype.Time{Microseconds: 5, Valid: true}, pgtype.PreallocBytes("x"), pgtype.Uint32{Uint32: 7, Valid: true},
		[]string{"a", `it's "q" \`, "", "NULL"}, []int{1, -2}, []int32{}, []*int{nil, pointer(1)}, [][]string{{"a"}, {"b'"}}, [][]int64{{1}, {2, 3}},
		[]any{1, "x", nil}, [2]int{1, 2}, [16]byte{1}, []float64{math.Inf(1)}, []bool{true}, [][]byte{{0, '\''}}, []time.Time{time.Unix(0, 0)},
		[]name{"a'"}, []address{{}}, []valuer{{"x", nil}}, []netip.Addr{netip.MustParseAddr("::1")},
		map[string]any{"a": "it's", "b": []int{1}}, map[string]string{"x": `\`}, map[int]bool{1: true}, map[string]*string{"k": nil},
		address{"Baker's", pointer(221)}, &address{}, struct{}{}, stringer{"it's"}, &stringer{"p"}, texter{"t'"}, errors.New("it's an error"),
		pointer(1), pointer("it's"), pair, pointer(any("x")), pointer([]string{"a"}), *pair,
		netip.MustParseAddr("10.0.0.1"), netip.MustParsePrefix("10.0.0.0/8"), net.ParseIP("::1"), net.IPNet{IP: net.IP{10, 0, 0, 0}, Mask: net.IPMask{255, 0, 0, 0}},
		net.HardwareAddr{1, 2, 3, 4, 5, 6}, *big.NewInt(7), big.NewInt(-8), big.NewFloat(1.5), 'x', complex(1, 2), make(chan int), func() {}, uintptr(1),
	}
}

// TestEveryArgument sends each argument by itself.
func TestEveryArgument(t *testing.T) {
	t.Parallel()
	conn := connect(t, server.Database(t))
	for _, arg := range arguments() {
		conn.compare(t, "SELECT -$1, $1$1", []any{arg})
		conn.compare(t, "SELECT 1", []any{arg})
	}
}

// pieces are parts of a text. Each can follow each of the others, behind one of the gaps.
var pieces = strings.Split("SELECT|$1|$2|$3|$1$2|-$1|- $2|$1::int|$1abc|$1e'\\'$2'|1$2|($3)|,|+|<<|{{|}}|name|größe|e|E|U&|;|$|$$ $1 $$|$a$ $1 $$ $2 $a$|$a|$ä$ $1 $ä$|$01|"+
	"'$1'|'it''s $2'|''|E'\\'$1'|e'$1\\\\'|E''|U&'$1\\0041'|B'1'|x'ff'|N'$1'|\"$1\"|\"a\"\"$1\"|U&\"$1\"|/* $1 /* $2 */ $3 */|/**/|/*/ $1 */|"+
	"1e10|0xff|:name|\ufffd|$4|$0|$99999999999999999999", "|")

var gaps = []string{" ", "\n", " -- it's $1\n", " -- $2\r", "/* $1 */ ", "\t", ","}

func TestRandomTexts(t *testing.T) {
	t.Parallel()
	const texts, seed = 4000, 1
	conn := connect(t, server.Database(t))
	encodable := slices.DeleteFunc(arguments(), func(arg any) bool {
		_, err := conn.TypeMap().Encode(0, pgx.TextFormatCode, arg, nil)
		return err != nil
	})
	for i := range uint64(texts) {
		r := rand.New(rand.NewPCG(seed, i))
		sql := "SELECT "
		for range r.IntN(10) {
			among := pieces
			if r.IntN(16) > 0 {
				among = pieces[:len(pieces)-3] // without those that are always wrong
			}
			sql += among[r.IntN(len(among))] + gaps[r.IntN(len(gaps))]
		}
		args := make([]any, r.IntN(4))
		if r.IntN(4) > 0 { // most often, all arguments are used
			sql += ",$1,$2 ,$3 "
			args = make([]any, 3)
		}
		sql += []string{"", "/* $1", "'$1", "$$ $1", "-- $1", "$1", "$2"}[r.IntN(7)]
		for j := range args {
			args[j] = "it's \\"
			if r.IntN(2) == 0 {
				args[j] = encodable[r.IntN(len(encodable))]
			}
		}
		conn.compare(t, sql, args)
		if t.Failed() {
			t.Fatalf("seed %d, %d", seed, i)
		}
	}
}

// TestFollowsTheServer has what the package's doc says of the differences: PostgreSQL decides.
func TestFollowsTheServer(t *testing.T) {
	t.Parallel()
	conn := connect(t, server.Database(t))
	for _, tt := range []struct{ sql, want, value string }{
		{`SELECT name'\' || $1 || ''`, `SELECT name'\' ||  'x'  || ''`, `\x`},
		{"SELECT E'a'\n'\\'$2' || $1", "SELECT E'a'\n'\\'$2' ||  'x' ", "a'$2x"},
		{`SELECT a$1 || $1 FROM (SELECT 'y' AS a$1) t`, `SELECT a$1 ||  'x'  FROM (SELECT 'y' AS a$1) t`, "yx"},
		{`SELECT a$$ || $1 || a$$ FROM (SELECT 'y' AS a$$) t`, `SELECT a$$ ||  'x'  || a$$ FROM (SELECT 'y' AS a$$) t`, "yxy"},
	} {
		got, err := simplequery.Interpolate(conn.TypeMap(), tt.sql, []any{"x"})
		if err != nil || got != tt.want {
			t.Errorf("%q becomes %q, %v", tt.sql, got, err)
		}
		var value string
		if err := conn.QueryRow(t.Context(), got, pgx.QueryExecModeExec).Scan(&value); err != nil || value != tt.value {
			t.Errorf("%s is %q, %v", got, value, err)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	for _, setting := range []string{"standard_conforming_strings=off", "client_encoding=LATIN1", "client_encoding=UTF8"} {
		conn := connect(t, dsn)
		if _, err := conn.Exec(t.Context(), "SET "+setting); err != nil {
			t.Fatal(err)
		}
		_, want := conn.sends(t.Context(), "SELECT $1", []any{"x"})
		if got := simplequery.Check(conn.PgConn()); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", setting, got, want)
		}
	}
}
