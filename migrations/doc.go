// Package migrations applies versioned SQL files to a schema: each file once, in order, with a record of it. A module
// ships its files in an embed.FS and applies them in whatever schema its host gives it; [ApplyAll] applies them in
// the schemas of thousands of tenants, on one pool.
//
//	//go:embed migrations
//	var files embed.FS
//
//	m, err := migrations.New(db, files, migrations.Module("billing")) // db is a *schemadb.DB, bound to a schema
//	result, err := m.Apply(ctx)
//
// docs/migrations.md is the guide: the first file, deployments, many tenants, coming from other tools.
//
// # Files
//
// They are in the root of the file system, or in its only folder that has any; [Dir] is a folder on the disk. These names
// are understood, and versions count as numbers: 2 comes before 10.
//
//	001_create_users.sql               runs once; also 001-create-users.sql, 001.sql, V1__create_users.sql, V0001.CreateUsers.sql
//	20260101120000_create_users.sql    also 20260101_120000_create_users.sql
//	V1.2__create_users.sql             before V1.10__add_email.sql
//	001_create_users.up.sql            with its undo 001_create_users.down.sql, as for golang-migrate
//	down/001_create_users.sql          the undo of the file with the same name; also down/V1__create_users.sql ...
//	U1__create_users.sql               the undo of V1__create_users.sql, as for Flyway
//	R__views.sql                       repeatable: runs after all others, and again whenever its text changes
//
// [Folders] is for migrations with a folder of their own, 001_create_users/up.sql. A file of nothing but comments is a migration, or an undo,
// that does nothing.
//
// All statements of a file run in one transaction, together with the row in the history. Savepoints are part of it. A BEGIN and a
// COMMIT around the whole file are taken off; what else begins or ends a transaction is refused. The transaction is READ COMMITTED,
// unless the file begins with SET TRANSACTION ISOLATION LEVEL, or has the line
//
//	-- pgdbm:isolation repeatable read
//
// Then the history is locked before the first snapshot is taken. A line
//
//	-- pgdbm:no-transaction
//
// makes each statement of the file run on its own, for CREATE INDEX CONCURRENTLY and the like. How many are done is
// recorded, so after a failure the next run goes on with the one that failed; the statements before it, and the comments
// between them, must not be changed then. Only the statement that was running when a process died may run twice. What a statement
// with CONCURRENTLY has left, such as an invalid index, is removed before it runs again, or named in the error. A statement that has no
// effect there, such as SET LOCAL, is refused.
//
// [Go] registers a function as a migration with a version, which runs in a transaction too. [Create] writes the next file,
// named like the others. A file that has the undo inside, behind a comment such as -- Down, as other tools split it, is refused; the line
//
//	-- pgdbm:ignore-markers
//
// makes such comments mean nothing. [New] checks all files: a name that is none, a version that comes twice, an empty file,
// a template that is misspelt, is a [*SourceError] before anything runs.
//
// # Templates
//
// {{tables.users}} and {{schema}} become names in the schema that is migrated, as package driver describes. Migrations
// are written by people and hold no users' data, so templates count in literals and all dollar-quoted texts too; only the
// rows of COPY stay as they are.
//
// # The schema and the module
//
// The schema is the one that the facade is bound to; else that of the context or the DSN; else the first one of the
// search_path that exists. If it is missing, it is created. The module is the name of the library or the part of the
// program, see [Module]; modules in one schema have separate histories. Without the option it has the name of the schema.
// Who gives a module another name later starts a new history.
//
// [ApplyModules] applies modules that depend on each other, those first that others need.
//
// # What a run does
//
// [Migrator.Apply] compares the history with the files. If a file that was applied has changed or is gone, or one that was
// not applied has a lower version than one that was, nothing is done: a [*DriftError] says which, and [AllowChanged],
// [AllowRemoved] and [AllowOutOfOrder] allow it. Otherwise the pending migrations run. What is done stays; nothing is ever
// left "dirty": after a failure, correct the file and run again.
//
// [Migrator.Status], [Migrator.Pending], [Migrator.Plan], [Migrator.History] and [Migrator.Verify] look and change nothing.
// [Migrator.MigrateTo], [Migrator.Rollback] and [Migrator.Redo] undo. [Migrator.Baseline] and [Migrator.Forget] change the
// history only.
//
// # The history
//
// It is the table schema_migrations in the schema. The Python library of the same name has the same table, the same
// checksums and the same locks, so both can serve one database: what one has applied is up to date for the other. Files
// without a transaction keep their progress in schema_migrations_progress beside it. A table schema_migrations that another
// tool has made is a [*HistoryError].
//
// A migration that drops or changes the history, or a record in it, fails with a [*MigrationError] at that line, and nothing of it
// stays. On a server with track_counts = off an UPDATE or DELETE of
// other records is not seen. What a savepoint undoes counts as done.
//
// # Several runs at once
//
// Any number of processes may run: one migrates a module in a schema, the others wait and do what is left, which is
// mostly nothing. Runs of different schemas do not wait for each other. A run that waits tries again and again, does not
// block in the server, says in the log for whom it waits, and gives up after [WaitLimit] with a [*WaitError]. A process
// that is killed leaves no lock; the lock of a machine that has vanished ends after about a minute.
//
// CREATE INDEX CONCURRENTLY works while others wait. A run of the Python library blocks in the server while it waits, which
// would hang that statement for ever: it is stopped with a [*BlockedError], which names the process.
//
// A run takes two connections of the pool, and with ApplyAll one for each worker and one more, and another for each file
// without a transaction that runs; a pool of one is a [*PoolError]. While CONCURRENTLY runs, another one looks who blocks: of
// the pool if it has one to spare, else beside it.
//
// PgBouncer in transaction mode can carry runs: everything is in transactions and goes by the simple protocol. Only Go
// functions use the facade, whose DSN needs default_query_exec_mode=exec there. No connection is held between two transactions, so
// PAUSE waits for the statement or transaction that runs and no longer, and two server connections are enough. Only a file without
// a transaction holds one for as long as it runs.
//
// With Citus, schemas that are distributed are migrated through the coordinator; the statements then go one by one, because Citus does
// not take several in one message.
//
// What others do at the same moment may make a migration fail although nothing is wrong with it: 40P01, 40001, "tuple concurrently
// updated", a name that two sessions create at once. A migration in a transaction is tried again then, a Go function only with
// [RetryFunctions]. The log has each failure.
//
// [LockTimeout] is for tables that are in use: a migration that waits for a lock also stops everybody behind it in the
// queue, so it gives up, lets them pass, and tries again.
//
// # Many schemas
//
//	result, err := migrations.ApplyAll(ctx, db, files, slices.Values(tenants),
//		migrations.Module("billing"), migrations.Parallel(8))
//
// Each schema stands for itself: one that fails does not stop the others, unless [StopOnError] says so. Of a thousand
// schemas it takes one round trip to find those that have nothing to do. With [SharedHistory] one table has the history
// of all schemas, and it takes one query for all of them; that table the Python library does not know.
//
// When the context ends, what is in flight is finished or rolled back, and [AllResult] lists what was not reached. To run
// it again does the rest, and with [OnlyFailed] only that. [Canary] migrates a few schemas first and asks whether to go on, [Order] says
// which come first, and [StatusAll] tells, with a query for each thousand, which schemas are at which version, and which differ from
// the files. [Progress] is called after each schema. Give the option Module: without it each schema is a module
// of its own, and each worker takes one more connection for its lock.
//
// # Settings and dumps
//
// What a migration sets for its session, such as the search_path that pg_dump writes, the role or a timeout, is set back
// in its transaction; the connection of a file without one is closed. So it reaches neither the next migration nor the
// next borrower of the connection.
//
// The output of pg_dump is a migration: rows are loaded with COPY, and the lines \restrict and \unrestrict are left out.
// Other commands of psql are refused, and so is standard_conforming_strings = off, under which the files would be read in another way.
// What the server says while a migration runs, a NOTICE or a WARNING, is in the log with the file and the line.
//
// [ExecFile] runs such a file, or one like a migration, once and without a history: for seeds.
//
// The limits that a pool has for its sessions are for queries; schemadb.Open sends 60 seconds for a statement and 5 for a
// lock. Migrations take longer, so the pool's statement_timeout does not count, nor does the facade's CommandTimeout in Go
// functions: [StatementTimeout] sets a limit. Nor does transaction_timeout (PostgreSQL 17). The pool's lock_timeout counts in
// transactions, where waiting stops others, unless [LockTimeout] sets another; in files without a transaction there is none, unless they SET it.
//
// # Errors
//
// A [*MigrationError] has the file, the line and the column, in the file as it is written, shows that line, and says what
// was done before it. The server's *pgconn.PgError is under it for errors.As. ApplyAll returns an [*AllError] with those of
// all schemas. No error shows an argument or a password; PostgreSQL's texts may show a value of a row.
//
// # Limits
//
//   - An undo may take with it what a repeatable migration has made, so after an undo all of them are pending again: write
//     them so that they can run twice (CREATE OR REPLACE).
//   - An undo without a transaction that stops in its middle is a [*DriftError] for everything but the next Rollback. So is,
//     for undos of others, a file without a transaction that has stopped in its middle.
//   - A setting with a dot (app.tenant) that a called function or a Go function sets is not set back. On PgBouncer's server
//     connections it stays; otherwise the connection is closed.
//   - With SharedHistory, ALTER SCHEMA ... RENAME needs an UPDATE of schema_name in that table. Once it was on, the option
//     cannot be left out again: the schemas' own tables are gone, so everything would run once more.
//   - A name without a template goes where the search_path says, as everywhere. Only with the driver's schema_mode=search_path, and
//     not through PgBouncer, the schema that is migrated is put into it; the connection is closed afterwards.
//   - What a function that a migration calls does to its session is not seen. What a migration itself leaves there besides
//     settings (temporary tables, PREPARE, LISTEN) ends with the connection, which is closed; through PgBouncer it
//     stays in the server's session.
//   - Through PgBouncer, a file without a transaction must not change the session (SET, PREPARE, CREATE TEMPORARY TABLE):
//     each statement may run in another one.
//   - After a failure, the invalid index of a CREATE INDEX CONCURRENTLY that leaves the name to the server is only named in the error,
//     because it may be somebody else's. Name the index.
//   - LockTimeout does not count in files without a transaction, which can SET what they need.
//   - The pool's driver is pgdbm or pgx/v5/stdlib. One that wraps them, such as a tracer, is refused: give the migrations
//     a small pool of their own.
//   - The checksum of a Go function says nothing about its code.
//   - applied_at has no time zone, as in the Python library; it is written in the time zone of the session.
//
// A [Migrator], and all functions of this package, are safe for concurrent use.
package migrations
