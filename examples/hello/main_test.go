package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/pgserver"
)

// TestReadme makes sure that the first program in the README is this one, so that it compiles and runs.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(readme), "```go\n"); n != 4 {
		t.Errorf("README.md has %d blocks of Go; this test and those of examples/facade, examples/migrate and examples/testing know of four", n)
	}
	if !strings.Contains(string(readme), "```go\n"+string(program)+"```\n") {
		t.Error("the program in README.md is not examples/hello/main.go")
	}
}

func Example() {
	server := pgserver.Server{Shared: true}
	defer server.Stop()
	ctx := context.Background()
	dsn, drop, err := server.CreateDatabase(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer drop(ctx)
	db, err := sql.Open("pgdbm", dsn)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	for i, tenant := range []string{"acme", "globex"} {
		_, err := db.ExecContext(driver.WithSchema(ctx, tenant), fmt.Sprintf(`CREATE SCHEMA {{schema}};
			CREATE TABLE {{tables.users}} (id int);
			INSERT INTO {{tables.users}} SELECT generate_series(0, %d)`, i))
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	os.Setenv("DATABASE_URL", dsn)
	main()
	// Output:
	// acme has 1 users
	// globex has 2 users
}
