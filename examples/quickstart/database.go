package main

import (
	"context"
	"errors"

	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/internal/pgsources"
)

// withDatabase calls use with the DSN of a new database: on a server that the environment names, or else on one that is
// started. Afterwards both are gone, also if ctx has ended or use has failed.
func withDatabase(ctx context.Context, use func(dsn string) error) (err error) {
	server := pgsources.New(pgserver.Request{})
	defer func() { err = errors.Join(err, server.Stop()) }()

	dsn, drop, err := server.CreateDatabase(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop(context.WithoutCancel(ctx))) }()
	return use(dsn)
}
