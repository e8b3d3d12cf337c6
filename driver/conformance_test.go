package driver_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgdbm/pgdbm/driver"
)

// subject is one of the databases that must behave alike. All of them work in the schema app.
type subject struct {
	*sql.DB
	ctx     context.Context
	dsn     string // for opening another one of the kind
	name    string // of the driver
	rewrite bool   // templates have to be expanded by hand
}

// sql returns a text with templates as this subject takes it.
func (s *subject) sql(query string) string {
	if !s.rewrite {
		return query
	}
	expanded, err := driver.Expand(query, "app")
	if err != nil {
		panic(err)
	}
	return expanded
}

// again opens the subject a second time, with one connection.
func (s *subject) again(t *testing.T) *sql.DB {
	t.Helper()
	db := openAs(t, s.name, s.dsn)
	db.SetMaxOpenConns(1)
	return db
}

// outcome is what a behaviour returns: whatever shows a difference.
type outcome []string

func (o *outcome) add(format string, args ...any) { *o = append(*o, fmt.Sprintf(format, args...)) }

// err adds what tells errors apart. It is the whole text, except for what differs from connection to connection.
func (o *outcome) err(what string, err error) {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		if prepare := new(pgconn.PrepareError); errors.As(err, &prepare) { // which only pgconn can make
			err = pgErr
		}
		o.add("%s: %+v %T", what, *pgErr, err)
		return
	}
	o.add("%s: %T %v; bad connection %v, deadline %v, canceled %v, no rows %v", what, err, err, errors.Is(err, sqldriver.ErrBadConn),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, sql.ErrNoRows))
}

// result adds what a statement that was executed returned.
func (o *outcome) result(what string, result sql.Result, err error) {
	o.err(what, err)
	if err == nil {
		affected, err := result.RowsAffected()
		o.add("%d rows, %v", affected, err)
		id, err := result.LastInsertId()
		o.add("id %d, %v", id, err)
	}
}

// query adds the columns and rows of a query, with the Go types that database/sql hands out.
func (o *outcome) query(ctx context.Context, q interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, query string, args ...any) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		o.err("query", err)
		return
	}
	defer rows.Close()
	columns, err := rows.ColumnTypes()
	if err != nil {
		o.err("columns", err)
		return
	}
	for _, c := range columns {
		length, hasLength := c.Length()
		precision, scale, hasDecimal := c.DecimalSize()
		nullable, hasNullable := c.Nullable()
		o.add("column %s %s %v, length %d %v, decimal %d %d %v, nullable %v %v", c.Name(), c.DatabaseTypeName(), c.ScanType(),
			length, hasLength, precision, scale, hasDecimal, nullable, hasNullable)
	}
	for rows.Next() {
		values, pointers := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			o.err("scan", err)
		}
		for i, v := range values {
			o.add("value %d: %T %v", i, v, v)
		}
	}
	o.err("rows", rows.Err())
	o.add("next result set: %v", rows.NextResultSet())
}

// TestConformance runs every behaviour on plain pgx and on this driver in its modes.
func TestConformance(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "app")
	admin(t, dsn, "CREATE TYPE app.mood AS ENUM ('sad', 'happy')", "CREATE TABLE app.kinds (i int2 NOT NULL, n numeric(7,3), c char(3), "+
		"v varchar(9), t text, b bytea, ts timestamptz, d date, j jsonb, u uuid, f float4, a int[], m app.mood, bo bool, iv interval, bits varbit(5))")
	pgxDSN := dsn + "&search_path=app,public"
	template := withSchema(t, dsn, "app") + "&schema_mode=template&search_path=app,public"
	bound := driver.WithSchema(t.Context(), "app")
	subjects := []*subject{
		{openAs(t, "pgx", pgxDSN), t.Context(), pgxDSN, "pgx", true},
		{openDB(t, template), t.Context(), template, "pgdbm", false},
		{openDB(t, pgxDSN), bound, pgxDSN, "pgdbm", false},
		{openDB(t, withSchema(t, dsn, "app")), t.Context(), withSchema(t, dsn, "app"), "pgdbm", false},
	}
	for name, behave := range behaviours {
		t.Run(name, func(t *testing.T) {
			want := behave(t, subjects[0])
			if len(want) == 0 {
				t.Fatal("nothing was observed")
			}
			for i, s := range subjects[1:] {
				got := behave(t, s)
				if slices.Equal(got, want) {
					continue
				}
				t.Errorf("subject %d differs from pgx", i+1)
				for j := range max(len(got), len(want)) {
					if g, w := at(got, j), at(want, j); g != w {
						t.Errorf("got  %s\nwant %s", g, w)
					}
				}
			}
		})
	}
}

