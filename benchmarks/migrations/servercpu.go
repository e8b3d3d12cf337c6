package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// serverCPU reads how much processor time a PostgreSQL server on this machine has used, from Linux's /proc. The zero value
// is a server that cannot be measured, because it is on another machine or system; its times are 0.
type serverCPU struct {
	postmaster int // its process id
}

// tick is the unit of the times in /proc/PID/stat. It is 1/sysconf(_SC_CLK_TCK) seconds, which is this on every
// architecture that Go runs on.
const tick = 10 * time.Millisecond

// findServerCPU finds the server's first process, which is the parent of the one that serves conn.
func findServerCPU(ctx context.Context, conn *pgx.Conn) (serverCPU, error) {
	var backend int
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		return serverCPU{}, err
	}
	stat, err := readProcess(backend)
	if errors.Is(err, fs.ErrNotExist) || err == nil && stat.command != "postgres" {
		return serverCPU{}, nil
	}
	return serverCPU{stat.parent}, err
}

// known reports whether the server can be measured.
func (c serverCPU) known() bool { return c.postmaster != 0 }

// used is the time of the server's processes, the ended ones among them, since it was started. Times of running processes
// are rounded down to 10 ms each, so it is exact only when no connection is open.
func (c serverCPU) used() (time.Duration, error) {
	if !c.known() {
		return 0, nil
	}
	postmaster, err := readProcess(c.postmaster)
	if err != nil {
		return 0, err
	}
	sum := postmaster.used
	for _, child := range c.children() {
		sum += child.used
	}
	return sum, nil
}

// children are the server's running processes but the first, by their ids.
func (c serverCPU) children() map[int]process {
	children := map[int]process{}
	if !c.known() {
		return children
	}
	paths, _ := filepath.Glob("/proc/[0-9]*") // the pattern is good
	for _, path := range paths {
		pid, _ := strconv.Atoi(filepath.Base(path)) // 0, which is no process, for what is none
		// An error means that it has ended meanwhile.
		if child, err := readProcess(pid); err == nil && child.parent == c.postmaster {
			children[pid] = child
		}
	}
	return children
}

// waitForEnd waits until the server has no child that is not among these: until then the time of an ended connection is
// not yet its parent's.
func (c serverCPU) waitForEnd(ctx context.Context, but map[int]process) error {
	for {
		running := c.children()
		maps.DeleteFunc(running, func(pid int, _ process) bool { _, ok := but[pid]; return ok })
		if len(running) == 0 {
			return nil
		}
		select { // /proc tells nobody about an end
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// process is what /proc/PID/stat says about a process.
type process struct {
	command string
	parent  int
	used    time.Duration // by itself and by those of its children that have ended
}

func readProcess(pid int) (process, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	// The command is in parentheses and may contain any other byte.
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return process{}, fmt.Errorf("/proc/%d/stat: no command in %q", pid, text)
	}
	// Behind the command: state, parent, and from the eleventh on utime, stime, cutime and cstime; see proc(5).
	fields := bytes.Fields(text[end+1:])
	if len(fields) < 15 {
		return process{}, fmt.Errorf("/proc/%d/stat: %d fields behind the command, want 15", pid, len(fields))
	}
	p := process{command: string(text[open+1 : end])}
	if p.parent, err = strconv.Atoi(string(fields[1])); err != nil {
		return process{}, err
	}
	for _, field := range fields[11:15] {
		ticks, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return process{}, err
		}
		p.used += time.Duration(ticks) * tick
	}
	return p, nil
}
