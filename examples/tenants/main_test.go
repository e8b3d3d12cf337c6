package main

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/migrations"
)

var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(server.Run(m))
}

// odd is the schema of a tenant whose name no host could have.
const odd = `Größe-"7"`

var both = map[string]string{"acme": "acme", "groesse": odd}

func TestRun(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	wantNil(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	dsn := withKeys(server.Database(t), "schema_mode=search_path", "schema_required=context")
	go func() {
		ended <- run(ctx, dsn, both, listener)
		listener.Close() // so that nobody waits for it, if it has not even begun to serve
	}()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+"/notes", nil)
	wantNil(t, err)
	req.Host = "groesse.example.com"
	answer, err := http.DefaultClient.Do(req) // the listener queues it until the server is ready
	wantNil(t, err)
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("GET /notes returned %s", answer.Status)
	}

	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the shutdown failed: %v", err)
	}
}

// A program whose DSN lacks a key does not start, and has made no tables.
func TestDSN(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string][]string{
		"none":         nil,
		"no mode":      {"schema_required=context"},
		"not required": {"schema_mode=search_path"},
		"any will do":  {"schema_mode=search_path", "schema_required=true", "schema=acme"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t)
			_, err := open(t.Context(), withKeys(dsn, keys...), []string{"acme", odd})
			if !errors.Is(err, errDSN) {
				t.Errorf("the error is %v", err)
			}
			if n := value[int](t, plain(t, dsn), "SELECT count(*) FROM pg_tables WHERE tablename IN ('notes', 'moves')"); n != 0 {
				t.Errorf("there are %d tables", n)
			}
		})
	}
}

// A second start finds nothing to do, whatever is in public, and a third one migrates the tenant that has come.
func TestMigrateAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, schemas := range [][]string{{"acme", odd}, {"acme", odd, "new"}} {
		db, err := open(t.Context(), s.dsn, schemas)
		wantNil(t, err)
		result, err := migrations.ApplyAll(t.Context(), db, files, slices.Values(schemas), migrations.Module("notes"))
		wantNil(t, err)
		wantNil(t, db.Close())
		if len(result.UpToDate) != len(schemas) {
			t.Errorf("after the start of %q there is something to migrate", schemas)
		}
	}
	const query = "SELECT string_agg(schemaname, ' ' ORDER BY schemaname COLLATE \"C\") FROM pg_tables WHERE tablename = 'moves'"
	if got, want := value[string](t, s.admin, query), odd+" acme new public"; got != want {
		t.Errorf("the table moves is in %s; want %s", got, want)
	}
}

func TestNoTenants(t *testing.T) {
	t.Parallel()
	if _, err := open(t.Context(), server.Database(t), nil); err == nil {
		t.Error("no error")
	}
}

// service is the program, in a database of its own, with decoys in public.
type service struct {
	dsn     string
	db      *sql.DB
	handler http.Handler
	admin   *sql.DB // another pool, which sees everything
}

// start starts the program for both tenants. Its pool is so small that they have to share connections.
func start(t *testing.T) *service {
	t.Helper()
	dsn := server.Database(t)
	s := &service{dsn: withKeys(dsn, "schema_mode=search_path", "schema_required=context"), admin: plain(t, dsn)}
	for _, name := range []string{"001_create_notes.sql", "002_create_moves.sql"} {
		text, err := files.ReadFile("migrations/" + name)
		wantNil(t, err)
		s.exec(t, string(text))
	}
	s.exec(t, "INSERT INTO notes (author, text) SELECT 'ann', 'decoy' FROM generate_series(1, 2)")
	t.Cleanup(func() {
		const query = `SELECT (SELECT string_agg(author || ': ' || text, ', ') FROM notes) || '; ' || (SELECT count(*) FROM moves)`
		var got string
		err := s.admin.QueryRowContext(context.WithoutCancel(t.Context()), query).Scan(&got)
		if want := "ann: decoy, ann: decoy; 0"; err != nil || got != want {
			t.Errorf("the notes and moves of public are %s, %v; want %s", got, err, want)
		}
	})
	var err error
	s.db, err = open(t.Context(), s.dsn, []string{"acme", odd})
	wantNil(t, err)
	t.Cleanup(func() { s.db.Close() })
	s.db.SetMaxOpenConns(3)
	s.handler = newHandler(&Notes{s.db}, both)
	return s
}

// exec runs SQL in public.
func (s *service) exec(t *testing.T, query string) {
	t.Helper()
	_, err := s.admin.ExecContext(t.Context(), query)
	wantNil(t, err)
}

// plain opens a pool without any of our keys.
func plain(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgdbm", dsn)
	wantNil(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// withKeys adds keys to a DSN of either form.
func withKeys(dsn string, keys ...string) string {
	separator := " "
	if strings.Contains(dsn, "://") {
		separator = "&"
	}
	return strings.Join(append([]string{dsn}, keys...), separator)
}

// value reads one value, which is not a tenant's.
func value[T any](t *testing.T, db *sql.DB, query string) (v T) {
	t.Helper()
	wantNil(t, db.QueryRowContext(t.Context(), query).Scan(&v))
	return v
}

// in returns the context of a template in a tenant's schema.
func in(t *testing.T, schema string) context.Context {
	return driver.WithSchema(t.Context(), schema)
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
