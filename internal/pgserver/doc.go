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
// The first that there is, of these sources:
//
//   - dsn: the server of the environment variable PGDBM_TEST_DSN, a connection string in the URL form or in the keyword form,
//     or of TEST_DB_HOST, TEST_DB_PORT, TEST_DB_USER and TEST_DB_PASSWORD, whose defaults are localhost, 5432, postgres and none.
//     Its user must be allowed to create databases.
//   - local: one that is started from the local programs postgres and initdb (PostgreSQL 13 or later), looked for in PATH and
//     then in the usual places of Linux and macOS packages.
//   - those of [Server.Sources], such as docker and embedded; see package pgsources.
//
// PGDBM_TEST_SERVER allows only the source that it names. [Server.Version] and [Server.TLS] pass over a source that does not have
// what they ask for. If there is no server, a [*NoServerError] says why for each source.
//
// Whoever has named a server wants that one: if it cannot be connected to, no other is tried. A server whose database may be one
// that matters is refused. Its name has to be postgres or template1, which no name means too, or to have "test" in it;
// PGDBM_TEST_ANY_DATABASE=1 allows any.
//
// The local server listens on a Unix socket only, in a directory that only its owner and root can enter: it asks for no
// password, and a client can run programs through it. It is tuned for speed and loses its data in a crash.
//
// PostgreSQL refuses to run as root. If the program runs as root, the server
// runs as the user postgres or, where there is none, nobody.
//
// # One server for all
//
// The processes of one user that set Shared use one server, so go test ./... starts one and not one for each package. The
// first of them starts a keeper, which is the same program again (see [Keep]): it starts the server, gives everybody who connects
// to its socket the server's address, and ends three seconds after the last connection, which the kernel closes even for a
// process that is killed. All of this is in a directory pgdbm-UID-HASH, with a file "log". Servers of different sources, versions
// or settings have different ones.
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
// The exception is a server that the environment names: databases that a killed
// program did not drop stay there. Their names begin with pgdbm_test_.
package pgserver
