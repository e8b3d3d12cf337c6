//go:build unix

package pgserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// keeperVariable makes a program that has this package a keeper. Its value says of what.
const keeperVariable = "PGDBM_TEST_KEEPER"

// A test binary cannot bring another program along, so it is its own.
func init() {
	order := os.Getenv(keeperVariable)
	if order == "" {
		return
	}
	_ = os.Unsetenv(keeperVariable) // not for those that it starts
	var k keeper
	if err := json.Unmarshal([]byte(order), &k); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := k.run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// keeper starts a server and stops it when nobody has needed it for a while. Each connection to its socket is a lease.
type keeper struct {
	Home    home
	Path    string
	Globs   []string
	TempDir string
	Cache   string
	Linger  time.Duration // how long it waits for another lease: go test may still be compiling

	listener net.Listener
	accepted chan net.Conn
	wishes   chan wish
	ended    chan struct{} // a lease has
	started  chan struct{} // closed when reply is known
	reply    []byte
	server   running // the zero value if it has not started
}

// run returns when the server is stopped.
func (k *keeper) run() error {
	const listenerFile = 3 // the first of ExtraFiles
	file := os.NewFile(listenerFile, "listener")
	listener, err := net.FileListener(file)
	if err != nil {
		return err
	}
	_ = file.Close() // listener has a copy
	k.listener = listener
	k.accepted, k.wishes, k.ended, k.started = make(chan net.Conn), make(chan wish), make(chan struct{}), make(chan struct{})
	closing := make(chan struct{})
	go k.accept(closing)
	go k.start()
	k.serve()
	close(closing)
	<-k.started // at the latest when startLimit is over
	if err := k.close(); err != nil {
		return err
	}
	if k.server.stop == nil {
		return nil
	}
	return k.server.stop()
}

// accept passes connections on until the listener is closed.
func (k *keeper) accept(closing chan struct{}) {
	for {
		conn, err := k.listener.Accept()
		if err != nil {
			return
		}
		select {
		case k.accepted <- conn:
		case <-closing:
			_ = conn.Close() // he tries again
		}
	}
}

// start starts the server.
func (k *keeper) start() {
	defer close(k.started)
	k.sweep()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	with := settings{path: k.Path, globs: k.Globs, tempDir: k.TempDir, cache: k.Cache, started: func(dir string) error {
		return os.WriteFile(k.Home.server(), []byte(dir), 0o600)
	}}
	var a answer
	var err error
	if k.server, err = start(ctx, with); err != nil {
		a.Error = err.Error()
	}
	a.DSN = k.server.dsn
	k.reply, _ = json.Marshal(a) // texts can be marshaled
}

// sweep removes what a keeper has left that was killed together with the supervisor of its server.
func (k *keeper) sweep() {
	dir, err := os.ReadFile(k.Home.server())
	if err == nil && strings.Contains(string(dir), "pgdbm-") {
		err = os.RemoveAll(string(dir)) // PostgreSQL ends within a minute when its directory is gone
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(os.Stderr, err)
	}
}

// serve returns when there has been no lease for a while, or when there is no server.
func (k *keeper) serve() {
	leases := 0
	started, gone := k.started, (<-chan struct{})(nil)
	const firstLease = 5 * time.Second // whoever has started us connects at once, unless he has been killed
	idle := time.NewTimer(max(k.Linger, firstLease))
	defer idle.Stop()
	for {
		select {
		case conn := <-k.accepted:
			leases++
			idle.Stop()
			go k.lease(conn)
		case w := <-k.wishes:
			k.Linger = max(k.Linger, w.Linger)
		case <-k.ended:
			if leases--; leases > 0 {
				continue
			}
			if gone == nil { // the next one may have more luck
				return
			}
			idle.Reset(k.Linger)
		case <-started:
			started, gone = nil, k.server.gone
		case <-idle.C:
			return
		case <-gone:
			return
		}
	}
}

// lease answers a client and waits for its end.
func (k *keeper) lease(conn net.Conn) {
	<-k.started
	if _, err := conn.Write(k.reply); err == nil {
		wishes := json.NewDecoder(conn)
		for w := (wish{}); wishes.Decode(&w) == nil; { // until it ends
			k.wishes <- w
		}
	}
	_ = conn.Close()
	k.ended <- struct{}{}
}

// close removes the home, so that whoever comes now starts another keeper.
func (k *keeper) close() error {
	unlock, err := k.Home.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return errors.Join(os.RemoveAll(string(k.Home)), k.listener.Close())
}
