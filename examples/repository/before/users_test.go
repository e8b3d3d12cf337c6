package users_test

import (
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"

	users "github.com/pgdbm/pgdbm/examples/repository/before"
	"github.com/pgdbm/pgdbm/examples/repository/internal/userstest"
	"github.com/pgdbm/pgdbm/internal/pgserver"
)

var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

func TestRepository(t *testing.T) {
	t.Parallel()
	db, err := sqlx.Open("pgx", server.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), users.Tables); err != nil {
		t.Fatal(err)
	}
	userstest.Check(t, users.New(db))
}
