package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// dsnVariable names the environment variable that selects a server that
	// is there already.
	dsnVariable = "PGDBM_TEST_DSN"

	// serverVariable names the one that forces a source.
	serverVariable = "PGDBM_TEST_SERVER"

	// startLimit bounds a start, whatever the patience of the callers.
	startLimit = 60 * time.Second
)

var errStopped = errors.New("pgserver: the server was stopped; use a new Server")

// Server is a PostgreSQL server for tests. The zero value is ready to use: the
// server starts when a method first needs it. A Server starts at most once; if
// that fails, every caller gets the same error. It is safe for concurrent use
// and must not be copied after first use.
type Server struct {
	// Shared says to use the server that all processes of this user share, and to start it if there is none. It ends some
	// seconds after the last of them.
	Shared bool

	// Sources are tried in their order if there is neither a server that the environment names nor one from local programs. They
	// need Shared.
	Sources []Source

	// Version is the major version that the server has to have, such as "17". The default is any.
	Version string

	// TLS says that connections are TCP with TLS, and that the certificate is checked.
	TLS bool

	// Loopback is for benchmarks: connections are TCP, through 127.0.0.1 and with a password, because the round trips of a Unix
	// socket are cheaper than anybody's, and shared_buffers has room for what benchmarks make. Only a local server that is not Shared knows it; one that the environment names is what it is.
	Loopback bool

	mu      sync.Mutex
	first   *launch // nil until first use
	stopped bool

	// settings replaces the values from the environment if not nil.
	settings *settings
}

// settings is what a start depends on outside of this package.
type settings struct {
	forced      string // the only source that is allowed; "" for all
	given       given
	anyDatabase bool // the given server's database may have any name

	path    string   // list of directories to look for programs in, like PATH
	globs   []string // patterns of more such directories
	tempDir string   // where to make the server's directory
	cache   string   // where to keep a pristine data directory for the next server; "" for nowhere

	linger time.Duration // how long a shared server waits for the next one who needs it
}

// defaultLinger is longer than go test takes from one package's tests to the next one's.
const defaultLinger = 3 * time.Second

func environment() settings {
	return settings{
		forced:      os.Getenv(serverVariable),
		given:       givenServer(),
		anyDatabase: os.Getenv(anyVariable) != "",

		path:    os.Getenv("PATH"),
		globs:   usualPlaces,
		tempDir: tempDir(),
		cache:   cacheDir(),
		linger:  defaultLinger,
	}
}

// tempDir returns where servers are made: in memory where there is much, unless TMPDIR says something else.
func tempDir() string {
	if free := freeTempDir(); free != "" && os.Getenv("TMPDIR") == "" {
		return free
	}
	return os.TempDir()
}

// cacheDir returns a directory that stays, or "".
func cacheDir() string {
	if os.Getuid() == 0 { // the server's account cannot enter root's
		return "/var/cache/pgdbm"
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "pgdbm")
}

// launch is one start of a server. The fields below done are set before done is
// closed and do not change afterwards.
type launch struct {
	cancel context.CancelFunc
	done   chan struct{}

	dsn  string
	own  bool         // started for us, so it may be treated roughly
	stop func() error // nil if there is nothing to stop
	err  error

	linger func(time.Duration) error // of a shared server
}

// DSN returns the connection string of the server's maintenance database, in
// URL form and with a query part, so that a parameter can be added as in
// dsn+"&schema=x". If PGDBM_TEST_DSN has the keyword form, so has the result.
//
// DSN starts the server on first use. ctx bounds the waiting, not the start: if
// it ends early, DSN returns its error and a later call waits again. If no source
// has a server, the error is a [*NoServerError].
func (s *Server) DSN(ctx context.Context) (string, error) {
	l, err := s.ready(ctx)
	if err != nil {
		return "", err
	}
	return l.dsn, nil
}

// Own reports whether the server was started for the tests, so that it may be treated roughly and needs no tidying up: it
// goes with all that is in it. It waits like [Server.DSN], and returns false if there is no server.
func (s *Server) Own(ctx context.Context) bool {
	l, err := s.ready(ctx)
	return err == nil && l.own
}

// Linger lets a shared server stay for at least so long after the last process that uses it. It does nothing to others.
func (s *Server) Linger(d time.Duration) error {
	s.mu.Lock()
	l := s.first
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	<-l.done
	if l.linger == nil {
		return nil
	}
	return l.linger(d)
}

// ready waits until the server is there, and starts it on first use.
func (s *Server) ready(ctx context.Context) (*launch, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("pgserver: the server was not started: %w", err)
	}
	l, err := s.launch()
	if err != nil {
		return nil, err
	}
	select {
	case <-l.done:
		return l, l.err
	case <-ctx.Done():
		return nil, fmt.Errorf("pgserver: wait for the server to start: %w", ctx.Err())
	}
}

// launch returns the one start of s.
func (s *Server) launch() (*launch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, errStopped
	}
	if s.first == nil {
		with := environment()
		if s.settings != nil {
			with = *s.settings
		}
		ctx, cancel := context.WithCancel(context.Background())
		s.first = &launch{cancel: cancel, done: make(chan struct{})}
		go s.first.run(ctx, s, with)
	}
	return s.first, nil
}

func (l *launch) run(ctx context.Context, s *Server, with settings) {
	defer close(l.done)
	defer l.cancel()
	var server Running
	server, l.own, l.err = s.choose(ctx, with)
	l.dsn, l.stop, l.linger = server.DSN, server.Stop, server.linger
}

// Stop stops the server, if one was started, and removes its directory. Open
// connections are cut. A shared server is only given back. Stop may be called more than once. It does nothing to
// a server that the environment names, and nothing if s was never used.
func (s *Server) Stop() error {
	s.mu.Lock()
	l := s.first
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	l.cancel() // ends a start that is under way
	<-l.done
	if l.stop == nil {
		return nil
	}
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	return l.stop()
}

// Run is the body of a TestMain: it runs m, stops s and returns the exit code.
//
//	func TestMain(m *testing.M) { os.Exit(server.Run(m)) }
//
// m is a *testing.M; the interface keeps package testing out of programs.
func (s *Server) Run(m interface{ Run() int }) int {
	code := m.Run()
	if err := s.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}
