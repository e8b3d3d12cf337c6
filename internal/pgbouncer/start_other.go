//go:build !unix

package pgbouncer

import (
	"context"
	"fmt"
	"runtime"
)

// run cannot start PgBouncer here: it needs a POSIX shell and Unix sockets.
func run(context.Context, string, func(dir string) (string, error)) (dir string, _ process, err error) {
	return "", nil, fmt.Errorf("cannot start PgBouncer on %s", runtime.GOOS)
}
