//go:build !unix

package pgserver

import (
	"context"
	"fmt"
	"runtime"
)

// start cannot start a server here: it needs a POSIX shell and Unix sockets.
func start(context.Context, settings) (dsn string, stop func() error, err error) {
	return "", nil, fmt.Errorf("pgserver: cannot start a PostgreSQL server on %s: "+
		"set %s to the connection string of a running one", runtime.GOOS, dsnVariable)
}
