//go:build unix

package pgserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// answer is what the keeper tells those who connect, as soon as it knows.
type answer struct {
	DSN   string
	Error string
}

// wish is what a client may tell the keeper.
type wish struct {
	Linger time.Duration // at least so long after the last lease
}

// join returns the server that this user's processes share; to stop it gives the lease back. The lease is a connection to the
// keeper, which the kernel closes when the process ends in whatever way.
func join(ctx context.Context, source Source, order Order) (Running, error) {
	key, err := source.Check(ctx, order)
	if err != nil {
		return Running{}, err
	}
	h := homeOf(order, key)
	order.Home = string(h)
	start := func(listener *os.File) error { return startKeeper(order, listener) }
	for range joinAttempts {
		conn, err := h.dial(start)
		if err != nil {
			return Running{}, fmt.Errorf("join the shared server: %w", err)
		}
		reply, err := ask(ctx, conn)
		switch {
		case err == nil && reply.Error == "":
			return Running{DSN: reply.DSN, Stop: conn.Close, linger: func(d time.Duration) error {
				return json.NewEncoder(conn).Encode(wish{Linger: d})
			}}, nil
		case err == nil:
			return Running{}, errors.Join(errors.New(reply.Error), conn.Close())
		case ctx.Err() != nil:
			_ = conn.Close()
			return Running{}, fmt.Errorf("the shared server is not ready: %w; its log is %s", ctx.Err(), h.log())
		}
		_ = conn.Close() // the keeper has just ended
	}
	log, _ := os.ReadFile(h.log()) // if there is none, there is nothing to show
	return Running{}, fmt.Errorf("the process that is to keep the shared server ends at once; its log: %s", log)
}

// joinAttempts is how often join tries. A second time is rare: the last keeper was about to go.
const joinAttempts = 5

// ask waits for the keeper's answer.
func ask(ctx context.Context, conn net.Conn) (reply answer, err error) {
	unhook := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer unhook()
	err = json.NewDecoder(conn).Decode(&reply)
	return reply, err
}

// startKeeper starts this program once more, as a keeper.
func startKeeper(o Order, listener *os.File) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	order, err := json.Marshal(o)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(home(o.Home).log(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), keeperVariable+"="+string(order))
	cmd.Stdout, cmd.Stderr = log, log // not ours: go test waits until nobody has them
	cmd.ExtraFiles = []*os.File{listener}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C in a terminal is for us
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}
