// Package pgsources has the servers for tests from all sources: one that the environment names, and those from local programs,
// from a Docker image and from a download. See package pgserver.
//
// It is for package fixtures and for programs; what the tests of this module's other packages import stays light.
package pgsources

import "github.com/pgdbm/pgdbm/internal/pgserver"

// New returns a server that is shared with all processes of this user, from the first source that works. It starts when it is
// first needed.
func New(request pgserver.Request) *pgserver.Server {
	return &pgserver.Server{Shared: true, Sources: sources, Version: request.Version, TLS: request.TLS}
}
