package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgdbm/pgdbm/driver"
)

// sample is a column of the table that the differential tests use, and values for it, good ones and bad.
type sample struct {
	name, sqlType string
	values        []any
}

var (
	berlin  = time.FixedZone("", 2*60*60)
	instant = time.Date(2024, 2, 29, 23, 59, 58, 123456000, berlin)
	samples = []sample{
		{"i2", "int2", []any{int16(1), -32768, int64(70000), "12", "x", nil, 1.5, true}},
		{"i4", "int4", []any{int32(7), 2147483647, int64(1) << 40, "12", nil, uint8(3)}},
		{"i8", "int8", []any{int64(math.MinInt64), 5, uint64(math.MaxUint64), nil, "9223372036854775807"}},
		{"f4", "float4", []any{float32(1.1), 0.1, math.NaN(), math.Inf(1), 3, "2.5", nil}},
		{"f8", "float8", []any{0.1, math.NaN(), math.Inf(-1), 1e308, math.Copysign(0, -1), 3, nil, "x"}},
		{"n", "numeric", []any{"1.50", 0.1, 3, big.NewInt(99), pgtype.Numeric{Int: big.NewInt(150), Exp: -2, Valid: true}, "NaN", nil}},
		{"n2", "numeric(10,2)", []any{"1.5", 1234567.891, 3, "123456789012", nil}},
		{"s", "text", []any{"", "Grüße", "a'b\\c", []byte("x"), 42, nil, "nul\x00"}},
		{"v", "varchar(5)", []any{"abc", "abcdefgh", nil}},
		{"bp", "char(4)", []any{"ab", nil}},
		{"by", "bytea", []any{[]byte{}, []byte{0, 1, 255}, "\\x41", nil}},
		{"b", "bool", []any{true, false, "t", "maybe", 1, nil}},
		{"d", "date", []any{instant, "2024-02-29", pgtype.Date{InfinityModifier: pgtype.Infinity, Valid: true}, nil}},
		{"tm", "time", []any{"12:34:56.789", pgtype.Time{Microseconds: 1, Valid: true}, nil}},
		{"ts", "timestamp", []any{instant, "2024-02-29 01:02:03", "-infinity", nil}},
		{"tz", "timestamptz", []any{instant, instant.UTC(), "2024-02-29 01:02:03+05", "infinity", "0044-03-15 BC", nil}},
		{"iv", "interval", []any{time.Hour, "1 mon 2 days 03:04:05", nil}},
		{"u", "uuid", []any{"6ba7b810-9dad-11d1-80b4-00c04fd430c8", [16]byte{1, 2}, "x", nil}},
		{"js", "json", []any{`{"b": 1,  "a":2}`, map[string]any{"a": 1}, []byte(`[1]`), "{", nil}},
		{"jb", "jsonb", []any{`{"b": 1,  "a":2}`, map[string]any{"a": []int{1}}, []byte(`"x"`), nil}},
		{"ai", "int4[]", []any{[]int32{1, 2}, []int{}, "{1,NULL,3}", []string{"a"}, nil}},
		{"at", "text[]", []any{[]string{"a", `b"c`, ""}, `{a,"b,c"}`, nil}},
		{"ir", "int4range", []any{"[1,5)", pgtype.Range[int32]{LowerType: pgtype.Unbounded, UpperType: pgtype.Unbounded, Valid: true}, nil}},
		{"mr", "int4multirange", []any{"{[1,5),[7,9)}", nil}},
		{"inet", "inet", []any{"192.168.0.1/24", nil}},
		{"bits", "varbit(8)", []any{"1010", nil}},
		{"o", "oid", []any{uint32(4000000000), nil}},
		{"x", "xml", []any{"<a/>", nil}},
		{"m", "money", []any{"12.34", nil}},
		{"pt", "point", []any{"(1,2)", nil}},
		{"ts2", "tsvector", []any{"a:1 b:2", nil}},
		{"e", "{{schema}}.mood", []any{"sad", "happy", "none", nil}},
		{"ea", "{{schema}}.mood[]", []any{"{sad,happy}", nil}},
		{"dm", "{{schema}}.percent", []any{50, 200, "7", nil}},
		{"c", "{{schema}}.pair", []any{"(1,x)", nil}},
	}
)

