package testsets_test

import (
	"errors"
	"flag"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/migfile"
	"github.com/pgdbm/pgdbm/internal/pgclient"
	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

var (
	server = pgserver.Server{Shared: true}
	sets   = flag.String("sets", "", "the folders of migrations to compare, separated by white space; without, those of this repository")
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(server.Run(m))
}

// ours are the folders of this repository. Those for goose have both halves in one file, which pgdbm refuses.
var ours = []string{
	"benchmarks/migrations/sql", "examples/migrate/billing/migrations", "examples/migrate/recipes/online", "examples/orms/bun/migrations/bare",
	"examples/orms/bun/migrations/template", "examples/orms/migrate/bare", "examples/orms/migrate/template", "examples/tenants/migrations",
	"examples/testing/migrations",
}

func TestSets(t *testing.T) {
	t.Parallel()
	folders := strings.Fields(*sets)
	if len(folders) == 0 {
		for _, folder := range ours {
			folders = append(folders, filepath.Join("..", "..", filepath.FromSlash(folder)))
		}
	}
	for _, folder := range folders {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			if difference := compare(t, os.DirFS(folder), nil); difference != "" {
				t.Error(difference)
			}
		})
	}
}

// TestDifferences wants to be told what psql has made differently.
func TestDifferences(t *testing.T) {
	t.Parallel()
	const create = "-- a comment\nCREATE TABLE {{tables.t}} (x text);\nCOPY {{tables.t}} FROM stdin;\none\n\\.\n"
	files := fstest.MapFS{"001_a.sql": {Data: []byte(create)}, "002_b.sql": {Data: []byte("-- pgdbm:no-transaction\nCREATE INDEX CONCURRENTLY ON t (x);")}}
	if difference := compare(t, files, nil); difference != "" {
		t.Errorf("the same files: %s", difference)
	}
	nested := fstest.MapFS{"1_a/up.sql": files["001_a.sql"], "1_a/down.sql": {Data: []byte("DROP TABLE t")}, "2_b/up.sql": files["002_b.sql"]}
	if difference := compare(t, nested, strings.NewReplacer("one", "two")); !strings.Contains(difference, "-one\n+two") {
		t.Errorf("in folders: %s", difference)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"schema":  {"(x text)", "(x varchar)", "+    x character varying"},
		"data":    {"one", "two", "-one\n+two"},
		"failure": {"(x text)", "(x nothing)", `type "nothing" does not exist`},
	} {
		difference := compare(t, files, strings.NewReplacer(c.old, c.new))
		if !strings.Contains(difference, c.want) {
			t.Errorf("%s: %q; want in it %q", name, difference, c.want)
		}
	}
}

// compare returns what differs between two databases, one of package migrations' and one of psql's, or why there are none. Change is what
// to do to the files before psql gets them.
func compare(t *testing.T, files fs.FS, change *strings.Replacer) string {
	t.Helper()
	left, right := server.Database(t), server.Database(t)
	folders := inFolders(files)
	err := apply(t, left, files, folders)
	var failed *migrations.MigrationError
	for ; errors.As(err, &failed) && strings.Contains(failed.Note, directive); err = apply(t, left, files, folders) {
		t.Logf("%s gets the line %s, as advised", failed.File, directive)
		files, left = withDirective(t, files, failed.File), server.Database(t)
	}
	if err != nil {
		return err.Error()
	}
	list, err := migfile.Read(files, nil, folders)
	if err != nil {
		t.Fatal(err)
	}
	psql(t, right, "-c", "CREATE SCHEMA app")
	for _, m := range list {
		text, err := m.Up.Render("app")
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			text = change.Replace(text)
		}
		file := filepath.Join(t.TempDir(), "migration.sql")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"-f", file}
		if !m.NoTransaction {
			args = append(args, "-1")
		}
		if message := psql(t, right, args...); message != "" {
			return "psql: " + m.File + ": " + message
		}
	}
	return diff(t, dump(t, left), dump(t, right))
}

// inFolders reports whether each migration has a folder of its own: the error then names the option.
func inFolders(files fs.FS) bool {
	_, err := migfile.Read(files, nil, false)
	return err != nil && strings.Contains(err.Error(), "migrations.Folders")
}

const directive = "-- pgdbm:no-transaction"

// withDirective returns the files, one of them with the directive.
func withDirective(t *testing.T, files fs.FS, name string) fs.FS {
	t.Helper()
	all := fstest.MapFS{}
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		if path == name {
			content = append([]byte(directive+"\n"), content...)
		}
		all[path] = &fstest.MapFile{Data: content}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// apply runs the migrations with bare names in the schema too.
func apply(t *testing.T, dsn string, files fs.FS, folders bool) error {
	t.Helper()
	config, err := pgx.ParseConfig(dsn + "&schema_mode=search_path")
	if err != nil {
		t.Fatal(err)
	}
	pool := driver.OpenDB(*config)
	defer pool.Close()
	opts := []migrations.Option{migrations.Logger(slog.New(slog.DiscardHandler))}
	if folders {
		opts = append(opts, migrations.Folders())
	}
	m, err := migrations.New(schemadb.New(pool, "app"), files, opts...)
	if err == nil {
		_, err = m.Apply(t.Context())
	}
	return err
}

// psql returns what psql says if it fails.
func psql(t *testing.T, dsn string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), pgclient.Program(t, "psql"), append([]string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn}, args...)...)
	cmd.Env = append(os.Environ(), `PGOPTIONS=-c search_path=app,public,pg_temp -c client_min_messages=error`)
	if out, err := cmd.CombinedOutput(); err != nil {
		return err.Error() + ": " + string(out)
	}
	return ""
}

// dump returns a database without our history.
func dump(t *testing.T, dsn string) string {
	t.Helper()
	return pgclient.Unrestricted(pgclient.Dump(t, dsn, "--exclude-table=app.schema_migrations", "--exclude-table=app.schema_migrations_id_seq", "--exclude-table=app.schema_migrations_progress"))
}

// diff returns how two texts differ, as diff -u says it.
func diff(t *testing.T, left, right string) string {
	t.Helper()
	if left == right {
		return ""
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"pgdbm": left, "psql": right} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "diff", "-u", "pgdbm", "psql")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if len(out) == 0 {
		t.Fatalf("the dumps differ, and diff does not say how: %v", err)
	}
	return string(out)
}