func at(list outcome, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "(nothing)"
}

var behaviours = map[string]func(*testing.T, *subject) outcome{
	"arguments":        arguments,
	"arguments, stmt":  preparedArguments,
	"column types":     columnTypes,
	"options":          options,
	"exec":             execs,
	"errors":           serverErrors,
	"argument count":   argumentCount,
	"contexts":         contexts,
	"isolation levels": isolationLevels,
	"transactions":     transactions,
	"failed commit":    failedCommit,
	"dead connections": deadConnections,
	"conn and stats":   connAndStats,
	"scan":             scans,
	"prepared twice":   preparedTwice,
}

// texter is a driver.Valuer, celsius a type with a basic kind, point a struct that becomes JSON.
type (
	texter  struct{ s string }
	celsius float64
	point   struct {
		X int `json:"x"`
		Y int `json:"y"`
	}
)

func (t texter) Value() (sqldriver.Value, error) {
	if t.s == "" {
		return nil, errors.New("nothing to say")
	}
	return "<" + t.s + ">", nil
}

// values are arguments of many types, each with the SQL type it is sent as.
func values() []struct {
	pg  string
	arg any
} {
	when := time.Date(2026, 2, 3, 4, 5, 6, 789000, time.UTC)
	word := "pointer"
	return []struct {
		pg  string
		arg any
	}{
		{"int4", 42}, {"int8", int64(math.MinInt64)}, {"int2", uint8(7)}, {"int4", "42"}, {"int2", 70000}, {"int4", "no number"}, {"text", 42},
		{"text", "täxt"}, {"text", ""}, {"varchar", []byte("bytes")}, {"bytea", []byte{0, 1, 255}}, {"bytea", []byte(nil)}, {"bool", true},
		{"float8", 1.5}, {"float8", math.NaN()}, {"float4", float32(0.1)}, {"float8", celsius(36.6)}, {"numeric", "12.340"}, {"numeric", 7},
		{"timestamptz", when}, {"timestamp", when}, {"date", when}, {"interval", 90 * time.Minute}, {"timestamptz", "2026-01-02 03:04:05+00"},
		{"uuid", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}, {"uuid", [16]byte{15: 1}}, {"uuid", "no uuid"}, {"inet", netip.MustParseAddr("::1")},
		{"text[]", []string{"a", `b"c`, ""}}, {"int4[]", []int{1, 2}}, {"int8[]", []int64(nil)}, {"int4[]", "{3,4}"}, {"text[]", []*string{&word, nil}},
		{"int4", pgtype.Int4{Int32: 5, Valid: true}}, {"int4", pgtype.Int4{}}, {"numeric", pgtype.Numeric{NaN: true, Valid: true}},
		{"int4range", pgtype.Range[pgtype.Int4]{LowerType: pgtype.Inclusive, UpperType: pgtype.Unbounded, Valid: true,
			Lower: pgtype.Int4{Int32: 1, Valid: true}}},
		{"text", nil}, {"int4", nil}, {"text", (*string)(nil)}, {"text", &word}, {"text", sql.NullString{}}, {"text", sql.NullString{String: "x", Valid: true}},
		{"int8", sql.Null[int64]{V: 9, Valid: true}}, {"text", texter{"valuer"}}, {"text", texter{}}, {"text", (*texter)(nil)},
		{"jsonb", point{1, 2}}, {"json", map[string]any{"a": []int{1}}}, {"jsonb", json.RawMessage(`{"raw":1}`)}, {"jsonb", "[1, 2]"},
		{"jsonb", []byte(`{"b": 1}`)}, {"text", point{1, 2}}, {"int4", struct{}{}}, {"text", sql.Named("n", "named")}, {"int4", (chan int)(nil)},
		{"text", "{{tables.t}}"}, {"text", "'; DROP TABLE t; --"}, {"text", "\x00"}, {"text", "\xff"}, {"mood", "happy"}, {"mood", "angry"},
		{"xid", uint32(3)}, {"oid", uint32(math.MaxUint32)}, {"time", "12:34:56"}, {"point", "(1,2)"},
	}
}

