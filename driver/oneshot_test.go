package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/pgbouncer"
)

// openCold opens a database whose templated statements are all one-shots, on one connection.
func openCold(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db := openOne(t, dsn+"&statement_cache_capacity=1")
	fill(t, db)
	return db
}

// fill takes the only place in a statement cache of one, with a text that is used more often than all others.
func fill(t testing.TB, db *sql.DB) {
	t.Helper()
	for range 100 {
		get[int](t.Context(), t, db, "SELECT 1 WHERE 1 = $1", 1)
	}
}

func statsOf(t testing.TB, db *sql.DB) driver.Stats {
	t.Helper()
	stats, err := driver.StatsOf(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

// countingDB opens a database on one connection and counts what it sends: each flight is one round trip.
func countingDB(t *testing.T, dsn string) (*sql.DB, *atomic.Int64) {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	flights, dial := new(atomic.Int64), config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return countedConn{conn, flights}, err
	}
	noPing := stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return false })
	db := driver.OpenDB(*config, driver.WithStdlib(noPing))
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db, flights
}

type countedConn struct {
	net.Conn
	flights *atomic.Int64
}

func (c countedConn) Write(b []byte) (int, error) {
	c.flights.Add(1)
	return c.Conn.Write(b)
}

// A one-shot takes one round trip, and one more before the first in each schema, unless the server can infer its types on the way.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b", odd)
	for way, option := range differently {
		db, flights := countingDB(t, dsn+option)
		fill(t, db)
		for round := range 3 {
			for _, schema := range []string{"a", "b", odd} {
				ctx := driver.WithSchema(t.Context(), schema)
				for what, ask := range map[string]func(){
					"integer": func() { get[string](ctx, t, db, "SELECT owner FROM {{tables.t}} WHERE id = $1", 1) },
					"none":    func() { get[int](ctx, t, db, "SELECT id FROM {{tables.t}}") },
					"text":    func() { exec(ctx, t, db, "UPDATE {{tables.t}} SET owner = $1", schema) },
					"in a transaction": func() {
						tx := begin(ctx, t, db)
						exec(ctx, t, tx, "UPDATE {{tables.t}} SET id = $1", 1)
						if err := tx.Rollback(); err != nil {
							t.Fatal(err)
						}
					},
				} {
					before, want := flights.Load(), int64(1)
					ask()
					if what == "in a transaction" {
						want = 3
					}
					switch {
					case what == "in a transaction" && way != "hot": // what is described in a transaction counts only there
						want++
					case round > 0:
					case way == "hot", what == "integer", what == "none" && schema == "a": // for what the columns are, another schema's will do
						want++
					}
					if got := flights.Load() - before; got != want {
						t.Errorf("%s, %s, round %d, schema %q: %d round trips, want %d", way, what, round, schema, got, want)
					}
				}
			}
		}
	}
}

// Visiting many tenants once leaves prepared what is in use, and prepares nothing beyond pgx's own bound.
func TestScanEvictsNothingInUse(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t)
	const tenants, hot = 500, 20
	var create strings.Builder
	for i := range tenants {
		fmt.Fprintf(&create, "CREATE SCHEMA t%d; CREATE VIEW t%[1]d.v AS SELECT %[1]d AS id;", i)
	}
	admin(t, dsn, create.String())
	db := openOne(t, dsn+"&statement_cache_capacity=30")
	visit := func(i int) {
		ctx := driver.WithSchema(t.Context(), fmt.Sprint("t", i))
		if got := get[int](ctx, t, db, "SELECT id FROM {{tables.v}} WHERE id >= $1", 0); got != i {
			t.Fatalf("tenant %d reads the row of %d", i, got)
		}
	}
	for range 5 {
		for i := range hot {
			visit(i)
		}
	}
	prepared := func() []string {
		var names []string
		rows, err := db.Query("SELECT name || ' ' || extract(epoch FROM prepare_time) FROM pg_prepared_statements WHERE statement LIKE '%.v WHERE id >= $1'")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}
	before, evicted := prepared(), statsOf(t, db).Evictions
	for i := range tenants {
		visit(i)
		visit(i % hot)
	}
	after := prepared()
	for i := range hot {
		hits := statsOf(t, db).Hits
		visit(i)
		if statsOf(t, db).Hits != hits+1 {
			t.Errorf("tenant %d is not hot any more", i)
		}
	}
	for _, name := range before {
		if !slices.Contains(after, name) {
			t.Errorf("a statement in use was thrown away or prepared again: %s", name)
		}
	}
	// Texts that nobody uses may have to go for one that the sketch counts together with others.
	if n := len(after); n > 30 || statsOf(t, db).Evictions > evicted+5 {
		t.Errorf("%d statements are prepared, %+v, %d evictions before", n, statsOf(t, db), evicted)
	}
}

