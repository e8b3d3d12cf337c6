//go:build unix

package pgserver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeServer returns a Server made of the scripts, and the directory that its
// directory will be in.
func fakeServer(t *testing.T, scripts map[string]string) (s *Server, parent string) {
	t.Helper()
	root, err := os.MkdirTemp("/tmp", "pgserver-test-") // t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	parent = filepath.Join(root, "tmp")
	makePrograms(t, filepath.Join(root, "bin"), scripts)
	if err := os.Mkdir(parent, 0o777); err != nil {
		t.Fatal(err)
	}
	for dir, mode := range map[string]os.FileMode{root: 0o755, parent: 0o777} {
		if err := os.Chmod(dir, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
	}
	path := filepath.Join(root, "bin") + ":" + os.Getenv("PATH")
	return &Server{settings: &settings{path: path, tempDir: parent}}, parent
}

func checkEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("%s is left", entry.Name())
	}
}

func TestBrokenStart(t *testing.T) {
	t.Parallel()
	makesData := `mkdir "$2"; echo initdb was here`
	for _, test := range []struct {
		name, initdb, postgres string
		want                   []string
	}{
		{"initdb fails", "echo on stdout; echo on stderr >&2; exit 7", "echo not reached",
			[]string{"exit status 7", "on stdout", "on stderr"}},
		{"postgres fails", makesData, "echo FATAL: no >&2; exit 8",
			[]string{"exit status 8", "initdb was here", "FATAL: no"}},
		{"postgres ends without error", makesData, "exit 0",
			[]string{"exit status 0", "initdb was here"}},
		{"postgres is killed", makesData, "kill -s KILL $$",
			[]string{"exit status 137"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, parent := fakeServer(t, map[string]string{"initdb": test.initdb, "postgres": test.postgres})
			_, err := s.DSN(t.Context())
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in the error: %v", want, err)
				}
			}
			if strings.Contains(err.Error(), "not reached") {
				t.Errorf("postgres was run after initdb had failed: %v", err)
			}
			if _, _, again := s.CreateDatabase(t.Context()); again != err {
				t.Errorf("the next caller gets another error: %v", again)
			}
			if err := s.Stop(); err != nil {
				t.Errorf("Stop: %v", err)
			}
			checkEmpty(t, parent)
		})
	}
}

func TestStopOfHangingStart(t *testing.T) {
	t.Parallel()
	for name, scripts := range map[string]map[string]string{
		"initdb":   {"initdb": "exec sleep 1000", "postgres": ""},
		"postgres": {"initdb": `mkdir "$2"`, "postgres": "exec sleep 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, parent := fakeServer(t, scripts)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if _, err := s.DSN(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error = %v", err)
			}
			if err := s.Stop(); err != nil {
				t.Errorf("Stop: %v", err)
			}
			if _, err := s.DSN(t.Context()); !errors.Is(err, errStopped) {
				t.Errorf("after Stop: error = %v", err)
			}
			checkEmpty(t, parent)
		})
	}
}
