package named_test

import (
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx/reflectx"
	"github.com/pgdbm/pgdbm/internal/named"
	"github.com/pgdbm/pgdbm/internal/pgserver"
)

var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

// connect returns a connection to an empty database.
func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	return conn
}

// newMapper returns a mapper like sqlx's own.
func newMapper() *reflectx.Mapper { return reflectx.NewMapperFunc("db", strings.ToLower) }

func parse(t *testing.T, text string) *named.Query {
	t.Helper()
	q, err := named.Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return q
}

// wantError checks that err has all the parts of its text.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", parts)
		return
	}
	for _, part := range append(parts, "pgdbm: ") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in the error: %v", part, err)
		}
	}
}
