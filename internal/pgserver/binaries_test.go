package pgserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// makePrograms makes programs with a shell script as their text in dir.
func makePrograms(t *testing.T, dir string, scripts map[string]string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFindBinaries(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	both := map[string]string{"initdb": "", "postgres": ""}
	makePrograms(t, root+"/path", both)
	makePrograms(t, root+"/half", map[string]string{"postgres": ""})
	makePrograms(t, root+"/pg/9.6/bin", both)
	makePrograms(t, root+"/pg/16/bin", both)
	makePrograms(t, root+"/pg/17/bin", map[string]string{"initdb": ""})
	makePrograms(t, root+"/brew/postgresql@18/bin", both)

	debian, brew := root+"/pg/*/bin", root+"/brew/postgresql@*/bin"
	for _, test := range []struct {
		name  string
		path  []string
		globs []string
		want  string
	}{
		{"path first", []string{root + "/half", root + "/path"}, []string{debian}, "/path"},
		{"relative path", []string{"", "."}, []string{debian}, "/pg/16/bin"},
		{"highest complete version", []string{root + "/half"}, []string{debian, brew}, "/pg/16/bin"},
		{"order of globs", nil, []string{root + "/none/*", brew, debian}, "/brew/postgresql@18/bin"},
	} {
		path := strings.Join(test.path, string(filepath.ListSeparator))
		got, err := findBinaries(t.Context(), path, test.globs, "")
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if want := root + test.want + "/postgres"; got.postgres != want {
			t.Errorf("%s: got %s, want %s", test.name, got.postgres, want)
		}
	}
}

func TestFindNoBinaries(t *testing.T) {
	t.Parallel()
	_, err := findBinaries(t.Context(), "/none/of/path", []string{"/none/of/globs/*"}, "")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"/none/of/path", "/none/of/globs/*", "apt-get install postgresql"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the error: %v", want, err)
		}
	}
}

// TestFindVersion has directories whose names say something else than the programs in them.
func TestFindVersion(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for dir, script := range map[string]string{
		"/path":       "echo 'postgres (PostgreSQL) 15.14 (Debian 15.14-0)'",
		"/pg/16/bin":  "echo 'postgres (PostgreSQL) 13.3'",
		"/pg/17/bin":  "echo 'postgres (PostgreSQL) 18devel'",
		"/pg/18/bin":  "exit 1",
		"/pg/170/bin": "echo 'another program 16.1'",
	} {
		makePrograms(t, root+dir, map[string]string{"initdb": "", "postgres": script})
	}
	for version, want := range map[string]string{
		"15": "/path", "13": "/pg/16/bin", "18": "/pg/17/bin", "": "/path", "16": "", "1": "",
	} {
		got, err := findBinaries(t.Context(), root+"/path", []string{root + "/pg/*/bin"}, version)
		switch {
		case want != "" && (err != nil || got.postgres != root+want+"/postgres"):
			t.Errorf("version %q: got %v, %v", version, got, err)
		case want == "" && err == nil:
			t.Errorf("version %q: got %v", version, got)
		case want == "":
			for _, text := range []string{
				"PostgreSQL " + version + " is not installed", "13, 15, 18", "apt-get install postgresql-" + version,
			} {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q is not in the error: %v", text, err)
				}
			}
		}
	}
}

func TestMajorVersion(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]int{
		"/usr/lib/postgresql/15/bin":              15,
		"/usr/lib/postgresql/9.6/bin":             9,
		"/opt/homebrew/opt/postgresql@16/bin":     16,
		"/usr/pgsql-17/bin":                       17,
		"/usr/local/pgsql/bin":                    0,
		"/usr/lib/postgresql/9999999999999999999": 0,
	} {
		if got := majorVersion(dir); got != want {
			t.Errorf("%s: got %d, want %d", dir, got, want)
		}
	}
}
