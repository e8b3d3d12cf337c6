package schemadb_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

func TestInitCommands(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	admin(t, dsn, `CREATE SCHEMA "App"`)
	pool := mustOpenPool(t, schemadb.Config{DSN: dsn, Schema: "App", MinConns: 2, InitCommands: []string{
		"SET work_mem = '5MB'; SET app.step = '1'",
		"SET app.step = '2'",
		"SET search_path = {{schema}}, pg_temp",
	}})
	var conns []*sql.Conn
	for range 3 {
		conn, err := pool.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		for setting, want := range map[string]string{"work_mem": "5MB", "app.step": "2", "search_path": `"App", pg_temp`} {
			if got := queryText(t, conn, "SELECT current_setting($1)", setting); got != want {
				t.Errorf("%s = %s, want %s", setting, got, want)
			}
		}
	}
}

func TestInitCommandsFail(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	role := pgxConfig(t, dsn).User
	err := failOpenPool(t, schemadb.Config{DSN: dsn, InitCommands: []string{"SELECT 1", "SELECT 1/0 AS oops"}})
	wantConfigError(t, err, "InitCommands[1]", `"SELECT 1/0 AS oops" failed`, "division by zero")
	wantOpenError(t, err, 1, "22012")
	err = failOpenPool(t, schemadb.Config{DSN: dsn, InitCommands: []string{"BEGIN"}})
	wantConfigError(t, err, "InitCommands[0]", `"BEGIN" leaves a transaction open`)
	untilTrue(t, "the connections are closed", func() bool { return sessions(t, dsn, role) == 0 })

	// The connection may have been cut by a server that goes down.
	r := newRehearsal(t, dsn)
	c := r.config()
	var log logBuffer
	c.Logger = log.logger()
	c.InitCommands = []string{"SELECT pg_terminate_backend(pg_backend_pid())"}
	wantOpenError(t, failOpenPool(t, c), 3, "57P01")
}

// Else stdlib would leave it open until the garbage collector finds it.
func TestFailedSessionIsClosed(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	err = schemadb.StartSession(t.Context(), schemadb.Config{DSN: dsn, InitCommands: []string{"SELECT 1/0"}}, conn)
	if err == nil || !conn.IsClosed() {
		t.Errorf("got %v, closed is %v", err, conn.IsClosed())
	}
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	admin(t, dsn, "CREATE SCHEMA app", "CREATE TABLE app.t (id int)", "INSERT INTO app.t VALUES (7)")
	const query = "SELECT id::text FROM {{tables.t}} WHERE id = $1"
	const prepared = "SELECT string_agg(name, ',') FROM pg_prepared_statements WHERE statement LIKE 'SELECT id::text%'"
	for _, c := range []schemadb.Config{{DSN: dsn, Schema: "app"}, {DSN: dsn + "&schema=app"},
		{DSN: dsn + "&schema=app&schema_mode=template", Schema: "app"}} {
		c.Prepare, c.MaxOpenConns = []string{query}, 1
		pool := mustOpenPool(t, c)
		before := queryText(t, pool, prepared)
		conn, err := pool.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var id string
		if err := conn.QueryRowContext(driver.WithSchema(t.Context(), "app"), query, 7).Scan(&id); err != nil || id != "7" {
			t.Errorf("got %q, %v", id, err)
		}
		if after := queryText(t, conn, prepared); after != before || strings.Contains(after, ",") {
			t.Errorf("prepared are %s, and after the execution %s", before, after)
		}
		_ = conn.Close()
	}
}

