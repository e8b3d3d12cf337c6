package pgserver

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/supervise/supervisetest"
)

// refusing returns a source that never has a server.
func refusing(name, reason string) Source {
	return Source{Name: name, Check: func(context.Context, Order) (string, error) { return "", errors.New(reason) }}
}

// own returns settings that start a server of the test's own, whatever the environment says.
func own() *settings {
	with := environment()
	with.given, with.forced = given{}, ""
	return &with
}

// runningServer returns the DSN of a server on a Unix socket, and its major version.
func runningServer(t *testing.T) (dsn, version string) {
	t.Helper()
	s := &Server{settings: own()}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	dsn, err := s.DSN(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if version, err = serverVersion(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	return dsn, version
}

// TestNoServer compares the whole error.
func TestNoServer(t *testing.T) {
	t.Parallel()
	with := &settings{path: "/none", globs: []string{"/nowhere/*/bin"}}
	s := Server{Shared: true, settings: with, Version: "17",
		Sources: []Source{refusing("docker", "no engine"), refusing("embedded", "no version")}}
	_, err := s.DSN(t.Context())
	const want = `pgserver: no server for the tests (PostgreSQL 17):
	dsn: neither PGDBM_TEST_DSN nor TEST_DB_HOST, TEST_DB_PORT, TEST_DB_USER, TEST_DB_PASSWORD are set; ` +
		`set the first to the connection string of a running server
	local: no directory has both postgres and initdb; looked in PATH (/none) and in /nowhere/*/bin; ` +
		`install PostgreSQL (on Debian and Ubuntu: apt-get install postgresql)
	docker: no engine
	embedded: no version`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	var none *NoServerError
	if !errors.As(err, &none) || len(none.Refused) != 4 || none.Refused[2].Source != "docker" || none.Request.Version != "17" {
		t.Errorf("%+v", none)
	}
	if s.Own(t.Context()) {
		t.Error("a server that is not there is called ours")
	}
}

func TestForce(t *testing.T) {
	t.Parallel()
	docker := []Source{refusing("docker", "no engine")}
	for _, test := range []struct {
		name  string
		force string
		with  settings
		extra []Source
		want  string
	}{
		{"unknown", "podman", settings{}, docker, `PGDBM_TEST_SERVER is "podman"; it can be dsn, local, docker, embedded`},
		{"not in this program", "docker", settings{}, nil,
			"PGDBM_TEST_SERVER is docker, which this program does not have"},
		{"only that one", "docker", *own(), docker, `pgserver: no server for the tests (PostgreSQL), and ` +
			"PGDBM_TEST_SERVER=docker allows no other source:\n\tdocker: no engine"},
		{"dsn", "dsn", *own(), docker, "allows no other source:\n\tdsn: neither PGDBM_TEST_DSN"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.with.forced = test.force
			s := Server{Shared: true, settings: &test.with, Sources: test.extra}
			if _, err := s.DSN(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
		})
	}
}

// TestForceLocal has a DSN too, which it does not use.
func TestForceLocal(t *testing.T) {
	t.Parallel()
	with := own()
	with.forced = sourceLocal
	with.given = given{"postgres://nobody@127.0.0.1:1/test", dsnVariable}
	s := Server{settings: with}
	defer s.Stop()
	checkDatabase(t, &s)
	if !s.Own(t.Context()) {
		t.Error("it is not our own")
	}
}

func TestSourceNeedsShared(t *testing.T) {
	t.Parallel()
	s := Server{settings: &settings{forced: sourceDocker}, Sources: []Source{refusing("docker", "no engine")}}
	if _, err := s.DSN(t.Context()); err == nil || !strings.Contains(err.Error(), "can only be shared") {
		t.Errorf("error = %v", err)
	}
}

// TestGivenServer looks for what is done with a server that the user has named.
func TestGivenServer(t *testing.T) {
	t.Parallel()
	dsn, version := runningServer(t)
	for _, test := range []struct {
		name string
		dsn  string
		ask  Request
		want string // "" if it is used
		next bool   // the next source is tried
	}{
		{"right", dsn, Request{Version: version}, "", false},
		{"wrong version", dsn, Request{Version: "12"}, "the server of PGDBM_TEST_DSN is PostgreSQL " + version + ", not 12", true},
		{"no TLS", dsn, Request{TLS: true}, "the connection string of PGDBM_TEST_DSN does not ask for TLS", true},
		{"no such server", strings.Replace(dsn, "pgdbm-", "nothing-", 1), Request{}, "failed to connect", false},
		{"no such database", strings.Replace(dsn, "/postgres?", "/no_test?", 1), Request{}, `"no_test" does not exist`, false},
		{"a name that matters", strings.Replace(dsn, "/postgres?", "/shop?", 1), Request{Version: "12"},
			"its database \"shop\" may be one that matters", false},
		{"not valid", "postgres://%zz", Request{}, "not a valid connection string", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := Server{Shared: true, Version: test.ask.Version, TLS: test.ask.TLS,
				settings: &settings{given: given{test.dsn, dsnVariable}, path: "/none"}}
			_, err := s.DSN(t.Context())
			switch {
			case (err == nil) != (test.want == ""), err != nil && !strings.Contains(err.Error(), test.want):
				t.Errorf("got %v\nwant %s", err, test.want)
			case err == nil:
				if s.Own(t.Context()) {
					t.Error("it is called our own")
				}
			default:
				if next := strings.Contains(err.Error(), "\n\tlocal: "); next != test.next {
					t.Errorf("the next source was tried: %v", next)
				}
				if !test.next && (!strings.Contains(err.Error(), "unset PGDBM_TEST_DSN") || strings.Count(err.Error(), "\n") != 1) {
					t.Errorf("the error does not say what to do: %v", err)
				}
			}
		})
	}
}

// TestGivenServerError finds the server's own error below.
func TestGivenServerError(t *testing.T) {
	t.Parallel()
	dsn, _ := runningServer(t)
	s := Server{settings: &settings{given: given{strings.Replace(dsn, "/postgres?", "/no_test?", 1), dsnVariable}}}
	_, err := s.DSN(t.Context())
	if pgErr := (*pgconn.PgError)(nil); !errors.As(err, &pgErr) || pgErr.Code != "3D000" {
		t.Errorf("error = %v", err)
	}
}

func TestDatabaseName(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"postgres": true, "template1": true, "test": true, "myTESTs": true, "app_test": true,
		"app": false, "postgres2": false, "template0": false, "Postgres": false, "tes": false, "prod%20db": false,
	} {
		for _, dsn := range []string{"postgres://u@h/" + name, "postgres://u@h?dbname=" + name} {
			if err := checkDatabaseName(dsn, false); (err == nil) != ok {
				t.Errorf("%s: %v", dsn, err)
			} else if err != nil && !strings.Contains(err.Error(), "PGDBM_TEST_ANY_DATABASE=1") {
				t.Errorf("the error does not say what to do: %v", err)
			}
			if err := checkDatabaseName(dsn, true); err != nil {
				t.Errorf("%s: %v", dsn, err)
			}
		}
	}
}