func arguments(_ *testing.T, s *subject) (o outcome) {
	for _, v := range values() {
		o.add("%s %T", v.pg, v.arg)
		o.query(s.ctx, s, "SELECT $1::"+v.pg, v.arg)
		o.query(s.ctx, s, s.sql("SELECT $1::"+v.pg+" AS x, owner FROM {{tables.t}} WHERE id = $2"), v.arg, 1)
	}
	return o
}

func preparedArguments(t *testing.T, s *subject) (o outcome) {
	for _, v := range values() {
		o.add("%s %T", v.pg, v.arg)
		stmt := prepare(s.ctx, t, s, s.sql("SELECT $1::"+v.pg+", owner FROM {{tables.t}}"))
		rows, err := stmt.QueryContext(s.ctx, v.arg)
		if err != nil {
			o.err("query", err)
			continue
		}
		for rows.Next() {
			var value, owner any
			o.err("scan", rows.Scan(&value, &owner))
			o.add("%T %v %v", value, value, owner)
		}
		o.err("rows", errors.Join(rows.Err(), rows.Close()))
		result, err := stmt.ExecContext(s.ctx, v.arg)
		o.result("exec", result, err)
	}
	return o
}

func columnTypes(_ *testing.T, s *subject) (o outcome) {
	o.query(s.ctx, s, s.sql("SELECT * FROM {{tables.kinds}}"))
	o.query(s.ctx, s, s.sql("SELECT k.*, t.owner AS \"Owner\", count(*) OVER () FROM {{tables.t}} t LEFT JOIN {{tables.kinds}} k ON false"))
	o.query(s.ctx, s, "SELECT 1, 2 AS \"a b\", 'x', NULL, now() IS NULL, ARRAY[1.5], ROW(1, 'a'), '1 day'::interval")
	o.query(s.ctx, s, "SELECT")
	return o
}

// idRewriter is a pgx.QueryRewriter that sets the only argument.
type idRewriter int

func (r idRewriter) RewriteQuery(_ context.Context, _ *pgx.Conn, query string, _ []any) (string, []any, error) {
	return strings.ReplaceAll(query, "?", "$1"), []any{int(r)}, nil
}