func TestPrepareLeavesOutWhatIsMissing(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	admin(t, dsn, "CREATE SCHEMA app")
	for _, statement := range []string{"SELECT id FROM {{tables.t}}", "SELECT id FROM other.t", "CREATE TABLE other.t ()",
		"SELECT app.f()", "SELECT $1::app.color", "SELECT f(1)"} {
		pool := mustOpenPool(t, schemadb.Config{DSN: dsn, Schema: "app", Prepare: []string{statement, "SELECT 'kept'"}})
		if got := queryText(t, pool, "SELECT string_agg(statement, ';') FROM pg_prepared_statements "+
			"WHERE statement NOT LIKE '%string_agg%'"); !strings.Contains(got, "SELECT 'kept'") {
			t.Errorf("%s: prepared are %s", statement, got)
		}
	}
	for statement, state := range map[string]string{"SELEC 1": "42601", "SELECT nonsense": "42703", "SELECT 1 + true": "42883x"} {
		c := schemadb.Config{DSN: dsn, Prepare: []string{"SELECT 1", statement}}
		if strings.HasSuffix(state, "x") { // an operator that does not exist is an undefined function
			mustOpenPool(t, c)
			continue
		}
		err := failOpenPool(t, c)
		wantConfigError(t, err, "Prepare[1]", statement)
		var server *pgconn.PgError
		if !errors.As(err, &server) || server.Code != state {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func TestServerSettings(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	type want map[string]string
	const statement, lock, idle = "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"
	for name, test := range map[string]struct {
		config schemadb.Config
		want   want
	}{
		"defaults": {schemadb.Config{}, want{statement: "1min", lock: "5s", idle: "1min"}},
		"off": {schemadb.Config{StatementTimeout: -1, LockTimeout: -1, IdleInTransactionTimeout: -1},
			want{statement: "0", lock: "0", idle: "0"}},
		"fields": {schemadb.Config{StatementTimeout: 7 * time.Second, LockTimeout: 1500 * time.Microsecond,
			IdleInTransactionTimeout: time.Nanosecond}, want{statement: "7s", lock: "2ms", idle: "1ms"}},
		"longest": {schemadb.Config{StatementTimeout: 2147483647 * time.Millisecond}, want{statement: "2147483647ms"}},
		"DSN":     {schemadb.Config{DSN: "&statement_timeout=9s&Lock_Timeout=0"}, want{statement: "9s", lock: "0", idle: "1min"}},
		"options": {schemadb.Config{DSN: "&options=-c%20statement_timeout%3D9s%20--lock-timeout%3D8s%20-c%20deadlock_timeout%3D3s"},
			want{statement: "9s", lock: "8s", idle: "1min", "deadlock_timeout": "3s"}},
		"similar options": {schemadb.Config{DSN: "&options=-cdeadlock_timeout%3D3s"}, want{lock: "5s", "deadlock_timeout": "3s"}},
		"settings": {schemadb.Config{Settings: map[string]string{"jit": "off", "application_name": `a 'b' \&=+%`,
			"app.x": "ä", "Statement_Timeout": "4s", "TimeZone": "Asia/Tokyo"}},
			want{"jit": "off", "application_name": `a 'b' \&=+%`, "app.x": "ä", statement: "4s", "timezone": "Asia/Tokyo"}},
		"the same twice": {schemadb.Config{DSN: "&statement_timeout=5s&jit=off", StatementTimeout: 5 * time.Second,
			LockTimeout: time.Second, Settings: map[string]string{"jit": "off", "lock_timeout": "1000"}},
			want{statement: "5s", lock: "1s", "jit": "off"}},
	} {
		test.config.DSN = dsn + test.config.DSN
		pool := mustOpenPool(t, test.config)
		for setting, value := range test.want {
			if got := queryText(t, pool, "SELECT current_setting($1)", setting); got != value {
				t.Errorf("%s: %s is %s, want %s", name, setting, got, value)
			}
		}
		_ = pool.Close()
	}
}

func TestServerSettingsFromEnvironment(t *testing.T) {
	dsn := server.Database(t) // and not parallel, for Setenv
	t.Setenv("PGOPTIONS", "-c statement_timeout=11s")
	t.Setenv("PGAPPNAME", "env")
	for want, c := range map[string]schemadb.Config{
		"11s env": {},
		"2s env":  {StatementTimeout: 2 * time.Second},
		"11s set": {Settings: map[string]string{"application_name": "set"}},
	} {
		c.DSN = dsn
		pool := mustOpenPool(t, c)
		got := queryText(t, pool, "SELECT current_setting('statement_timeout') || ' ' || current_setting('application_name')")
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestOpenFromFields(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	config := pgxConfig(t, dsn)
	name := `Größe-"7" &a=b%41?#/'\+` + config.Database[len("pgdbm_test_"):]
	quoted := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	admin(t, dsn, "CREATE DATABASE "+quoted)
	t.Cleanup(func() { admin(t, dsn, "DROP DATABASE "+quoted+" WITH (FORCE)") })
	c := schemadb.Config{Host: config.Host, Port: int(config.Port), Database: name, User: config.User,
		Password: `any &schema=x 'thing' \`}
	if got := queryText(t, mustOpenPool(t, c), "SELECT current_database()::text"); got != name {
		t.Errorf("connected to %q, want %q", got, name)
	}
	c = schemadb.Config{DSN: "host='" + config.Host + "' application_name='x y'", Database: name, User: config.User,
		Password: c.Password, Port: c.Port}
	if got := queryText(t, mustOpenPool(t, c), "SELECT current_database() || current_setting('application_name')"); got != name+"x y" {
		t.Errorf("connected to %q, want %q", got, name)
	}
}

// The facade binds the schema; a search_path would be in the way of other schemas on the same pool.
func TestSchemaDoesNotReachTheSession(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	admin(t, dsn, "CREATE SCHEMA app")
	pool := mustOpenPool(t, schemadb.Config{DSN: dsn, Schema: "app"})
	if got := queryText(t, pool, "SHOW search_path"); got != `"$user", public` {
		t.Errorf("search_path is %s", got)
	}
	if _, err := pool.ExecContext(driver.WithSchema(t.Context(), "other"), "SELECT 1"); err != nil {
		t.Errorf("another schema: %v", err)
	}
	pool = mustOpenPool(t, schemadb.Config{DSN: dsn + "&schema=app", Schema: "app"})
	if got := queryText(t, pool, "SHOW search_path"); got != `"app", public, pg_temp` {
		t.Errorf("search_path is %s", got)
	}
}
