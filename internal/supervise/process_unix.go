//go:build unix

package supervise

import (
	"context"
	_ "embed" // for the script
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// superviseScript runs the server; see there.
//
//go:embed supervise.sh
var superviseScript string

const (
	// stopLimit is longer than the 5 seconds after which PostgreSQL itself
	// kills those of its processes that do not end.
	stopLimit = 15 * time.Second

	// drainLimit bounds the wait for the end of the output of a supervisor
	// that has exited.
	drainLimit = 5 * time.Second
)

// Server is a server program and what it needs.
type Server struct {
	// Name is what messages call it: "PostgreSQL server".
	Name string

	// Dir is the server's directory, from [NewDir]. Only the server's account and root can enter it.
	Dir string

	// Prepare is a shell script that fills the directory before the server starts. Its $1 is Dir.
	Prepare string

	// Args are the program, an absolute path, and its arguments. It must stay in the foreground.
	Args []string

	// Env is the whole environment of Prepare and of the server. It should have a PATH.
	Env []string

	// Ready is a text that the server writes to its standard output or standard error when it accepts connections.
	Ready string
}

// Process is a running supervisor with its server. It is safe for concurrent use.
type Process struct {
	server Server
	cmd    *exec.Cmd
	stdin  io.Closer // closing it ends the supervisor
	output *output

	exited chan struct{} // closed when the supervisor is gone and output complete
}

// Start starts a server and waits until it accepts connections, or until ctx ends; then the error wraps ctx.Err(). When
// it returns an error, nothing is left of the server.
func Start(ctx context.Context, server Server) (*Process, error) {
	p := &Process{server: server, output: newOutput(server.Ready), exited: make(chan struct{})}
	if err := p.start(); err != nil {
		return nil, fmt.Errorf("start the supervisor of the %s: %w", server.Name, err)
	}
	if err := p.waitReady(ctx); err != nil {
		if stopErr := p.Stop(); stopErr != nil {
			err = fmt.Errorf("%w (and then: %w)", err, stopErr)
		}
		return nil, err
	}
	return p, nil
}

// start starts the supervisor, which makes the directory.
func (p *Process) start() error {
	account, err := Account()
	if err != nil {
		return err
	}
	args := []string{"-c", superviseScript, "supervise", p.server.Dir, p.server.Prepare}
	p.cmd = exec.Command("/bin/sh", append(args, p.server.Args...)...)
	p.cmd.Dir = "/" // the current directory may be closed to the account
	p.cmd.Env = p.server.Env
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.WaitDelay = drainLimit
	p.cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true, // Ctrl-C in a terminal must not reach the server
		Credential: account,
	}
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	p.stdin = stdin
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = p.cmd.Wait() // it is in cmd.ProcessState
		close(p.exited)
	}()
	return nil
}

// waitReady waits until the server accepts connections.
func (p *Process) waitReady(ctx context.Context) error {
	select {
	case <-p.output.ready:
		return nil
	case <-p.exited:
		return fmt.Errorf("the %s in %s did not start: %v; output:\n%v",
			p.server.Name, p.server.Dir, p.cmd.ProcessState, p.output)
	case <-ctx.Done():
		return fmt.Errorf("the %s in %s is not ready: %w; output:\n%v",
			p.server.Name, p.server.Dir, ctx.Err(), p.output)
	}
}

// Output returns the last 64 KiB of what the server has written, indented for the use in a message.
func (p *Process) Output() string {
	return p.output.String()
}

// Gone returns a channel that is closed when the server has ended.
func (p *Process) Gone() <-chan struct{} { return p.exited }

// Stop ends the supervisor, which stops the server without waiting for its clients and removes its directory. It may be
// called more than once.
func (p *Process) Stop() error {
	_ = p.stdin.Close() // it may be closed already
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-p.exited:
	case <-limit.C:
		// Ends all but the server's children, which end with their parent.
		if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill the %s in %s: %w", p.server.Name, p.server.Dir, err)
		}
		<-p.exited
	}
	// Does nothing unless the supervisor was killed.
	if err := os.RemoveAll(p.server.Dir); err != nil {
		return fmt.Errorf("remove the directory of the stopped %s: %w", p.server.Name, err)
	}
	return nil
}
