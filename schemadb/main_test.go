package schemadb_test

import (
	"os"
	"testing"

	"github.com/pgdbm/pgdbm/internal/pgserver"
)

// server is the PostgreSQL of this package's tests. It starts when the first test asks for a database.
var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }
