//go:build unix

package pgserver

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// home is the directory where processes of one user meet to share a server. It has a lock, the keeper's socket and its log,
// and goes with the keeper.
type home string

// generation changes when processes of different versions of this package cannot share a server.
const generation = "2"

// homeOf returns the home for an order and the key that its source has given: those who would start another server meet
// elsewhere.
func homeOf(o Order, key string) home {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %q %q %v %q %q", generation, o.Source, o.Version, o.TLS, key, o.TempDir))
	name := "pgdbm-" + strconv.Itoa(os.Getuid()) + "-" + hex.EncodeToString(sum[:4])
	h := home(filepath.Join(o.TempDir, name))
	if len(h.socket()) > socketPathLimit {
		h = home(filepath.Join("/tmp", name))
	}
	return h
}

// socketPathLimit is the longest path of a Unix socket: 103 bytes on macOS, 107 on Linux.
const socketPathLimit = 103

func (h home) path(name string) string { return filepath.Join(string(h), name) }
func (h home) lockFile() string        { return h.path("lock") }
func (h home) socket() string          { return h.path("keeper") }
func (h home) log() string             { return h.path("log") }

// server is the file with the path of the server's directory.
func (h home) server() string { return h.path("server") }

// lock makes the home and keeps others out until unlock is called, for moments only.
func (h home) lock() (unlock func(), err error) {
	for {
		if err := os.Mkdir(string(h), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		if err := h.check(); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(h.lockFile(), os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			continue // somebody has removed the home
		}
		if err != nil {
			return nil, err
		}
		if err := flock(file); err != nil {
			return nil, errors.Join(err, file.Close())
		}
		if same(file, h.lockFile()) {
			return func() { _ = file.Close() }, nil
		}
		_ = file.Close() // somebody has removed the home before the lock was ours
	}
}

// check refuses a home that another user has made: he could give us a server of his.
func (h home) check() error {
	info, err := os.Lstat(string(h))
	if errors.Is(err, os.ErrNotExist) {
		return nil // the caller sees it
	}
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != os.Getuid() || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is not a directory of this user's alone; remove it, or set TMPDIR to another directory", h)
	}
	return nil
}

func flock(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// same reports whether the path still leads to the file.
func same(file *os.File, path string) bool {
	open, err := file.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(open, now)
}

// dial connects to the keeper, and starts one if there is none.
func (h home) dial(start func(*os.File) error) (net.Conn, error) {
	unlock, err := h.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if conn, err := net.Dial("unix", h.socket()); err == nil {
		return conn, nil
	}
	// Without a listener the socket is a dead keeper's.
	if err := os.Remove(h.socket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: h.socket(), Net: "unix"})
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	listener.SetUnlinkOnClose(false) // the keeper has it then
	file, err := listener.File()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := start(file); err != nil {
		return nil, err
	}
	return net.Dial("unix", h.socket())
}
