//go:build unix

package pgserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/pgdbm/pgdbm/internal/supervise"
)

const (
	// prepareScript makes the data directory: a copy of PRISTINE or, if there is none, a new one, of which it leaves a
	// copy in PRISTINE_NEW. The script's $1 is the server's directory.
	prepareScript = `
run() { "$@" & child=$!; wait "$child"; }
trap 'kill -s TERM "$child" 2>/dev/null; wait "$child"; exit 1' TERM # else they would go on without us
if [ -f "$PRISTINE/PG_VERSION" ] && run cp -R "$PRISTINE" "$1/data"; then exit 0; fi
rm -rf "$1/data"
run "$INITDB" -D "$1/data" ` + initdbOptions + ` || exit
[ -z "$PRISTINE_NEW" ] || run cp -R "$1/data" "$PRISTINE_NEW" || rm -rf "$PRISTINE_NEW"`

	// The smallest segments of the log: a copy has one.
	initdbOptions = `-U postgres -A trust -E UTF8 --no-locale --no-sync --wal-segsize=1`

	// readyMark is in the line that the server logs when it accepts connections.
	// The server runs with LC_ALL=C, so the line is not translated.
	readyMark = "database system is ready to accept connections"
)

// start starts a server and waits until it accepts connections. When it returns
// an error, nothing is left of the server.
func start(ctx context.Context, with settings) (running, error) {
	programs, err := findBinaries(with.path, with.globs)
	if err != nil {
		return running{}, err
	}
	dir, err := supervise.NewDir(with.tempDir)
	if err != nil {
		return running{}, fmt.Errorf("pgserver: %w, or set %s", err, dsnVariable)
	}
	if with.started != nil {
		if err := with.started(dir); err != nil {
			return running{}, fmt.Errorf("pgserver: %w", err)
		}
	}
	template := findPristine(with.cache, programs, dir)
	p, err := supervise.Start(ctx, supervise.Server{
		Name:    "PostgreSQL server",
		Dir:     dir,
		Prepare: prepareScript,
		Args:    append([]string{programs.postgres}, serverOptions(dir)...),
		// No PG* variables: they would change what initdb and postgres do.
		Env: []string{"LC_ALL=C", "PATH=" + with.path + ":/usr/bin:/bin", "INITDB=" + programs.initdb,
			"PRISTINE=" + template.path, "PRISTINE_NEW=" + template.fresh},
		Ready: readyMark,
	})
	template.keep()
	if errors.Is(err, context.Canceled) { // by Stop
		return running{}, fmt.Errorf("%w: %w", errStopped, err)
	}
	if err != nil {
		return running{}, fmt.Errorf("pgserver: %w", err)
	}
	return running{dsn: socketDSN(dir), stop: p.Stop, gone: p.Gone()}, nil
}

// serverOptions returns the arguments of postgres.
func serverOptions(dir string) []string {
	args := []string{"-D", dir + "/data"}
	for _, setting := range []string{
		"listen_addresses=", // no TCP
		"unix_socket_directories=" + dir,
		"unix_socket_permissions=0777", // it is dir that keeps others out
		"port=5432",
		"max_connections=1000", // for the tests of many packages at once,
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