// Tenants whose tables differ under the same template get the right values, cold and hot.
func TestTenantsWithDifferentTypes(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	types := map[string]string{
		"a": "int4 NOT NULL", "b": "text NOT NULL", "c": "float8 NOT NULL", "d": "numeric NOT NULL, extra text DEFAULT 'more'",
		"e": "e.mood NOT NULL", "f": "f.mood NOT NULL", "g": "timestamptz NOT NULL", "h": "timestamp NOT NULL", "i": "float4 NOT NULL",
	}
	values := map[string]any{
		"a": 42, "b": "007", "c": 0.1, "d": "1.50", "e": "sad", "f": "happy", "g": instant, "h": instant, "i": float32(0.1),
	}
	for schema, sqlType := range types {
		admin(t, dsn, "CREATE SCHEMA "+schema, "CREATE TYPE "+schema+".mood AS ENUM ('sad', 'happy')",
			"CREATE TABLE "+schema+".v (id int PRIMARY KEY, v "+sqlType+")")
	}
	for way, option := range differently {
		db, plain := openOne(t, dsn+option), openAs(t, "pgx", dsn)
		fill(t, db)
		for round := range 3 {
			for schema, value := range values {
				ctx := driver.WithSchema(t.Context(), schema)
				for _, q := range []question{
					{sql: "INSERT INTO {{tables.v}} (id, v) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET v = $2 RETURNING *", args: []any{1, value}},
					{sql: "SELECT * FROM {{tables.v}} WHERE v = $1", args: []any{value}},
					{sql: "UPDATE {{tables.v}} SET v = $1", args: []any{value}, exec: true},
					{sql: "SELECT * FROM {{tables.v}} WHERE id = $1", args: []any{1}},
					{sql: "SELECT v FROM {{tables.v}}"},
					{sql: "UPDATE {{tables.v}} SET id = $1 RETURNING *, v", args: []any{1}},
					{sql: "SELECT v FROM {{tables.v}} WHERE v = $1", args: []any{42}},
				} {
					got := inside(ctx, t, db, q, q.sql) + q.answer(ctx, db, q.sql)
					want := inside(ctx, t, plain, q, expand(t, q.sql, schema)) + q.answer(ctx, plain, expand(t, q.sql, schema))
					if got != want {
						t.Fatalf("%s, round %d, schema %s: %s\npgx:\n%s\npgdbm:\n%s", way, round, schema, q.sql, want, got)
					}
				}
			}
		}
	}
}

