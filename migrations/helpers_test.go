package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// odd is a schema name that has to be quoted, and that is longer in bytes than in characters.
const odd = `Größe-"7"`

// files are migrations by the names of their files.
type files map[string]string

func (f files) fs() fs.FS {
	if f == nil {
		return nil
	}
	all := fstest.MapFS{}
	for name, text := range f {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

// with returns the files with one more, or with one changed.
func (f files) with(name, text string) files {
	all := files{name: text}
	for other, text := range f {
		if other != name {
			all[other] = text
		}
	}
	return all
}

// without returns the files without some.
func (f files) without(names ...string) files {
	all := files{}
	for name, text := range f {
		if !slices.Contains(names, name) {
			all[name] = text
		}
	}
	return all
}

// onPools runs a test on a pool of each driver, in a new database each.
func onPools(t *testing.T, test func(t *testing.T, pool *sql.DB)) {
	t.Helper()
	for _, name := range []string{driver.Name, "pgx"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, openAs(t, name, server.Database(t)))
		})
	}
}

// open opens a pool of a new database, for a test that one driver is enough for.
func open(t *testing.T) *sql.DB {
	t.Helper()
	return openAs(t, "pgx", server.Database(t))
}

// openAs opens a pool until the test ends, when none of its connections must be in use.
func openAs(t *testing.T, name, dsn string) *sql.DB {
	t.Helper()
	pool, err := sql.Open(name, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for end := time.Now().Add(10 * time.Second); pool.Stats().InUse > 0; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("%d connections have not been given back", pool.Stats().InUse)
				break
			}
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return pool
}

// migrator returns a Migrator that logs nothing, unless the options say more.
func migrator(t *testing.T, db *schemadb.DB, f files, opts ...migrations.Option) *migrations.Migrator {
	t.Helper()
	m, err := migrations.New(db, f.fs(), append([]migrations.Option{migrations.Logger(slog.New(slog.DiscardHandler))}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// apply migrates, and returns the names of the files that have run.
func apply(t *testing.T, db *schemadb.DB, f files, opts ...migrations.Option) []string {
	t.Helper()
	result, err := migrator(t, db, f, opts...).Apply(t.Context())
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	return result.Files()
}

// ran is what a verb has done; it fails the test if the verb has failed.
func ran(t *testing.T) func(*migrations.Result, error) []string {
	return func(result *migrations.Result, err error) []string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return result.Files()
	}
}

// query returns the rows as text: a line for each, columns separated by |.
func query(t *testing.T, pool *sql.DB, query string, args ...any) string {
	t.Helper()
	rows, err := pool.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		values, targets := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		texts := make([]string, len(columns))
		for i, value := range values {
			texts[i] = fmt.Sprint(value)
		}
		lines = append(lines, strings.Join(texts, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return strings.Join(lines, "\n")
}

func execOn(t *testing.T, pool *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := pool.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// want compares texts.
func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\ngot  %s\nwant %s", what, strings.ReplaceAll(got, "\n", "\n     "), strings.ReplaceAll(want, "\n", "\n     "))
	}
}

// wantFiles compares the names of files, which are separated by spaces in want.
func wantFiles(t *testing.T, what string, got []string, files string) {
	t.Helper()
	want(t, what, strings.Join(got, " "), files)
}

// wantTexts checks that the error has all the texts.
func wantTexts(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is not in the error: %v", text, err)
		}
	}
}

// recorded lists what the history of a schema has, in its order.
func recorded(t *testing.T, pool *sql.DB, schema string) string {
	t.Helper()
	return strings.ReplaceAll(query(t, pool, "SELECT filename FROM "+quote(schema)+".schema_migrations ORDER BY id"), "\n", " ")
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// exists reports whether there is a relation of this name, which is SQL.
func exists(t *testing.T, pool *sql.DB, name string) bool {
	t.Helper()
	return query(t, pool, "SELECT to_regclass($1) IS NOT NULL", name) == "true"
}

// catalog lists all schemas, relations and functions that were not there from the start, with the last change of each.
func catalog(t *testing.T, pool *sql.DB) string {
	t.Helper()
	return query(t, pool, "SELECT 'schema', nspname::text, xmin::text FROM pg_namespace WHERE oid >= 16384 UNION ALL "+
		"SELECT 'relation', oid::regclass::text, xmin::text FROM pg_class WHERE oid >= 16384 UNION ALL "+
		"SELECT 'function', oid::regproc::text, xmin::text FROM pg_proc WHERE oid >= 16384 ORDER BY 1, 2")
}

// events collects what is logged.
type events struct {
	mu     sync.Mutex
	lines  []string
	notify func(slog.Record)
}

func (e *events) logger() *slog.Logger { return slog.New(e) }

func (e *events) Enabled(context.Context, slog.Level) bool { return true }
func (e *events) WithAttrs([]slog.Attr) slog.Handler       { return e }
func (e *events) WithGroup(string) slog.Handler            { return e }

func (e *events) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Value.Kind() != slog.KindDuration {
			line += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		} else {
			line += " " + a.Key
		}
		return true
	})
	e.mu.Lock()
	e.lines = append(e.lines, line)
	e.mu.Unlock()
	if e.notify != nil {
		e.notify(r)
	}
	return nil
}

func (e *events) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.lines, "\n")
}

// errGone is why a context has ended.
var errGone = errors.New("the caller is gone")

func contextWithCause(t *testing.T) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(t.Context())
	t.Cleanup(func() { cancel(nil) })
	return ctx, cancel
}
