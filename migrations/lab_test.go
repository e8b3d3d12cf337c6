package migrations_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"

	_ "github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// patience bounds the waiting for what has to happen. Only a test that fails uses it up.
const patience = 20 * time.Second

// lab is a database for a test in which runs meet each other and other sessions.
type lab struct {
	*testing.T
	dsn   string
	admin *pgx.Conn // looks at the server; for the test's own goroutine
}

func newLab(t *testing.T) *lab {
	t.Helper()
	return labOn(t, server.Database(t))
}

func labOn(t *testing.T, dsn string) *lab {
	t.Helper()
	l := &lab{T: t, dsn: dsn}
	l.admin = l.connect()
	t.Cleanup(l.checkLocks)
	return l
}

// connect opens a session that is not one of a run's. It ends with the test.
func (l *lab) connect() *pgx.Conn {
	l.Helper()
	conn, err := pgx.Connect(l.Context(), l.dsn)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// pool opens a pool that may have most connections, or any number if it is 0. When the test ends, it checks that nothing
// is left of the runs.
func (l *lab) pool(driver string, most int) *sql.DB {
	l.Helper()
	return l.poolOn(driver, l.dsn, most)
}

func (l *lab) poolOn(driver, dsn string, most int) *sql.DB {
	l.Helper()
	pool, err := sql.Open(driver, dsn+"&application_name=runs")
	if err != nil {
		l.Fatal(err)
	}
	pool.SetMaxOpenConns(most)
	l.Cleanup(func() {
		if n := pool.Stats().InUse; n > 0 {
			l.Errorf("%d connections are still in use", n)
		}
		pool.Close()
	})
	l.Cleanup(l.checkBackends) // before the pool is closed
	return pool
}

// checkBackends waits until no backend of a pool is in a transaction. One whose connection was given up may need a moment.
func (l *lab) checkBackends() {
	l.await("no run's backend is in a transaction", func() bool {
		return read[int](l, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "+
			"AND application_name = 'runs' AND state <> 'idle'") == 0
	})
}

// checkLocks waits until there are no advisory locks in the database.
func (l *lab) checkLocks() {
	l.await("no advisory lock is left", func() bool {
		return read[int](l, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "+
			"AND database = (SELECT oid FROM pg_database WHERE datname = current_database())") == 0
	})
}

// await waits for what other sessions bring about.
func (l *lab) await(what string, condition func() bool) {
	l.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	limit := time.After(patience)
	for !condition() {
		select {
		case <-poll.C:
		case <-limit:
			l.Fatalf("still not: %s", what)
		}
	}
}

// read returns the only value that a query gives. It goes by the simple protocol, so it can run while the schema changes.
func read[T any](l *lab, query string, args ...any) T {
	l.Helper()
	var v T
	args = append([]any{pgx.QueryExecModeSimpleProtocol}, args...)
	if err := l.admin.QueryRow(context.Background(), query, args...).Scan(&v); err != nil {
		l.Fatalf("%s: %v", query, err)
	}
	return v
}

// exec runs statements on a session.
func (l *lab) exec(conn *pgx.Conn, statements string) {
	l.Helper()
	if _, err := conn.Exec(context.Background(), statements, pgx.QueryExecModeSimpleProtocol); err != nil {
		l.Fatalf("%s: %v", statements, err)
	}
}

// count is the number of rows of a table, with its schema.
func (l *lab) count(table string) int {
	l.Helper()
	return read[int](l, "SELECT count(*) FROM "+table)
}

// activity waits for a backend that is doing something that matches the condition on pg_stat_activity, and returns its pid.
func (l *lab) activity(condition string) int {
	l.Helper()
	var pid int
	l.await(condition, func() bool {
		pid = read[int](l, "SELECT COALESCE(min(pid), 0) FROM pg_stat_activity WHERE datname = current_database() AND "+
			"pid <> pg_backend_pid() AND "+condition)
		return pid != 0
	})
	return pid
}

// terminate ends backends and waits until they are gone.
func (l *lab) terminate(condition string) (n int) {
	l.Helper()
	n = read[int](l, "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "+
		"AND pid <> pg_backend_pid() AND "+condition+") t")
	l.await("the backends are gone", func() bool {
		return read[int](l, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND "+
			condition) == 0
	})
	return n
}

// migrator makes a Migrator for a schema.
func (l *lab) migrator(pool *sql.DB, schema string, files fs.FS, opts ...migrations.Option) *migrations.Migrator {
	l.Helper()
	m, err := migrations.New(schemadb.New(pool, schema), files, append([]migrations.Option{quiet}, opts...)...)
	if err != nil {
		l.Fatal(err)
	}
	return m
}

// sqlFiles makes a file system of names and texts.
func sqlFiles(namesAndTexts ...string) fs.FS {
	files := fstest.MapFS{}
	for i := 0; i < len(namesAndTexts); i += 2 {
		files[namesAndTexts[i]] = &fstest.MapFile{Data: []byte(namesAndTexts[i+1])}
	}
	return files
}

// marks is what counts how often things have run. It belongs to no schema that is migrated.
const marks = `CREATE TABLE public.marks (schema text NOT NULL, what text NOT NULL)`

// mark is a statement for it.
func mark(what string) string {
	return "INSERT INTO public.marks VALUES ('{{schema}}', '" + what + "');\n"
}

// checkMarks compares how often things have run with what is wanted, in each schema.
func (l *lab) checkMarks(schemas []string, want string) {
	l.Helper()
	for _, schema := range schemas {
		got := read[string](l, "SELECT COALESCE(string_agg(what, ' ' ORDER BY what), '') FROM public.marks WHERE btrim(schema, '\"') = $1", schema)
		if got != want {
			l.Errorf("schema %s: these ran: %s; want: %s", schema, got, want)
		}
	}
}

func schemaNames(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("s%02d", i)
	}
	return all
}