// What others do to a table between two executions of a statement never makes its rows be misread, nor a write happen
// twice, nor an error reach the caller outside of a transaction.
func TestChangedByOthers(t *testing.T) {
	t.Parallel()
	changes := []string{
		"ALTER TABLE a.v ADD COLUMN extra text DEFAULT 'more'",
		"ALTER TABLE a.v ALTER COLUMN v TYPE numeric USING v + 0.50",
		"ALTER TABLE a.v ALTER COLUMN v TYPE text USING v::text || 'x'",
		"ALTER TABLE a.v ALTER COLUMN v DROP DEFAULT, ALTER COLUMN v TYPE a.pair USING ROW(1, v)",
		"ALTER TABLE a.v ALTER COLUMN w TYPE bigint",
		"ALTER TABLE a.v DROP COLUMN at",
		"ALTER TABLE a.v DROP COLUMN w, ADD COLUMN w timestamptz DEFAULT '2024-02-29 00:00Z'",
		"DROP TABLE a.v; CREATE TABLE a.v (id int PRIMARY KEY, w float8 DEFAULT 0.1, v date DEFAULT '2024-02-29'); INSERT INTO a.v VALUES (1)",
	}
	questions := []question{
		{sql: "SELECT * FROM {{tables.v}} WHERE id = $1", args: []any{1}},
		{sql: "SELECT v FROM {{tables.v}}"},
		{sql: "SELECT v, w FROM {{tables.v}} WHERE id = $1", args: []any{1}},
		{sql: "UPDATE {{tables.v}} SET id = $1 RETURNING *", args: []any{1}},
		{sql: "INSERT INTO {{tables.v}} (id) VALUES ($1) RETURNING v, w, id", args: []any{2}},
		{sql: "UPDATE {{tables.v}} SET w = $1", args: []any{nil}, exec: true},
	}
	for way, option := range differently {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t)
			admin(t, dsn, "CREATE SCHEMA a; CREATE TYPE a.pair AS (a int, b int)")
			ctx := driver.WithSchema(t.Context(), "a")
			for _, change := range changes {
				for _, q := range questions {
					admin(t, dsn, `DROP TABLE IF EXISTS a.v; CREATE TABLE a.v (id int PRIMARY KEY, v int DEFAULT 7, w int DEFAULT 8,
						at timestamptz DEFAULT '2024-01-01 00:00Z'); INSERT INTO a.v VALUES (1)`)
					db, plain := openOne(t, dsn+option), openAs(t, "pgx", dsn)
					fill(t, db)
					undo := func() { admin(t, dsn, "DELETE FROM a.v WHERE id = 2; UPDATE a.v SET w = DEFAULT") }
					q.answer(ctx, db, q.sql)
					undo()
					admin(t, dsn, change)
					want := q.answer(ctx, plain, expand(t, q.sql, "a"))
					undo()
					for round := range 2 {
						got := q.answer(ctx, db, q.sql)
						if way == "hot" && round == 0 && strings.HasPrefix(got, "[42804") {
							continue // a prepared statement's parameters keep their types, as with plain pgx, until there is an error
						}
						if got != want {
							t.Errorf("%s after %s\npgx:\n%s\npgdbm:\n%s", q.sql, change, want, got)
						}
						if n := get[int](ctx, t, plain, "SELECT count(*) FROM a.v WHERE id = 2"); n != strings.Count(q.sql, "INSERT") {
							t.Errorf("%s after %s: %d rows were inserted", q.sql, change, n)
						}
						undo()
					}
				}
			}
		})
	}
}

