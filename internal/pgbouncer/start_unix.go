//go:build unix

package pgbouncer

import (
	"context"
	"os"

	"github.com/pgdbm/pgdbm/internal/supervise"
)

// run starts program with the configuration file that config returns for the program's directory.
func run(ctx context.Context, program string, config func(dir string) (string, error)) (dir string, _ process, err error) {
	dir, err = supervise.NewDir(os.TempDir())
	if err != nil {
		return "", nil, err
	}
	text, err := config(dir)
	if err != nil {
		return "", nil, err
	}
	p, err := supervise.Start(ctx, supervise.Server{
		Name:    "PgBouncer",
		Dir:     dir,
		Prepare: `printf %s "$CONFIG" >"$1/pgbouncer.ini"`,
		Args:    []string{program, dir + "/pgbouncer.ini"},
		// The text may hold a password. Others can read the arguments of a process, but not its environment.
		Env:   []string{"LC_ALL=C", "PATH=/usr/bin:/bin", "CONFIG=" + text},
		Ready: "process up: ", // logged when the socket is open
	})
	if err != nil {
		return "", nil, err
	}
	return dir, p, nil
}
