package rowscan_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/pgdbm/pgdbm/internal/rowscan"
)

type (
	myBool    bool
	myInt     int
	myInt16   int16
	myUint8   uint8
	myFloat   float64
	myFloat32 float32
	myString  string
	myBytes   []byte
	myTime    time.Time
	myAny     any
	myPointer *int64
)

// recorder is a Scanner that keeps what it gets.
type recorder struct{ Got any }

func (r *recorder) Scan(src any) error {
	r.Got = src
	return nil
}

// recorderString is a Scanner of a type that pgx could look through.
type recorderString string

func (r *recorderString) Scan(src any) error {
	*r = recorderString(fmt.Sprintf("%T %v", src, src))
	return nil
}

type jsonStruct struct {
	A int
	B *string
}

func both[T any]() []reflect.Type {
	return []reflect.Type{reflect.TypeFor[T](), reflect.TypeFor[*T](), reflect.TypeFor[**T](), reflect.TypeFor[sql.Null[T]]()}
}

// destinations are the Go types that everything is scanned into.
var destinations = slices.Concat(
	both[bool](), both[int](), both[int8](), both[int16](), both[int32](), both[int64](),
	both[uint](), both[uint8](), both[uint16](), both[uint32](), both[uint64](), both[uintptr](),
	both[float32](), both[float64](), both[complex128](), both[string](), both[[]byte](), both[time.Time](), both[any](),
	both[json.RawMessage](), both[*sql.RawBytes](), both[time.Duration](), both[fmt.Stringer](),
	both[myBool](), both[myInt](), both[myInt16](), both[myUint8](), both[myFloat](), both[myFloat32](), both[myString](),
	both[myBytes](), both[[]myUint8](), both[myTime](), both[myAny](), both[myPointer](),
	both[recorder](), both[recorderString](),
	both[sql.NullBool](), both[sql.NullByte](), both[sql.NullInt16](), both[sql.NullInt32](), both[sql.NullInt64](),
	both[sql.NullFloat64](), both[sql.NullString](), both[sql.NullTime](), both[sql.Null[myInt]](),
	both[pgtype.Bool](), both[pgtype.Int2](), both[pgtype.Int4](), both[pgtype.Int8](), both[pgtype.Uint32](),
	both[pgtype.Float4](), both[pgtype.Float8](), both[pgtype.Text](), both[pgtype.Numeric](), both[pgtype.UUID](),
	both[pgtype.Date](), both[pgtype.Timestamp](), both[pgtype.Timestamptz](), both[pgtype.Time](), both[pgtype.Interval](),
	both[pgtype.Point](), both[pgtype.Box](), both[pgtype.Bits](), both[pgtype.Hstore](), both[pgtype.TID](),
	both[pgtype.DriverBytes](), both[pgtype.PreallocBytes](),
	both[pgtype.Array[string]](), both[pgtype.Array[int64]](), both[pgtype.FlatArray[string]](), both[pgtype.FlatArray[byte]](),
	both[pgtype.Range[pgtype.Int4]](), both[pgtype.Multirange[pgtype.Range[pgtype.Int4]]](),
	both[[]string](), both[[]int64](), both[[][]int](), both[[]*string](), both[[]time.Time](), both[[]any](),
	both[[16]byte](), both[[3]int](), both[[4]byte](), both[map[string]any](), both[map[string]string](), both[jsonStruct](),
	both[netip.Addr](), both[netip.Prefix](), both[net.IP](), both[net.IPNet](), both[net.HardwareAddr](), both[big.Int](),
	both[chan int](), both[func()](), both[struct{}](),
	[]reflect.Type{reflect.TypeFor[sql.RawBytes]()}, // the last, because it ends the row for database/sql
)

// plainDestinations are those without pointers to pointers and sql.Null of everything, which make no difference to
// what the server sends.
var plainDestinations = slices.DeleteFunc(slices.Clone(destinations), func(t reflect.Type) bool {
	return strings.HasPrefix(t.String(), "**") || strings.HasPrefix(t.String(), "sql.Null[")
})

