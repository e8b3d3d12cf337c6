package sqlsplit_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/sqllex"
	"github.com/pgdbm/pgdbm/internal/sqlsplit"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden compares the pieces of testdata/*.sql with what is in the .golden file beside each.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := string(source)
		pieces := split(t, text)
		checkPieces(t, text, pieces)
		got, golden := show(text, pieces), strings.TrimSuffix(file, ".sql")+".golden"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || got != string(want) {
			t.Errorf("%s: the pieces are not those of %s (%v); -update writes it anew, git diff shows what is different", file, golden, err)
		}
	}
}

// show writes a line for each piece, and below it the lines that it sends, indented.
func show(text string, pieces []sqlsplit.Piece) string {
	kinds := map[sqlsplit.Kind]string{sqlsplit.Blank: "blank", sqlsplit.Statement: "statement",
		sqlsplit.CopyData: "rows", sqlsplit.PsqlIgnored: "ignored"}
	var b strings.Builder
	for _, p := range pieces {
		line, column := sqlsplit.Position(text, p.BodyStart)
		fmt.Fprintf(&b, "%s at line %d, column %d", kinds[p.Kind], line, column)
		if p.Control() != sqllex.NoControl {
			b.WriteString(", transaction control")
		}
		b.WriteString("\n")
		for line := range strings.Lines(p.Body) {
			fmt.Fprintf(&b, "    %q\n", line)
		}
	}
	return b.String()
}
