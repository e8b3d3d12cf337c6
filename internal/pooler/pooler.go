// Package pooler finds out what stands between a connection and the server, such as PgBouncer.
package pooler

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// Kind says what stands between the connection and the server.
type Kind uint8

const (
	Direct    Kind = iota // nothing
	Untracked             // hands each transaction any session, with whatever is prepared there
	Tracking              // has prepared statements follow the client, and shares them by their texts
)

// Find asks the server who it is: behind a pooler, another process than the one that the pooler named at connect.
// PgBouncer 1.26 announces itself. What it is not known to track it may mix up.
func Find(ctx context.Context, pg *pgconn.PgConn) (Kind, error) {
	mode, most := pg.ParameterStatus("pgbouncer.pool_mode"), pg.ParameterStatus("pgbouncer.max_prepared_statements")
	if mode == "" {
		results, err := pg.Exec(ctx, "SELECT pg_catalog.pg_backend_pid()").ReadAll()
		var refused *pgconn.PgError
		switch {
		case errors.As(err, &refused) && !pg.IsClosed():
			return Untracked, nil // whatever it is, it is not PostgreSQL
		case err != nil:
			return 0, err
		case string(results[0].Rows[0][0]) == strconv.FormatUint(uint64(pg.PID()), 10):
			return Direct, nil
		}
	}
	switch {
	case most == "" && mode == "":
		return findTracking(ctx, pg)
	case most == "" || most == "0":
		return Untracked, nil
	}
	return Tracking, nil
}

// findTracking prepares a name and looks for it on the server. A pooler that tracks prepared statements has given it another.
func findTracking(ctx context.Context, pg *pgconn.PgConn) (Kind, error) {
	name := "pgdbm_probe_" + rand.Text()
	p := pg.StartPipeline(ctx)
	p.SendPrepare(name, "SELECT 1", nil)
	p.SendQueryParams("SELECT FROM pg_catalog.pg_prepared_statements WHERE name = $1", [][]byte{[]byte(name)}, nil, nil, nil)
	p.SendDeallocate(name)
	err := p.Sync()
	found := Tracking
	for err == nil {
		var result any
		if result, err = p.GetResults(); result == nil {
			break
		}
		if reader, ok := result.(*pgconn.ResultReader); ok && reader.NextRow() {
			found = Untracked
		}
	}
	if closeErr := p.Close(); err == nil {
		err = closeErr
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) && !pg.IsClosed() {
		return Untracked, nil
	}
	return found, err
}
