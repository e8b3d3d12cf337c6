// Package pgbouncer starts a PgBouncer in transaction mode in front of a test's database, because that is what a program
// of this project may find in front of its server.
//
//	func TestThroughPgBouncer(t *testing.T) {
//		t.Parallel()
//		dsn := pgbouncer.Start(t, server.Database(t), "default_pool_size=1")
//		db, err := sql.Open("pgdbm", dsn+"&default_query_exec_mode=exec")
//		...
//	}
//
// It needs the program pgbouncer, 1.18 or later (on Debian and Ubuntu: apt install pgbouncer). A test that finds none skips
// itself, so that a newcomer's first run succeeds, unless the environment variable PGDBM_TEST_ALL is set: then it fails.
// CI sets it, because nobody would notice there.
//
// # What a client meets there
//
// Each transaction, and each statement outside of one, gets any of the server connections that are free. So whatever a
// session keeps belongs to nobody: prepared statements, LISTEN, temporary tables and session-level advisory locks are
// out of reach of the next statement, and what SET has changed is met by another client. pgx needs
// default_query_exec_mode=exec or simple_protocol. Startup parameters other than client_encoding, datestyle, timezone,
// standard_conforming_strings and application_name are refused, unless ignore_startup_parameters names them; then they
// are dropped in silence.
//
// # The settings
//
// Those that differ from PgBouncer's own defaults:
//
//	pool_mode                  transaction
//	auth_type                  any: no password is asked for, and the user is always the one of the given DSN
//	max_client_conn            500
//	ignore_startup_parameters  extra_float_digits, as in most installations
//	server_tls_sslmode         require if the given DSN insists on TLS, else prefer; certificates are not verified
//
// default_pool_size, the number of server connections, is PgBouncer's 20. The settings that a test gives win.
//
// Any database of the server can be reached through it. The database named pgbouncer is PgBouncer's admin console (SHOW
// POOLS, KILL, PAUSE), which takes the simple protocol only.
//
// # Where it runs, and what is left behind
//
// It listens on a Unix socket in a new directory that only its account and root can enter. No other process can have taken
// that address, so there is no race for a free port, and nobody else can use the missing password. It runs as the account
// of package pgserver's server, whose directory it has to enter. Package supervise sees to it that nothing is left
// behind, even after kill -9.
package pgbouncer
