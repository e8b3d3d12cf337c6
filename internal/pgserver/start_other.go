//go:build !unix

package pgserver

import (
	"context"
	"fmt"
	"runtime"
)

// start cannot start a server here: it needs a POSIX shell and Unix sockets.
func start(context.Context, settings) (running, error) {
	return running{}, fmt.Errorf("pgserver: cannot start a PostgreSQL server on %s: "+
		"set %s to the connection string of a running one", runtime.GOOS, dsnVariable)
}

// join can do no more than start.
func join(ctx context.Context, with settings) (running, error) { return start(ctx, with) }