// registered teaches a connection the types that the test made, and a location.
func registered(ctx context.Context, conn *pgx.Conn) error {
	for _, name := range []string{"mood", "_mood", "positive", "code", "document", "pair", "_pair", "textrange", "textmultirange"} {
		t, err := conn.LoadType(ctx, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		conn.TypeMap().RegisterType(t)
	}
	conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID,
		Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
	conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamp", OID: pgtype.TimestampOID,
		Codec: &pgtype.TimestampCodec{ScanLocation: time.FixedZone("here", 3600)}})
	return nil
}

// TestDifferential scans all samples into all destinations, here and by database/sql.
func TestDifferential(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	conn, _ := connect(t, dsn, pgx.QueryExecModeSimpleProtocol, nil)
	if _, err := conn.Exec(t.Context(), types); err != nil {
		t.Fatal(err)
	}
	all := allExpressions(t, conn)
	for _, test := range []struct {
		name  string
		mode  pgx.QueryExecMode
		after prepare
		dsts  []reflect.Type
	}{
		{"cache_statement", pgx.QueryExecModeCacheStatement, nil, destinations},
		{"describe_exec", pgx.QueryExecModeDescribeExec, nil, plainDestinations},
		{"exec", pgx.QueryExecModeExec, nil, plainDestinations},
		{"simple_protocol", pgx.QueryExecModeSimpleProtocol, nil, plainDestinations},
		{"registered", pgx.QueryExecModeCacheStatement, registered, plainDestinations},
		{"registered_simple", pgx.QueryExecModeSimpleProtocol, registered, plainDestinations},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn, db := connect(t, dsn, test.mode, test.after)
			n := tally{dsts: test.dsts, further: make(map[reflect.Type]int)}
			for _, expression := range all {
				n.compare(t, conn, db, expression)
			}
			t.Logf("%d expressions, %d destinations: %d same, %d fail in both (%d panic in pgx), %d further",
				len(all), len(n.dsts), n.same, n.fail, n.panics, sum(n.further))
			logFurther(t, n.further)
			if n.same < len(all)*len(n.dsts)/4 {
				t.Error("too few pairs succeed to mean anything")
			}
		})
	}
}

// logFurther names the destinations that database/sql knows nothing of.
func logFurther(t *testing.T, further map[reflect.Type]int) {
	list := slices.SortedFunc(maps.Keys(further), func(a, b reflect.Type) int { return further[b] - further[a] })
	var b strings.Builder
	for _, typ := range list {
		fmt.Fprintf(&b, "%s %d, ", typ, further[typ])
	}
	t.Log("further: ", b.String())
}

func sum(m map[reflect.Type]int) (n int) {
	for v := range maps.Values(m) {
		n += v
	}
	return n
}