// A function that comes back with another type is read as what it is now.
func TestFunctionIsReplaced(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	inA := driver.WithSchema(t.Context(), "a")
	q := question{sql: "SELECT {{schema}}.f()"}
	for _, option := range []string{"&statement_cache_capacity=1", "&default_query_exec_mode=cache_describe"} {
		admin(t, dsn, "DROP FUNCTION IF EXISTS a.f", "CREATE FUNCTION a.f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
		db := openOne(t, dsn+option)
		fill(t, db)
		q.answer(inA, db, q.sql)
		admin(t, dsn, "DROP FUNCTION a.f", "CREATE FUNCTION a.f() RETURNS record LANGUAGE sql AS 'SELECT 1, 2'")
		want := q.answer(inA, openAs(t, "pgx", dsn), expand(t, q.sql, "a"))
		if got := q.answer(inA, db, q.sql); got != want {
			t.Errorf("%s: %s, want %s", option, got, want)
		}
	}
}

// What this process does to a table in a transaction is known to the statements behind it, and does no harm to those
// that are executed in other transactions afterwards.
func TestChangedInTransaction(t *testing.T) {
	t.Parallel()
	for way, option := range differently {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			dsn := newTenants(t, "a", "b")
			db := openDB(t, dsn+option)
			db.SetMaxOpenConns(2)
			ctx, inB := driver.WithSchema(t.Context(), "a"), driver.WithSchema(t.Context(), "b")
			other := holdConn(ctx, t, db)
			operator := "=" // of a text that is prepared before the change
			columns := func(ctx context.Context, q querier) int {
				rows, err := q.QueryContext(ctx, "SELECT * FROM {{tables.t}} WHERE id "+operator+" $1", 1)
				if err != nil {
					t.Fatal(err)
				}
				defer rows.Close()
				names, err := rows.Columns()
				if err != nil {
					t.Fatal(err)
				}
				return len(names)
			}
			warm := func() {
				for _, q := range []querier{db, other} {
					columns(ctx, q)
					columns(inB, q)
				}
			}
			want := func(q querier, what string, inA, inBWanted int) {
				t.Helper()
				if got := []int{columns(ctx, q), columns(inB, q)}; !slices.Equal(got, []int{inA, inBWanted}) {
					t.Errorf("%s: columns of a and b: %v, want %d and %d", what, got, inA, inBWanted)
				}
			}
			warm()
			tx := begin(ctx, t, db)
			want(tx, "before", 2, 2)
			exec(ctx, t, tx, "ALTER TABLE {{tables.t}} ADD COLUMN extra int")
			want(tx, "changed", 3, 2)
			exec(ctx, t, tx, "SAVEPOINT s")
			exec(ctx, t, tx, "ALTER TABLE {{tables.t}} DROP COLUMN extra")
			want(tx, "changed back", 2, 2)
			operator = ">=" // of a text that nobody has used before
			want(tx, "changed back, another text", 2, 2)
			exec(ctx, t, tx, "ROLLBACK TO SAVEPOINT s")
			want(tx, "rolled back to a savepoint", 3, 2)
			operator = "="
			want(tx, "rolled back to a savepoint", 3, 2)
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			want(db, "rolled back", 2, 2)
			exec(ctx, t, db, "ALTER TABLE {{tables.t}} ADD COLUMN extra int")
			second, err := other.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			want(second, "changed by another connection", 3, 2)
			if err := second.Commit(); err != nil {
				t.Fatal(err)
			}
			want(other, "afterwards", 3, 2)
		})
	}
}

// A prepared statement follows a change of its table too.
func TestStmtFollowsChange(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	db := openOne(t, dsn)
	ctx := driver.WithSchema(t.Context(), "a")
	stmt := prepare(ctx, t, db, "SELECT * FROM {{tables.t}} WHERE id = $1")
	update := prepare(ctx, t, db, "UPDATE {{tables.t}} SET id = $1 RETURNING *")
	for i := range 3 {
		rows, err := stmt.QueryContext(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		names, err := rows.Columns()
		if err != nil || len(names) != 2+i {
			t.Errorf("columns %q, %v", names, err)
		}
		rows.Close()
		if _, err := update.ExecContext(ctx, 1); err != nil {
			t.Error(err)
		}
		admin(t, dsn, fmt.Sprintf("ALTER TABLE a.t ADD COLUMN extra%d int", i))
	}
	if statsOf(t, db).Retries == 0 {
		t.Error("nothing was sent again")
	}
}

// A procedure that has committed before it came across a change is not called again.
func TestProcedureIsNotCalledTwice(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	admin(t, dsn, "CREATE TABLE a.calls ()", `CREATE PROCEDURE a.p(x int) LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO a.calls DEFAULT VALUES; COMMIT; EXECUTE 'EXECUTE changed'; END $$`)
	for _, option := range differently {
		db := openOne(t, dsn+option)
		ctx := driver.WithSchema(t.Context(), "a")
		admin(t, dsn, "DELETE FROM a.calls", "ALTER TABLE a.t DROP COLUMN IF EXISTS extra")
		held := holdConn(t.Context(), t, db)
		exec(t.Context(), t, held, "PREPARE changed AS SELECT * FROM a.t")
		exec(t.Context(), t, held, "EXECUTE changed")
		admin(t, dsn, "ALTER TABLE a.t ADD COLUMN extra int")
		if _, err := held.ExecContext(ctx, "CALL {{schema}}.p($1)", 1); err == nil {
			t.Error("the procedure did not fail")
		}
		if n := get[int](ctx, t, held, "SELECT count(*) FROM {{tables.calls}}"); n != 1 {
			t.Errorf("the procedure was called %d times", n)
		}
		held.Close()
	}
}

// recorder is a tracer that records what it is told.
type recorder struct{ events []string }

type recorderKey struct{}

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.events = append(r.events, fmt.Sprintf("start %s %v", data.SQL, data.Args))
	return context.WithValue(ctx, recorderKey{}, data.SQL)
}

