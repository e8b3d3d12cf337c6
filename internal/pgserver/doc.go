// Package pgserver finds or starts a throwaway PostgreSQL server for the
// tests, examples and demos of this repository.
//
// # Use in tests
//
//	var server = pgserver.Server{Shared: true}
//
//	func TestMain(m *testing.M) { os.Exit(server.Run(m)) }
//
//	func TestSomething(t *testing.T) {
//		t.Parallel()
//		dsn := server.Database(t) // an empty database of this test alone
//		...
//	}
//
// The server starts when it is first needed, so a run of tests that need no
// database starts none.
//
// # Use in a program
//
//	var server pgserver.Server
//	defer server.Stop()
//	dsn, drop, err := server.CreateDatabase(ctx)
//
// # Which server
//
// If the environment variable PGDBM_TEST_DSN is set, its server is used and
// nothing is started. The value is a connection string in the URL form or in
// the keyword form; its user must be allowed to create databases.
//
// Otherwise the server is started from the local programs postgres and initdb
// (PostgreSQL 13 or later), looked for in PATH and then in the usual places of
// Linux and macOS packages. It listens on a Unix socket only, in a directory
// that only its owner and root can enter: it asks for no password, and a client
// can run programs through it. It is tuned for speed and loses its data in a
// crash.
//
// PostgreSQL refuses to run as root. If the program runs as root, the server
// runs as the user postgres or, where there is none, nobody.
//
// # One server for all
//
// The processes of one user that set Shared use one server, so go test ./... starts one and not one for each package. The
// first of them starts a keeper, which is the same program again: it starts the server, gives everybody who connects to its
// socket the server's address, and ends three seconds after the last connection, which the kernel closes even for a process
// that is killed. All of this is in a directory pgdbm-UID-HASH, with a file "log".
//
// # Where it is
//
// In TMPDIR. If that is not set, in /dev/shm on Linux, where that has 1 GB free (a container's has 64 MB), else in /tmp.
// What initdb makes is kept, because to copy it takes a tenth of the time: 28 MB for each version of PostgreSQL in the user's
// cache directory, or in /var/cache/pgdbm for root. It can be removed at any time.
//
// # What is left behind
//
// Nothing but that copy: [Server.Stop] stops the server and removes its directory, and if
// the program ends in any other way (a panic, os.Exit, kill -9), a supervising
// shell process notices and does the same within moments. See package
// supervise. What is left when that is killed too, the next keeper removes.
//
// The exception is a server named by PGDBM_TEST_DSN: databases that a killed
// program did not drop stay there. Their names begin with pgdbm_test_.
package pgserver
