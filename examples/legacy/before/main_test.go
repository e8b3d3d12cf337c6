package main

import (
	"database/sql"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/examples/legacy/internal/notestest"
	"github.com/pgdbm/pgdbm/internal/pgserver"
)

var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

func TestConversation(t *testing.T) {
	t.Parallel()
	s := open(t, "pgx", server.Database(t))
	if err := s.migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	notestest.Check(t, s.handler())
}

// TestBareNames runs this program, which knows nothing of pgdbm, through pgdbm: with a schema in the DSN, bare table
// names are those of the schema.
func TestBareNames(t *testing.T) {
	t.Parallel()
	dsn, err := driver.AddSchema(server.Database(t), "notes")
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, "pgdbm", dsn)
	// What the administrator does once; the program does not know about schemas.
	if _, err := s.db.ExecContext(t.Context(), `CREATE SCHEMA notes`); err != nil {
		t.Fatal(err)
	}
	if err := s.migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	notestest.Check(t, s.handler())

	var schemas string
	const where = `SELECT string_agg(schemaname, ', ') FROM pg_tables WHERE tablename = 'notes'`
	if err := s.db.QueryRowContext(t.Context(), where).Scan(&schemas); err != nil {
		t.Fatal(err)
	}
	if schemas != "notes" {
		t.Errorf("the table notes is in the schema %s", schemas)
	}
}

func open(t *testing.T, driverName, dsn string) *store {
	t.Helper()
	db, err := sql.Open(driverName, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &store{db}
}
