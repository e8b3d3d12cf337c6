package legacy_test

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/examples/internal/difflines"
	"github.com/pgdbm/pgdbm/internal/pgserver"
)

var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

// mostChanged is how many lines of the program adoption may touch.
const mostChanged = 8

// TestDiff keeps README.md true and adoption small.
func TestDiff(t *testing.T) {
	t.Parallel()
	diff := difflines.Diff(read(t, "before/main.go"), read(t, "after/main.go"))
	_, shown, _ := strings.Cut(read(t, "README.md"), "```diff\n")
	shown, _, _ = strings.Cut(shown, "```\n")
	if diff != shown {
		t.Errorf("README.md does not show the difference between before/ and after/, which is:\n%s", diff)
	}
	if n := strings.Count("\n"+diff, "\n+"); n > mostChanged {
		t.Errorf("adoption changes %d lines, more than %d", n, mostChanged)
	}
}

// TestPgxConn runs the lines of README.md that reach pgx's connection.
func TestPgxConn(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	for _, name := range []string{"pgx", "pgdbm"} {
		db, err := sql.Open(name, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()

		use := func(c *pgx.Conn) error { return c.Ping(t.Context()) }
		if err := driver.Raw(t.Context(), conn, use); err != nil {
			t.Errorf("%s: driver.Raw with a *sql.Conn: %v", name, err)
		}
		if err := driver.Raw(t.Context(), db, use); err != nil {
			t.Errorf("%s: driver.Raw with a *sql.DB: %v", name, err)
		}
		err = conn.Raw(func(c any) error { return use(c.(interface{ Conn() *pgx.Conn }).Conn()) })
		if err != nil {
			t.Errorf("%s: conn.Raw with an interface: %v", name, err)
		}
		if is := isStdlib(conn); is != (name == "pgx") {
			t.Errorf("%s: the connection is a *stdlib.Conn: %t", name, is)
		}
	}
}

func isStdlib(conn *sql.Conn) (is bool) {
	err := conn.Raw(func(c any) error {
		_, is = c.(*stdlib.Conn)
		return nil
	})
	return is && err == nil
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
