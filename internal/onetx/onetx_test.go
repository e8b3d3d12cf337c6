package onetx_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgdbm/pgdbm/internal/onetx"
	"github.com/pgdbm/pgdbm/internal/supervise/supervisetest"
)

func wantCode(t *testing.T, err error, code string) *pgconn.PgError {
	t.Helper()
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != code {
		t.Fatalf("got error %v, want one with code %s", err, code)
	}
	return pgErr
}

func TestEverythingIsRolledBack(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	pool := s.pool(t)
	exec(t, pool, "INSERT INTO things VALUES (1, 'committed')")
	exec(t, pool, "CREATE TABLE more (id int)")
	if err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "INSERT INTO things VALUES ($1, $2)", 2, "in a transaction")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if n := count(t, pool, "things"); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
	if n := s.look(t, "SELECT count(*) FROM things"); n != "0" {
		t.Errorf("%s rows are seen outside", n)
	}
	pool.Close()
	conn, _ := s.tx.End("SELECT 1")
	if conn == nil {
		t.Fatal("the connection is broken")
	}
	defer conn.Close()
	if n := s.look(t, "SELECT (SELECT count(*) FROM things) + (SELECT count(*) FROM pg_class WHERE relname = 'more')"); n != "0" {
		t.Errorf("%s is left", n)
	}
}

// TestFailingStatement sees that a failure undoes its own statement, in each protocol, and nothing else.
func TestFailingStatement(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			pool := newStage(t).pool(t, func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = mode })
			exec(t, pool, "INSERT INTO things VALUES ($1, $2)", 1, "one")
			for range 3 {
				_, err := pool.Exec(t.Context(), "INSERT INTO things VALUES ($1, $2)", 1, "again")
				wantCode(t, err, "23505")
			}
			_, err := pool.Exec(t.Context(), "INSERT INTO things VALUES (2, ''); INSERT INTO things VALUES (1, '')")
			wantCode(t, err, "23505")
			exec(t, pool, "INSERT INTO things VALUES ($1, $2)", 3, "three")
			if n := count(t, pool, "things"); n != 2 {
				t.Errorf("%d rows, want 2", n)
			}
		})
	}
}

// TestExecModes has all of pgx's ways to send arguments, some of which need what an earlier group has left.
func TestExecModes(t *testing.T) {
	t.Parallel()
	conn := one(t, newStage(t).pool(t))
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		for i := range 2 {
			var n int
			if err := conn.QueryRow(t.Context(), "SELECT $1::int", mode, i).Scan(&n); err != nil || n != i {
				t.Errorf("%v: got %d, error %v, want %d", mode, n, err, i)
			}
			_, err := conn.Exec(t.Context(), "SELECT 1/$1::int", mode, 0)
			wantCode(t, err, "22012")
		}
	}
}

func TestFailureInTransaction(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	exec(t, pool, "INSERT INTO things VALUES (1, 'one')")
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "INSERT INTO things VALUES (2, 'two')"); err != nil {
		t.Fatal(err)
	}
	_, err = tx.Exec(t.Context(), "INSERT INTO things VALUES ($1, 'again')", 1)
	wantCode(t, err, "23505")
	_, err = tx.Exec(t.Context(), "SELECT 1")
	wantCode(t, err, "25P02")
	if status := tx.Conn().PgConn().TxStatus(); status != 'E' {
		t.Errorf("the status is %c, want E", status)
	}
	if err := tx.Commit(t.Context()); !errors.Is(err, pgx.ErrTxCommitRollback) {
		t.Errorf("Commit returned %v, want %v", err, pgx.ErrTxCommitRollback)
	}
	if n := count(t, pool, "things"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func TestSavepointsOfTheClient(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		for i := range 3 {
			_ = pgx.BeginFunc(t.Context(), tx, func(inner pgx.Tx) error { // a savepoint
				if _, err := inner.Exec(t.Context(), "INSERT INTO things VALUES ($1, '')", i); err != nil {
					t.Error(err)
				}
				_, err := inner.Exec(t.Context(), "INSERT INTO things VALUES ($1, '')", 2*i%2) // fails unless i is 0 before
				return err
			})
		}
		_, err := tx.Exec(t.Context(), "INSERT INTO things VALUES (7, '')")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = pool.Exec(t.Context(), "SAVEPOINT x")
	wantCode(t, err, "25P01")
	if n := count(t, pool, "things"); n != 1 && n != 3 {
		t.Errorf("%d rows", n)
	}
}

// TestOverlap sees that what would undo the other one's work is refused, and that what only comes at the same time waits.
func TestOverlap(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "INSERT INTO things VALUES (1, 'one')"); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"BEGIN", "SELECT 1", "INSERT INTO things VALUES (2, 'two')"} {
		_, err = pool.Exec(t.Context(), sql)
		if pgErr := wantCode(t, err, "25001"); !strings.Contains(pgErr.Message, "fixtures.New") {
			t.Errorf("the message has no advice: %v", pgErr)
		}
	}
	var n int
	err = pool.QueryRow(t.Context(), "SELECT count(*) FROM things WHERE id = $1", 1).Scan(&n)
	wantCode(t, err, "25001")
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, pool, "things"); n != 0 {
		t.Errorf("%d rows, want 0", n)
	}
}

