//go:build unix

package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/pgdbm/pgdbm/internal/supervise"
)

// FastInitdb are the options of initdb for a server that starts fast. The segments of the log are the smallest: a copy has one.
const FastInitdb = `-E UTF8 --no-locale --no-sync --wal-segsize=1`

const (
	// prepareScript makes the data directory: a copy of PRISTINE or, if there is none, a new one, of which it leaves a
	// copy in PRISTINE_NEW. RULES replaces its pg_hba.conf unless empty. The script's $1 is the server's directory.
	prepareScript = `
run() { "$@" & child=$!; wait "$child"; }
trap 'kill -s TERM "$child" 2>/dev/null; wait "$child"; exit 1' TERM # else they would go on without us
rules() { [ -z "$RULES" ] || printf '%s\n' "$RULES" >"$1/data/pg_hba.conf"; }
if [ -f "$PRISTINE/PG_VERSION" ] && run cp -R "$PRISTINE" "$1/data"; then rules "$1"; exit; fi
rm -rf "$1/data"
run "$INITDB" -D "$1/data" ` + initdbOptions + ` || exit
[ -z "$PRISTINE_NEW" ] || run cp -R "$1/data" "$PRISTINE_NEW" || rm -rf "$PRISTINE_NEW"
rules "$1"`

	initdbOptions = `-U postgres -A trust ` + FastInitdb

	// readyMark is in the line that the server logs when it accepts connections.
	// The server runs with LC_ALL=C, so the line is not translated.
	readyMark = "database system is ready to accept connections"
)

// local is the server from local programs.
var local = Source{
	Name: sourceLocal,
	Check: func(ctx context.Context, o Order) (key string, err error) {
		if o.TLS {
			return "", ErrNoTLS
		}
		programs, err := findBinaries(ctx, o.Path, o.Globs, o.Version)
		return programs.postgres, err
	},
	Start: func(ctx context.Context, o Order) (Running, error) {
		programs, err := findBinaries(ctx, o.Path, o.Globs, o.Version)
		if err != nil {
			return Running{}, err
		}
		return o.start(ctx, programs)
	},
}

// StartPrograms starts a server from the programs in a directory and waits until it accepts connections on its Unix socket. When
// it returns an error, nothing is left of the server.
func (o Order) StartPrograms(ctx context.Context, dir string) (Running, error) {
	programs, ok := binariesIn(dir)
	if !ok {
		return Running{}, fmt.Errorf("%s does not have both postgres and initdb", dir)
	}
	return o.start(ctx, programs)
}

func (o Order) start(ctx context.Context, programs binaries) (Running, error) {
	dir, err := supervise.NewDir(o.TempDir)
	if err != nil {
		return Running{}, fmt.Errorf("%w, or set %s", err, dsnVariable)
	}
	if o.Home != "" { // the next keeper removes what this one leaves if it is killed
		if err := os.WriteFile(home(o.Home).server(), []byte(dir), 0o600); err != nil {
			return Running{}, err
		}
	}
	options := localOptions(dir)
	rules, port := "", 0
	if o.Loopback {
		if port, err = freePort(); err != nil {
			return Running{}, err
		}
		rules, options = loopbackRules, append(options, loopbackOptions(port)...)
	}
	template := findPristine(o.Cache, programs, dir)
	p, err := supervise.Start(ctx, supervise.Server{
		Name:    "PostgreSQL server",
		Dir:     dir,
		Prepare: prepareScript,
		Args:    append([]string{programs.postgres}, options...),
		// No PG* variables: they would change what initdb and postgres do.
		Env: []string{"LC_ALL=C", "PATH=" + o.Path + ":/usr/bin:/bin", "INITDB=" + programs.initdb,
			"PRISTINE=" + template.path, "PRISTINE_NEW=" + template.fresh, "RULES=" + rules},
		Ready: readyMark,
	})
	template.keep()
	if err != nil {
		return Running{}, err
	}
	running := Running{DSN: socketDSN(dir), Stop: p.Stop, Gone: p.Gone()}
	if o.Loopback {
		if running.DSN, err = openLoopback(ctx, dir, port); err != nil {
			return Running{}, errors.Join(err, p.Stop())
		}
	}
	return running, nil
}

// localOptions returns the arguments of postgres.
func localOptions(dir string) []string {
	return append([]string{"-D", dir + "/data",
		"-c", "listen_addresses=", // no TCP
		"-c", "unix_socket_directories=" + dir,
		"-c", "unix_socket_permissions=0777", // it is dir that keeps others out
		"-c", "port=5432",
	}, FastOptions()...)
}

// FastOptions returns arguments of postgres that make a server fast and careless.
func FastOptions() []string {
	var args []string
	for _, setting := range []string{
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
