package onetx_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgdbm/pgdbm/internal/onetx"
	"github.com/pgdbm/pgdbm/internal/pgserver"
)

var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

// stage is a database, and a transaction in it.
type stage struct {
	dsn string
	tx  *onetx.Tx
}

// newStage makes a database with some tables.
func newStage(t testing.TB) *stage {
	t.Helper()
	s := &stage{dsn: server.Database(t)}
	s.look(t, `CREATE TABLE things (id int PRIMARY KEY, name text);
		CREATE TABLE parts (id int, thing int REFERENCES things DEFERRABLE INITIALLY DEFERRED);
		CREATE TABLE checked (id int, thing int REFERENCES things DEFERRABLE)`)
	s.tx = onetx.New(func(ctx context.Context, params map[string]string) (*onetx.Conn, error) {
		config, err := pgx.ParseConfig(s.dsn)
		if err != nil {
			return nil, err
		}
		return onetx.Connect(ctx, &config.Config, params)
	})
	t.Cleanup(func() {
		if conn, _ := s.tx.End("SELECT 1"); conn != nil {
			_ = conn.Close()
		}
	})
	return s
}

// pool returns a pool whose connections share the transaction.
func (s *stage) pool(t testing.TB, change ...func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.DialFunc = s.tx.Dial
	config.MaxConns = 8
	for _, c := range change {
		c(config)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// look executes SQL in the database, beside the transaction, and returns the first value.
func (s *stage) look(t testing.TB, sql string) (value string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if last := results[len(results)-1]; len(last.Rows) > 0 {
		value = string(last.Rows[0][0])
	}
	return value
}

func exec(t testing.TB, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func count(t testing.TB, pool *pgxpool.Pool, table string) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