func TestTransactionsInTurn(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
				for j := range 10 {
					if _, err := tx.Exec(t.Context(), "INSERT INTO things VALUES ($1, '')", 10*i+j); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := count(t, pool, "things"); n != 160 {
		t.Errorf("%d rows, want 160", n)
	}
}

// TestOpenRows reads rows of one connection while others execute statements.
func TestOpenRows(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	rows, err := pool.Query(t.Context(), "SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := 0
	for rows.Next() {
		if seen++; seen%1000 == 0 {
			exec(t, pool, "INSERT INTO things VALUES ($1, '')", seen)
		}
	}
	if err := rows.Err(); err != nil || seen != 20000 {
		t.Errorf("%d rows, error %v", seen, err)
	}
	if n := count(t, pool, "things"); n != 20 {
		t.Errorf("%d rows, want 20", n)
	}
}

// TestCancelledContext loses a connection of the pool, and nothing else.
func TestCancelledContext(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	exec(t, pool, "INSERT INTO things VALUES (1, 'one')")
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := pool.Exec(ctx, "SELECT pg_sleep(60)")
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v", err)
		}
		if n := count(t, pool, "things"); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	tx, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO things VALUES (2, 'two')"); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err = tx.Exec(ctx, "SELECT pg_sleep(60)"); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
	_ = tx.Rollback(t.Context())
	if n := count(t, pool, "things"); n != 1 {
		t.Errorf("%d rows, want 1: the transaction of a lost connection is rolled back", n)
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	rows := make([][]any, 50000)
	for i := range rows {
		rows[i] = []any{i, strings.Repeat("x", 100)}
	}
	columns := []string{"id", "name"}
	n, err := pool.CopyFrom(t.Context(), pgx.Identifier{"things"}, columns, pgx.CopyFromRows(rows))
	if err != nil || n != 50000 {
		t.Fatalf("%d rows, error %v", n, err)
	}
	_, err = pool.CopyFrom(t.Context(), pgx.Identifier{"things"}, columns, pgx.CopyFromRows(rows[:100]))
	wantCode(t, err, "23505")
	_, err = pool.CopyFrom(t.Context(), pgx.Identifier{"things"}, columns, pgx.CopyFromFunc(func() ([]any, error) {
		return nil, errors.New("no more rows")
	}))
	if err == nil || !strings.Contains(err.Error(), "no more rows") {
		t.Errorf("got error %v", err)
	}
	if n := count(t, pool, "things"); n != 50000 {
		t.Errorf("%d rows", n)
	}
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	var out strings.Builder
	if _, err := conn.Conn().PgConn().CopyTo(t.Context(), &out, "COPY (SELECT id FROM things WHERE id < 3 ORDER BY id) TO STDOUT"); err != nil || out.String() != "0\n1\n2\n" {
		t.Errorf("got %q, error %v", out.String(), err)
	}
}

// TestCopyRefused goes on after a COPY that the server refuses at once: its rows and its end come nevertheless.
func TestCopyRefused(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	conn := one(t, pool)
	for range 2 {
		_, err := conn.PgConn().CopyFrom(t.Context(), strings.NewReader("1\tone\n"), "COPY nothing FROM STDIN")
		wantCode(t, err, "42P01")
		do(t, conn, "INSERT INTO things VALUES (1, 'one') ON CONFLICT DO NOTHING")
	}
	if n := count(t, pool, "things"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// TestCopyThatWaits has a COPY whose rows come from another connection, which would wait for it.
func TestCopyThatWaits(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	_, err := pool.CopyFrom(t.Context(), pgx.Identifier{"things"}, []string{"id", "name"}, pgx.CopyFromFunc(func() ([]any, error) {
		var id int
		return []any{1, ""}, pool.QueryRow(t.Context(), "SELECT 1").Scan(&id)
	}))
	if err == nil || !strings.Contains(err.Error(), "a COPY or a pipeline") {
		t.Errorf("got error %v", err)
	}
	if n := count(t, pool, "things"); n != 0 {
		t.Errorf("%d rows, want 0", n)
	}
}

// TestPipelineThatWaits is the same with a pipeline that has no Sync yet.
func TestPipelineThatWaits(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	pipeline := one(t, pool).PgConn().StartPipeline(t.Context())
	pipeline.SendQueryParams("INSERT INTO things VALUES (1, '')", nil, nil, nil, nil)
	if err := pipeline.Flush(); err != nil {
		t.Fatal(err)
	}
	_, err := pool.Exec(t.Context(), "SELECT 1")
	wantCode(t, err, "25001")
	if err := pipeline.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := pipeline.Close(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, pool, "things"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// TestCancelledWhileIdle sees that a cancel request has no effect on a statement that comes later.
func TestCancelledWhileIdle(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	conn := one(t, pool)
	do(t, conn, "SELECT 1")
	if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := one(t, pool)
	do(t, other, "BEGIN")
	_, err := conn.Exec(t.Context(), "SELECT 1") // waits
	wantCode(t, err, "25001")
	do(t, other, "ROLLBACK")
	do(t, conn, "SELECT 1")
}

// TestPipeline sends what blocks unless both sides are read and written at the same time.
func TestPipeline(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	batch := &pgx.Batch{}
	const n = 3000
	for i := range n {
		batch.Queue("INSERT INTO things VALUES ($1, $2) RETURNING repeat(name, 10)", i, strings.Repeat("x", 500))
	}
	results := pool.SendBatch(t.Context(), batch)
	for range n {
		var got string
		if err := results.QueryRow().Scan(&got); err != nil || len(got) != 5000 {
			t.Fatalf("%d bytes, error %v", len(got), err)
		}
	}
	if err := results.Close(); err != nil {
		t.Fatal(err)
	}
	if got := count(t, pool, "things"); got != n {
		t.Errorf("%d rows", got)
	}
	batch = &pgx.Batch{} // one transaction
	batch.Queue("DELETE FROM things")
	batch.Queue("SELECT 1/0")
	wantCode(t, pool.SendBatch(t.Context(), batch).Close(), "22012")
	if got := count(t, pool, "things"); got != n {
		t.Errorf("%d rows", got)
	}
}

// TestSyncedPipeline has several transactions under way.
func TestSyncedPipeline(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	pipeline := conn.Conn().PgConn().StartPipeline(t.Context())
	for i := range 100 {
		pipeline.SendQueryParams("INSERT INTO things VALUES ($1, '')", [][]byte{fmt.Append(nil, i/2)}, nil, nil, nil)
		if err := pipeline.Sync(); err != nil { // the second of each pair fails alone
			t.Fatal(err)
		}
	}
	failed := 0
	for {
		result, err := pipeline.GetResults()
		if err == nil && result == nil {
			break
		}
		if reader, ok := result.(*pgconn.ResultReader); ok {
			_, err = reader.Close()
		}
		if err != nil {
			wantCode(t, err, "23505")
			failed++
		}
	}
	if err := pipeline.Close(); err != nil || failed != 50 {
		t.Errorf("%d failed, error %v", failed, err)
	}
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM things").Scan(&n); err != nil || n != 50 {
		t.Errorf("%d rows, error %v", n, err)
	}
}

// TestFlush is a way to wait for answers in the middle of a group, which is refused, and must not hang.
func TestFlush(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	pipeline := conn.Conn().PgConn().StartPipeline(t.Context())
	pipeline.SendQueryParams("SELECT 1", nil, nil, nil, nil)
	pipeline.SendFlushRequest()
	if err := pipeline.Flush(); err != nil {
		t.Fatal(err)
	}
	_, err = pipeline.GetResults()
	wantCode(t, err, "0A000")
	_ = pipeline.Close() // without a Sync it gives the connection up
	if n := count(t, pool, "things"); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestEndWhileBusy(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	pool := s.pool(t)
	exec(t, pool, "INSERT INTO things VALUES (1, 'one')")
	failed := make(chan error, 2)
	for range 2 { // one works, one waits
		go func() {
			_, err := pool.Exec(context.Background(), "SELECT pg_sleep(60), 'busy'")
			failed <- err
		}()
	}
	const busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%''busy''%' AND query NOT LIKE '%activity%' AND state = 'active'"
	supervisetest.Eventually(t, "the statement runs", func() bool { return s.look(t, busy) == "1" })
	conn, _ := s.tx.End("SELECT 1")
	if conn == nil {
		t.Fatal("the connection is broken")
	}
	defer conn.Close()
	for range 2 {
		if err := <-failed; err == nil {
			t.Error("no error")
		}
	}
	if _, err := pool.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("a statement after the end had no error")
	}
}

// TestServerKillsTheConnection is what a test does that tries its own handling of such errors.
func TestServerKillsTheConnection(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	pool := s.pool(t)
	exec(t, pool, "INSERT INTO things VALUES (1, 'one')")
	_, err := pool.Exec(t.Context(), "SELECT pg_terminate_backend(pg_backend_pid())")
	wantCode(t, err, "57P01")
	if _, err = pool.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("the transaction is gone, and a statement had no error")
	}
	if conn, _ := s.tx.End("SELECT 1"); conn != nil {
		t.Error("End returned a connection that is gone")
	}
}

func TestOtherParameters(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	exec(t, s.pool(t), "SELECT 1")
	other := s.pool(t, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["application_name"] = "other" })
	if _, err := other.Exec(t.Context(), "SELECT 1"); err == nil || !strings.Contains(err.Error(), "parameters") {
		t.Errorf("got error %v", err)
	}
}

// TestNoLimits: a transaction is as long as a test, and the pause before the next one as long as it takes, whatever the database says.
func TestNoLimits(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.look(t, `DO $$ DECLARE n text; BEGIN
		FOR n IN SELECT name FROM pg_settings WHERE name IN ('transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout') LOOP
			EXECUTE format('ALTER DATABASE %I SET %I = ''10min''', current_database(), n);
		END LOOP;
	END $$`)
	const limits = "SELECT string_agg(name || ' ' || setting, ', ') FROM pg_settings WHERE name IN ('transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout')"
	if outside := s.look(t, limits); !strings.Contains(outside, "600000") {
		t.Fatalf("outside: %s", outside)
	}
	s.dsn += "&options=-c%20idle_session_timeout%3D10min"
	show := func(tx *onetx.Tx) (got string) {
		pool := s.pool(t, func(c *pgxpool.Config) { c.ConnConfig.DialFunc = tx.Dial })
		if err := pool.QueryRow(t.Context(), limits).Scan(&got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := show(s.tx)
	leaving := s.pool(t)
	exec(t, leaving, "SET work_mem = '1MB'")
	leaving.Close() // ends what the session has
	left := show(s.tx)
	exec(t, s.pool(t), "RESET ALL")
	reset := show(s.tx)
	conn, _ := s.tx.End("SELECT 1")
	s.tx = onetx.New(func(context.Context, map[string]string) (*onetx.Conn, error) { return conn, nil })
	for when, got := range map[string]string{"first": first, "a session has gone": left, "RESET ALL": reset, "the next test": show(s.tx)} {
		if strings.Contains(got, "600000") {
			t.Errorf("%s: the limits are %s", when, got)
		}
	}
}
