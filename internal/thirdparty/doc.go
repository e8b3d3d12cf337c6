// Package thirdparty is a differential test of the driver beside plain pgx, while another process changes the database. It
// has no code but tests.
//
//	go test ./internal/thirdparty                                                             # five seconds for each configuration
//	go test ./internal/thirdparty -run TestThirdParty -timeout 0 -thirdparty.time 1h          # an hour for each
//	go test ./internal/thirdparty -run 'TestThirdParty/template,_direct,_cold' -thirdparty.seed 7   # one of them again
//	go test ./internal/thirdparty -run TestThirdParty -thirdparty.only lent                   # one class of faults
//
// As many configurations run at once as -parallel says. Those with a PgBouncer that tracks prepared statements need the path of one of
// 1.21 or later in PGDBM_TEST_PGBOUNCER_TRACKING, which the account of the tests' server can execute.
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
// A statement that uses what is out of date may fail in other words than a witness does: where both are errors, they count as the same. The
// first difference ends a transaction, which is rolled back everywhere, and the data is made the same again.
//
// Statements come one after the other in a world, so they and the changes have one order. A change that comes between the
// describe and the execute of our driver is made there by a wrapper of its connection's socket, which holds the client's
// message that has the Bind (see wire) until the third party, which is another process, has finished. The worlds run in parallel.
//
// Through PgBouncer the twins connect directly: plain pgx cannot run behind one that does not track prepared statements.
// PgBouncer hands its server sessions out in turn (server_round_robin), and another client holds some of them in transactions, so
// that a connection of ours meets another session with each transaction.
//
// Some of the statements lose their request or their answer on the way: those must not run twice.
//
// # What it prints
//
// The seed; and for each class of faults how many statements met what it is about, and how many of these met a change between the
// describe that they made themselves, or one that was made earlier, and their execute. If a class met none, the test fails. A difference
// is printed with the statement, the outcomes and the last eighty steps; with the same seed the same steps come again.
//
// TestPlainPgx puts plain pgx in the driver's place, where nothing may be found, and TestFindsFaults puts pgx there that makes
// mistakes, which must be.
package thirdparty