// task is something that runs in the background and gives an error.
type task chan error

func start(fn func() error) task {
	done := make(task, 1)
	go func() { done <- fn() }()
	return done
}

// apply starts a run.
func beginApply(ctx context.Context, m *migrations.Migrator) task {
	return start(func() error {
		_, err := m.Apply(ctx)
		return err
	})
}

// wait returns the error of a task.
func (l *lab) wait(what string, done task) error {
	l.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		l.Fatalf("%s does not end; the sessions:\n%s", what, read[string](l, "SELECT string_agg(concat_ws(' | ', pid, pg_blocking_pids(pid), "+
			"application_name, state, wait_event, now() - query_start, left(query, 100)), E'\n') FROM pg_stat_activity "+
			"WHERE datname = current_database()"))
		return nil
	}
}

// succeeds fails the test if the task has failed.
func (l *lab) succeeds(what string, done task) {
	l.Helper()
	if err := l.wait(what, done); err != nil {
		l.Fatalf("%s: %v", what, err)
	}
}

// gate stops a Go migration, or a hook, until the test opens it.
type gate struct {
	reached chan struct{} // somebody is there; each that comes sends
	opened  chan struct{}
	once    sync.Once
}

func newGate(t *testing.T) *gate {
	g := &gate{reached: make(chan struct{}, 1000), opened: make(chan struct{})}
	t.Cleanup(g.open)
	return g
}

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

func (g *gate) pass(ctx context.Context) error {
	g.reached <- struct{}{}
	select {
	case <-g.opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) migration(ctx context.Context, _ *schemadb.Tx) error { return g.pass(ctx) }

func (g *gate) hook(ctx context.Context, _ migrations.Step) error { return g.pass(ctx) }

// awaitReached waits until n have come.
func (l *lab) awaitReached(g *gate, n int) {
	l.Helper()
	for range n {
		select {
		case <-g.reached:
		case <-time.After(patience):
			l.Fatal("nobody has come to the gate")
		}
	}
}

// journal is a log that a test can wait for.
type journal struct {
	slog.Handler
	events chan string
}

func newJournal() *journal {
	return &journal{Handler: slog.DiscardHandler, events: make(chan string, 10_000)}
}

func (*journal) Enabled(context.Context, slog.Level) bool { return true }

func (j *journal) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	j.events <- text
	return nil
}

func (j *journal) option() migrations.Option { return migrations.Logger(slog.New(j)) }

// awaitEvent waits for an event whose text has all the parts.
func (l *lab) awaitEvent(j *journal, parts ...string) string {
	l.Helper()
	limit := time.After(patience)
	for {
		select {
		case event := <-j.events:
			if containsAll(event, parts) {
				return event
			}
		case <-limit:
			l.Fatalf("the log does not say %q", parts)
		}
	}
}

func containsAll(text string, parts []string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}

// pidOf names a session as messages do.
func pidOf(conn *pgx.Conn) string { return fmt.Sprintf("pid %d ", conn.PgConn().PID()) }

// addMark is a migration in Go that counts how often it runs.
func addMark(what string) migrations.Func {
	return func(ctx context.Context, tx *schemadb.Tx) error {
		schema, err := tx.ExpandContext(ctx, "{{schema}}")
		if err == nil {
			_, err = tx.ExecContext(ctx, "INSERT INTO public.marks VALUES ($1, $2)", schema, what)
		}
		return err
	}
}

// applyAll starts a run over many schemas.
func beginApplyAll(ctx context.Context, pool *sql.DB, files fs.FS, schemas []string, opts ...migrations.Option) task {
	return start(func() error {
		_, err := migrations.ApplyAll(ctx, pool, files, slices.Values(schemas), append([]migrations.Option{quiet}, opts...)...)
		return err
	})
}
