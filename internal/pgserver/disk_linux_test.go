package pgserver

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pgdbm/pgdbm/internal/needs"
	"github.com/pgdbm/pgdbm/internal/supervise/supervisetest"
)

// TestFullDisk starts servers where there is no room for one: from initdb, and from the copy that initdb has left.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	sweepSharedMemory(t)
	for name, cache := range map[string]string{"initdb": "", "copy": cacheDir()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			small := filepath.Join(supervisetest.PublicDir(t, "pgserver-test-"), "small")
			if err := os.Mkdir(small, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=4m,mode=1777"); err != nil {
				needs.Missing(t, err)
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(small, 0); err != nil {
					t.Error(err)
				}
			})
			with := own()
			with.tempDir, with.cache = small, cache
			s := Server{settings: with}
			_, err := s.DSN(t.Context())
			if err == nil || !strings.Contains(err.Error(), "No space left on device") {
				t.Errorf("error = %v", err)
			}
			checkEmpty(t, small)
		})
	}
}

// sweepSharedMemory removes, when the test has ended, what an initdb that has crashed leaves in /dev/shm: before version 16 it cannot be
// told to put that elsewhere. Who has such a file open does not need its name.
func sweepSharedMemory(t *testing.T) {
	t.Helper()
	const pattern = "/dev/shm/PostgreSQL.*"
	before, _ := filepath.Glob(pattern) // the pattern is good
	t.Cleanup(func() {
		after, _ := filepath.Glob(pattern)
		for _, file := range after {
			if !slices.Contains(before, file) {
				_ = os.Remove(file) // somebody else may have
			}
		}
	})
}
