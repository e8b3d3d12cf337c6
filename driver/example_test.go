package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
)

// The one line that changes in a program is sql.Open.
func Example() {
	dsn, drop := exampleDSN("myapp") // a DSN such as postgres://localhost/app?schema=myapp
	defer drop()

	db, err := sql.Open("pgdbm", dsn)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	if _, err := db.Exec("INSERT INTO {{tables.users}} (name) VALUES ($1)", "Ada"); err != nil {
		fmt.Println(err)
		return
	}
	var name string
	if err := db.QueryRow("SELECT name FROM {{tables.users}}").Scan(&name); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("Hello,", name)
	// Output: Hello, Ada
}

// Two tenants on one pool of connections.
func ExampleWithSchema() {
	dsn, drop := exampleDatabase("bakery", "bookshop")
	defer drop()
	db, err := sql.Open("pgdbm", dsn)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	addUser := func(ctx context.Context, name string) error {
		_, err := db.ExecContext(ctx, "INSERT INTO {{tables.users}} (name) VALUES ($1)", name)
		return err
	}
	countUsers := func(ctx context.Context) (n int, err error) {
		err = db.QueryRowContext(ctx, "SELECT count(*) FROM {{tables.users}}").Scan(&n)
		return n, err
	}

	bakery := driver.WithSchema(context.Background(), "bakery")
	bookshop := driver.WithSchema(context.Background(), "bookshop")
	err = errors.Join(addUser(bakery, "Ada"), addUser(bakery, "Grace"), addUser(bookshop, "Jane"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, ctx := range []context.Context{bakery, bookshop} {
		fmt.Println(countUsers(ctx))
	}
	fmt.Println("connections:", db.Stats().OpenConnections)
	// Output:
	// 2 <nil>
	// 1 <nil>
	// connections: 1
}

// A context with an empty name does not fall back to the DSN's schema. Its statements fail, so a tenant whose name got
// lost sees no rows of somebody else.
func ExampleWithSchema_lostName() {
	dsn, drop := exampleDSN("myapp")
	defer drop()
	db, err := sql.Open("pgdbm", dsn)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	tenant := "" // a header that was not sent, a field that was not set
	_, err = db.ExecContext(driver.WithSchema(context.Background(), tenant), "DELETE FROM {{tables.users}}")

	var refused *driver.SchemaError
	fmt.Println(errors.As(err, &refused))
	fmt.Println(err)
	// Output:
	// true
	// pgdbm: invalid schema name "": it is empty, as if a name got lost; to mean no schema, use WithoutSchema
}

// A statement that is prepared once serves every schema: it follows the context that it is executed under.
func ExampleWithSchema_preparedStatement() {
	dsn, drop := exampleDatabase("bakery", "bookshop")
	defer drop()
	db, err := sql.Open("pgdbm", dsn)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	ctx := context.Background()
	insert, err := db.PrepareContext(driver.WithSchema(ctx, "bakery"),
		"INSERT INTO {{tables.users}} (name) VALUES ($1) RETURNING tableoid::regclass")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer insert.Close()

	for _, schema := range []string{"bakery", "bookshop"} {
		var table string
		err := insert.QueryRowContext(driver.WithSchema(ctx, schema), "Ada").Scan(&table)
		fmt.Println(table, err)
	}
	// Output:
	// bakery.users <nil>
	// bookshop.users <nil>
}

// A transaction begun under a schema stays in it, for statements without a context of their own too.
func ExampleWithSchema_transaction() {
	dsn, drop := exampleDatabase("bakery")
	defer drop()
	db, err := sql.Open("pgdbm", dsn)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	tx, err := db.BeginTx(driver.WithSchema(context.Background(), "bakery"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tx.Rollback() // does nothing after Commit

	var table string
	insert := "INSERT INTO {{tables.users}} (name) VALUES ('Ada') RETURNING tableoid::regclass"
	if err := tx.QueryRow(insert).Scan(&table); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(table, tx.Commit())
	// Output: bakery.users <nil>
}

// WithoutSchema is for what belongs to no tenant, such as a table that lists them.
func ExampleWithoutSchema() {
	dsn, drop := exampleDatabase("bakery")
	defer drop()
	db, err := sql.Open("pgdbm", dsn)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	bakery := driver.WithSchema(context.Background(), "bakery") // what a middleware has put into the request
	shared := driver.WithoutSchema(bakery)
	if _, err := db.ExecContext(shared, "CREATE TABLE {{tables.tenants}} (name text)"); err != nil {
		fmt.Println(err)
		return
	}
	var table string
	find := "SELECT schemaname || '.' || tablename FROM pg_tables WHERE tablename = 'tenants'"
	if err := db.QueryRowContext(shared, find).Scan(&table); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(table)
	// Output: public.tenants
}

func ExampleSchemaFromContext() {
	show := func(ctx context.Context) {
		name, ok := driver.SchemaFromContext(ctx)
		fmt.Printf("%q %t\n", name, ok)
	}
	ctx := context.Background()
	show(ctx)
	show(driver.WithSchema(ctx, "tenant_42"))
	show(driver.WithoutSchema(ctx))
	show(driver.WithSchema(ctx, "")) // refused, so there is no name that anybody should use
	// Output:
	// "" false
	// "tenant_42" true
	// "" true
	// "" false
}

func ExampleAddSchema() {
	fmt.Println(driver.AddSchema("postgres://localhost/app", "tenant_42"))
	fmt.Println(driver.AddSchema("postgres://localhost/app?sslmode=require&schema=old", "two words"))
	fmt.Println(driver.AddSchema("host=localhost dbname=app", "tenant_42"))
	fmt.Println(driver.AddSchema("postgres://localhost/app", "pg_catalog"))
	// Output:
	// postgres://localhost/app?schema=tenant_42 <nil>
	// postgres://localhost/app?sslmode=require&schema=two%20words <nil>
	// schema='tenant_42' host=localhost dbname=app <nil>
	//  pgdbm: invalid schema name "pg_catalog": it is reserved for PostgreSQL's own schemas
}

func ExampleExpand() {
	fmt.Println(driver.Expand("SELECT * FROM {{tables.users}}", "tenant_42"))
	fmt.Println(driver.Expand("SELECT * FROM {{tables.users}}", "")) // no schema
	fmt.Println(driver.Expand("CREATE SCHEMA {{schema}}", "tenant_42"))
	fmt.Println(driver.Expand("SELECT * FROM {{tables.audit.events}}", "tenant_42")) // whatever the schema is
	fmt.Println(driver.Expand("SELECT * FROM <<tables.users>>", "tenant_42"))        // where {{ means something else
	// Output:
	// SELECT * FROM "tenant_42".users <nil>
	// SELECT * FROM users <nil>
	// CREATE SCHEMA "tenant_42" <nil>
	// SELECT * FROM "audit".events <nil>
	// SELECT * FROM "tenant_42".users <nil>
}

// Literals and comments are data, and stay as they are.
func ExampleExpand_literals() {
	query := "INSERT INTO {{tables.posts}} (text) VALUES ('write {{tables.users}}') -- not {{schema}}"
	fmt.Println(driver.Expand(query, "myapp"))
	// Output: INSERT INTO "myapp".posts (text) VALUES ('write {{tables.users}}') -- not {{schema}} <nil>
}

// ORMs put table names into quotes. Give them a template as the table's name.
func ExampleExpand_quoted() {
	fmt.Println(driver.Expand(`SELECT "{{tables.users}}"."name" FROM "{{tables.users}}"`, "myapp"))
	// Output: SELECT "myapp"."users"."name" FROM "myapp"."users" <nil>
}

func ExampleExpand_error() {
	_, err := driver.Expand("SELECT *\nFROM {{table.users}}", "myapp")

	var wrong *driver.TemplateError
	if errors.As(err, &wrong) {
		fmt.Println("line", wrong.Line, "column", wrong.Column, "instead of", wrong.Template, "write", wrong.Suggestion)
	}
	// Output: line 2 column 6 instead of {{table.users}} write {{tables.users}}
}

func ExampleNewConnector() {
	dsn, drop := exampleDatabase("bakery")
	defer drop()

	connector, err := driver.NewConnector(dsn, driver.DefaultSchema("bakery"))
	if err != nil {
		fmt.Println(err)
		return
	}
	db := sql.OpenDB(connector)
	defer db.Close()

	fmt.Println(usersTable(context.Background(), db))
	// Output: bakery.users <nil>
}

// A program that changes the configuration of pgx before it connects goes on doing so.
func ExampleOpenDB() {
	dsn, drop := exampleDSN("bakery")
	defer drop()

	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		fmt.Println(err)
		return
	}
	config.RuntimeParams["application_name"] = "tills"
	db := driver.OpenDB(*config)
	defer db.Close()

	fmt.Println(usersTable(context.Background(), db))
	// Output: bakery.users <nil>
}

// Modules of one program share a pool of pgx, each with its own *sql.DB and its own schema.
func ExampleOpenDBFromPool() {
	dsn, drop := exampleDatabase("bakery", "bookshop")
	defer drop()

	pool, err := pgxpool.New(context.Background(), dsn)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()

	for _, schema := range []string{"bakery", "bookshop"} {
		db := driver.OpenDBFromPool(pool, driver.DefaultSchema(schema))
		fmt.Println(usersTable(context.Background(), db))
		if err := db.Close(); err != nil { // the pool stays open
			fmt.Println(err)
		}
	}
	fmt.Println("connections:", pool.Stat().TotalConns())
	// Output:
	// bakery.users <nil>
	// bookshop.users <nil>
	// connections: 1
}

// DefaultSchema is what the DSN's key schema is, for programs that choose the schema themselves. A context wins.
func ExampleDefaultSchema() {
	dsn, drop := exampleDatabase("bakery", "bookshop")
	defer drop()
	connector, err := driver.NewConnector(dsn, driver.DefaultSchema("bakery"))
	if err != nil {
		fmt.Println(err)
		return
	}
	db := sql.OpenDB(connector)
	defer db.Close()

	for _, ctx := range []context.Context{
		context.Background(),
		driver.WithSchema(context.Background(), "bookshop"),
	} {
		fmt.Println(usersTable(ctx, db))
	}
	// Output:
	// bakery.users <nil>
	// bookshop.users <nil>
}

// WithStdlib keeps the options that a program gave to stdlib.OpenDB.
func ExampleWithStdlib() {
	dsn, drop := exampleDSN("bakery")
	defer drop()

	connector, err := driver.NewConnector(dsn, driver.WithStdlib(
		stdlib.OptionBeforeConnect(func(_ context.Context, config *pgx.ConnConfig) error {
			fmt.Println("connecting") // a place to fetch a password that expires
			return nil
		}),
	))
	if err != nil {
		fmt.Println(err)
		return
	}
	db := sql.OpenDB(connector)
	defer db.Close()

	fmt.Println(usersTable(context.Background(), db))
	// Output:
	// connecting
	// bakery.users <nil>
}

// A configuration gets a name for libraries that take nothing but the name of a driver and a DSN.
func ExampleRegisterConnConfig() {
	dsn, drop := exampleDSN("bakery")
	defer drop()

	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		fmt.Println(err)
		return
	}
	config.ConnectTimeout = 5 * time.Second
	name := driver.RegisterConnConfig(config)
	defer driver.UnregisterConnConfig(name)

	db, err := sql.Open("pgdbm", name)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	fmt.Println(usersTable(context.Background(), db))
	// Output: bakery.users <nil>
}

// CopyFrom takes no SQL but the parts of the table's name, and quotes them itself. So it gets no template: the schema
// is a part of the pgx.Identifier.
func ExampleRaw() {
	dsn, drop := exampleDatabase("bakery")
	defer drop()
	db, err := sql.Open("pgdbm", dsn)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	const schema = "bakery"
	ctx := driver.WithSchema(context.Background(), schema)
	var copied int64
	err = driver.Raw(ctx, db, func(conn *pgx.Conn) error {
		rows := [][]any{{"Ada"}, {"Grace"}, {"Jane"}}
		copied, err = conn.CopyFrom(ctx, pgx.Identifier{schema, "users"}, []string{"name"}, pgx.CopyFromRows(rows))
		return err
	})
	fmt.Println(copied, err)
	// Output: 3 <nil>
}

// What is sent through pgx itself is not expanded. Expand does it: here for a COPY from text, and for a batch.
func ExampleRaw_expand() {
	dsn, drop := exampleDatabase("bakery")
	defer drop()
	db, err := sql.Open("pgdbm", dsn)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	const schema = "bakery"
	copyUsers, err1 := driver.Expand("COPY {{tables.users}} (name) FROM STDIN (FORMAT csv)", schema)
	countUsers, err2 := driver.Expand("SELECT count(*) FROM {{tables.users}}", schema)
	if err := errors.Join(err1, err2); err != nil {
		fmt.Println(err)
		return
	}

	ctx := driver.WithSchema(context.Background(), schema)
	var users int
	err = driver.Raw(ctx, db, func(conn *pgx.Conn) error {
		if _, err := conn.PgConn().CopyFrom(ctx, strings.NewReader("Ada\nGrace\n"), copyUsers); err != nil {
			return err
		}
		batch := &pgx.Batch{}
		batch.Queue(countUsers).QueryRow(func(row pgx.Row) error { return row.Scan(&users) })
		return conn.SendBatch(ctx, batch).Close()
	})
	fmt.Println(users, err)
	// Output: 2 <nil>
}

// A DSN that is wrong is an error of sql.Open, and a password is not shown.
func ExampleDSNError() {
	_, err := sql.Open("pgdbm", "postgres://ada:secret@localhost/app&schema=myapp")

	var wrong *driver.DSNError
	if errors.As(err, &wrong) {
		fmt.Println("key:", wrong.Key)
	}
	fmt.Println("shows the password:", strings.Contains(err.Error(), "secret"))
	// Output:
	// key: schema
	// shows the password: false
}

// usersTable returns the table that {{tables.users}} means, with its schema.
func usersTable(ctx context.Context, db *sql.DB) (name string, err error) {
	err = db.QueryRowContext(ctx, `SELECT schemaname || '.' || relname FROM pg_stat_user_tables
		WHERE relid = '{{tables.users}}'::regclass`).Scan(&name)
	return name, err
}

// exampleDatabase creates a database with schemas, each with an empty table users. It returns the database's DSN,
// which names no schema, and a function that drops it. It panics where a test would fail: an example has no
// *testing.T.
func exampleDatabase(schemas ...string) (dsn string, drop func()) {
	ctx := context.Background()
	dsn, dropDatabase, err := server.CreateDatabase(ctx)
	if err != nil {
		panic(err)
	}
	drop = func() {
		if err := dropDatabase(ctx); err != nil {
			panic(err)
		}
	}
	if err := createSchemas(ctx, dsn, schemas); err != nil {
		drop()
		panic(err)
	}
	return dsn, drop
}

// exampleDSN is exampleDatabase with one schema, which the DSN names.
func exampleDSN(schema string) (dsn string, drop func()) {
	dsn, drop = exampleDatabase(schema)
	dsn, err := driver.AddSchema(dsn, schema)
	if err != nil {
		drop()
		panic(err)
	}
	return dsn, drop
}

func createSchemas(ctx context.Context, dsn string, schemas []string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, schema := range schemas {
		name := pgx.Identifier{schema}.Sanitize()
		users := pgx.Identifier{schema, "users"}.Sanitize()
		if _, err := conn.Exec(ctx, "CREATE SCHEMA "+name); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, "CREATE TABLE "+users+" (id serial PRIMARY KEY, name text NOT NULL)"); err != nil {
			return err
		}
	}
	return nil
}
