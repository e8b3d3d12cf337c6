package pgdocker

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/pgdbm/pgdbm/internal/needs"
)

// TestSocketOfAnotherUser asks as a user to whom the directory of the socket is closed. The kernel checks the rights of the
// thread, which ends with the goroutine that has it.
func TestSocketOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		needs.Missing(t, errors.New("only root can be another user"))
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	result := make(chan bool)
	go func() {
		runtime.LockOSThread()
		const nobody = 65534
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Error(err)
		}
		result <- nobodyAt(dir + "/none")
	}()
	if <-result {
		t.Error("a socket that cannot be looked at is taken for dead")
	}
}
