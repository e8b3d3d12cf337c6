// Package driver is a database/sql driver for PostgreSQL that runs the same SQL in any schema, on one connection pool.
//
// It is pgx's own driver, github.com/jackc/pgx/v5/stdlib, with one thing on top: a statement that names its tables as
// {{tables.users}} is sent with the schema that the DSN or the context names. So one program, one pool and one text of
// SQL serve many modules or tenants, each in its own schema.
//
// # Open
//
// Import the package and open a database under the name "pgdbm". The DSN is one of pgx, a URL or a list of keywords;
// the key schema names the schema:
//
//	db, err := sql.Open("pgdbm", "postgres://localhost/app?schema=myapp")
//	db, err := sql.Open("pgdbm", "host=localhost dbname=app schema=myapp")
//
// [AddSchema] writes the key into a DSN. [NewConnector], [OpenDB], [OpenDBFromPool] and [RegisterConnConfig] open one with options, from
// a pgx.ConnConfig, or on a pgxpool.
//
// # Templates
//
//	written                     schema "myapp"      no schema
//	{{tables.users}}            "myapp".users       users
//	{{schema}}                  "myapp"             public
//	{{schema}}.users            "myapp".users       users
//	{{tables.audit.events}}     "audit".events      "audit".events
//	'{{tables.users}}'::regclass  '"myapp".users'::regclass  'users'::regclass
//
// <<tables.users>> means the same, for tools in which braces mean something else. The schema is always quoted, so any
// name is safe; the table is written as it is, and so folds to lower case like any name without quotes. Where
// PostgreSQL takes no qualified name (FOR UPDATE OF, RENAME TO, CREATE INDEX name), the schema is left out. The shapes
// into which ORMs quote a template, such as "{{tables"."users}}", work too.
//
// A lexer that follows PostgreSQL's decides what is SQL: literals, comments, quoted names and dollar-quoted strings are
// data and stay as they are, so values that a library writes into the SQL are safe. The dollar-quoted bodies of CREATE FUNCTION,
// CREATE PROCEDURE and DO are SQL. A statement without a template reaches the server as it was written, byte for byte. A misspelt
// template is a [*TemplateError] with its line, its column and the likely spelling. [Expand] shows what a statement becomes.
//
// # The schema of a statement
//
// It is the one of the statement's own context ([WithSchema], [WithoutSchema]); else the one of the context with which
// its transaction was begun; else the DSN's; else none:
//
//	ctx := driver.WithSchema(ctx, "tenant_42") // in a middleware
//	row := db.QueryRowContext(ctx, "SELECT name FROM {{tables.users}} WHERE id = $1", id)
//
// There is no way around it for a name that is a template:
//
//   - A prepared statement follows the context that it is executed under, not the one that it was prepared under.
//   - A transaction's schema counts for its statements without a context, and ends with it. That is the context of
//     BeginTx; the context of (*sql.DB).Conn, and a BEGIN that is sent as text, bind nothing.
//   - A context with an empty or invalid name is poisoned: its statements fail with a [*SchemaError]. They do not fall
//     back to the DSN.
//
// # DSN keys
//
//	schema           the schema of statements whose context and transaction name none
//	schema_mode      template     only templates are rewritten, search_path is not touched; the default without schema
//	                 search_path  names without a template are looked up in the schema too; the default with schema
//	schema_required  false    a statement may have no schema; the default
//	                 true     a statement without a schema fails with [ErrSchemaRequired]; COMMIT and the like pass
//	                 context  so does one whose context and transaction name none
//	templates        both     {{...}} and <<...>>; the default
//	                 braces   {{...}} only: << is always the shift operator
//
// All other keys are pgx's. A DSN that is wrong is a [*DSNError] of [sql.Open], which never shows a password. The DSN
// is read again at each connect, so a password file may change.
//
// # schema_mode=search_path
//
// Names without a template, as an ORM writes them, are looked up in the effective schema too: the search_path is that schema, what
// follows it, and pg_temp. What follows is the search_path of the DSN; otherwise that of its options, of the role or of the database;
// otherwise public. For the DSN's schema it is the session's path. For another one that the context or the transaction names, it
// is set for the statement alone, with set_config(..., true) in the same Sync group: one round trip, nothing to remember and
// nothing to undo, also in transactions, for prepared statements and behind PgBouncer in transaction mode. Behind a pooler, and
// where the path did not take effect at connect, statements in the DSN's schema have it with them too. Functions and triggers
// that are called follow that path. Before COMMIT, when deferred triggers run, the path of the context of BeginTx is set again.
//
// If the schema does not exist, or the role has no USAGE privilege on it, nothing is looked up in public instead: statements fail
// with a [*MissingSchemaError], in the DSN's schema those that need a table, and CREATE SCHEMA works. For the DSN's schema, whether
// it exists is asked at connect, after each statement that creates or drops schemas, and otherwise once a second, outside of
// transactions. In between, if somebody else drops it, and in what follows DROP SCHEMA in the same text, bare names are looked up
// in public.
//
// Under a context's schema some things are different:
//
//   - VACUUM, CREATE INDEX CONCURRENTLY and the like, CALL, DO, [Raw], migrations, and a text that has a BEGIN or a COMMIT among
//     other statements cannot share a transaction with the switch. Outside of a transaction they take two round trips and a session
//     of their own, which is closed afterwards. Behind a pooler they fail with [ErrSchemaSwitch]; a text that ends its transaction
//     and goes on fails everywhere.
//   - (*sql.Conn).Raw has the session's path, or in a transaction that of the last statement.
//   - The schema is looked at once more behind the statement, in the same round trip: if somebody drops it while the statement waits
//     for a lock, PostgreSQL may find the name in public. What it has read it may have returned before that.
//   - A text without arguments is sent with its switch as one message, which is a transaction to the server: LOCK TABLE and DECLARE
//     outside of a transaction do nothing instead of failing.
//   - Transaction control, SET and SHOW need no path and have no switch. LOCK TABLE has SET LOCAL for one, which takes no snapshot,
//     so it may come first in a REPEATABLE READ transaction. The check behind it is a query: SET TRANSACTION comes before it.
//
// # Sessions
//
// A connection carries nothing of one schema over to its next borrower. If a statement that is bound by its context or
// transaction leaves something in the session (SET, set_config, temporary tables, PREPARE, LISTEN, cursors WITH HOLD,
// DO, [Raw]), the connection is closed before anybody else gets it. State that is left under the DSN's schema stays,
// as with pgx, for statements that follow the DSN; a borrower whose context names a schema gets another connection. On
// a pgxpool, which others share, it is closed in either case. SET LOCAL, set_config(..., true) and temporary tables that
// are dropped on commit leave nothing.
//
// A [sql.Conn] is one session while it is held: what was SET on it holds for all its statements, whatever schemas their contexts name.
//
// # Many schemas
//
// Each schema's text of a statement is its own, and plain pgx keeps 512 texts prepared on a connection
// (statement_cache_capacity in the DSN). It prepares each text that it meets, so beyond that number it prepares a statement,
// runs it and throws it away, every time. This driver prepares what is worth it and sends the rest in one go where that is safe:
// one round trip, nothing stays on the server.
//
//   - While the texts in use fit the capacity, all are prepared. Beyond it, a templated statement is prepared only if it was used more
//     often lately than the one that would have to go: visiting every tenant once throws nothing out.
//   - A statement that is not prepared goes in one round trip if its arguments are strings or NULL; if it is a SELECT that was
//     described before, with whole numbers as well; and if it returns no rows and was described before. Others are described each
//     time. The types of up to 524,288 texts are remembered, in about 40 MB.
//   - An [sql.Stmt] is prepared in up to 16 schemas on each connection; in others it is sent unprepared.
//   - pgx's modes mean what they mean there, in the DSN and as first arguments. With cache_describe only an [sql.Stmt] is prepared.
//
// # What is remembered
//
// Whatever others do to the database, a statement's outcome is that of plain pgx on a connection opened when ours was, or on one opened
// now. What the driver remembers may make it slower when it is out of date, and nothing else:
//
//   - A prepared statement's name is a digest of its text, its search_path, the role, the settings and the types of its parameters.
//   - Types are those that the server has given this very text since the connection was opened. They are never another schema's.
//   - After an error of a statement, its next use on any connection asks again. So does its next use after this process has changed
//     tables; what a function changes that is called cannot be seen.
//   - "cached plan must not change result type" does not reach the caller outside of transactions, because the server has run
//     nothing then. In a transaction it does, once.
//
// Behind a pooler such as PgBouncer nothing is prepared, whatever the DSN says. The driver finds out at connect, on a pgxpool at the
// first use, by asking the server for its process id. [Connector.Stats] and [StatsOf] say so, and count which way statements took.
//
// # The way to pgx
//
// [Raw] hands out the *pgx.Conn for COPY, LISTEN and batches. (*sql.Conn).Raw works as with stdlib, except that the
// value it hands out is not a *stdlib.Conn: assert interface{ Conn() *pgx.Conn } instead. That assertion is the one
// thing that breaks when a program changes from "pgx" to "pgdbm". pgx's first arguments (pgx.QueryExecMode,
// pgx.NamedArgs ...) work, and so do its tracers, which see the SQL as it is sent. Errors are pgx's:
// errors.As finds a *pgconn.PgError; its Position counts in the SQL as it was sent.
//
// # Limits
//
//   - In template mode a name without a template is PostgreSQL's business: it is looked up in the session's search_path,
//     whatever the context says, and so are names inside functions and triggers; create those with SET search_path, or with
//     templates in their bodies. schema_required=true finds statements without a schema.
//   - What a function or procedure does to the session when it is called cannot be seen in the statement that calls it.
//     Session-level advisory locks, lastval and setseed are not seen either.
//   - Of literals, only one that is a whole template with a cast right behind it is a template:
//     nextval('{{tables.users_id_seq}}'::regclass), not to_regclass('{{tables.users}}') or CAST(... AS regclass).
//   - Arguments are data, and templates in them stay; [WithSchemaArgs] is for libraries that look tables up by arguments.
//   - Without a schema, {{schema}} is public, so DROP SCHEMA {{schema}} means what it says.
//   - The server must run with standard_conforming_strings=on, which is its default; connecting fails otherwise. The
//     client's encoding must be UTF8, which pgx needs too.
//   - A template names a table of ASCII letters, digits and underscores, up to 63 bytes. A schema can have any name of 1
//     to 63 bytes, except pg_*, information_schema, $user and those that contain {{, }}, << or >>.
//
// A *sql.DB and all functions of this package are safe for concurrent use.
package driver