// newSamples creates a schema with the table of samples, with some rows.
func newSamples(t testing.TB, dsn, schema string) {
	t.Helper()
	var columns []string
	for _, s := range samples {
		columns = append(columns, s.name+" "+s.sqlType)
	}
	for _, statement := range []string{
		"CREATE SCHEMA {{schema}}",
		"CREATE TYPE {{schema}}.mood AS ENUM ('sad', 'happy')",
		"CREATE DOMAIN {{schema}}.percent AS int CHECK (VALUE BETWEEN 0 AND 100)",
		"CREATE TYPE {{schema}}.pair AS (a int, b text)",
		"CREATE TABLE {{tables.samples}} (id int PRIMARY KEY, " + strings.Join(columns, ", ") + ")",
		"INSERT INTO {{tables.samples}} (id) SELECT generate_series(1, 5)",
	} {
		admin(t, dsn, expand(t, statement, schema))
	}
	for _, s := range samples {
		value := fmt.Sprint(s.values[0])
		if at, ok := s.values[0].(time.Time); ok {
			value = at.Format(time.RFC3339Nano)
		}
		if text, ok := s.values[len(s.values)/2].(string); ok && s.name != "s" {
			value = text
		}
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Exec(t.Context(), expand(t, "UPDATE {{tables.samples}} SET "+s.name+" = '"+
			strings.ReplaceAll(value, "'", "''")+"' WHERE id > 1", schema)) // some are no literals of their types
		_ = conn.Close(t.Context())
	}
	admin(t, dsn, expand(t, "CREATE TABLE {{tables.backup}} AS SELECT * FROM {{tables.samples}}", schema))
}