// options are the first arguments that pgx takes for itself.
func options(_ *testing.T, s *subject) (o outcome) {
	byID := s.sql("SELECT id, owner, 1.5 AS n, ARRAY[id] AS a FROM {{tables.t}} WHERE id = $1")
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		o.add("%v", mode)
		o.query(s.ctx, s, byID, mode, 1)
		result, err := s.ExecContext(s.ctx, s.sql("UPDATE {{tables.t}} SET owner = owner WHERE id = $1"), mode, 1)
		o.result("exec", result, err)
	}
	o.query(s.ctx, s, byID, pgx.QueryResultFormats{0}, 1)
	o.query(s.ctx, s, byID, pgx.QueryResultFormats{1, 0, 0, 0}, 1)
	o.query(s.ctx, s, byID, pgx.QueryResultFormatsByOID{pgtype.Int4OID: 0}, pgx.QueryExecModeExec, 1)
	o.query(s.ctx, s, s.sql("SELECT owner, '@id' FROM <<tables.t>> WHERE id = @id"), pgx.NamedArgs{"id": 1})
	o.query(s.ctx, s, s.sql("SELECT owner FROM {{tables.t}} WHERE id = @id"), pgx.StrictNamedArgs{"wrong": 1})
	o.query(s.ctx, s, s.sql("SELECT owner FROM {{tables.t}} WHERE id = ?"), idRewriter(1))
	o.query(s.ctx, s, s.sql("SELECT owner FROM {{tables.t}} WHERE id = ?"), pgx.QueryExecModeSimpleProtocol, idRewriter(1))
	return o
}

func execs(_ *testing.T, s *subject) (o outcome) {
	for _, query := range []string{
		"CREATE TABLE {{tables.e}} (i int)", "INSERT INTO {{tables.e}} SELECT generate_series(1, 5)", "UPDATE {{tables.e}} SET i = i WHERE i > 3",
		"DELETE FROM {{tables.e}} WHERE i = 99", "SELECT * FROM {{tables.e}}", "INSERT INTO {{tables.e}} VALUES (6); DELETE FROM {{tables.e}} WHERE i < 4",
		"SELECT 1; SELECT 1 / 0; SELECT 2", "", ";", "-- nothing", "/* {{tables.e}} */", "DROP TABLE {{tables.e}}",
	} {
		result, err := s.ExecContext(s.ctx, s.sql(query))
		o.result(query, result, err)
	}
	o.query(s.ctx, s, "SELECT 1; SELECT 2")
	_, err := s.ExecContext(s.ctx, "SELECT $1::int; SELECT 2", 1)
	o.err("two statements with an argument", err)
	return o
}

// serverErrors have the same fields, the position too where there is no template.
func serverErrors(_ *testing.T, s *subject) (o outcome) {
	for _, query := range []string{"SELEC 1", "SELECT 1 FROM nowhere", "SELECT\n  nothing", "SELECT 'open", "INSERT INTO t VALUES (1, 'again')",
		"INSERT INTO t VALUES (NULL, NULL)", "SELECT 1/0", "SELECT 'x'::int", "SELECT pg_typeof($1)", "SELECT 1 << 'x'", "RAISE",
		"SELECT 1 FROM app.missing", "DROP SCHEMA missing", "SAVEPOINT outside"} {
		_, err := s.ExecContext(s.ctx, query)
		o.err("exec "+query, err)
		o.query(s.ctx, s, query)
		stmt, err := s.PrepareContext(s.ctx, query)
		o.err("prepare "+query, err)
		if err == nil {
			_, err = stmt.ExecContext(s.ctx)
			o.err("exec of prepared "+query, err)
			o.err("close", stmt.Close())
		}
	}
	var owner string
	o.err("no rows", s.QueryRowContext(s.ctx, s.sql("SELECT owner FROM {{tables.t}} WHERE id = 99")).Scan(&owner))
	o.err("late error", s.QueryRowContext(s.ctx, "SELECT 1 / (3 - i) FROM generate_series(1, 5) i OFFSET 2").Scan(new(int)))
	o.query(s.ctx, s, "SELECT 1 / (3 - i) FROM generate_series(1, 5) i")
	return o
}

func argumentCount(t *testing.T, s *subject) (o outcome) {
	query := s.sql("SELECT owner FROM {{tables.t}} WHERE id = $1")
	stmt := prepare(s.ctx, t, s, query)
	for _, args := range [][]any{{}, {1, 2}, {1, nil, 3}} {
		o.query(s.ctx, s, query, args...)
		_, err := s.ExecContext(s.ctx, query, args...)
		o.err("exec", err)
		_, err = stmt.ExecContext(s.ctx, args...)
		o.err("statement", err)
	}
	o.query(s.ctx, s, "SELECT 1", 1)
	return o
}

