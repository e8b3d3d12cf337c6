package repository_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"

	"github.com/pgdbm/pgdbm/examples/internal/difflines"
	users "github.com/pgdbm/pgdbm/examples/repository/after"
	before "github.com/pgdbm/pgdbm/examples/repository/before"
	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/schemadb"
)

var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

// TestDiff keeps README.md true, and the change to what it is about.
func TestDiff(t *testing.T) {
	t.Parallel()
	diff := difflines.Diff(read(t, "before/users.go"), read(t, "after/users.go"))
	if shown := blocks(read(t, "README.md"), "diff"); len(shown) != 1 || shown[0] != diff {
		t.Errorf("README.md does not show the difference between before/ and after/, which is:\n%s", diff)
	}
	template := regexp.MustCompile(`\{\{tables\.(\w+)\}\}`)
	back := template.ReplaceAllString(read(t, "after/users.go"), "$1")
	back = strings.ReplaceAll(back, "*schemadb.DB", "*sqlx.DB")
	back = strings.Replace(back, "\t\"github.com/pgdbm/pgdbm/schemadb\"\n", "", 1)
	if back != read(t, "before/users.go") {
		t.Error("between before/ and after/ there is more than templates, the type and its import")
	}
}

// TestReadme looks for the Go of README.md in the files of this example, which are compiled.
func TestReadme(t *testing.T) {
	t.Parallel()
	var files strings.Builder
	err := filepath.WalkDir(".", func(name string, _ fs.DirEntry, err error) error {
		if filepath.Ext(name) == ".go" {
			files.WriteString(read(t, name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	compiled := unindent(files.String())
	shown := blocks(read(t, "README.md"), "go")
	if len(shown) == 0 {
		t.Error("README.md has no Go")
	}
	for _, block := range shown {
		if !strings.Contains(compiled, "\n"+unindent(block)) {
			t.Errorf("these lines of README.md are in none of the files:\n%s", block)
		}
	}
}

// TestMove moves a repository over while the rest of the program stays with sqlx, and its rows.
func TestMove(t *testing.T) {
	t.Parallel()
	db, err := sqlx.Open("pgx", server.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.MustExec(before.Tables)
	ada := before.User{Email: "ada@example.com", Name: "Ada"}
	if err := before.New(db).Create(t.Context(), &ada); err != nil {
		t.Fatal(err)
	}

	moves := blocks(read(t, "README.md"), "sql")
	if len(moves) != 1 {
		t.Fatalf("README.md has %d blocks of SQL; this test knows of one", len(moves))
	}
	db.MustExec(moves[0])
	// The *sqlx.DB has the pool in its field DB, and both can use it.
	repository := users.New(schemadb.New(db.DB, "office"))

	moved, found, err := repository.ByEmail(t.Context(), "ada@example.com")
	if err != nil || !found || moved.ID != ada.ID {
		t.Errorf("after the move there is %+v, %t, %v; want %+v", moved, found, err, ada)
	}
	next := users.User{Email: "grace@example.com", Name: "Grace"}
	if err := repository.Create(t.Context(), &next); err != nil || next.ID == ada.ID {
		t.Errorf("after the move, the next user is %+v, %v", next, err)
	}
	if err := repository.Rename(t.Context(), ada.ID, "Ada King"); err != nil {
		t.Error(err)
	}
}

// blocks returns the texts of a language in Markdown.
func blocks(markdown, language string) (texts []string) {
	for _, rest := range strings.Split(markdown, "```"+language+"\n")[1:] {
		text, _, _ := strings.Cut(rest, "```\n")
		texts = append(texts, text)
	}
	return texts
}

// unindent removes what the same code may have more or less of in another place.
func unindent(text string) string {
	return regexp.MustCompile(`(?m)^[\t ]+`).ReplaceAllString(text, "")
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
