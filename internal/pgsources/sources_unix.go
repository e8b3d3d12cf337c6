//go:build unix

package pgsources

import (
	"github.com/pgdbm/pgdbm/internal/pgdocker"
	"github.com/pgdbm/pgdbm/internal/pgembedded"
	"github.com/pgdbm/pgdbm/internal/pgserver"
)

var sources = []pgserver.Source{pgdocker.Source, pgembedded.Source}