func contexts(t *testing.T, s *subject) (o outcome) {
	canceled, cancel := context.WithCancel(s.ctx)
	cancel()
	_, err := s.ExecContext(canceled, "SELECT 1")
	o.err("canceled before", err)
	short, cancel := context.WithTimeout(s.ctx, 30*time.Millisecond)
	defer cancel()
	_, err = s.ExecContext(short, s.sql("SELECT pg_sleep(60) FROM {{tables.t}}"))
	o.add("deadline: %v", errors.Is(err, context.DeadlineExceeded))
	conn := holdConn(s.ctx, t, s.again(t))
	during, cancel := context.WithCancel(s.ctx)
	tx, err := conn.BeginTx(during, nil)
	o.err("begin", err)
	cancel()
	o.add("commit of a canceled transaction fails: %v", tx.Commit() != nil)
	o.add("still there: %v", s.PingContext(s.ctx))
	return o
}

func isolationLevels(_ *testing.T, s *subject) (o outcome) {
	for level := sql.LevelDefault; level <= sql.LevelLinearizable; level++ {
		for _, readOnly := range []bool{false, true} {
			tx, err := s.BeginTx(s.ctx, &sql.TxOptions{Isolation: level, ReadOnly: readOnly})
			o.err(fmt.Sprint(level, readOnly), err)
			if err != nil {
				continue
			}
			o.query(s.ctx, tx, "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')")
			_, err = tx.ExecContext(s.ctx, s.sql("UPDATE {{tables.t}} SET id = id"))
			o.err("update", err)
			o.err("rollback", tx.Rollback())
		}
	}
	return o
}

func transactions(_ *testing.T, s *subject) (o outcome) {
	tx, err := s.BeginTx(s.ctx, nil)
	o.err("begin", err)
	if err != nil {
		return o
	}
	for _, query := range []string{"INSERT INTO {{tables.t}} VALUES (50, 'tx')", "SAVEPOINT one", "UPDATE {{tables.t}} SET owner = 'changed' WHERE id = 50",
		"SELECT 1/0", "SELECT 1", "ROLLBACK TO one", "RELEASE one", "ROLLBACK TO one"} {
		_, err := tx.ExecContext(s.ctx, s.sql(query))
		o.err(query, err)
	}
	o.err("rollback", tx.Rollback())
	o.err("rollback again", tx.Rollback())
	o.err("commit", tx.Commit())
	_, err = tx.ExecContext(s.ctx, "SELECT 1")
	o.err("afterwards", err)
	o.query(s.ctx, s, s.sql("SELECT count(*) FROM {{tables.t}}"))
	return o
}

func failedCommit(_ *testing.T, s *subject) (o outcome) {
	tx, err := s.BeginTx(s.ctx, nil)
	o.err("begin", err)
	_, err = tx.ExecContext(s.ctx, "SELECT 1/0")
	o.err("exec", err)
	err = tx.Commit()
	o.err("commit of a failed transaction", err)
	o.add("%v", errors.Is(err, pgx.ErrTxCommitRollback))
	for range 3 {
		o.query(s.ctx, s, "SELECT 1")
	}
	return o
}

func deadConnections(t *testing.T, s *subject) (o outcome) {
	db := s.again(t)
	conn := holdConn(s.ctx, t, db)
	err := conn.Raw(func(c any) error { return c.(interface{ Conn() *pgx.Conn }).Conn().Close(s.ctx) })
	o.err("close", err)
	o.err("ping of a dead connection", conn.PingContext(s.ctx))
	_, err = conn.ExecContext(s.ctx, "SELECT 1")
	o.err("exec on it", err)
	_, err = conn.PrepareContext(s.ctx, "SELECT 1")
	o.err("prepare on it", err)
	_, err = conn.BeginTx(s.ctx, nil)
	o.err("begin on it", err)
	o.add("%v", conn.Close() != nil)
	o.err("ping of the database", db.PingContext(s.ctx))
	_, err = db.ExecContext(s.ctx, "SELECT pg_terminate_backend(pg_backend_pid())")
	o.add("terminated: %v", err != nil)
	o.err("ping of the database", db.PingContext(s.ctx))
	o.query(s.ctx, db, "SELECT 1")
	return o
}

