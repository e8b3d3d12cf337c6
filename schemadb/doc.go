// Package schemadb is sqlx's API on a pool that many schemas share. A [DB] is a view of one *sql.DB, bound to the schema
// of a module or tenant: the same SQL, with its tables as {{tables.users}}, runs in another schema through another view.
// It reads rows through pgx itself, which is faster than sqlx, and adds what pgx can do and database/sql hides.
//
// # Open, or borrow
//
// A program that owns its pool opens it with a [Config], whose defaults are those of production: limits, lifetimes,
// timeouts, retries.
//
//	db, err := schemadb.Open(ctx, schemadb.Config{DSN: os.Getenv("DATABASE_URL"), Schema: "users"})
//	defer db.Close()
//
// A library that runs inside of another program gets that program's pool and binds it to its own schema. Closing the
// view leaves the pool open:
//
//	users := schemadb.New(pool, "users")
//	tenant := users.ForSchema("tenant_42") // another view, for instance for each request; it costs nothing
//
// The pool can be of any driver for PostgreSQL:
//
//	driver          templates     rows are read   a *sql.Tx   a *sql.Stmt       ExecMany     CopyFrom
//	pgdbm           by the driver  through pgx    stays       stays             pipelined    COPY
//	pgx/v5/stdlib   by the view    through pgx    is refused  stays, if bound   pipelined    COPY
//	pgdbm, wrapped  by the driver  database/sql   stays       is refused        row by row   is refused
//	others          by the view    database/sql   is refused  stays, if bound   row by row   is refused
//
// Wrapped is a driver behind a tracer such as otelsql, which hides pgx; go-sqlmock is one of the others.
//
// # The schema of a statement
//
// A view that is bound to a schema runs everything there, whatever the context says. A view that is bound to none,
// New(pool, ""), follows the context: [driver.WithSchema], then the context of the transaction, then the DSN. A name
// that cannot be a schema's fails every statement; none falls through to another schema.
//
// What database/sql sends without asking the view is bound as well: the *sql.Tx of [DB.BeginTx] and the *sql.Stmt of
// [DB.PrepareContext] stay in the schema, on whatever connection and under whatever context they run, or are refused
// with a [*RefusedError] that names the method to use instead. (*sql.DB).Conn has no counterpart, because nothing could
// bind its connection: use [DB.Connx].
//
// What the driver says about names without a template, functions and triggers is true here too.
//
// # Queries
//
// DB, [Tx] and [Conn] have sqlx's methods: Get, Select, Exec, NamedExec, NamedQuery, Queryx, QueryRowx, Preparex,
// PrepareNamed ..., with and without a context, so a repository that was written for sqlx changes its types and no calls.
// Code that runs in a transaction or outside of one takes a [Querier]. These functions return what they read:
//
//	user, err := schemadb.One[User](ctx, db, "SELECT * FROM {{tables.users}} WHERE id = $1", id)
//	users, err := schemadb.Collect[User](ctx, db, "SELECT * FROM {{tables.users}}")
//	n, err := schemadb.Value[int](ctx, db, "SELECT count(*) FROM {{tables.users}}")
//	for user, err := range schemadb.Each[User](ctx, db, "SELECT * FROM {{tables.users}}") { ... }
//
// Columns go to fields as in sqlx: by the tag db, else by the field's name in lower case, also into embedded structs. A
// field without a column stays zero. A column without a field, and two columns for one field, which is how a join loses
// values, are errors unless the view is [DB.Unsafe].
//
// A value is what database/sql makes of it, with one addition: where database/sql has no answer, pgx has, so text[] goes
// into []string, and jsonb into a struct or a map. Rows of Query and Queryx are database/sql's own.
//
// # Parameters
//
// PostgreSQL's are $1, $2. Names such as :email are found by a lexer, so casts (id::text), slices (a[1:2]), operators
// (j ? 'key'), literals and comments are safe. A name that the argument does not have is a [*NamedError]; so is a key of
// a map that the statement does not use. A name that stands twice is two parameters with one value, as in sqlx.
//
// # Writes
//
// [DB.InsertID] returns the id of the inserted row. [DB.ExecMany] executes a statement for many rows, a thousand in each
// round trip, and says which one failed. [DB.CopyFrom] is COPY, from slices and iterators.
//
// # Transactions
//
//	err := db.InTx(ctx, func(tx *schemadb.Tx) error {
//		...
//		return tx.InTx(ctx, func(tx *schemadb.Tx) error { ... }) // a savepoint
//	}, schemadb.WithRetry(3))
//
// It commits if the function returns nil, and rolls back otherwise, also on a panic. [WithRetry] runs it again after a
// serialization failure or a deadlock. [Tx.ForSchema] is for modules that share a transaction.
//
// # Errors
//
// They are those of PostgreSQL, *pgconn.PgError, which errors.As finds under all of this package's own: [*ScanError],
// [*NamedError], [*ArgumentError], [*RowError], [*RefusedError], [*ConfigError], [*OpenError]. [IsUniqueViolation] and
// the like tell them apart. None of this package's own texts shows an argument or a password; PostgreSQL's texts may
// show a value that it could not read.
//
// # Limits
//
//   - On a Tx or Conn, rows that are still being read keep the connection busy: another statement is an error that says so.
//   - Only pgdbm's driver gives a connection up in whose session a statement leaves something. On other drivers, temporary
//     tables and settings (SET, set_config) are seen by whoever borrows the connection next, in another schema too.
//   - A wrapper of pgdbm's driver has to hand contexts on, because they carry the schema. One that has no methods with
//     contexts is refused.
//   - [DB.Expand], and views of other drivers, know both forms of templates, whatever the DSN's key templates says.
//   - The Must methods panic, as in sqlx.
//
// A DB, and all functions of this package, are safe for concurrent use.
package schemadb
