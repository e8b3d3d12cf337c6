package pgbouncer_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/pgbouncer"
)

func TestServerInConfigFile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ dsn, want string }{
		{"postgres://u:p@h:1/d?sslmode=disable", "* = host='h' port=1 user='u' password='p'\n"},
		{"user=u password='it\\'s' host=/a/b port=2", "* = host='/a/b' port=2 user='u' password='it''s'\n"},
		{"postgres://u:p@h,i/d?sslmode=require", "* = host='h' port=5432 user='u' password='p'\n"},
		{"postgres://u:p@h/d?sslmode=disable", "\nserver_tls_sslmode=prefer\n"},
		{"postgres://u:p@h/d?sslmode=allow", "\nserver_tls_sslmode=prefer\n"},
		{"postgres://u:p@h/d?sslmode=prefer", "\nserver_tls_sslmode=prefer\n"},
		{"postgres://u:p@h/d?sslmode=require", "\nserver_tls_sslmode=require\n"},
		{"postgres://u:p@h,i/d?sslmode=verify-full", "\nserver_tls_sslmode=require\n"},
	} {
		server, err := pgx.ParseConfig(test.dsn)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgbouncer.ConfigFile(server, "/dir", nil)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: %q is not in\n%s", test.dsn, test.want, got)
		}
	}
}
