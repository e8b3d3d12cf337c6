package pgbouncer

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/needs"
)

// startLimit bounds a start, which takes some ten milliseconds.
const startLimit = 30 * time.Second

// port is a part of the socket's name; nothing listens on TCP.
const port = "5432"

// Start starts a PgBouncer in transaction mode in front of the server of dsn and returns a DSN that goes through it, with
// the same user, database and startup parameters. It is a URL with a query part, so that a parameter can be added as in
// dsn+"&default_query_exec_mode=exec". pgx's own parameters, such as that one, are not taken over from dsn.
//
// dsn can have any form that pgx takes. If it names more than one host, the first is used. The settings are PgBouncer's,
// each of the form "name=value"; they win over the defaults, which the package's documentation lists.
//
// PgBouncer stops with the test. If the test has failed by then, PgBouncer's output goes to the test's log. Start fails
// the test if PgBouncer does not start. If it is not installed, Start skips the test, or fails it where the environment
// variable PGDBM_TEST_ALL is set, as in CI. PgBouncer connects to the server when a client first needs
// it, so a server that cannot be reached is an error of the client's. Start must be called from the test's goroutine,
// like Fatal.
func Start(t testing.TB, dsn string, settings ...string) string {
	t.Helper()
	program, err := findProgram(append(filepath.SplitList(os.Getenv("PATH")), debianDir))
	if err != nil {
		needs.Missing(t, err)
	}
	return StartProgram(t, program, dsn, settings...)
}

// StartProgram is Start with the program at a path, such as another version of PgBouncer. The account of package pgserver's
// server has to be able to execute it.
func StartProgram(t testing.TB, program, dsn string, settings ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	through, bouncer, err := start(ctx, program, dsn, settings)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := bouncer.Stop(); err != nil {
			t.Errorf("pgbouncer: %v", err)
		}
		if t.Failed() {
			t.Logf("output of PgBouncer:\n%s", bouncer.Output())
		}
	})
	return through
}

// process is a running PgBouncer.
type process interface {
	// Stop ends it and removes its directory. It may be called more than once.
	Stop() error

	// Output returns the end of what it has written.
	Output() string
}

// start starts program in front of the server of dsn and waits until it accepts connections.
func start(ctx context.Context, program, dsn string, settings []string) (through string, bouncer process, err error) {
	server, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The error is not shown: it may quote parts of a password.
		return "", nil, errors.New("pgbouncer: the DSN is not a valid connection string " +
			"(not shown here, as it may hold a password)")
	}
	dir, bouncer, err := run(ctx, program, func(dir string) (string, error) {
		return configFile(server, dir, settings)
	})
	if err != nil {
		return "", nil, fmt.Errorf("pgbouncer: %w", err)
	}
	return throughDSN(server, dir), bouncer, nil
}

// throughDSN returns server's DSN with the socket in dir as the host.
func throughDSN(server *pgx.ConnConfig, dir string) string {
	query := url.Values{"host": {dir}, "port": {port}}
	for name, value := range server.RuntimeParams {
		query.Set(name, value)
	}
	through := url.URL{
		Scheme: "postgres",
		User:   url.User(server.User),
		Path:   "/" + server.Database,
		// In a connection URL '+' is no space, so a space has to be %20.
		RawQuery: strings.ReplaceAll(query.Encode(), "+", "%20"),
	}
	return through.String()
}

// debianDir has the program in Debian, and is often not in the PATH of those who are not root.
const debianDir = "/usr/sbin"

// findProgram returns the path of PgBouncer, which is in one of dirs. Like os/exec it ignores a relative directory.
func findProgram(dirs []string) (string, error) {
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) {
			continue
		}
		if program, err := exec.LookPath(filepath.Join(dir, "pgbouncer")); err == nil {
			return program, nil
		}
	}
	return "", errors.New("pgbouncer: the program pgbouncer is neither in PATH nor in " + debianDir +
		": install it (on Debian and Ubuntu: apt install pgbouncer)")
}
