package thirdparty_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/pgdbm/pgdbm/internal/pgserver"
)

var server = pgserver.Server{Shared: true}

var (
	runTime  = flag.Duration("thirdparty.time", 5*time.Second, "how long each configuration runs")
	runSeed  = flag.Uint64("thirdparty.seed", 0, "where the random numbers start; 0 means anywhere")
	onlyFlag = flag.String("thirdparty.only", "", "generate for one class of faults only: names, pooler, stale, twice, lent, renewed, lost")

	dsnFlag = flag.String("thirdparty.dsn", "", "what to add to the driver's DSN, such as &default_query_exec_mode=cache_describe")
)

// trackingVariable names a PgBouncer of 1.21 or later, which tracks prepared statements.
const trackingVariable = "PGDBM_TEST_PGBOUNCER_TRACKING"

func TestMain(m *testing.M) {
	if os.Getenv(partyVariable) != "" {
		os.Exit(serve(os.Stdin, os.Stdout))
	}
	os.Exit(server.Run(m))
}
