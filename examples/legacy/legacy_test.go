package legacy_test

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/pgserver"
)

var server pgserver.Server

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

// mostChanged is how many lines of the program adoption may touch.
const mostChanged = 8

// TestDiff keeps README.md true and adoption small.
func TestDiff(t *testing.T) {
	t.Parallel()
	diff := diffLines(readLines(t, "before/main.go"), readLines(t, "after/main.go"))
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

// diffLines returns what diff -U0 prints for a and b, without the names of the files.
func diffLines(a, b []string) string {
	var out strings.Builder
	common := commonLines(a, b)
	same := func(i, j int) bool { return i < len(a) && j < len(b) && a[i] == b[j] }
	for i, j := 0, 0; i < len(a) || j < len(b); {
		if same(i, j) {
			i, j = i+1, j+1
			continue
		}
		fromA, fromB := i, j
		for !same(i, j) && (i < len(a) || j < len(b)) {
			if j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1] {
				i++
			} else {
				j++
			}
		}
		fmt.Fprintf(&out, "@@ -%s +%s @@\n", span(fromA, i-fromA), span(fromB, j-fromB))
		writeLines(&out, "-", a[fromA:i])
		writeLines(&out, "+", b[fromB:j])
	}
	return out.String()
}

// commonLines returns, for each i and j, how many lines a[i:] and b[j:] have in common, in the same order.
func commonLines(a, b []string) [][]int {
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	return common
}

func writeLines(out *strings.Builder, prefix string, lines []string) {
	for _, line := range lines {
		out.WriteString(prefix + line + "\n")
	}
}

// span is the position of count lines after the first start ones, as diff writes it.
func span(start, count int) string {
	switch count {
	case 0:
		return fmt.Sprintf("%d,0", start)
	case 1:
		return fmt.Sprint(start + 1)
	}
	return fmt.Sprintf("%d,%d", start+1, count)
}

func TestDiffLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want string }{
		{"aa bb", "aa bb", ""},
		{"aa bb cc", "aa xx cc", "@@ -2 +2 @@\n-bb\n+xx\n"},
		{"aa cc", "aa bb cc", "@@ -1,0 +2 @@\n+bb\n"},
		{"aa bb cc", "aa cc", "@@ -2 +1,0 @@\n-bb\n"},
		{"aa", "aa bb cc", "@@ -1,0 +2,2 @@\n+bb\n+cc\n"},
		{"aa bb", "xx", "@@ -1,2 +1 @@\n-aa\n-bb\n+xx\n"},
	} {
		if got := diffLines(strings.Fields(c.a), strings.Fields(c.b)); got != c.want {
			t.Errorf("from %s to %s: got\n%swant\n%s", c.a, c.b, got, c.want)
		}
	}
}

func readLines(t *testing.T, name string) []string {
	t.Helper()
	return strings.Split(strings.TrimSuffix(read(t, name), "\n"), "\n")
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
