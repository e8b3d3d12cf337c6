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
func init() { Keep(local) }

// Keep makes this process the keeper of a server from the source, and then does not return, if it was started as that. Else it
// does nothing. Each package that has a source calls it in its init function.
func Keep(source Source) {
	text := os.Getenv(keeperVariable)
	if text == "" {
		return
	}
	k := keeper{source: source}
	err := json.Unmarshal([]byte(text), &k.Order)
	if err == nil && k.Source != source.Name {
		return // another package has that one
	}
	_ = os.Unsetenv(keeperVariable) // not for those that it starts
	if err == nil {
		err = k.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// keeper starts a server and stops it when nobody has needed it for a while. Each connection to its socket is a lease.
type keeper struct {
	Order

	source   Source
	listener net.Listener
	accepted chan net.Conn
	wishes   chan wish
	ended    chan struct{} // a lease has
	started  chan struct{} // closed when reply is known
	reply    []byte
	server   Running // the zero value if it has not started
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
	ctx, cancel := context.WithTimeout(context.Background(), k.source.limit())
	defer cancel()
	go k.start(ctx)
	k.serve()
	close(closing)
	cancel() // a start that nobody waits for any more
	<-k.started
	if err := k.close(); err != nil {
		return err
	}
	if k.server.Stop == nil {
		return nil
	}
	return k.server.Stop()
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
			defer func() { _ = conn.Close() }() // he tries again, when the home is gone
		}
	}
}

// start starts the server.
func (k *keeper) start(ctx context.Context) {
	defer close(k.started)
	k.sweep()
	var a answer
	var err error
	if k.server, err = k.source.Start(ctx, k.Order); err != nil {
		a.Error = err.Error()
	}
	a.DSN = k.server.DSN
	k.reply, _ = json.Marshal(a) // texts can be marshaled
}

// sweep removes what a keeper has left that was killed together with the supervisor of its server.
func (k *keeper) sweep() {
	dir, err := os.ReadFile(home(k.Home).server())
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
			started, gone = nil, k.server.Gone
		case <-idle.C:
			return
		case <-gone:
			return
		}
	}
}

// lease answers a client, as soon as there is an answer, and waits for its end.
func (k *keeper) lease(conn net.Conn) {
	go func() {
		<-k.started
		_, _ = conn.Write(k.reply) // if he is gone, the reading ends too
	}()
	wishes := json.NewDecoder(conn)
	for w := (wish{}); wishes.Decode(&w) == nil; { // until it ends
		k.wishes <- w
	}
	_ = conn.Close()
	k.ended <- struct{}{}
}

// close removes the home, so that whoever comes now starts another keeper.
func (k *keeper) close() error {
	unlock, err := home(k.Home).lock()
	if err != nil {
		return err
	}
	defer unlock()
	return errors.Join(os.RemoveAll(k.Home), k.listener.Close())
}
