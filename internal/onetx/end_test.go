package onetx_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgdbm/pgdbm/internal/supervise/supervisetest"
)

// one returns a connection of its own.
func one(t *testing.T, pool *pgxpool.Pool) *pgx.Conn {
	t.Helper()
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Release)
	return conn.Conn()
}

func do(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func show(t *testing.T, conn *pgx.Conn, setting string) (value string) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), "SELECT coalesce(current_setting($1, true), '')", setting).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// TestDeferredConstraints sees that they are checked where a server checks them: at the end of each transaction.
func TestDeferredConstraints(t *testing.T) {
	t.Parallel()
	conn := one(t, newStage(t).pool(t))
	const foreignKey = "23503"
	_, err := conn.Exec(t.Context(), "INSERT INTO parts VALUES (1, 1)")
	wantCode(t, err, foreignKey)
	_, err = conn.Exec(t.Context(), "INSERT INTO parts VALUES ($1, 1)", 1)
	wantCode(t, err, foreignKey)
	for range 2 { // the constraint is deferred again in the next transaction
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		do(t, conn, "INSERT INTO parts VALUES (2, 2)")
		err = tx.Commit(t.Context())
		wantCode(t, err, foreignKey)
		do(t, conn, "BEGIN; INSERT INTO parts VALUES (3, 3); INSERT INTO things VALUES (3, ''); COMMIT")
		do(t, conn, "DELETE FROM parts; DELETE FROM things")
	}
	_, err = conn.Exec(t.Context(), "BEGIN; INSERT INTO checked VALUES (1, 1)") // not deferred by itself
	wantCode(t, err, foreignKey)
	do(t, conn, "ROLLBACK")
	do(t, conn, "BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO checked VALUES (1, 1); INSERT INTO things VALUES (1, ''); COMMIT")
	do(t, conn, "CREATE TABLE late (id int REFERENCES things DEFERRABLE INITIALLY DEFERRED)")
	do(t, conn, "BEGIN; INSERT INTO late VALUES (9); INSERT INTO things VALUES (9, ''); COMMIT")
	do(t, conn, "ALTER TABLE late RENAME CONSTRAINT late_id_fkey TO renamed")
	do(t, conn, "BEGIN; INSERT INTO late VALUES (10); INSERT INTO things VALUES (10, ''); COMMIT")
	_, err = conn.Exec(t.Context(), "DROP TABLE late; CREATE TABLE later (id int REFERENCES things DEFERRABLE INITIALLY DEFERRED); SELECT 1/0")
	wantCode(t, err, "22012")
	do(t, conn, "DROP TABLE late, parts")
	do(t, conn, "INSERT INTO things VALUES (11, '')")
}

// TestDeferredConstraintsOthersCannotBe has a constraint with the name of one that is deferred, and a role that may not see either.
func TestDeferredConstraintsOthersCannotBe(t *testing.T) {
	t.Parallel()
	conn := one(t, newStage(t).pool(t))
	do(t, conn, "CREATE SCHEMA hidden; CREATE TABLE hidden.late (thing int CONSTRAINT same REFERENCES things DEFERRABLE INITIALLY DEFERRED); "+
		"CREATE TABLE hidden.never (thing int CONSTRAINT same REFERENCES things)")
	do(t, conn, "BEGIN; INSERT INTO hidden.late VALUES (1); INSERT INTO things VALUES (1, ''); COMMIT")
	for _, sql := range []string{"INSERT INTO hidden.never VALUES (2)", "INSERT INTO checked VALUES (2, 2)"} {
		_, err := conn.Exec(t.Context(), "BEGIN; "+sql)
		wantCode(t, err, "23503") // at once
		do(t, conn, "ROLLBACK")
	}
	do(t, conn, "ALTER TABLE checked DROP CONSTRAINT checked_thing_fkey; CREATE ROLE pgdbm_onetx_role")
	do(t, conn, "BEGIN; SET LOCAL ROLE pgdbm_onetx_role; SELECT 1; COMMIT")
}

