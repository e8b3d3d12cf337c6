package pgbouncer_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/pgdbm/pgdbm/internal/pgbouncer"
	"github.com/pgdbm/pgdbm/internal/pgserver"
)

var server = pgserver.Server{Shared: true}

// helperVariable makes the test binary a program that starts a PgBouncer and waits to be killed. Its value is the DSN.
const helperVariable = "PGBOUNCER_TEST_HELPER"

func TestMain(m *testing.M) {
	if dsn := os.Getenv(helperVariable); dsn != "" {
		help(dsn)
	}
	os.Exit(server.Run(m))
}

func help(dsn string) {
	program, err := findProgram()
	if err == nil {
		dsn, _, err = pgbouncer.StartForever(context.Background(), program, dsn, nil)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(dsn)
	io.Copy(io.Discard, os.Stdin) // until killed
	panic("not killed")
}

func findProgram() (string, error) {
	return pgbouncer.FindProgram(append(filepath.SplitList(os.Getenv("PATH")), pgbouncer.DebianDir))
}
