package migfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// writeTree writes files into a new folder, and returns the folder. A text that begins with -> is a symbolic link.
func writeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "->"); ok {
			err = os.Symlink(filepath.FromSlash(strings.ReplaceAll(target, "DIR", dir)), file)
		} else {
			err = os.WriteFile(file, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// mapTree is writeTree for a file system in memory, which has links too.
func mapTree(files map[string]string) fs.FS {
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
		if target, ok := strings.CutPrefix(text, "->"); ok {
			tree[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(target, "DIR", "/tmp")), Mode: fs.ModeSymlink | 0o777}
		}
	}
	return tree
}

func TestDirIsFS(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, map[string]string{"001_a.sql": "SELECT 1;", "down/001_a.sql": "SELECT 2;",
		"link.sql": "->down/001_a.sql"})
	if err := fstest.TestFS(Dir(dir), "001_a.sql", "down/001_a.sql", "link.sql"); err != nil {
		t.Error(err)
	}
	if text, err := fs.ReadFile(Dir(dir), "link.sql"); err != nil || string(text) != "SELECT 2;" {
		t.Errorf("%q, %v", text, err)
	}
	if target, err := fs.ReadLink(Dir(dir), "link.sql"); err != nil || target != "down/001_a.sql" {
		t.Errorf("%q, %v", target, err)
	}
	missing := Dir(filepath.Join(dir, "missing"))
	if _, err := missing.Open("a"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := fs.ReadDir(missing, "."); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "missing") {
		t.Error(err)
	}
}

// TestDirKeepsInside wants no operation to follow a link out of the folder.
func TestDirKeepsInside(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, map[string]string{"secret.sql": "SELECT 1;", "in/link.sql": "->../secret.sql",
		"in/abs.sql": "->DIR/secret.sql", "in/folder": "->.."})
	files := Dir(filepath.Join(dir, "in"))
	for _, name := range []string{"link.sql", "abs.sql", "folder/secret.sql"} {
		if _, err := files.Open(name); err == nil {
			t.Errorf("%s opened", name)
		}
		if _, err := fs.ReadFile(files, name); err == nil {
			t.Errorf("%s read", name)
		}
		if _, err := fs.Stat(files, name); err == nil {
			t.Errorf("%s described", name)
		}
	}
	if _, err := fs.ReadDir(files, "folder"); err == nil {
		t.Error("folder listed")
	}
	link := filepath.Join(dir, "link") // the folder itself may be one
	if err := os.Symlink("in", link); err != nil {
		t.Fatal(err)
	}
	if _, err := fs.ReadDir(Dir(link), "."); err != nil {
		t.Error(err)
	}
}

// linkTrees are folders with links, and the file that is refused, or "".
var linkTrees = map[string]struct {
	files   map[string]string
	refused string
	part    string
}{
	"as Kubernetes mounts a ConfigMap": {map[string]string{
		"..2026_01_01/001_a.sql": "SELECT 1;", "..data": "->..2026_01_01", "001_a.sql": "->..data/001_a.sql"}, "", ""},
	"a folder inside": {map[string]string{
		"real/v2/a.txt": "", "sql": "->real/../.hidden", ".hidden/001_a.sql": "SELECT 1;"}, "", ""},
	"undos inside": {map[string]string{"001_a.sql": "SELECT 1;", "down": "->u/", "u/001_a.sql": "SELECT 1;"}, "", ""},
	"up and down": {map[string]string{
		"001_a.sql": "->a/b/../c.txt", "a/c.txt": "SELECT 1;", "a/b/d.txt": ""}, "", ""},
	"a link beside":      {map[string]string{"001_a.sql": "SELECT 1;", "data": "->../..", "readme": "->/readme"}, "", ""},
	"a broken one":       {map[string]string{"sql/001_a.sql": "SELECT 1;", "data": "->nowhere/at/all"}, "", ""},
	"up":                 {map[string]string{"001_a.sql": "->../001_a.sql"}, "001_a.sql", "leads out"},
	"absolute":           {map[string]string{"001_a.sql": "->DIR/b.txt", "b.txt": "SELECT 1;"}, "001_a.sql", "leads out"},
	"out and in again":   {map[string]string{"001_a.sql": "->b/../../x/b.txt", "b/c.txt": ""}, "001_a.sql", "leads out"},
	"by another link":    {map[string]string{"001_a.sql": "->b", "b": "->../c"}, "001_a.sql", "leads out"},
	"by a folder's link": {map[string]string{"001_a.sql": "->b/c.txt", "b": "->.."}, "001_a.sql", "leads out"},
	"the undos' folder":  {map[string]string{"001_a.sql": "SELECT 1;", "down": "->.."}, "down", "leads out"},
	"an undo": {map[string]string{"001_a.sql": "SELECT 1;", "down/001_a.sql": "->../../x"},
		"down/001_a.sql", "leads out"},
	"the only folder": {map[string]string{"sql": "->.."}, "sql", "leads out"},
	"to nowhere":      {map[string]string{"001_a.sql": "->b.txt"}, "001_a.sql", "cannot be read"},
	"in a circle": {map[string]string{"001_a.sql": "->b", "b": "->001_a.sql"},
		"001_a.sql", "cannot be read: there are more than 40"},
	"to a folder": {map[string]string{"001_a.sql": "->b", "b/c.txt": ""}, "001_a.sql", "no regular file"},
}

// TestSourceLinkToFile wants a link that is nothing to migrations to hinder nobody.
func TestSourceLinkToFile(t *testing.T) {
	t.Parallel()
	outside := writeTree(t, map[string]string{"readme": ""})
	dir := writeTree(t, map[string]string{"readme": "->" + outside + "/readme"})
	if _, err := Read(os.DirFS(dir), nil, false); !errors.Is(err, ErrNoMigrations) {
		t.Errorf("%v", err)
	}
}

// TestSourceLinks reads the same trees through os.DirFS, which follows links anywhere, through Dir, and in memory.
func TestSourceLinks(t *testing.T) {
	t.Parallel()
	for name, test := range linkTrees {
		dir := writeTree(t, test.files)
		for kind, files := range map[string]fs.FS{"os.DirFS": os.DirFS(dir), "Dir": Dir(dir), "MapFS": mapTree(test.files)} {
			s, err := Read(files, nil, false)
			if test.refused == "" {
				if err != nil || len(s) != 1 || s[0].Undoable != (name == "undos inside") {
					t.Errorf("%s, %s: %v", name, kind, err)
				}
				continue
			}
			var e *Error
			if !errors.As(err, &e) || e.File != test.refused || !strings.Contains(err.Error(), test.part) {
				t.Errorf("%s, %s: %v; want %s refused: %s", name, kind, err, test.refused, test.part)
			}
		}
	}
}