func TestMessageWithTransactions(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	pool := s.pool(t)
	conn := one(t, pool)
	results, err := conn.PgConn().Exec(t.Context(), "INSERT INTO things VALUES (1, ''); BEGIN; INSERT INTO things VALUES (2, ''); "+
		"ROLLBACK; INSERT INTO things VALUES (3, ''); COMMIT; START TRANSACTION; INSERT INTO things VALUES (4, ''); END").ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	for _, r := range results {
		tags = append(tags, r.CommandTag.String())
	}
	want := "INSERT 0 1, BEGIN, INSERT 0 1, ROLLBACK, INSERT 0 1, COMMIT, START TRANSACTION, INSERT 0 1, COMMIT"
	if got := strings.Join(tags, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// As on a server, BEGIN takes what stands before it in the message into its transaction.
	if got := list(t, conn); got != "3 4" {
		t.Errorf("got %s, want 3 4", got)
	}
	_, err = conn.Exec(t.Context(), "BEGIN; INSERT INTO things VALUES (5, ''); SELECT 1/0; COMMIT")
	wantCode(t, err, "22012")
	if status := conn.PgConn().TxStatus(); status != 'E' {
		t.Errorf("the status is %c, want E", status)
	}
	_, err = conn.Exec(t.Context(), "BEGIN")
	wantCode(t, err, "25P02")
	do(t, conn, "ROLLBACK")
	_, err = conn.Exec(t.Context(), "BEGIN; INSERT INTO things VALUES (6, ''); COMMIT; INSERT INTO things VALUES (7, ''); SELECT 1/0")
	wantCode(t, err, "22012")
	if got := list(t, conn); got != "3 4 6" {
		t.Errorf("got %s, want 3 4 6", got)
	}
	if n := s.look(t, "SELECT count(*) FROM things"); n != "0" {
		t.Errorf("%s rows are seen outside", n)
	}
}

func list(t *testing.T, conn *pgx.Conn) (ids string) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), "SELECT string_agg(id::text, ' ' ORDER BY id) FROM things").Scan(&ids); err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestSameAsServer executes messages on a server and through a Tx.
func TestSameAsServer(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	shared := one(t, s.pool(t))
	direct, err := pgx.Connect(t.Context(), server.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close(context.Background())
	do(t, direct, "CREATE TABLE things (id int PRIMARY KEY, name text)")
	for _, message := range []string{
		"", ";", "-- nothing", "SELECT 1", "SELECT 1; SELECT 2", "BEGIN", "BEGIN", "ROLLBACK", "ROLLBACK", "COMMIT", "END", "ABORT WORK",
		"BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE", "INSERT INTO things VALUES (1, '')", "SELECT 1", "COMMIT", "SELECT 2",
		"BEGIN READ ONLY; COMMIT; INSERT INTO things VALUES (1, '')", "SELECT count(*) FROM things",
		"START TRANSACTION READ WRITE; INSERT INTO things VALUES (2, ''); SAVEPOINT a; INSERT INTO things VALUES (2, '')",
		"ROLLBACK TO a", "RELEASE SAVEPOINT a; COMMIT", "SELECT count(*) FROM things", "RELEASE a", "ROLLBACK TO SAVEPOINT a",
		"BEGIN; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION READ ONLY; DELETE FROM things", "ROLLBACK",
		"SET TRANSACTION READ ONLY", "INSERT INTO things VALUES (3, '')", "SELEC 1", "COMMIT; SELECT 1/0; SELECT 1",
		"CREATE FUNCTION two() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END", "SELECT two()", "BEGIN; SELECT 'COMMIT;'; ROLLBACK",
		"PREPARE transaction AS SELECT 3", "EXECUTE transaction", "SELECT count(*) FROM things", "DECLARE c CURSOR FOR SELECT 1", "LOCK TABLE things", "LOCK TABLE things; SELECT 1",
		"DECLARE h CURSOR WITH HOLD FOR SELECT 1", "CLOSE h", "BEGIN; LOCK TABLE things; COMMIT",
		"BEGIN; DECLARE c CURSOR FOR SELECT 1; COMMIT", "BEGIN; DECLARE c CURSOR FOR SELECT 1; FETCH c; COMMIT", "FETCH c",
		"INSERT INTO things VALUES (8, ''); SAVEPOINT a", "INSERT INTO things VALUES (8, ''); LOCK TABLE things; RELEASE a", "SELECT count(*) FROM things",
		"BEGIN; CREATE TEMP TABLE t (x int) ON COMMIT DROP; INSERT INTO t VALUES (1); COMMIT", "SELECT * FROM t",
		`CREATE TEMPORARY TABLE IF NOT EXISTS pg_temp."T" ON COMMIT DROP AS SELECT 1`, `CREATE TEMP TABLE "T" (x int)`, `DROP TABLE "T"`,
		"BEGIN; CREATE TEMP TABLE t (x int) ON COMMIT DROP; ROLLBACK; CREATE TEMP TABLE t (y int)", "SELECT * FROM t", "SELECT 1", "DROP TABLE t",
		"DO $$ BEGIN PERFORM 1; END $$", "DO $$ BEGIN RAISE 'no'; END $$", "DISCARD PLANS",
	} {
		want, got := outcome(t, direct, message), outcome(t, shared, message)
		if got != want {
			t.Errorf("%s\n got  %s\n want %s", message, got, want)
		}
	}
}

// outcome is what a message leads to.
func outcome(t *testing.T, conn *pgx.Conn, message string) string {
	t.Helper()
	results, err := conn.PgConn().Exec(t.Context(), message).ReadAll()
	var out strings.Builder
	for _, r := range results {
		out.WriteString("[" + r.CommandTag.String())
		for _, row := range r.Rows {
			for _, value := range row {
				out.WriteString(" " + string(value))
			}
		}
		out.WriteString("] ")
	}
	if pgErr, ok := err.(*pgconn.PgError); ok {
		out.WriteString(pgErr.Code + " ")
	} else if err != nil {
		out.WriteString(err.Error() + " ")
	}
	out.WriteByte(conn.PgConn().TxStatus())
	return out.String()
}

// TestLocalSettings sees that they end with their transaction, and that others stay.
func TestLocalSettings(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	conn := one(t, pool)
	do(t, conn, "SET app.kept = 'before'")
	do(t, conn, "SELECT set_config('app.stays', $1, false)", "set")
	for _, sql := range []string{
		"BEGIN; SET LOCAL app.tenant = 'a'; SET LOCAL app.kept = 'x'; SET LOCAL search_path = pg_catalog; SET LOCAL TIME ZONE 'UTC'; COMMIT",
		"SELECT set_config('app.tenant', 'a', true), set_config('app.kept', 'x', true), set_config('search_path', 'pg_catalog', (true))",
		"SET LOCAL app.tenant = 'a'",
	} {
		do(t, conn, sql)
		if tenant, kept, path := show(t, conn, "app.tenant"), show(t, conn, "app.kept"), show(t, conn, "search_path"); tenant != "" || kept != "before" ||
			path != `"$user", public` {
			t.Errorf("%s\nleaves app.tenant %q, app.kept %q, search_path %q", sql, tenant, kept, path)
		}
	}
	do(t, conn, "BEGIN")
	do(t, conn, "SELECT set_config('app.tenant', $1, true)", "b")
	if got := show(t, conn, "app.tenant"); got != "b" {
		t.Errorf("in the transaction app.tenant is %q", got)
	}
	do(t, conn, "COMMIT")
	for range 3 { // by its prepared statement
		do(t, conn, "SELECT set_config('app.tenant', $1, true)", "c")
		if got := show(t, conn, "app.tenant"); got != "" {
			t.Errorf("app.tenant is %q", got)
		}
	}
	if got := show(t, conn, "app.stays"); got != "set" {
		t.Errorf("app.stays is %q, want set", got)
	}
}

// TestSessionEnds sees that a closed connection leaves nothing to the next one.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"SET app.tenant = 'a'", "CREATE TEMP TABLE things (x int)", "LISTEN news", "SELECT pg_advisory_lock(7)",
		"BEGIN", "INSERT INTO public.things VALUES (1, 'not committed')"} {
		do(t, conn.Conn(), sql)
	}
	if err := conn.Hijack().Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := one(t, pool)
	if got := show(t, other, "app.tenant"); got != "" {
		t.Errorf("app.tenant is %q", got)
	}
	var n int
	const query = "SELECT count(id) + (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) FROM things"
	if err := other.QueryRow(t.Context(), query).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d things are left, error %v", n, err)
	}
}