func connAndStats(t *testing.T, s *subject) (o outcome) {
	db := s.again(t)
	stats := func() {
		stats := db.Stats()
		o.add("open %d, in use %d, idle %d, of %d", stats.OpenConnections, stats.InUse, stats.Idle, stats.MaxOpenConnections)
	}
	stats()
	conn := holdConn(s.ctx, t, db)
	stats()
	pid := backend(s.ctx, t, conn)
	o.add("the same session: %v", pid == backend(s.ctx, t, conn))
	o.err("close", conn.Close())
	stats()
	o.add("the same session: %v", pid == backend(s.ctx, t, db))
	rows, err := db.QueryContext(s.ctx, s.sql("SELECT * FROM {{tables.t}}"))
	o.err("query", err)
	stats()
	o.err("rows", errors.Join(rows.Close(), rows.Err()))
	stats()
	o.err("close", db.Close())
	_, err = db.ExecContext(s.ctx, "SELECT 1")
	o.err("exec on a closed database", err)
	stats()
	return o
}

// scans reads into what users read into.
func scans(_ *testing.T, s *subject) (o outcome) {
	for _, test := range []struct {
		query string
		dest  any
	}{
		{"SELECT 1", new(string)}, {"SELECT 'x'", new(int)}, {"SELECT NULL", new(string)}, {"SELECT NULL", new(*string)}, {"SELECT 'x'", new([]byte)},
		{"SELECT 'x'", new(sql.RawBytes)}, {"SELECT now()::date", new(string)}, {"SELECT '2026-01-01'::date", new(time.Time)}, {"SELECT 1.5", new(float64)},
		{"SELECT 300", new(int8)}, {"SELECT -1", new(uint)}, {"SELECT true", new(bool)}, {"SELECT 't'", new(bool)}, {"SELECT 2", new(sql.NullInt64)},
		{"SELECT '{1,2}'::int[]", new(string)}, {"SELECT '{1,2}'::int[]", pgtype.NewMap().SQLScanner(new([]int))}, {"SELECT '{\"x\":1}'::jsonb", new([]byte)},
		{"SELECT 1, 2", new(int)}, {"SELECT 7", new(pgtype.Int4)}, {"SELECT '1.50'::numeric", new(pgtype.Numeric)}, {"SELECT 'sad'::mood", new(string)},
	} {
		err := s.QueryRowContext(s.ctx, test.query).Scan(test.dest)
		o.err(test.query, err)
		if text, err := json.Marshal(test.dest); !strings.Contains(test.query, "now()") {
			o.add("%T %s %v", test.dest, text, err)
		}
	}
	return o
}

// preparedTwice closes one of two statements of the same text, which share one on the server.
func preparedTwice(t *testing.T, s *subject) (o outcome) {
	conn := holdConn(s.ctx, t, s.again(t))
	query := s.sql("SELECT owner FROM {{tables.t}} WHERE id = $1")
	first, second := prepare(s.ctx, t, conn, query), prepare(s.ctx, t, conn, query)
	o.err("close", first.Close())
	var owner string
	o.err("second", second.QueryRowContext(s.ctx, 1).Scan(&owner))
	o.add("%s", owner)
	o.err("first", first.QueryRowContext(s.ctx, 1).Scan(&owner))
	o.err("close", second.Close())
	o.query(s.ctx, conn, "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%owner%' AND statement NOT LIKE '%count%'")
	return o
}
