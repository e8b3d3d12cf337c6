package pgbouncer_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	_ "github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/needs"
	"github.com/pgdbm/pgdbm/internal/pgbouncer"
)

// connect is a client of a PgBouncer, or of the server itself.
func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// value returns the only value that query gives.
func value[T any](t *testing.T, conn *pgx.Conn, query string) T {
	t.Helper()
	var v T
	if err := conn.QueryRow(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func exec(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestItIsPgBouncerInTransactionMode(t *testing.T) {
	t.Parallel()
	through, err := pgx.ParseConfig(pgbouncer.Start(t, server.Database(t), "max_client_conn=321"))
	if err != nil {
		t.Fatal(err)
	}
	console := *through
	console.Database = "pgbouncer"
	console.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(t.Context(), &console)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), "SHOW CONFIG")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			t.Fatal(err)
		}
		name, _ := values[0].(string)
		got[name], _ = values[1].(string)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"pool_mode":                 "transaction",
		"auth_type":                 "any",
		"default_pool_size":         "20",
		"max_client_conn":           "321", // the caller's wins
		"ignore_startup_parameters": "extra_float_digits",
		"listen_addr":               "",
		"unix_socket_dir":           through.Host,
	} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
}

func TestSameUserAndDatabase(t *testing.T) {
	t.Parallel()
	direct := server.Database(t)
	through := pgbouncer.Start(t, direct)
	const who = "SELECT current_user || '@' || current_database()"
	got, want := value[string](t, connect(t, through), who), value[string](t, connect(t, direct), who)
	if got != want {
		t.Errorf("%s, without PgBouncer %s", got, want)
	}
}

func TestDriverThroughIt(t *testing.T) {
	t.Parallel()
	dsn := pgbouncer.Start(t, server.Database(t))
	db, err := sql.Open("pgdbm", dsn+"&default_query_exec_mode=exec&schema=s&schema_mode=template")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const create = `CREATE SCHEMA {{schema}}; CREATE TABLE {{tables.users}} (name text)`
	if _, err := db.ExecContext(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	var table, name string
	const insert = "INSERT INTO {{tables.users}} VALUES ($1) RETURNING tableoid::regclass::text, name"
	if err := db.QueryRowContext(t.Context(), insert, "Ann").Scan(&table, &name); err != nil {
		t.Fatal(err)
	}
	if table != "s.users" || name != "Ann" {
		t.Errorf("got %s in %s", name, table)
	}
}

func TestClientsShareOneServerConnection(t *testing.T) {
	t.Parallel()
	dsn := pgbouncer.Start(t, server.Database(t), "default_pool_size=1")
	pids := map[int]bool{}
	clients := []*pgx.Conn{connect(t, dsn), connect(t, dsn), connect(t, dsn)} // at the same time
	for _, client := range clients {
		tx, err := client.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pids[value[int](t, tx.Conn(), "SELECT pg_backend_pid()")] = true
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(pids) != 1 {
		t.Errorf("%d clients use %d server connections", len(clients), len(pids))
	}
}

func TestTransactionsHaveTheirOwnServerConnection(t *testing.T) {
	t.Parallel()
	dsn := pgbouncer.Start(t, server.Database(t), "default_pool_size=2")
	first, second := connect(t, dsn), connect(t, dsn)
	exec(t, first, "BEGIN")
	held := value[int](t, first, "SELECT pg_backend_pid()")
	if other := value[int](t, second, "SELECT pg_backend_pid()"); other == held {
		t.Errorf("another client got the connection %d in the middle of a transaction", held)
	}
	if again := value[int](t, first, "SELECT pg_backend_pid()"); again != held {
		t.Errorf("the transaction went from the connection %d to %d", held, again)
	}
	exec(t, first, "COMMIT")
}

// TestSessionSettingsLeak is why a migration has to undo what its SQL sets: the next client meets it.
func TestSessionSettingsLeak(t *testing.T) {
	t.Parallel()
	dsn := pgbouncer.Start(t, server.Database(t), "default_pool_size=1")
	first, second := connect(t, dsn), connect(t, dsn)
	exec(t, first, "SET search_path = left_behind")
	if got := value[string](t, second, "SHOW search_path"); got != "left_behind" {
		t.Errorf("the next client's search_path is %s", got)
	}
	// SET LOCAL ends with its transaction, here too.
	exec(t, first, "BEGIN; SET LOCAL search_path = local; COMMIT")
	if got := value[string](t, second, "SHOW search_path"); got != "left_behind" {
		t.Errorf("after SET LOCAL the next client's search_path is %s", got)
	}
}

func TestSessionLocksLeak(t *testing.T) {
	t.Parallel()
	dsn := pgbouncer.Start(t, server.Database(t), "default_pool_size=1")
	first, second := connect(t, dsn), connect(t, dsn)
	exec(t, first, "SELECT pg_advisory_lock(1)")
	if !value[bool](t, second, "SELECT pg_try_advisory_lock(1)") {
		t.Error("the lock excludes another client")
	}
	first.Close(t.Context())
	if !value[bool](t, second, "SELECT pg_advisory_unlock(1) AND pg_advisory_unlock(1)") {
		t.Error("the lock has ended with its client")
	}
}

func TestStartupParameters(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t) + "&search_path=elsewhere"
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		through := pgbouncer.Start(t, dsn)
		conn, err := pgx.Connect(t.Context(), through)
		if err == nil {
			conn.Close(t.Context())
			t.Fatal("no error")
		}
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || !strings.Contains(refused.Message, "search_path") {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("dropped", func(t *testing.T) {
		t.Parallel()
		conn := connect(t, pgbouncer.Start(t, dsn, "ignore_startup_parameters=search_path"))
		if got := value[string](t, conn, "SHOW search_path"); got != `"$user", public` {
			t.Errorf("search_path = %s", got)
		}
	})
	t.Run("kept", func(t *testing.T) {
		t.Parallel()
		conn := connect(t, pgbouncer.Start(t, server.Database(t)+"&application_name=a%20%26%2Bb&timezone=Asia/Tokyo"))
		const show = "SELECT current_setting('application_name') || ' in ' || current_setting('timezone')"
		if got := value[string](t, conn, show); got != "a &+b in Asia/Tokyo" {
			t.Errorf("got %s", got)
		}
	})
}

func TestUserWithAStrangeNameAndPassword(t *testing.T) {
	t.Parallel()
	direct := server.Database(t)
	admin := connect(t, direct)
	const password = `p'a"s ;#=%w\ö`
	name := `O'Brien ;#=/@"` + strings.ToLower(rand.Text()[:8])
	quoted := pgx.Identifier{name}.Sanitize()
	exec(t, admin, "CREATE ROLE "+quoted+" LOGIN PASSWORD '"+strings.ReplaceAll(password, "'", "''")+"'")
	t.Cleanup(func() {
		if _, err := admin.Exec(context.Background(), "DROP ROLE "+quoted); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(name, password)
	conn := connect(t, pgbouncer.Start(t, u.String()))
	if got := value[string](t, conn, "SELECT current_user"); got != name {
		t.Errorf("the user is %s, want %s", got, name)
	}
}

// TestStartProgram runs whatever program it is told to run.
func TestStartProgram(t *testing.T) {
	t.Parallel()
	program, err := pgbouncer.FindProgram(append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin"))
	if err != nil {
		needs.Missing(t, err)
	}
	dsn := pgbouncer.StartProgram(t, program, server.Database(t))
	if got := value[int](t, connect(t, dsn), "SELECT 7"); got != 7 {
		t.Errorf("got %d", got)
	}
}
