// Package thirdparty is a differential test of the driver beside plain pgx, while another process changes the database. It
// has no code but tests.
//
//	go test ./internal/thirdparty -run TestThirdParty -thirdparty.time 1m -thirdparty.seed 7
//
// # The property
//
// A statement's outcome (rows, Go types, column types, rows affected, SQLSTATE and message, and what is in the tables
// afterwards) is that of plain pgx on a connection opened when ours was, or on one opened now. And no statement fails twice
// for one change, among those begun after the first error arrived.
//
// # How it is decided
//
// Each configuration is a world of four databases with the same tenants, to which the third party does the same things:
//
//   - ours: the driver executes the statements here, on connections of one pool.
//   - twin: plain pgx does, on as many connections, opened, renewed and killed when ours are, with the same statements.
//   - fresh: plain pgx does, remembering nothing: a connection opened now.
//   - witness: nobody does, unless there is doubt. After each change a connection is opened here. It prepares every statement that
//     is executed until the next change, so it is plain pgx that met the statement for the first time in that epoch.
//
// If our outcome is neither the twin's nor the fresh connection's, the witnesses are asked that were opened after our
// connection: a description made by another connection counts for ours if it was made after ours was opened. Each one gets the
// data as it was before the statement. If none agrees, the test fails.
//
// Statements come one after the other in a world, so they and the changes have one order. A change that comes between the
// describe and the execute of our driver is made there by a wrapper of its connection's socket, which holds the client's
// message that has the Bind (see wire) until the third party, which is another process, has finished. The worlds run in parallel.
//
// Through PgBouncer the twins connect directly: plain pgx cannot run behind one that does not track prepared statements.
// PgBouncer hands its server sessions out in turn (server_round_robin), and another client holds some of them in transactions, so
// that a connection of ours meets another session with each transaction.
package thirdparty
