package sqlsplit_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/pgclient"
	"github.com/pgdbm/pgdbm/internal/sqlsplit"
)

// run runs a file piece by piece.
func run(t *testing.T, conn *pgconn.PgConn, text string) {
	t.Helper()
	pieces := split(t, text)
	checkPieces(t, text, pieces)
	for i, p := range pieces {
		if p.Kind != sqlsplit.Statement {
			continue
		}
		var err error
		if i+1 < len(pieces) && pieces[i+1].Kind == sqlsplit.CopyData {
			_, err = conn.CopyFrom(t.Context(), strings.NewReader(pieces[i+1].Body), p.Body)
		} else {
			// The extended protocol takes one statement.
			err = conn.ExecParams(t.Context(), p.Body, nil, nil, nil, nil).Read().Err
		}
		if err != nil {
			line, column := sqlsplit.Position(text, p.BodyStart)
			t.Fatalf("line %d, column %d: %s: %v", line, column, p.Body, err)
		}
	}
}

// TestDump loads a file with psql, dumps the database, loads the dump piece by piece, and dumps again.
func TestDump(t *testing.T) {
	t.Parallel()
	objects := filepath.Join("testdata", "objects.sql")
	first := server.Database(t)
	cmd := exec.CommandContext(t.Context(), pgclient.Program(t, "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", os.DevNull, "-f", objects, "-d", first)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v: %s", err, out)
	}
	want := pgclient.Dump(t, first)
	for _, part := range []string{"CREATE RULE", "BEGIN ATOMIC", "FUNCTION app.begin(", "CREATE TRIGGER", "COPY app.bytes", "ATTACH PARTITION",
		"CREATE MATERIALIZED VIEW", "setval", "COMMENT ON", "CREATE POLICY", "CREATE PUBLICATION", "lowrite", "\\n\\\\."} {
		if !strings.Contains(want, part) {
			t.Errorf("the dump has no %q", part)
		}
	}
	file, err := os.ReadFile(objects)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"the file itself":     string(file),
		"dump":                want,
		"inserts":             pgclient.Dump(t, first, "--inserts", "--quote-all-identifiers"),
		"several row inserts": pgclient.Dump(t, first, "--rows-per-insert=10", "--column-inserts"),
		"no dollars":          pgclient.Dump(t, first, "--disable-dollar-quoting", "--clean", "--if-exists"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t)
			run(t, connect(t, dsn), text)
			if got := pgclient.Dump(t, dsn); pgclient.Unrestricted(got) != pgclient.Unrestricted(want) {
				t.Errorf("the dump of what was loaded is another one: %s", firstDifference(got, want))
			}
		})
	}
}

// firstDifference shows the first lines that differ.
func firstDifference(got, want string) string {
	a, b := strings.Split(pgclient.Unrestricted(got), "\n"), strings.Split(pgclient.Unrestricted(want), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return "got " + a[i] + "\nwant " + b[i]
		}
	}
	return "one is longer"
}