// TestPlainSessionEnds sees that a closed connection takes away nothing that another one has.
func TestPlainSessionEnds(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	conn := one(t, pool)
	for _, sql := range []string{"SET app.tenant = 'a'", "CREATE TEMP TABLE mine (x int)", "SELECT pg_advisory_lock(7)"} {
		do(t, conn, sql)
	}
	for _, sql := range []string{"SELECT $1::text", "UPDATE things SET name = $1::text"} { // each on a connection of its own
		other, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		do(t, other.Conn(), sql, "7")
		if err := other.Hijack().Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	supervisetest.Eventually(t, "the prepared statements of closed connections are gone", func() bool {
		var n int
		const query = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%$1::text'"
		return conn.QueryRow(t.Context(), query).Scan(&n) == nil && n == 0
	})
	var n int
	const query = "SELECT count(x) + (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) FROM mine"
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil || n != 1 || show(t, conn, "app.tenant") != "a" {
		t.Errorf("%d locks, error %v, app.tenant is %q", n, err, show(t, conn, "app.tenant"))
	}
}

// TestSessionEndsBesideTransaction is the same while another connection has a transaction, for longer than others wait.
func TestSessionEndsBesideTransaction(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	do(t, conn.Conn(), "SET app.tenant = 'a'")
	other := one(t, pool)
	do(t, other, "BEGIN")
	if err := conn.Hijack().Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 5 { // the first waits in vain, as the end of the session would
		_, err = pool.Exec(t.Context(), "SELECT 1")
		wantCode(t, err, "25001")
	}
	do(t, other, "COMMIT")
	supervisetest.Eventually(t, "the setting of the closed connection is gone", func() bool { return show(t, other, "app.tenant") == "" })
}

func TestStatementsOfSeveralClients(t *testing.T) {
	t.Parallel()
	pool := newStage(t).pool(t)
	first, second := one(t, pool), one(t, pool)
	for _, conn := range []*pgx.Conn{first, second} {
		if _, err := conn.Prepare(t.Context(), "same", "SELECT '"+map[bool]string{true: "first", false: "second"}[conn == first]+"'"); err != nil {
			t.Fatal(err)
		}
	}
	for want, conn := range map[string]*pgx.Conn{"first": first, "second": second} {
		var got string
		if err := conn.QueryRow(t.Context(), "same").Scan(&got); err != nil || got != want {
			t.Errorf("got %s, error %v, want %s", got, err, want)
		}
	}
	if err := first.Deallocate(t.Context(), "same"); err != nil {
		t.Error(err)
	}
	_, err := first.Prepare(t.Context(), "commits", "COMMIT")
	wantCode(t, err, "0A000")
	if n := count(t, pool, "things"); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestImpossible(t *testing.T) {
	t.Parallel()
	conn := one(t, newStage(t).pool(t))
	do(t, conn, "CREATE TYPE mood AS ENUM ('old')")
	do(t, conn, "CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$")
	for sql, code := range map[string]string{
		"VACUUM things": "25001", "BEGIN; PREPARE TRANSACTION 'x'": "0A000", "BEGIN; COMMIT AND CHAIN": "0A000",
		"COMMIT PREPARED 'x'": "0A000", "ALTER TYPE mood ADD VALUE 'new'; SELECT 'new'::mood": "55P04", "CALL commits()": "2D000", "CREATE INDEX CONCURRENTLY ON things (name)": "25001",
	} {
		_, err := conn.Exec(t.Context(), sql)
		pgErr := wantCode(t, err, code)
		if !strings.Contains(pgErr.Message, "fixtures.New") {
			t.Errorf("%s: %v has no advice", sql, pgErr)
		}
		do(t, conn, "ROLLBACK")
	}
	do(t, conn, "BEGIN; COMMIT AND NO CHAIN")
}
