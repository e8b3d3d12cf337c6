package pgserver

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestMaintenanceDSN(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"postgres://u:p@h/db?sslmode=disable":     "postgres://u:p@h/db?sslmode=disable",
		"postgres://u:p@h:1/db":                   "postgres://u:p@h:1/db?client_encoding=UTF8",
		"postgresql://h?":                         "postgresql://h/postgres?client_encoding=UTF8",
		"postgres://":                             "postgres:///postgres?client_encoding=UTF8",
		"postgres://u:p?w@h1:1,[::1]:2":           "postgres://u:p?w@h1:1,[::1]:2/postgres?client_encoding=UTF8",
		"postgres:///a?host=/x&dbname=b":          "postgres:///b?host=/x",
		" host=/tmp user=u password='a b' \n":     "dbname=postgres host=/tmp user=u password='a b'",
		"postgres://%2Fvar%2Frun/a%20b?sslmode=a": "", // sslmode is ignored with a socket
	} {
		if want == "" {
			want = dsn
		}
		got, err := maintenanceDSN(dsn)
		if err != nil {
			t.Errorf("%s: %v", dsn, err)
		} else if got != want {
			t.Errorf("%s: got %s, want %s", dsn, got, want)
		}
		if _, err := pgx.ParseConfig(got); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
}

func TestDatabaseDSN(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"postgres://u:p@h/db?sslmode=disable":              "postgres://u:p@h/new?sslmode=disable",
		"postgres://u:p@h?sslmode=disable&":                "postgres://u:p@h/new?sslmode=disable",
		"postgres://u:p?w@h1:1,h2:2/":                      "postgres://u:p?w@h1:1,h2:2/new?client_encoding=UTF8",
		"postgres:///a?database=b&host=/x&dbname=c&port=5": "postgres:///new?host=/x&port=5",
		"host=h password='a b'":                            "dbname=new host=h password='a b'",
		"host=h dbname=old user=u":                         "dbname=new host=h  user=u",
		"host=h password=":                                 "dbname=new host=h password=",
		`host=h password=a\`:                               `dbname=new host=h password=a\`,
	} {
		got, err := DatabaseDSN(dsn, "new")
		if err != nil {
			t.Errorf("%s: %v", dsn, err)
			continue
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", dsn, got, want)
		}
		checkSameServer(t, dsn, got)
	}
}

// checkSameServer checks that got differs from dsn in the database name only.
func checkSameServer(t *testing.T, dsn, got string) {
	t.Helper()
	before, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	after, err := pgx.ParseConfig(got)
	if err != nil {
		t.Fatal(err)
	}
	if after.Database != "new" {
		t.Errorf("%s: database = %q", got, after.Database)
	}
	if after.Host != before.Host || after.Port != before.Port || after.User != before.User ||
		after.Password != before.Password || len(after.Fallbacks) != len(before.Fallbacks) {
		t.Errorf("%s and %s are different servers or users", dsn, got)
	}
}

func TestUnusableDSNShowsNoPassword(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{
		"postgres://u:secret%zz@h/db",
		"postgres://u:secret@h:port/db",
		"host=h password='secret",
		"password = secret nonsense",
		"dbname=old password=secret\\",
		// Parses, but nobody listens there.
		"postgres://u:secret@/db?host=/nowhere",
		"host=/nowhere user=u password=secret",
	} {
		s := Server{settings: &settings{given: given{dsn, dsnVariable}}}
		_, _, err := s.CreateDatabase(t.Context())
		if err == nil {
			t.Errorf("%s: no error", dsn)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the password is in the error: %v", err)
		}
	}
}

func TestServerThatIsThereAlready(t *testing.T) {
	t.Parallel()
	url, _ := runningServer(t)
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	for _, dsn := range []string{
		url,
		"host='" + config.Host + "' port=5432 user=postgres dbname=postgres",
		"host='" + config.Host + "' port=5432 user=postgres dbname=template1 password=x",
		"postgres:///?user=postgres&host=" + config.Host,
	} {
		s := Server{settings: &settings{given: given{dsn, dsnVariable}}}
		checkDatabase(t, &s)
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		checkDatabase(t, &s) // Stop does not concern it
	}
}

// checkDatabase checks that a database can be created, used and dropped.
func checkDatabase(t *testing.T, s *Server) {
	t.Helper()
	dsn, drop, err := s.CreateDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var name string
	if err := conn.QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(name, "pgdbm_test_") {
		t.Errorf("%s is connected to %s", dsn, name)
	}
	if err := drop(t.Context()); err != nil {
		t.Error(err)
	}
	if again, err := pgx.Connect(t.Context(), dsn); err == nil {
		again.Close(t.Context())
		t.Errorf("%s is still there", name)
	}
}
