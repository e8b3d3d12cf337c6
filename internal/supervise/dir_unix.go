//go:build unix

package supervise

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
)

const (
	// fallbackDir is short and open to everybody.
	fallbackDir = "/tmp"

	// socketPathLimit is the longest path of a Unix socket: 103 bytes on
	// macOS, 107 on Linux.
	socketPathLimit = 103

	// pathInParent has the length of the socket's path in the parent directory.
	pathInParent = "/pgdbm-0123456789abcdef/.s.PGSQL.5432"
)

// NewDir returns the path of a new directory for a server, which [Start] makes: in tempDir or, if that cannot work, in
// /tmp. A socket named .s.PGSQL.5432 fits into it, and it has no comma, which separates hosts in a connection string.
func NewDir(tempDir string) (string, error) {
	account, err := Account()
	if err != nil {
		return "", err
	}
	return filepath.Join(parentDir(tempDir, account != nil), "pgdbm-"+strings.ToLower(rand.Text()[:16])), nil
}

// parentDir returns the directory to make the server's directory in: tempDir,
// or fallbackDir if that cannot work. foreign says that the server runs as
// another user.
func parentDir(tempDir string, foreign bool) string {
	dir, err := filepath.Abs(tempDir)
	switch {
	case err != nil,
		len(dir)+len(pathInParent) > socketPathLimit,
		strings.Contains(dir, ","), // separates hosts in a connection string
		foreign && !openToOthers(dir):
		return fallbackDir
	}
	return dir
}

// openToOthers reports whether every user can make and remove files in dir.
func openToOthers(dir string) bool {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	const write, traverse = 0o002, 0o001
	for need := os.FileMode(write | traverse); ; need = traverse {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&need != need {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}
