package rowscan_test

import (
	"context"
	"database/sql"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pgdbm/pgdbm/internal/pgserver"
	"github.com/pgdbm/pgdbm/internal/rowscan"
)

var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

type prepare func(context.Context, *pgx.Conn) error

// connect returns a native connection and a pool of database/sql to the same database, set up in the same way.
func connect(t testing.TB, dsn string, mode pgx.QueryExecMode, after prepare) (*pgx.Conn, *sql.DB) {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = mode
	if after == nil {
		after = func(context.Context, *pgx.Conn) error { return nil }
	}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	if err := after(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(after))
	t.Cleanup(func() { db.Close() })
	return conn, db
}

// database returns connections to an empty database.
func database(t testing.TB) (*pgx.Conn, *sql.DB) {
	t.Helper()
	return connect(t, server.Database(t), pgx.QueryExecModeCacheStatement, nil)
}

// scan returns the rows of a query, as Select would.
func scan[T any](conn *pgx.Conn, opts rowscan.Options, query string, args ...any) (result []T, err error) {
	rows, err := conn.Query(context.Background(), query, append([]any{rowscan.ResultFormats()}, args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var fixed T
	var row *rowscan.Row
	for rows.Next() {
		if row == nil {
			if row, err = rowscan.New(&fixed, opts, conn.TypeMap(), rows.FieldDescriptions()); err != nil {
				return nil, err
			}
		}
		if err := row.Scan(rows.RawValues()); err != nil {
			return nil, err
		}
		result = append(result, fixed)
	}
	return result, rows.Err()
}
