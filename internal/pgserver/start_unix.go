//go:build unix

package pgserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/pgdbm/pgdbm/internal/supervise"
)

const (
	// prepareScript makes the data directory. The script's $1 is the server's
	// directory.
	prepareScript = `exec "$INITDB" -D "$1/data" -U postgres -A trust -E UTF8 --no-locale --no-sync`

	// readyMark is in the line that the server logs when it accepts connections.
	// The server runs with LC_ALL=C, so the line is not translated.
	readyMark = "database system is ready to accept connections"
)

// start starts a server and waits until it accepts connections. When it returns
// an error, nothing is left of the server.
func start(ctx context.Context, with settings) (dsn string, stop func() error, err error) {
	programs, err := findBinaries(with.path, with.globs)
	if err != nil {
		return "", nil, err
	}
	dir, err := supervise.NewDir(with.tempDir)
	if err != nil {
		return "", nil, fmt.Errorf("pgserver: %w, or set %s", err, dsnVariable)
	}
	p, err := supervise.Start(ctx, supervise.Server{
		Name:    "PostgreSQL server",
		Dir:     dir,
		Prepare: prepareScript,
		Args:    append([]string{programs.postgres}, serverOptions(dir)...),
		// No PG* variables: they would change what initdb and postgres do.
		Env:   []string{"LC_ALL=C", "PATH=" + with.path + ":/usr/bin:/bin", "INITDB=" + programs.initdb},
		Ready: readyMark,
	})
	if errors.Is(err, context.Canceled) { // by Stop
		return "", nil, fmt.Errorf("%w: %w", errStopped, err)
	}
	if err != nil {
		return "", nil, fmt.Errorf("pgserver: %w", err)
	}
	return socketDSN(dir), p.Stop, nil
}

// serverOptions returns the arguments of postgres.
func serverOptions(dir string) []string {
	args := []string{"-D", dir + "/data"}
	for _, setting := range []string{
		"listen_addresses=", // no TCP
		"unix_socket_directories=" + dir,
		"unix_socket_permissions=0777", // it is dir that keeps others out
		"port=5432",
		"max_connections=200",
		"shared_buffers=64MB",
		"dynamic_shared_memory_type=mmap", // containers have a small /dev/shm
		"fsync=off",
		"full_page_writes=off",
		"synchronous_commit=off",
		"lc_messages=C",
	} {
		args = append(args, "-c", setting)
	}
	return args
}
