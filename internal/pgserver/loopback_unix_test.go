//go:build unix

package pgserver_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/pgserver"
)

func TestLoopback(t *testing.T) {
	t.Parallel()
	needOwnServer(t)
	s := &pgserver.Server{Loopback: true}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	dsn := s.Database(t)
	if address := queryRow[string](t, dsn, "SELECT host(inet_server_addr())"); address != "127.0.0.1" {
		t.Errorf("the connection goes to %s", address)
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.Password = "guessed"
	if conn, err := pgx.ConnectConfig(t.Context(), config); err == nil || !strings.Contains(err.Error(), "password authentication failed") {
		t.Errorf("with another password: %v, %v", conn, err)
	}
}
