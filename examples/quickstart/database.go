package main

import (
	"context"
	"errors"

	"github.com/pgdbm/pgdbm/internal/pgserver"
)

// withDatabase calls use with the DSN of a new database: on the server of PGDBM_TEST_DSN, or else on one that it
// starts. Afterwards both are gone, also if ctx has ended or use has failed.
func withDatabase(ctx context.Context, use func(dsn string) error) (err error) {
	server := pgserver.Server{Shared: true}
	defer func() { err = errors.Join(err, server.Stop()) }()

	dsn, drop, err := server.CreateDatabase(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop(context.WithoutCancel(ctx))) }()
	return use(dsn)
}
