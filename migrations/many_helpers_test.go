package migrations_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// oddSchema is a schema name that has to be quoted, and that is longer in bytes than in characters.
const oddSchema = `Größe-"7"`

// hangLimit is when a test that hangs gives up. It is long, because machines may be busy.
const hangLimit = 5 * time.Minute

// abc makes the tables a, b and c, one in each file.
func abc() fs.FS {
	return sqlFiles(
		"001_a.sql", "CREATE TABLE {{tables.a}} (id int)",
		"002_b.sql", "CREATE TABLE {{tables.b}} (id int)",
		"003_c.sql", "CREATE TABLE {{tables.c}} (id int)")
}

// abcAnd adds files to abc.
func abcAnd(pairs ...string) fs.FS {
	files := abc().(fstest.MapFS)
	for name, file := range sqlFiles(pairs...).(fstest.MapFS) {
		files[name] = file
	}
	return files
}

var abcFiles = []string{"001_a.sql", "002_b.sql", "003_c.sql"}

// newPool opens a pool in a new database, until the test ends. None of its connections must be in use then.
func newPool(t testing.TB) *sql.DB { return openPool(t, driver.Name, server.Database(t)) }

func openPool(t testing.TB, driverName, dsn string) *sql.DB {
	t.Helper()
	pool, err := sql.Open(driverName, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := pool.Stats().InUse; n != 0 {
			t.Errorf("%d connections are still in use", n)
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return pool
}

// limited returns a context for a test that could hang.
func limited(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), hangLimit)
	t.Cleanup(cancel)
	return ctx
}

// execute runs statements, which the test needs.
func execute(t testing.TB, pool *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := pool.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// column returns the texts that a query gives.
func column(t testing.TB, pool *sql.DB, query string, args ...any) []string {
	t.Helper()
	texts, err := schemadb.Collect[string](t.Context(), schemadb.New(pool, ""), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return texts
}

func wantList(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// tables returns the tables of a schema that are not of the history.
func tables(t testing.TB, pool *sql.DB, schema string) []string {
	t.Helper()
	return column(t, pool, `SELECT table_name::text FROM information_schema.tables
		WHERE table_schema = $1 AND table_name NOT LIKE 'schema\_migrations%' ORDER BY 1`, schema)
}

// wantABC checks that files of abc, the first ones, are applied in a schema, and that their tables are there.
func wantABC(t testing.TB, pool *sql.DB, schema string, n int, opts ...migrations.Option) {
	t.Helper()
	wantList(t, "tables of "+schema, tables(t, pool, schema), []string{"a", "b", "c"}[:n])
	m, err := migrations.New(schemadb.New(pool, schema), abc(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "history of "+schema, historyOf(t, m), abcFiles[:n])
}

func historyOf(t testing.TB, m *migrations.Migrator) []string {
	t.Helper()
	records, err := m.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, r := range records {
		files = append(files, r.File)
	}
	return files
}

// tenantNames returns n names of schemas.
func tenantNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("tenant_%03d", i)
	}
	return names
}

// lists is an AllResult in names only, sorted.
type lists struct{ applied, upToDate, failed, notReached []string }

func listsOf(r *migrations.AllResult) lists {
	var l lists
	for _, a := range r.Applied {
		l.applied = append(l.applied, a.Schema)
	}
	for _, f := range r.Failed {
		l.failed = append(l.failed, f.Schema)
	}
	l.upToDate, l.notReached = slices.Clone(r.UpToDate), slices.Clone(r.NotReached)
	for _, names := range [][]string{l.applied, l.upToDate, l.failed, l.notReached} {
		slices.Sort(names)
	}
	return l
}

// wantLists checks which schemas are in which list.
func wantLists(t testing.TB, r *migrations.AllResult, want lists) {
	t.Helper()
	got := listsOf(r)
	wantList(t, "applied", got.applied, sorted(want.applied))
	wantList(t, "up to date", got.upToDate, sorted(want.upToDate))
	wantList(t, "failed", got.failed, sorted(want.failed))
	wantList(t, "not reached", got.notReached, sorted(want.notReached))
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }

// all returns the names of all lists, sorted.
func (l lists) all() []string {
	return sorted(slices.Concat(l.applied, l.upToDate, l.failed, l.notReached))
}

// applyAll is ApplyAll that has to succeed.
func applyAll(t testing.TB, pool *sql.DB, files fs.FS, names iter.Seq[string], opts ...migrations.Option) *migrations.AllResult {
	t.Helper()
	result, err := migrations.ApplyAll(limited(t), pool, files, names, append([]migrations.Option{quiet}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// migrator is New that has to succeed.
func migratorOf(t testing.TB, pool *sql.DB, schema string, files fs.FS, opts ...migrations.Option) *migrations.Migrator {
	t.Helper()
	m, err := migrations.New(schemadb.New(pool, schema), files, append([]migrations.Option{quiet}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// done checks what a verb has done.
func done(t testing.TB, what string, result *migrations.Result, err error, want ...string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	wantList(t, what, result.Files(), want)
}

// events is a handler that collects log events, as texts of level, message and schema.
type eventTexts struct {
	mu    sync.Mutex
	texts []string
}

func (*eventTexts) Enabled(context.Context, slog.Level) bool { return true }
func (e *eventTexts) WithAttrs([]slog.Attr) slog.Handler     { return e }
func (e *eventTexts) WithGroup(string) slog.Handler          { return e }

func (e *eventTexts) Handle(_ context.Context, r slog.Record) error {
	schema := ""
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "schema" {
			schema = a.Value.String()
		}
		return true
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.texts = append(e.texts, fmt.Sprintf("%v %s: %s", r.Level, strings.TrimPrefix(r.Message, "pgdbm: "), schema))
	return nil
}

func (e *eventTexts) logger() *slog.Logger { return slog.New(e) }

// with returns the events that begin with a text, sorted.
func (e *eventTexts) with(start string) []string {
	var found []string
	for _, text := range e.texts {
		if strings.HasPrefix(text, start) {
			found = append(found, text)
		}
	}
	return sorted(found)
}

// wire counts what a pool sends: the messages, or rows of messages that go out together, and the connections.
type wire struct{ flights, connections atomic.Int64 }

// countingPool opens a pool of pgx in a database, which counts on the wire.
func countingPool(t testing.TB, dsn string) (*sql.DB, *wire) {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	w, dial := &wire{}, config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		w.connections.Add(1)
		return &countedConn{Conn: conn, wire: w}, err
	}
	pool := stdlib.OpenDB(*config, stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return false }))
	t.Cleanup(func() { pool.Close() })
	return pool, w
}

type countedConn struct {
	net.Conn
	wire *wire
}

// Write counts. Pgx writes at once what it sends before it waits for an answer.
func (c *countedConn) Write(b []byte) (int, error) {
	c.wire.flights.Add(1)
	return c.Conn.Write(b)
}

// during returns how many flights and connections fn takes.
func (w *wire) during(fn func()) (flights, connections int64) {
	flights, connections = w.flights.Load(), w.connections.Load()
	fn()
	return w.flights.Load() - flights, w.connections.Load() - connections
}
