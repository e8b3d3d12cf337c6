//go:build !unix

package pgserver

import (
	"context"
	"fmt"
	"runtime"
)

// local cannot start a server here: it needs a POSIX shell and Unix sockets.
var local = Source{
	Name: sourceLocal,
	Check: func(context.Context, Order) (string, error) {
		return "", fmt.Errorf("no server can be started on %s; set %s to the connection string of a running one",
			runtime.GOOS, dsnVariable)
	},
}

// join can do no more than say why.
func join(ctx context.Context, source Source, o Order) (Running, error) {
	_, err := source.Check(ctx, o)
	return Running{}, err
}

// Keep does nothing here.
func Keep(Source) {}

// home is nowhere.
type home string

func (home) socket() string { return "" }
