//go:build !unix

package pgsources

import "github.com/pgdbm/pgdbm/internal/pgserver"

// sources needs Unix.
var sources []pgserver.Source
