// Package pooler finds out whether something stands between a connection and the server, such as PgBouncer.
package pooler

import (
	"context"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// Find reports whether the transactions of a connection may be in sessions that others have too. It asks the server who it is: behind a
// pooler, another process than the one that was named at connect. PgBouncer 1.26 announces itself. What is not PostgreSQL at all
// counts as a pooler, and so does one that keeps its sessions apart: that costs time only.
func Find(ctx context.Context, pg *pgconn.PgConn) (bool, error) {
	if pg.ParameterStatus("pgbouncer.pool_mode") != "" {
		return true, nil
	}
	results, err := pg.Exec(ctx, "SELECT pg_catalog.pg_backend_pid()").ReadAll()
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused) && !pg.IsClosed():
		return true, nil
	case err != nil:
		return false, err
	}
	return string(results[0].Rows[0][0]) != strconv.FormatUint(uint64(pg.PID()), 10), nil
}
