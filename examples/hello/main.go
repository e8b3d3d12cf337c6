package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"

	"github.com/pgdbm/pgdbm/driver"
)

func main() {
	db, err := sql.Open("pgdbm", os.Getenv("DATABASE_URL")) // one pool
	if err != nil {
		log.Fatal(err)
	}
	for _, tenant := range []string{"acme", "globex"} { // two schemas
		ctx := driver.WithSchema(context.Background(), tenant)
		var users int
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM {{tables.users}}").Scan(&users); err != nil {
			log.Fatal(err)
		}
		fmt.Println(tenant, "has", users, "users")
	}
}
