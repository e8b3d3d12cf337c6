package schemadb_test

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"log"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

// User is a row of {{tables.users}}.
type User struct {
	ID    int64
	Email string
	Admin bool `db:"is_admin"`
}

// exampleUsers returns a view of a new database with a few users in the schema "acme", and what drops it.
func exampleUsers() (users *schemadb.DB, drop func()) {
	ctx := context.Background()
	dsn, dropDatabase, err := server.CreateDatabase(ctx)
	if err != nil {
		log.Fatal(err)
	}
	pool, err := sql.Open(driver.Name, dsn)
	if err != nil {
		log.Fatal(err)
	}
	users = schemadb.New(pool, "acme")
	if err := users.EnsureSchema(ctx); err != nil {
		log.Fatal(err)
	}
	users.MustExec(`CREATE TABLE {{tables.users}} (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE, is_admin bool NOT NULL DEFAULT false)`)
	users.MustExec("INSERT INTO {{tables.users}} (email, is_admin) VALUES ('ada@acme', true), ('bob@acme', false)")
	return users, func() {
		_ = pool.Close()
		if err := dropDatabase(ctx); err != nil {
			log.Fatal(err)
		}
	}
}

func ExampleOpen() {
	ctx := context.Background()
	dsn, drop, err := server.CreateDatabase(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = drop(ctx) }()

	db, err := schemadb.Open(ctx, schemadb.Config{DSN: dsn, Schema: "users", MaxOpenConns: 5})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if err := db.EnsureSchema(ctx); err != nil {
		log.Fatal(err)
	}
	schemas, err := db.Schemas(ctx)
	fmt.Println(db.Schema(), schemas, err)
	// Output: users [public users] <nil>
}

func ExampleNew() {
	users, drop := exampleUsers()
	defer drop()
	pool := users.Pool() // of the program that this library runs in

	acme := schemadb.New(pool, "acme")
	globex := acme.ForSchema("globex")
	for _, tenant := range []*schemadb.DB{acme, globex} {
		there, err := tenant.TableExists(context.Background(), "users")
		fmt.Println(tenant.Schema(), there, err)
	}
	fmt.Println(acme.Close(), pool.Ping()) // the pool stays open
	// Output:
	// acme true <nil>
	// globex false <nil>
	// <nil> <nil>
}

func ExampleDB_Get() {
	users, drop := exampleUsers()
	defer drop()

	var u User
	err := users.Get(&u, "SELECT id, email, is_admin FROM {{tables.users}} WHERE email = $1", "ada@acme")
	fmt.Println(u, err)
	// Output: {1 ada@acme true} <nil>
}

func ExampleDB_NamedExec() {
	users, drop := exampleUsers()
	defer drop()

	_, err := users.NamedExec("INSERT INTO {{tables.users}} (email, is_admin) VALUES (:email, :is_admin)", []User{
		{Email: "cleo@acme", Admin: true}, {Email: "dan@acme"},
	})
	fmt.Println(err)
	_, err = users.NamedExec("UPDATE {{tables.users}} SET email = :email WHERE id = :id", map[string]any{"mail": "x", "id": 1})
	fmt.Println(err)
	// Output:
	// <nil>
	// pgdbm: named parameters: there is no value for :email; the statement does not use mail (leave it out, or correct the spelling); map[string]interface {} has id, mail, the statement has :email, :id
}

func ExampleOne() {
	users, drop := exampleUsers()
	defer drop()
	ctx := context.Background()

	u, err := schemadb.One[User](ctx, users, "SELECT * FROM {{tables.users}} WHERE is_admin")
	fmt.Println(u.Email, err)
	_, err = schemadb.One[User](ctx, users, "SELECT * FROM {{tables.users}} WHERE id = 42")
	fmt.Println(err)
	// Output:
	// ada@acme <nil>
	// sql: no rows in result set
}

func ExampleCollect() {
	users, drop := exampleUsers()
	defer drop()

	emails, err := schemadb.Collect[string](context.Background(), users, "SELECT email FROM {{tables.users}} ORDER BY id")
	fmt.Println(emails, err)
	// Output: [ada@acme bob@acme] <nil>
}

func ExampleValue() {
	users, drop := exampleUsers()
	defer drop()

	emails, err := schemadb.Value[[]string](context.Background(), users, "SELECT array_agg(email ORDER BY id) FROM {{tables.users}}")
	fmt.Println(len(emails), emails[1], err)
	// Output: 2 bob@acme <nil>
}

func ExampleEach() {
	users, drop := exampleUsers()
	defer drop()

	for u, err := range schemadb.Each[User](context.Background(), users, "SELECT * FROM {{tables.users}} ORDER BY id") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(u.ID, u.Email)
	}
	// Output:
	// 1 ada@acme
	// 2 bob@acme
}

func ExampleDB_InTx() {
	users, drop := exampleUsers()
	defer drop()
	ctx := context.Background()

	err := users.InTx(ctx, func(tx *schemadb.Tx) error {
		if _, err := tx.Exec("UPDATE {{tables.users}} SET is_admin = false"); err != nil {
			return err
		}
		err := tx.InTx(ctx, func(tx *schemadb.Tx) error { // a savepoint
			_, err := tx.InsertID(ctx, "INSERT INTO {{tables.users}} (email) VALUES ($1)", "bob@acme")
			return err
		})
		if schemadb.IsUniqueViolation(err) {
			fmt.Println("bob is there already")
			return nil // the transaction goes on, and commits
		}
		return err
	}, schemadb.WithRetry(3))
	fmt.Println(err)
	// Output:
	// bob is there already
	// <nil>
}

func ExampleDB_InsertID() {
	users, drop := exampleUsers()
	defer drop()

	id, err := users.InsertID(context.Background(), "INSERT INTO {{tables.users}} (email) VALUES ($1)", "cleo@acme")
	fmt.Println(id, err)
	// Output: 3 <nil>
}

func ExampleDB_ExecMany() {
	users, drop := exampleUsers()
	defer drop()

	n, err := users.ExecMany(context.Background(), "UPDATE {{tables.users}} SET email = $2 WHERE id = $1",
		[][]any{{1, "ada@acme.example"}, {2, "ada@acme.example"}})
	fmt.Println(n, err)
	// Output: 0 pgdbm: row 1 (counted from 0): ERROR: duplicate key value violates unique constraint "users_email_key" (SQLSTATE 23505)
}

func ExampleDB_CopyFrom() {
	users, drop := exampleUsers()
	defer drop()

	var rows iter.Seq[User] = func(yield func(User) bool) { // a file, say, of any length
		for i := range 1000 {
			if !yield(User{Email: fmt.Sprintf("user%d@acme", i)}) {
				return
			}
		}
	}
	n, err := users.CopyFrom(context.Background(), "users", []string{"email"}, rows)
	fmt.Println(n, err)
	// Output: 1000 <nil>
}

func ExampleDB_Expand() {
	users, drop := exampleUsers()
	defer drop()

	text, err := users.Expand("SELECT * FROM {{tables.users}}")
	fmt.Println(text, err)
	// Output: SELECT * FROM "acme".users <nil>
}
