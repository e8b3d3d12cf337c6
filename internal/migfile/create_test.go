package migfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// listTree returns the paths of all files in a folder, sorted.
func listTree(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestCreate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 8, time.FixedZone("east", 2*60*60)) // 03:06:07 in UTC
	for name, test := range map[string]struct {
		there []string
		name  string
		want  []string // the path that is returned comes first
	}{
		"empty folder":           {nil, "Add users!", []string{"001_add_users.sql"}},
		"width":                  {[]string{"0009_a.sql", "1_b.sql"}, "c", []string{"0010_c.sql"}},
		"wider":                  {[]string{"99_a.sql"}, "c", []string{"100_c.sql"}},
		"by number, not by text": {[]string{"9_a.sql", "10_b.sql"}, "c", []string{"11_c.sql"}},
		"only repeatable":        {[]string{"R__a.sql"}, "c", []string{"001_c.sql"}},
		"V":                      {[]string{"V9__a.sql", "R__z.sql"}, "c", []string{"V10__c.sql"}},
		"golang-migrate": {[]string{"000001_a.up.sql", "000001_a.down.sql"}, "c",
			[]string{"000002_c.up.sql", "000002_c.down.sql"}},
		"golang-migrate, down":    {[]string{"1_a.up.sql", "down/1_a.up.sql"}, "c", []string{"2_c.up.sql", "2_c.down.sql"}},
		"undo folder":             {[]string{"001_a.sql", "down/001_a.sql"}, "c", []string{"002_c.sql", "down/002_c.sql"}},
		"undo folder, repeatable": {[]string{"001_a.sql", "down/001_a.sql"}, "R__c", []string{"R__c.sql"}},
		"an undo left over":       {[]string{"001_a.sql", "down/002_c.sql"}, "c", []string{"003_c.sql", "down/003_c.sql"}},
		"repeatable":              {[]string{"001_a.sql"}, "R__All Views", []string{"R__all_views.sql"}},
		"timestamp":               {[]string{"20260101120000_a.sql"}, "c", []string{"20260304030607_c.sql"}},
		"timestamp with V":        {[]string{"V20260101120000__a.sql"}, "c", []string{"V20260304030607__c.sql"}},
		"timestamp of Python":     {[]string{"20260101_120000_a.sql"}, "c", []string{"20260304_030607_c.sql"}},
		"the last is later":       {[]string{"20261231_235959_a.sql"}, "c", []string{"20270101_000000_c.sql"}},
		"the last is now":         {[]string{"20260304030607_a.sql"}, "c", []string{"20260304030608_c.sql"}},
		"14 digits, no time":      {[]string{"20261399999999_a.sql"}, "c", []string{"20261400000000_c.sql"}},
		"the style of the last":   {[]string{"001_a.sql", "20260101_120000_b.sql"}, "c", []string{"20260304_030607_c.sql"}},
		"the only folder":         {[]string{"sql/007_a.sql", "docs/a.md"}, "c", []string{"sql/008_c.sql"}},
		"letters of others":       {nil, "  Größe_ÄNDERN -- für №7 ", []string{"001_größe_ändern_für_7.sql"}},
		"behind int64":            {[]string{"9223372036854775807_a.sql"}, "c", []string{"9223372036854775808_c.sql"}},
		"20 digits":               {[]string{"20180101120000999999_a.sql"}, "c", []string{"20180101120001000000_c.sql"}},
		"parts":                   {[]string{"V1.9__a.sql", "U1.9__a.sql", "V1.2__b.sql"}, "c", []string{"V1.10__c.sql"}},
		"underscores":             {[]string{"V1_09__a.sql"}, "c", []string{"V1_10__c.sql"}},
		"dashes":                  {[]string{"0009-a.sql"}, "c", []string{"0010-c.sql"}},
		"only a number":           {[]string{"0009.sql"}, "c", []string{"0010_c.sql"}},
		"only V and a number":     {[]string{"V9.sql"}, "c", []string{"V10__c.sql"}},
		"a dot":                   {[]string{"V0001.Name.up.sql"}, "c", []string{"V0002.c.up.sql", "V0002.c.down.sql"}},
		"dates":                   {[]string{"2018-01-02-120000_a.sql"}, "c", []string{"2026-03-04-030607_c.sql"}},
		"an undo of Flyway":       {[]string{"V1__a.sql", "U2__b.sql"}, "c", []string{"V3__c.sql"}},
		"up":                      {[]string{"1_a.up.sql"}, "x.Up", []string{"2_x_up.up.sql", "2_x_up.down.sql"}},
	} {
		tree := map[string]string{}
		for _, file := range test.there {
			tree[file] = "SELECT 1;"
		}
		dir := writeTree(t, tree)
		path, err := create(dir, test.name, now)
		if err != nil || path != filepath.Join(dir, filepath.FromSlash(test.want[0])) {
			t.Errorf("%s: %s, %v", name, path, err)
		}
		want := append(test.want, test.there...)
		if slices.Sort(want); !slices.Equal(listTree(t, dir), want) {
			t.Errorf("%s: %q, want %q", name, listTree(t, dir), want)
		}
	}
}

