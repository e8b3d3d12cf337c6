package sqlsplit_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pgdbm/pgdbm/internal/pgserver"
)

var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

// connect returns a connection to the database.
func connect(t *testing.T, dsn string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}
