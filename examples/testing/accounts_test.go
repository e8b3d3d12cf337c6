package accounts

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"

	"github.com/pgdbm/pgdbm/fixtures"
	"github.com/pgdbm/pgdbm/schemadb"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	db := fixtures.New(t, fixtures.Schema("bank"), fixtures.Migrations(files))
	accounts := Repo{db}
	id, err := accounts.Open(t.Context(), "ann", 500)
	if err != nil {
		t.Fatal(err)
	}
	if cents, err := accounts.Balance(t.Context(), id); err != nil || cents != 500 {
		t.Errorf("%d cents, %v", cents, err)
	}
}

// newDB is what most tests of a package begin with.
func newDB(t *testing.T) *schemadb.DB {
	t.Helper()
	return fixtures.Isolated(t, fixtures.Schema("bank"), fixtures.Migrations(files), fixtures.Seed("testdata/accounts.json"))
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	accounts := Repo{newDB(t)}
	if err := accounts.Transfer(t.Context(), 1, 2, 300); err != nil {
		t.Fatal(err)
	}
	if cents, err := accounts.Balance(t.Context(), 2); err != nil || cents != 300 {
		t.Errorf("%d cents, %v", cents, err)
	}
}

func TestTransferFromEmpty(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	before := fixtures.Snapshot(t, db, "accounts")
	if err := (Repo{db}).Transfer(t.Context(), 2, 1, 1); err == nil {
		t.Error("no error")
	}
	before.RequireUnchanged(t)
}

// TestReadme makes sure that the test in the README is one that runs.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, test, _ := strings.Cut(string(source), "\n)\n\n")
	if test == "" || !strings.Contains(string(readme), "```go\n"+test+"```\n") {
		t.Errorf("README.md does not have this test:\n%s", test)
	}
}

func TestManyAccounts(t *testing.T) {
	t.Parallel()
	db := fixtures.New(t, fixtures.Schema("bank"), fixtures.Migrations(files), fixtures.Seed("testdata"))
	if n := fixtures.Count(t, db, "accounts"); n != 52 {
		t.Errorf("%d accounts", n)
	}
	fixtures.Truncate(t, db, "accounts")
	if id, err := (Repo{db}).Open(t.Context(), "cid", 0); err != nil || id != 1 {
		t.Errorf("id %d, %v", id, err)
	}
}

func TestTwoTenants(t *testing.T) {
	t.Parallel()
	db := fixtures.New(t, fixtures.Schema("acme", "globex"), fixtures.Migrations(files))
	acme, globex := db, db.ForSchema("globex")
	if _, err := (Repo{acme}).Open(t.Context(), "ann", 1); err != nil {
		t.Fatal(err)
	}
	if n := fixtures.Count(t, globex, "accounts"); n != 0 {
		t.Errorf("globex sees %d accounts of acme", n)
	}
}

func TestTwoDatabases(t *testing.T) {
	t.Parallel()
	newDB := fixtures.NewFactory(t, fixtures.Schema("bank"), fixtures.Migrations(files))
	east, west := newDB(), newDB()
	if _, err := (Repo{east}).Open(t.Context(), "ann", 1); err != nil {
		t.Fatal(err)
	}
	if n := fixtures.Count(t, west, "accounts"); n != 0 {
		t.Errorf("west has %d accounts", n)
	}
}

func TestLostConnection(t *testing.T) {
	t.Parallel()
	db, mock := fixtures.Mock(t, "bank")
	lost := errors.New("connection reset by peer")
	mock.ExpectBegin()
	mock.ExpectExec("UPDATE {{tables.accounts}} SET cents = cents + $1 WHERE id = $2").WithArgs(300, 2).
		WillReturnResult(sqlmock.NewResult(0, 1))
	mock.ExpectExec("UPDATE {{tables.accounts}} SET cents = cents + $1 WHERE id = $2").WillReturnError(lost)
	mock.ExpectRollback()
	if err := (Repo{db}).Transfer(t.Context(), 1, 2, 300); !errors.Is(err, lost) {
		t.Errorf("got error %v", err)
	}
}

func TestWithReadyMadeTables(t *testing.T) {
	t.Parallel()
	db := fixtures.New(t, fixtures.WithData())
	if !fixtures.TableExists(t, db, "users") {
		t.Error("there is no table users")
	}
}

func TestWhatATransferChanges(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	before := fixtures.Snapshot(t, db, "accounts")
	if err := (Repo{db}).Transfer(t.Context(), 1, 2, 300); err != nil {
		t.Fatal(err)
	}
	if _, err := (Repo{db}).Open(t.Context(), "cid", 0); err != nil {
		t.Fatal(err)
	}
	const want = `
bank.accounts: 1 added, 0 removed, 2 changed
  ~ (id: 1) cents: 1000 -> 700
  ~ (id: 2) cents: 0 -> 300
  + (id: 3, owner: cid, cents: 0)
`
	if diff := before.Diff(t); strings.TrimSpace(diff) != strings.TrimSpace(want) {
		t.Errorf("got:\n%s", diff)
	}
}
