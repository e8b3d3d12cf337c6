// Package sqlsplit splits the text of a migration into its statements: for migrations that run statement by
// statement, without a transaction, and for the output of pg_dump.
//
// [Split] cuts the text into pieces, and every byte of it belongs to exactly one of them, in order. White space and
// comments belong to the piece that follows them. Templates in the text may be expanded or not: none has a quote or a
// semicolon.
//
// # Where a statement ends
//
// At a semicolon, as the grammar of PostgreSQL has it, and so not at one
//
//   - in a literal, a quoted identifier, a dollar-quoted string or a comment: package sqllex knows those, for servers
//     with standard_conforming_strings=on;
//   - in parentheses: CREATE RULE ... DO (INSERT ...; DELETE ...);
//   - in the body of CREATE FUNCTION or CREATE PROCEDURE ... BEGIN ATOMIC ...; ...; END. In there, END ends the body
//     where a statement could begin, and only there: CASE ... END and a column called "end" end nothing.
//
// What the server would refuse is left to the server, which says more about it, unless it would hide statements: a
// literal, a comment, a parenthesis or a body that nothing ends is an [Error], because it would take the rest of the
// file with it.
//
// # What psql adds
//
// The rows behind COPY ... FROM stdin are a piece of their own. As for psql they begin on the line behind the semicolon
// and end at a line \. of their own, or with the text; other statements on the line of COPY are executed behind it, although
// the rows stand behind them. Unlike psql, Split takes no statement that begins there and ends on a later line. As for psql,
// a line \. in a quoted field of CSV ends the rows too.
//
// A backslash in SQL is a command of psql. \restrict and \unrestrict, which pg_dump writes, have no meaning outside of psql
// and are pieces that nobody runs where a statement could begin; all others are refused by name.
package sqlsplit