func (r *recorder) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	r.events = append(r.events, fmt.Sprintf("end %v %v %v", ctx.Value(recorderKey{}), data.CommandTag, data.Err))
}

// Tracers see the same, whatever path a statement takes.
func TestTracers(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, odd)
	trace := func(option string, ours bool) []string {
		config, err := pgx.ParseConfig(dsn + option)
		if err != nil {
			t.Fatal(err)
		}
		r := &recorder{}
		config.Tracer = r
		db, ctx := driver.OpenDB(*config), driver.WithSchema(t.Context(), odd)
		defer db.Close()
		for _, q := range []question{
			{sql: "SELECT * FROM {{tables.t}} WHERE id = $1", args: []any{1}},
			{sql: "SELECT 1/(id-1) FROM {{tables.t}} WHERE id = $1", args: []any{1}},
			{sql: "SELECT missing FROM {{tables.t}} WHERE id = $1", args: []any{1}},
			{sql: "SELECT id FROM {{tables.t}} WHERE id = $1", args: []any{"x"}},
			{sql: "SELECT id FROM {{tables.t}} WHERE id = $1"},
			{sql: "UPDATE {{tables.t}} SET id = $1", args: []any{1}, exec: true},
			{sql: "UPDATE {{tables.t}} SET id = $1", args: []any{nil}, exec: true},
			{sql: "UPDATE {{tables.t}} SET id = $1", args: []any{1.5}, exec: true},
			{sql: "UPDATE {{tables.t}} SET id = $1", args: []any{1, 2}, exec: true},
		} {
			text := q.sql
			if !ours {
				text = expand(t, text, odd)
			}
			for range 2 {
				q.answer(ctx, db, text)
			}
		}
		return r.events
	}
	want := trace("", false) // without templates everything goes as pgx does it
	for way, option := range differently {
		if got := trace(option, true); !slices.Equal(got, want) {
			t.Errorf("%s:\npgx:\n%s\npgdbm:\n%s", way, strings.Join(want, "\n"), strings.Join(got, "\n"))
		}
	}
}

// PgBouncer in transaction mode knows no named statements; with cache_describe none are used.
func TestOneShotsThroughPgBouncer(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b", odd)
	through := pgbouncer.Start(t, dsn, "default_pool_size=3")
	db := openDB(t, through+"&default_query_exec_mode=cache_describe")
	db.SetMaxOpenConns(10)
	done := make(chan error)
	for i := range 10 {
		go func() {
			done <- func() error {
				for j := range 50 {
					schema := []string{"a", "b", odd}[(i+j)%3]
					ctx := driver.WithSchema(t.Context(), schema)
					row := db.QueryRowContext(ctx, "SELECT owner FROM {{tables.t}} WHERE id = $1", 1)
					if err := checkRow(row, schema); err != nil {
						return err
					}
				}
				return nil
			}()
		}()
	}
	for range 10 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if stats := statsOf(t, db); stats.OneShots != 500 || stats.Describes > 30 {
		t.Errorf("%+v", stats)
	}
}