// TestAnyDatabase uses a database with a name like production's, because that is allowed.
func TestAnyDatabase(t *testing.T) {
	t.Parallel()
	dsn, _ := runningServer(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE shop"); err != nil {
		t.Fatal(err)
	}
	s := Server{settings: &settings{given: given{strings.Replace(dsn, "/postgres?", "/shop?", 1), dsnVariable}, anyDatabase: true}}
	checkDatabase(t, &s)
}

func TestParts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ host, port, user, password, wantHost, wantUser string }{
		{"", "", "", "", "localhost", "postgres"},
		{"db", "6000", "me", `p@s:s/w?o#r%d &+=';"é`, "db", "me"},
		{"::1", "", "a b", "%41", "::1", "a b"},
		{"/var/run/a b+c", "5433", "u@h", "x", "/var/run/a b+c", "u@h"},
	} {
		dsn, err := DatabaseDSN(partsDSN(test.host, test.port, test.user, test.password), "app_test")
		if err != nil {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		config, err := pgx.ParseConfig(dsn + "&search_path=x")
		if err != nil {
			t.Errorf("%s: %v", dsn, err)
			continue
		}
		if config.Host != test.wantHost || config.User != test.wantUser || test.password != config.Password ||
			test.port != "" && test.port[:3] != "543" && config.Port != 6000 || config.Database != "app_test" {
			t.Errorf("%s: %+v", dsn, config)
		}
	}
}

