package pgserver_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/pgdbm/pgdbm/internal/pgserver"
)

// server is what most tests share.
var server pgserver.Server

// helperVariable makes the test binary a program that uses a server and ends in
// the way that its value names.
const helperVariable = "PGSERVER_TEST_HELPER"

func TestMain(m *testing.M) {
	if way := os.Getenv(helperVariable); way != "" {
		help(way)
	}
	os.Exit(server.Run(m))
}

// sharedVariable makes that program use the shared server.
const sharedVariable = "PGSERVER_TEST_SHARED"

func help(way string) {
	s := pgserver.Server{Shared: os.Getenv(sharedVariable) != ""}
	dsn, err := s.DSN(context.Background())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(dsn)
	switch way {
	case "panic":
		panic("helper")
	case "exit":
		os.Exit(0)
	}
	io.Copy(io.Discard, os.Stdin) // until killed
	panic("not killed")
}
