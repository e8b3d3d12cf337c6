//go:build unix

package pgembedded

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// installer does the job if this process was started for one, and then does not return.
func installer() {
	text := os.Getenv(installVariable)
	if text == "" {
		return
	}
	var j job
	err := json.Unmarshal([]byte(text), &j)
	if err == nil {
		go j.watch()
		err = j.install()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// fresh is the directory of a download that is not complete. There is one at a time.
func (j job) fresh() string { return j.dir() + ".new" }

// watch gives up when standard input ends: whoever has started us is gone, or waits no longer.
func (j job) watch() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stop := exec.CommandContext(ctx, j.fresh()+"/programs/bin/pg_ctl", "stop", "-m", "immediate", "-D", j.fresh()+"/data")
	_ = stop.Run() // no server may have been started yet
	os.Exit(1)     // the next installer removes what is there
}

// install downloads the programs, unless they are there by the time that no other installer is at it, and tries them.
func (j job) install() error {
	lock, err := os.OpenFile(j.dir()+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(j.dir()); err == nil {
		return nil
	}
	if err := os.RemoveAll(j.fresh()); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(j.fresh()) }() // else the next installer does
	if err := os.MkdirAll(j.fresh()+"/tmp", 0o700); err != nil {
		return err
	}
	if err := os.Setenv("TMPDIR", j.fresh()+"/tmp"); err != nil { // the library leaves logs there
		return err
	}
	if err := j.try(); err != nil {
		return err
	}
	return os.Rename(j.fresh()+"/programs", j.dir())
}

// try starts and stops a server, for which the library downloads it.
func (j job) try() error {
	port, err := freePort()
	if err != nil {
		return err
	}
	config := embeddedpostgres.DefaultConfig().Version(j.Version).Port(port).Password(rand.Text()).Logger(io.Discard).
		CachePath(j.fresh() + "/download").BinariesPath(j.fresh() + "/programs").
		RuntimePath(j.fresh() + "/run").DataPath(j.fresh() + "/data").
		StartTimeout(time.Minute).StartParameters(map[string]string{"unix_socket_directories": "", "dynamic_shared_memory_type": "mmap"})
	if j.URL != "" {
		config = config.BinaryRepositoryURL(strings.TrimSuffix(j.URL, "/"))
	}
	server := embeddedpostgres.NewDatabase(config)
	if err := server.Start(); err != nil {
		return err
	}
	return server.Stop()
}

// freePort returns a port that nobody has. Somebody may take it at once; then the server does not start, and the next who needs
// it tries again.
func freePort() (uint32, error) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return 0, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return 0, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	return uint32(number), err
}