func expand(t testing.TB, query, schema string) string {
	t.Helper()
	text, err := driver.Expand(query, schema)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// question is a random statement.
type question struct {
	sql  string
	args []any
	exec bool
}

func ask(r *rand.Rand) question {
	s := samples[r.IntN(len(samples))]
	value := s.values[r.IntN(len(s.values))]
	id := 1 + r.IntN(6)
	var some []string
	for range 1 + r.IntN(6) {
		some = append(some, samples[r.IntN(len(samples))].name)
	}
	list := strings.Join(some, ", ")
	switch r.IntN(14) {
	case 0:
		return question{sql: "SELECT " + list + " FROM {{tables.samples}} WHERE id = $1", args: []any{id}}
	case 1:
		return question{sql: "SELECT " + list + " FROM {{tables.samples}} ORDER BY id"}
	case 2:
		return question{sql: "SELECT * FROM {{tables.samples}} WHERE id <> $1 ORDER BY id", args: []any{id}}
	case 3:
		return question{sql: "UPDATE {{tables.samples}} SET " + s.name + " = $1 WHERE id = $2", args: []any{value, id}, exec: true}
	case 4:
		return question{sql: "UPDATE {{tables.samples}} SET " + s.name + " = $1 WHERE id = $2 RETURNING id, " + s.name + ", " + list,
			args: []any{value, id}}
	case 5:
		return question{sql: "SELECT $1::" + s.sqlType + ", $2::" + s.sqlType + "::text FROM {{tables.samples}} LIMIT 1",
			args: []any{value, s.values[0]}}
	case 6:
		return question{sql: "SELECT 10 / (id - 3), " + list + " FROM {{tables.samples}} WHERE id > $1 ORDER BY id", args: []any{0}}
	case 7:
		return question{sql: "INSERT INTO {{tables.samples}} (id, " + s.name + ") VALUES ($1, $2)", args: []any{1, value}, exec: true}
	case 8:
		return question{sql: "SELECT id FROM {{tables.samples}} WHERE " + s.name + " = $1 ORDER BY id", args: []any{value}}
	case 9:
		return question{sql: "SELECT " + list + " FROM {{tables.samples}} WHERE id = $1", args: []any{id, value}} // one too many
	case 10:
		return question{sql: "SELECT missing FROM {{tables.samples}} WHERE id = $1", args: []any{id}, exec: r.IntN(2) == 0}
	case 11:
		return question{sql: "SELECT (t).*, t FROM {{tables.samples}} t WHERE id = ANY($1) ORDER BY id", args: []any{[]int{id, 2}}}
	case 12:
		return question{sql: "DELETE FROM {{tables.samples}} WHERE id = $1", args: []any{-id}, exec: r.IntN(2) == 0}
	}
	return question{sql: "INSERT INTO {{tables.samples}} (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET " + s.name + " = $2 RETURNING *",
		args: []any{id, value}}
}

// answer is all that a caller can see of a statement.
func (q question) answer(ctx context.Context, db querier, text string) string {
	var b strings.Builder
	if q.exec {
		result, err := db.ExecContext(ctx, text, q.args...)
		if err == nil {
			n, err := result.RowsAffected()
			fmt.Fprint(&b, n, err)
		}
		writeError(&b, err)
		return b.String()
	}
	rows, err := db.QueryContext(ctx, text, q.args...)
	if err != nil {
		writeError(&b, err)
		return b.String()
	}
	defer rows.Close()
	columns, err := rows.Columns()
	fmt.Fprintln(&b, columns, err)
	types, err := rows.ColumnTypes()
	fmt.Fprintln(&b, err)
	for _, c := range types {
		length, hasLength := c.Length()
		precision, scale, hasScale := c.DecimalSize()
		nullable, knows := c.Nullable()
		fmt.Fprintln(&b, c.Name(), c.DatabaseTypeName(), length, hasLength, precision, scale, hasScale, nullable, knows, c.ScanType())
	}
	dest := make([]any, len(columns))
	for i := range dest {
		dest[i] = new(any)
	}
	for rows.Next() {
		err := rows.Scan(dest...)
		fmt.Fprint(&b, err)
		for _, d := range dest {
			writeValue(&b, *d.(*any))
		}
		fmt.Fprintln(&b)
	}
	writeError(&b, rows.Err())
	writeError(&b, rows.Close())
	return b.String()
}

func writeValue(b *strings.Builder, value any) {
	if at, ok := value.(time.Time); ok {
		fmt.Fprintf(b, " time(%s in %s)", at.Format(time.RFC3339Nano), at.Location())
		return
	}
	fmt.Fprintf(b, " %T(%#v)", value, value)
}

func writeError(b *strings.Builder, err error) {
	var pgErr *pgconn.PgError
	var prepare *pgconn.PrepareError
	if errors.As(err, &prepare) { // which only pgconn can make, for a statement that is prepared by itself
		err = prepare.Unwrap()
	}
	if errors.As(err, &pgErr) {
		if pgErr.Code == "25P02" { // an aborted transaction refuses Bind and Parse in two routines
			pgErr.Routine = ""
		}
		fmt.Fprintf(b, "[%s %s %d] ", pgErr.Code, pgErr.Routine, pgErr.Position)
	}
	fmt.Fprintf(b, "%T %v\n", err, err)
}

// differently are the ways in which a statement can reach the server.
var differently = map[string]string{
	"hot":      "",
	"cold":     "&statement_cache_capacity=1",
	"describe": "&default_query_exec_mode=cache_describe",
}

// TestDifferential runs the same statements through plain pgx and through each path of this driver.
func TestDifferential(t *testing.T) {
	t.Parallel()
	ways := maps.Clone(differently)
	for way, option := range differently {
		ways[way+" under a path"] = option + "&schema_mode=search_path"
	}
	for way, option := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t)
			newSamples(t, dsn, odd)
			plainDSN, underPath := dsn, strings.Contains(option, "search_path")
			if underPath { // error messages leave out a schema that is in the path
				plainDSN += "&search_path=" + url.QueryEscape(pgx.Identifier{odd}.Sanitize()+", public, pg_temp")
			}
			plain, ours := openAs(t, "pgx", plainDSN), openOne(t, dsn+option)
			ctx := driver.WithSchema(t.Context(), odd)
			fill(t, ours)
			seed := rand.Uint64()
			r := rand.New(rand.NewPCG(seed, 0))
			t.Logf("seed %d", seed)
			for range 1500 {
				q := ask(r)
				text, inTx := expand(t, q.sql, odd), r.IntN(3)
				var want, got string
				reset := func() {
					if inTx != 0 && !strings.HasPrefix(q.sql, "SELECT") {
						exec(ctx, t, plain, expand(t, `DELETE FROM {{tables.samples}};
							INSERT INTO {{tables.samples}} SELECT * FROM {{tables.backup}} ORDER BY id`, odd))
					}
				}
				switch inTx {
				case 0:
					want, got = inside(ctx, t, plain, q, text), inside(ctx, t, ours, q, q.sql)
				case 1:
					want = prepared(ctx, plain, q, text)
					reset()
					got = prepared(ctx, ours, q, q.sql)
				default:
					want = q.answer(ctx, plain, text)
					reset()
					got = q.answer(ctx, ours, q.sql)
				}
				reset()
				if got != want {
					t.Fatalf("%s %#v (way %d, seed %d)\npgx:\n%s\npgdbm:\n%s", q.sql, q.args, inTx, seed, want, got)
				}
			}
			stats, err := driver.StatsOf(ctx, ours)
			if err != nil || stats.OneShots == 0 != strings.HasPrefix(way, "hot") || stats.Hits == 0 {
				t.Errorf("the statements did not take the path: %+v, %v", stats, err)
			}
		})
	}
}

// inside returns the answers of a statement that is executed in a transaction, and of another one behind it.
func inside(ctx context.Context, t *testing.T, db *sql.DB, q question, text string) string {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	next := question{sql: "SELECT count(*) FROM pg_class WHERE relname = $1", args: []any{"samples"}}
	return q.answer(ctx, tx, text) + next.answer(ctx, tx, next.sql)
}

// prepared returns the answer of a prepared statement.
func prepared(ctx context.Context, db *sql.DB, q question, text string) string {
	stmt, err := db.PrepareContext(ctx, text)
	if err != nil {
		var b strings.Builder
		writeError(&b, err)
		return b.String()
	}
	defer stmt.Close()
	return q.answer(ctx, stmtQuerier{stmt: stmt}, text)
}

// stmtQuerier executes a prepared statement, whatever the text.
type stmtQuerier struct {
	querier
	stmt *sql.Stmt
}

func (s stmtQuerier) ExecContext(ctx context.Context, _ string, args ...any) (sql.Result, error) {
	return s.stmt.ExecContext(ctx, args...)
}

func (s stmtQuerier) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return s.stmt.QueryContext(ctx, args...)
}