// A one-shot that is cancelled, or whose connection is lost, ends as one of pgx's.
func TestColdStatementsThatBreak(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	db := openCold(t, dsn)
	const sleepy = "SELECT owner, pg_sleep($1) FROM {{tables.t}}"
	inA := driver.WithSchema(t.Context(), "a")
	exec(inA, t, db, sleepy, 0)
	for _, q := range []question{{sql: sleepy, args: []any{60}}, {sql: sleepy, args: []any{60}, exec: true}} {
		ctx, cancel := context.WithCancel(inA)
		result := make(chan error)
		go func() {
			if q.exec {
				result <- second(db.ExecContext(ctx, q.sql, q.args...))
				return
			}
			var owner string
			result <- db.QueryRowContext(ctx, q.sql, q.args...).Scan(&owner)
		}()
		watch := openAs(t, "pgx", dsn)
		const sleeping = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
		eventually(t, "the query runs", func() bool { return get[int](t.Context(), t, watch, sleeping) == 1 })
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("exec %v: %v", q.exec, err)
		}
		wantIdle(t, db)
		exec(inA, t, db, sleepy, 0)
	}
	tx := begin(inA, t, db)
	admin(t, dsn, fmt.Sprintf("SELECT pg_terminate_backend(%d)", backend(inA, t, tx)))
	eventually(t, "a statement fails", func() bool { return second(tx.ExecContext(inA, sleepy, 0)) != nil })
	if err := tx.Commit(); err == nil {
		t.Error("the transaction commits")
	}
	exec(inA, t, db, sleepy, 0)
	wantIdle(t, db)
}

// A broken connection is replaced where pgx's is, and only there.
func TestColdStatementsOnBrokenConnections(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	inA := driver.WithSchema(t.Context(), "a")
	errorsOf := func(option, text string) (list []string) {
		for _, isExec := range []bool{true, false} {
			var b breaker
			db := driver.OpenDB(b.config(t, dsn+option))
			defer db.Close()
			db.SetMaxOpenConns(1)
			fill(t, db)
			q := question{sql: text, args: []any{1}, exec: isExec}
			for range 2 {
				q.answer(inA, db, text)
			}
			b.breakAll()
			list = append(list, q.answer(inA, db, text))
		}
		return list
	}
	const query = "SELECT owner FROM {{tables.t}} WHERE id = $1"
	want := errorsOf("", expand(t, query, "a"))
	for way, option := range differently {
		if got := errorsOf(option, query); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", way, got, want)
		}
	}
}

// Pgx's modes and first arguments keep their meaning, so nothing is sent in one go.
func TestModesOfPgx(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	inA := driver.WithSchema(t.Context(), "a")
	const query = "SELECT owner FROM {{tables.t}} WHERE id = $1"
	for _, option := range []string{"default_query_exec_mode=exec", "default_query_exec_mode=simple_protocol"} {
		db := openOne(t, dsn+"&statement_cache_capacity=1&"+option)
		for range 3 {
			wantValue(t, "a", get[string](inA, t, db, query, 1))
		}
		if stats := statsOf(t, db); stats != (driver.Stats{}) {
			t.Errorf("%s: %+v", option, stats)
		}
	}
	cold := openCold(t, dsn)
	before := statsOf(t, cold)
	for _, first := range []any{pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		wantValue(t, "a", get[string](inA, t, cold, query, first, 1))
	}
	exec(inA, t, cold, "UPDATE {{tables.t}} SET id = 1")
	if stats := statsOf(t, cold); stats != before {
		t.Errorf("%+v, before %+v", stats, before)
	}
	for _, first := range []any{pgx.QueryResultFormats{0}, pgx.QueryResultFormatsByOID{}} {
		wantValue(t, "a", get[string](inA, t, cold, query, first, 1))
	}
	wantValue(t, "a", get[string](inA, t, cold, "SELECT owner FROM {{tables.t}} WHERE id = @id", pgx.NamedArgs{"id": 1}))
	disabled := openOne(t, dsn+"&statement_cache_capacity=0")
	if err := second(disabled.QueryContext(inA, query, 1)); err == nil || !strings.Contains(err.Error(), "disabled statement cache") {
		t.Errorf("without a statement cache: %v", err)
	}
}

