//go:build unix

package pgserver

import (
	"context"
	"crypto/rand"
	_ "embed" // for the script
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// superviseScript runs the server; see there.
//
//go:embed supervise.sh
var superviseScript string

const (
	// stopLimit is longer than the 5 seconds after which the server itself
	// kills those of its processes that do not end.
	stopLimit = 15 * time.Second

	// drainLimit bounds the wait for the end of the output of a supervisor
	// that has exited.
	drainLimit = 5 * time.Second
)

// process is a running supervisor with its server.
type process struct {
	dir    string
	cmd    *exec.Cmd
	stdin  io.Closer // closing it ends the supervisor
	output *output

	exited chan struct{} // closed when the supervisor is gone and output complete
}

// start starts a server and waits until it accepts connections. When it returns
// an error, nothing is left of the server.
func start(ctx context.Context, with settings) (dsn string, stop func() error, err error) {
	programs, err := findBinaries(with.path, with.globs)
	if err != nil {
		return "", nil, err
	}
	account, err := serverAccount()
	if err != nil {
		return "", nil, err
	}
	dir := filepath.Join(parentDir(with.tempDir, account != nil), "pgdbm-"+strings.ToLower(rand.Text()[:16]))
	p, err := startProcess(programs, dir, with.path, account)
	if err != nil {
		return "", nil, fmt.Errorf("pgserver: start the supervisor of the PostgreSQL server: %w", err)
	}
	if err := p.waitReady(ctx); err != nil {
		if stopErr := p.stop(); stopErr != nil {
			err = fmt.Errorf("%w (and then: %w)", err, stopErr)
		}
		return "", nil, err
	}
	return socketDSN(dir), p.stop, nil
}

// startProcess starts the supervisor, which makes dir.
func startProcess(programs binaries, dir, path string, account *syscall.Credential) (*process, error) {
	args := []string{"-c", superviseScript, "pgserver", dir, programs.initdb, programs.postgres}
	p := &process{
		dir:    dir,
		cmd:    exec.Command("/bin/sh", append(args, serverOptions(dir)...)...),
		output: newOutput(),
		exited: make(chan struct{}),
	}
	p.cmd.Dir = "/" // the current directory may be closed to the account
	// No PG* variables: they would change what initdb and postgres do.
	p.cmd.Env = []string{"LC_ALL=C", "PATH=" + path + ":/usr/bin:/bin"}
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.WaitDelay = drainLimit
	p.cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true, // Ctrl-C in a terminal must not reach the server
		Credential: account,
	}
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // it is in cmd.ProcessState
		close(p.exited)
	}()
	return p, nil
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

// waitReady waits until the server accepts connections.
func (p *process) waitReady(ctx context.Context) error {
	select {
	case <-p.output.ready:
		return nil
	case <-p.exited:
		return fmt.Errorf("pgserver: the PostgreSQL server in %s did not start: %v; output of initdb and postgres:\n%v",
			p.dir, p.cmd.ProcessState, p.output)
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) { // by Stop
			return errStopped
		}
		return fmt.Errorf("pgserver: the PostgreSQL server in %s was not ready after %v; output of initdb and postgres:\n%v",
			p.dir, startLimit, p.output)
	}
}

// stop ends the supervisor, which stops the server and removes its directory.
// It may be called more than once.
func (p *process) stop() error {
	_ = p.stdin.Close() // it may be closed already
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-p.exited:
	case <-limit.C:
		// Ends all but the server's children, which end with their parent.
		if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil {
			return fmt.Errorf("pgserver: kill the PostgreSQL server in %s: %w", p.dir, err)
		}
		<-p.exited
	}
	// Does nothing unless the supervisor was killed.
	if err := os.RemoveAll(p.dir); err != nil {
		return fmt.Errorf("pgserver: remove the directory of the stopped PostgreSQL server: %w", err)
	}
	return nil
}