// TestGivenByEnvironment is not parallel, for Setenv.
func TestGivenByEnvironment(t *testing.T) {
	for _, name := range []string{dsnVariable, hostVariable, portVariable, userVariable, passwordVariable} {
		t.Setenv(name, "")
	}
	if got := givenServer(); got.dsn != "" {
		t.Errorf("got %+v of nothing", got)
	}
	for name, want := range map[string]string{
		hostVariable:     "postgres://postgres@secret:5432/postgres?",
		portVariable:     "postgres://postgres@localhost:secret/postgres?",
		userVariable:     "postgres://secret@localhost:5432/postgres?",
		passwordVariable: "postgres://postgres:secret@localhost:5432/postgres?",
	} {
		t.Setenv(name, "secret")
		if got := givenServer(); !strings.HasPrefix(got.dsn, want) || got.from != "TEST_DB_*" {
			t.Errorf("%s: got %+v", name, got)
		}
		t.Setenv(name, "")
	}
	t.Setenv(hostVariable, "h")
	t.Setenv(dsnVariable, "postgres://x")
	if got := givenServer(); got.dsn != "postgres://x" || got.from != dsnVariable {
		t.Errorf("got %+v", got)
	}
}

// TestPartsWithPassword connects with a password that needs escaping, over TCP.
func TestPartsWithPassword(t *testing.T) {
	t.Parallel()
	const password = `p@s:s/w?o#r%d &+=\;"é`
	dsn, _ := runningServer(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var hba string
	if err := conn.QueryRow(t.Context(), "SHOW hba_file").Scan(&hba); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"CREATE ROLE guest SUPERUSER LOGIN PASSWORD '" + password + "'",
		"COPY (VALUES ('local all guest scram-sha-256'), ('local all all trust')) TO '" + hba + "'",
		"SELECT pg_reload_conf()",
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	host := conn.Config().Host
	wrong := partsDSN(host, "", "guest", password+"x")
	supervisetest.Eventually(t, "passwords are checked", func() bool {
		_, err := serverVersion(t.Context(), wrong)
		return err != nil
	})
	s := Server{settings: &settings{given: given{partsDSN(host, "", "guest", password), "TEST_DB_*"}}}
	checkDatabase(t, &s)
	refused := Server{settings: &settings{given: given{wrong, "TEST_DB_*"}}}
	_, err = refused.DSN(t.Context())
	if err == nil || strings.Contains(err.Error(), password) || !strings.Contains(err.Error(), "unset TEST_DB_*") {
		t.Errorf("error = %v", err)
	}
}

func TestChecksCertificate(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]bool{
		"postgres://u@h/db?sslmode=disable":                      false,
		"postgres://u@h/db?sslmode=prefer":                       false,
		"postgres://u@h/db?sslmode=require":                      false,
		"postgres://u@h/db?sslmode=verify-ca":                    true,
		"postgres://u@h/db?sslmode=verify-full":                  true,
		"postgres://u@h1,h2/db?sslmode=verify-full":              true,
		"postgres://u@/db?host=/var/run/x&sslmode=verify-full":   false,
		"postgres://u@h,/db?host=h,/var/run&sslmode=verify-full": false,
	} {
		if got := checksCertificate(dsn); got != want {
			t.Errorf("%s: %v", dsn, got)
		}
	}
}
