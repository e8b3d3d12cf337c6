package migrations_test

import (
	"os"
	"testing"

	"github.com/pgdbm/pgdbm/internal/pgserver"
)

var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) {
	if job := os.Getenv(childVariable); job != "" {
		os.Exit(runChild(job))
	}
	os.Exit(server.Run(m))
}