// allExpressions has something of every type that the server knows.
func allExpressions(t *testing.T, conn *pgx.Conn) []string {
	names, err := scan[struct {
		Name    string
		Element *string
	}](conn, rowscan.Options{}, `
		SELECT t.typname AS name, (SELECT e.typname FROM pg_type e WHERE e.oid = t.typelem AND t.typcategory = 'A'
		AND t.typlen = -1 AND e.typarray = t.oid) AS element
		FROM pg_type t WHERE t.typtype IN ('b', 'r', 'm') AND t.typnamespace = 'pg_catalog'::regnamespace ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Clone(expressions)
	for _, typ := range names {
		name := pgx.Identifier{typ.Name}.Sanitize()
		all = append(all, "NULL::"+name)
		if typ.Element != nil {
			all = append(all, "'{}'::"+name)
			element := pgx.Identifier{*typ.Element}.Sanitize()
			if len(samples[*typ.Element]) > 0 {
				all = append(all, "ARRAY["+literals(samples[*typ.Element], element)+", NULL]")
			}
			continue
		}
		texts, known := samples[typ.Name]
		if !known {
			t.Errorf("no samples of type %s", name)
		}
		for _, text := range texts {
			all = append(all, literals([]string{text}, name))
		}
	}
	return all
}

// literals is a list of values of a type.
func literals(texts []string, typ string) string {
	list := make([]string, len(texts))
	for i, text := range texts {
		list[i] = fmt.Sprintf("'%s'::%s", strings.ReplaceAll(text, "'", "''"), typ)
	}
	return strings.Join(list, ", ")
}

type tally struct {
	dsts       []reflect.Type
	same, fail int
	panics     int // of pgx, where a type makes no sense to it
	further    map[reflect.Type]int
}

// compare scans one expression into all destinations. database/sql may scan a row more than once, and so may we.
func (n *tally) compare(t *testing.T, conn *pgx.Conn, db *sql.DB, expression string) {
	query := "SELECT " + expression + " AS c"
	theirs, err := db.Query(query)
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return
	}
	defer theirs.Close()
	ours, err := conn.Query(context.Background(), query, rowscan.ResultFormats())
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return
	}
	defer ours.Close()
	theirsNext, oursNext := theirs.Next(), ours.Next()
	if !oursNext {
		t.Errorf("%s: %v", query, ours.Err())
		return
	}
	for _, typ := range n.dsts {
		want, got := reflect.New(typ), reflect.New(typ)
		wantErr := theirs.Err() // the driver cannot read the row: we may
		if theirsNext {
			wantErr = theirs.Scan(want.Interface())
		}
		gotErr := n.scanTwice(conn, ours, got)
		switch {
		case wantErr != nil && gotErr != nil:
			n.fail++
		case wantErr != nil:
			n.further[typ]++
		case gotErr != nil:
			t.Errorf("%s into %s: %v; want %s", expression, typ, gotErr, show(want.Elem()))
		case !equal(got.Elem(), want.Elem()):
			t.Errorf("%s into %s: got %s, want %s", expression, typ, show(got.Elem()), show(want.Elem()))
		default:
			n.same++
		}
	}
}

// scanTwice scans the row as a value, or if the type is no value as the field of a struct, into memory that was filled
// before.
func (n *tally) scanTwice(conn *pgx.Conn, rows pgx.Rows, dst reflect.Value) (err error) {
	defer func() {
		if p := recover(); p != nil {
			n.panics++
			err = fmt.Errorf("panic: %v", p)
			if !strings.Contains(dst.Type().String(), "pgtype.Multirange") { // pgx takes it for a composite type
				panic(p)
			}
		}
	}()
	field := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "C", Type: dst.Type().Elem()}}))
	row, err := rowscan.New(field.Interface(), rowscan.Options{}, conn.TypeMap(), rows.FieldDescriptions())
	if err != nil {
		return err
	}
	for range 2 {
		if err := row.Scan(rows.RawValues()); err != nil {
			if _, ok := err.(*rowscan.Error); !ok {
				return fmt.Errorf("not an *Error: %w", err)
			}
			return err
		}
	}
	dst.Elem().Set(field.Elem().Field(0))
	return nil
}

func show(v reflect.Value) string {
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	return fmt.Sprintf("%#v", v)
}

// equal is reflect.DeepEqual, but NaN equals itself, and times are equal in the same location.
func equal(a, b reflect.Value) bool {
	if a.IsValid() != b.IsValid() {
		return false
	}
	if !a.IsValid() {
		return true
	}
	if a.Type() != b.Type() {
		return false
	}
	if a.Type() == reflect.TypeFor[sql.RawBytes]() && a.Len() == 0 {
		return b.Len() == 0 // nil or not depends on what its buffer was used for before
	}
	if a.Type() == reflect.TypeFor[time.Time]() && a.CanInterface() {
		at, bt := a.Interface().(time.Time), b.Interface().(time.Time)
		return at.Equal(bt) && at.Location().String() == bt.Location().String()
	}
	switch a.Kind() {
	case reflect.Float32, reflect.Float64:
		return a.Float() == b.Float() || a.Float() != a.Float() && b.Float() != b.Float()
	case reflect.Pointer, reflect.Interface:
		return a.IsNil() == b.IsNil() && equal(a.Elem(), b.Elem())
	case reflect.Struct:
		for i := range a.NumField() {
			if !equal(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice, reflect.Array:
		if a.Kind() == reflect.Slice && a.IsNil() != b.IsNil() || a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !equal(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.IsNil() != b.IsNil() || a.Len() != b.Len() {
			return false
		}
		for _, k := range a.MapKeys() {
			if !equal(a.MapIndex(k), b.MapIndex(k)) {
				return false
			}
		}
		return true
	case reflect.Func, reflect.Chan:
		return a.IsNil() && b.IsNil()
	}
	return a.Equal(b)
}
