package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/pgdbm/pgdbm/schemadb"
)

type User struct {
	ID    int64
	Email string
}

func main() {
	ctx := context.Background()
	acme, err := schemadb.Open(ctx, schemadb.Config{DSN: os.Getenv("DATABASE_URL"), Schema: "acme"}) // one pool
	if err != nil {
		log.Fatal(err)
	}
	defer acme.Close()

	for _, db := range []*schemadb.DB{acme, acme.ForSchema("globex")} { // two views of it
		var admin User // sqlx's methods ...
		if err := db.Get(&admin, "SELECT id, email FROM {{tables.users}} WHERE email LIKE $1", "admin@%"); err != nil {
			log.Fatal(err)
		}
		users, err := schemadb.Collect[User](ctx, db, "SELECT id, email FROM {{tables.users}}") // ... and more
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(admin.Email, "is one of", len(users))
	}
}
