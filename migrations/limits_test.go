package migrations_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// TestLimitsOfThePool has a pool whose limits are those of queries. Migrations take longer, of each kind.
func TestLimitsOfThePool(t *testing.T) {
	t.Parallel()
	const limit = time.Second // a busy machine needs that for what is not limited by then
	db, err := schemadb.Open(t.Context(), schemadb.Config{DSN: server.Database(t), Schema: "app", MinConns: 1,
		StatementTimeout: limit, IdleInTransactionTimeout: limit, CommandTimeout: limit})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	long := "SELECT pg_sleep(1.5);"
	sleep := func(ctx context.Context, tx *schemadb.Tx) error {
		time.Sleep(2 * limit) // longer than a transaction of the pool may idle
		_, err := tx.ExecContext(ctx, long)
		return err
	}
	f := files{
		"1_a.sql": long,
		"2_b.sql": "CREATE TABLE {{tables.t}} (x int);\nCOPY {{tables.t}} FROM stdin;\n1\n\\.\n" + long,
		"3_c.sql": "-- pgdbm:no-transaction\n" + long,
	}
	wantFiles(t, "without a limit", apply(t, db, f, migrations.Go(4, "d", sleep, nil)), "1_a.sql 2_b.sql 3_c.sql 004_d.go")

	for name, opts := range map[string][]migrations.Option{"5_e.sql": nil, "6_f.sql": {migrations.AllowRemoved()}} {
		text := long
		if name == "6_f.sql" {
			text = "-- pgdbm:no-transaction\n" + long
		}
		opts = append(opts, migrations.Go(4, "d", sleep, nil), migrations.StatementTimeout(limit))
		_, err := migrator(t, db, f.with(name, text), opts...).Apply(t.Context())
		wantTexts(t, err, name, "statement timeout")
	}
}

// TestLimitsComeBack sees that nobody gets a connection whose timeouts were changed for a file without a transaction.
func TestLimitsComeBack(t *testing.T) {
	t.Parallel()
	pool := openAs(t, "pgx", server.Database(t)+"&statement_timeout=7s&lock_timeout=8s")
	pool.SetMaxOpenConns(2)
	apply(t, schemadb.New(pool, "app"), files{"1_a.sql": alone("SELECT 1")})
	for range 2 { // the connections that are idle now
		conn, err := pool.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var limits string
		if err := conn.QueryRowContext(t.Context(), "SELECT current_setting('statement_timeout') || current_setting('lock_timeout')").Scan(&limits); err != nil {
			t.Fatal(err)
		}
		want(t, "limits", limits, "7s8s")
	}
}

// TestLockTimeoutOfThePool shows that files without a transaction wait, and that others do not.
func TestLockTimeoutOfThePool(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	db, err := schemadb.Open(t.Context(), schemadb.Config{DSN: dsn, Schema: "app", MinConns: 1, LockTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	f := files{"1_a.sql": "CREATE TABLE {{tables.t}} (x int)"}
	apply(t, db, f)
	holder := openAs(t, "pgx", dsn)
	tx, err := holder.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), "LOCK TABLE app.t"); err != nil {
		t.Fatal(err)
	}
	_, err = migrator(t, db, f.with("2_b.sql", "ALTER TABLE {{tables.t}} ADD y int")).Apply(t.Context())
	wantTexts(t, err, "2_b.sql", "lock timeout")

	waited := make(chan error, 1)
	go func() {
		_, err := migrator(t, db, f.with("2_b.sql", "-- pgdbm:no-transaction\nALTER TABLE {{tables.t}} ADD y int")).Apply(t.Context())
		waited <- err
	}()
	untilTrue(t, holder, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE%' AND wait_event_type = 'Lock' "+
		"AND datname = current_database() AND clock_timestamp() - query_start > '100 ms')")
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

// untilTrue asks again and again, until the answer is true.
func untilTrue(t *testing.T, pool *sql.DB, question string) {
	t.Helper()
	for t.Context().Err() == nil {
		if query(t, pool, question) == "true" {
			return
		}
		time.Sleep(5 * time.Millisecond) // between two questions to the server, which tells nobody
	}
}
