// Package onetx lets any number of PostgreSQL connections share one transaction, which is rolled back in the end.
//
// A [Tx] stands between the connections of a pool, which reach it through [Tx.Dial], and one connection of the server. It
// speaks PostgreSQL's protocol with both sides (chapter "Frontend/Backend Protocol" of the manual), so that a driver, pgx and
// all that is built on them behave as they do on a server: COPY, pipelines, prepared statements, cancelled contexts that cost
// a connection. What differs is what their statements become:
//
//   - A statement outside of a transaction, or a group of them that ends with a Sync, is between SAVEPOINT and RELEASE. If it fails, it is
//     undone, and nothing else.
//   - BEGIN is a SAVEPOINT, COMMIT its RELEASE, ROLLBACK is ROLLBACK TO. What PostgreSQL does at the end of a transaction is done
//     there: deferred constraints are checked, what SET LOCAL and set_config(..., true) have set is set back, cursors are closed.
//   - The results of a statement are taken from the server at once and kept until the connection reads them, so open rows are in
//     nobody's way.
//
// # Overlapping transactions
//
// A savepoint is within another or beside it, so two transactions cannot overlap: to undo one would undo the other. While a
// connection has a transaction, the statements of others wait. If that connection sends nothing meanwhile, for [Patience],
// nobody will know what it waits for, and the others get an error that says so.
//
// # Limits
//
//   - There is one session, so settings and temporary tables that one connection leaves are seen by the others, until it is closed.
//     If it has left something, all that the session has ends then.
//   - The isolation level of a transaction has no meaning: there is no other transaction to see.
//   - now() is the time at which everything began. NOTIFY is not delivered.
//   - Not possible, and errors: what cannot run in a transaction (VACUUM, CREATE INDEX CONCURRENTLY, COMMIT in a procedure), two-phase
//     commit, AND CHAIN, and transaction control in the extended protocol, which no Go library uses.
//   - What set_config sets back is known by the literals for the name and for is_local, and a table that is ON COMMIT DROP by the text of
//     its CREATE TABLE. ON COMMIT DELETE ROWS has no effect.
//   - The error of a deferred constraint comes behind the CommandComplete of the last statement.
package onetx
