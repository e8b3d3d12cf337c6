package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/schemadb"
)

// TestReadme makes sure that the second program in the README is this one, so that it compiles and runs.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```go\n"+string(program)+"```\n") {
		t.Error("README.md does not have examples/facade/main.go")
	}
}

func Example() {
	server := pgserver.Server{Shared: true}
	defer server.Stop()
	ctx := context.Background()
	dsn, drop, err := server.CreateDatabase(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = drop(ctx) }()
	pool, err := sql.Open("pgdbm", dsn)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	for i, tenant := range []string{"acme", "globex"} {
		db := schemadb.New(pool, tenant)
		if err := db.EnsureSchema(ctx); err != nil {
			log.Fatal(err)
		}
		db.MustExec("CREATE TABLE {{tables.users}} (id bigint GENERATED ALWAYS AS IDENTITY, email text)")
		db.MustExec("INSERT INTO {{tables.users}} (email) SELECT $1 || n || '@' || $2 FROM generate_series(1, $3) n",
			"user", tenant, i+1)
		db.MustExec("INSERT INTO {{tables.users}} (email) VALUES ($1)", fmt.Sprintf("admin@%s", tenant))
	}
	os.Setenv("DATABASE_URL", dsn)
	main()
	// Output:
	// admin@acme is one of 2
	// admin@globex is one of 3
}