func wantValue(t *testing.T, want, got string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A pgxpool's connections keep what is known about them from one borrower to the next, whatever database they serve.
func TestPoolRemembersHotStatements(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", "b")
	pool := openPool(t, dsn, 1)
	a, b := openFromPool(t, pool, driver.DefaultSchema("a")), openFromPool(t, pool, driver.DefaultSchema("b"))
	for range 3 {
		for schema, db := range map[string]*sql.DB{"a": a, "b": b} {
			wantValue(t, schema, get[string](t.Context(), t, db, "SELECT owner FROM {{tables.t}} WHERE id = $1", 1))
		}
	}
	for _, db := range []*sql.DB{a, b} {
		if stats := statsOf(t, db); stats.Hits != 2 || stats.Prepares != 1 {
			t.Errorf("%+v", stats)
		}
	}
}

// One Stmt for many schemas is prepared for some of them, and goes the way of other statements in the rest. It reads the
// right rows in all of them, and fills the server's memory with none.
func TestStmtInManySchemas(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t)
	const tenants = 40
	var create strings.Builder
	for i := range tenants {
		fmt.Fprintf(&create, "CREATE SCHEMA t%d; CREATE TABLE t%[1]d.v (id int); INSERT INTO t%[1]d.v VALUES (%[1]d);", i)
	}
	admin(t, dsn, create.String())
	for way, option := range differently {
		db := openOne(t, dsn+option)
		fill(t, db)
		read := prepare(driver.WithSchema(t.Context(), "t0"), t, db, "SELECT id FROM {{tables.v}} WHERE id >= $1")
		write := prepare(driver.WithSchema(t.Context(), "t0"), t, db, "UPDATE {{tables.v}} SET id = id + $1")
		for range 3 {
			for i := range tenants {
				ctx := driver.WithSchema(t.Context(), fmt.Sprint("t", i))
				var got int
				if err := read.QueryRowContext(ctx, 0).Scan(&got); err != nil || got != i {
					t.Errorf("%s: schema t%d: %d, %v", way, i, got, err)
				}
				if result, err := write.ExecContext(ctx, 0); err != nil {
					t.Errorf("%s: schema t%d: %v", way, i, err)
				} else if n, _ := result.RowsAffected(); n != 1 {
					t.Errorf("%s: schema t%d: %d rows", way, i, n)
				}
			}
		}
		most := 2*tenants + 1 // and the one that counts
		if way != "hot" {
			most = 2*16 + 1
		}
		if n := get[int](t.Context(), t, db, "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%.v%'"); n > most {
			t.Errorf("%s: %d statements are prepared", way, n)
		}
	}
}

// A prepared statement of database/sql is none of the server's either, for GORM's PrepareStmt and the like behind PgBouncer.
func TestStmtsThroughPgBouncer(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", odd)
	db := openDB(t, pgbouncer.Start(t, dsn, "default_pool_size=2")+"&default_query_exec_mode=cache_describe")
	for _, query := range []string{ownerQuery, "SELECT owner FROM {{tables.t}} WHERE id = $1 AND $2 <> ''", "SELECT 'none' WHERE $1 = 1 AND $2 = ''"} {
		stmt := prepare(t.Context(), t, db, query)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 20 {
					schema := []string{"a", odd}[(i+j)%2]
					var args []any
					want := schema
					if strings.Contains(query, "$2") {
						args = []any{1, "x"}
					}
					if strings.Contains(query, "none") {
						args, want = []any{1, ""}, "none"
					}
					var got string
					if err := stmt.QueryRowContext(driver.WithSchema(t.Context(), schema), args...).Scan(&got); err != nil || got != want {
						t.Errorf("%s in %q: %q, %v", query, schema, got, err)
					}
				}
			})
		}
		all.Wait()
	}
}