// TestCreateDraft wants a draft to be refused until there is a statement, and then to run.
func TestCreateDraft(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, map[string]string{"down/.keep": ""})
	path, err := Create(dir, "Add users")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Read(Dir(dir), nil, false)
	want := "pgdbm: 001_add_users.sql: the file has no statement: write one, or remove the file\n" +
		"pgdbm: down/001_add_users.sql: the file has no statement: write one, or remove the file"
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	for _, file := range []string{path, filepath.Join(dir, "down", "001_add_users.sql")} {
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), "{{tables.users}}") || !strings.Contains(string(text), "add_users") {
			t.Errorf("%q, %v", text, err)
		}
		if err := os.WriteFile(file, append(text, "SELECT 1 FROM {{tables.users}};\n"...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Read(Dir(dir), nil, false)
	if err != nil || len(s) != 1 || s[0].NoTransaction || !s[0].Undoable {
		t.Errorf("%v", err)
	}
	if path, err := Create(dir, "next"); err != nil || filepath.Base(path) != "002_next.sql" {
		t.Errorf("%s, %v", path, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		there map[string]string
		name  string
		part  string
	}{
		"no name":              {nil, "", `name "": it has no letters`},
		"no letters":           {nil, "-!-", "it has no letters"},
		"repeatable, no name":  {nil, "R__ ", "it has no letters"},
		"too long":             {nil, strings.Repeat("a", 250), "255 characters"},
		"a digit behind a dot": {map[string]string{"V0001.Name.sql": ""}, "2fa", "has another name"},
		"taken for a part":     {map[string]string{"V1.Name.sql": ""}, "2", "part of it"},
		"folders":              {map[string]string{"1_a/up.sql": "", "2_b/up.sql": ""}, "c", "migrations.Folders"},
		"taken for a time":     {map[string]string{"20260101_a.sql": ""}, "120000 b", "part of it"},
		"unreadable":           {map[string]string{"schema.sql": ""}, "b", "pgdbm: schema.sql: a migration's file has another name"},
		"two folders":          {map[string]string{"a/1_a.sql": "", "b/1_a.sql": ""}, "b", "fs.Sub"},
		"link":                 {map[string]string{"1_a.sql": "", "down": "->.."}, "b", "leads out"},
	} {
		dir := writeTree(t, test.there)
		before := listTree(t, dir)
		if path, err := Create(dir, test.name); path != "" || err == nil || !strings.Contains(err.Error(), test.part) {
			t.Errorf("%s: %q, %v; want %q", name, path, err, test.part)
		}
		if after := listTree(t, dir); !slices.Equal(before, after) {
			t.Errorf("%s: %q, before %q", name, after, before)
		}
	}
	if _, err := Create(filepath.Join(t.TempDir(), "missing"), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// TestCreateKeeps wants no file to be overwritten, and nothing to be left of half a migration.
func TestCreateKeeps(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, map[string]string{"R__a.sql": "SELECT 1;", "1_a.up.sql": "SELECT 1;", "2_b.down.sql/x": ""})
	if _, err := Create(dir, "R__a"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
	if _, err := Create(dir, "b"); !errors.Is(err, fs.ErrExist) { // there is a folder with the undo's name
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "R__a.sql")); err != nil || string(text) != "SELECT 1;" {
		t.Errorf("%q, %v", text, err)
	}
	if got := listTree(t, dir); !slices.Equal(got, []string{"1_a.up.sql", "2_b.down.sql/x", "R__a.sql"}) {
		t.Errorf("%q", got)
	}
}
