//go:build unix

package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// Account returns the account to run a server as: nil for our own,
// another one if we are root, as which the servers refuse to run.
func Account() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if account, err := user.Lookup(name); err == nil {
			return credential(account)
		}
	}
	return nil, errors.New("the server does not run as root, and there is no user postgres or nobody: " +
		"add one or run as another user")
}

func credential(account *user.User) (*syscall.Credential, error) {
	// Signed, because nobody is -2 on macOS.
	uid, err := strconv.ParseInt(account.Uid, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("user id of %s: %w", account.Username, err)
	}
	gid, err := strconv.ParseInt(account.Gid, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("group id of %s: %w", account.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// MakeShared makes a directory for the servers' account that stays.
func MakeShared(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	account, err := Account()
	if err != nil || account == nil {
		return err
	}
	return os.Chown(dir, int(account.Uid), int(account.Gid))
}
