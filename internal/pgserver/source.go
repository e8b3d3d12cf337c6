package pgserver

import (
	"context"
	"errors"
	"time"
)

// The names of all sources, in the order in which they are tried. Which of them a program has is up to [Server.Sources].
const (
	sourceDSN      = "dsn"
	sourceLocal    = "local"
	sourceDocker   = "docker"
	sourceEmbedded = "embedded"
)

// Source is a way to start a server. The server is started in a keeper, which is this program once more: the package that has
// the source has to call [Keep] with it in its init function.
type Source struct {
	// Name is what PGDBM_TEST_SERVER calls it.
	Name string

	// Check says why the source cannot serve the order here, in words that say what to install or to set, or returns a key:
	// processes that have got different ones do not share a server. It runs in every process that needs a server, so it is
	// quick, and starts nothing.
	Check func(context.Context, Order) (key string, err error)

	// Start starts a server, in the keeper. After an error nothing is left of it.
	Start func(context.Context, Order) (Running, error)

	// Limit bounds Start. Zero means a minute.
	Limit time.Duration
}

func (s Source) limit() time.Duration {
	if s.Limit == 0 {
		return startLimit
	}
	return s.Limit
}

// Request is what a server has to have.
type Request struct {
	Version string // the major version, such as "17"; "" for any
	TLS     bool   // connections are TCP with TLS, and the certificate is checked
}

func (r Request) String() string {
	text := "PostgreSQL"
	if r.Version != "" {
		text += " " + r.Version
	}
	if r.TLS {
		text += " with TLS"
	}
	return text
}

// Order is what a source is told.
type Order struct {
	Source string // its name
	Request

	Home   string        // the keeper's directory, of this user alone, which goes with the keeper; "" in Check
	Cache  string        // a directory that stays, of the servers' account; "" for none
	Path   string        // list of directories to look for local programs in, like PATH
	Linger time.Duration // how long the server waits for another user

	Globs   []string // patterns of more such directories
	TempDir string   // where to make the server's directory

	Loopback bool // it listens on 127.0.0.1 too
}

// Socket is where the keeper can be connected to as long as it lives.
func (o Order) Socket() string { return home(o.Home).socket() }

// Running is a server that was started.
type Running struct {
	DSN  string          // of the maintenance database, as [Server.DSN] returns it
	Stop func() error    // ends it, and removes all of it
	Gone <-chan struct{} // closed when it has ended, by itself too; nil of a shared one

	linger func(time.Duration) error // of a shared one
}

// ErrNoTLS is why servers from programs of this machine are refused if TLS is asked for.
var ErrNoTLS = errors.New("it listens on a Unix socket, without TLS")
