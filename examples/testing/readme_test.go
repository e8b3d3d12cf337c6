package accounts

import (
	"testing"

	"github.com/pgdbm/pgdbm/fixtures"
)

func TestTransferOfTooMuch(t *testing.T) {
	t.Parallel()
	db := fixtures.Isolated(t, fixtures.Schema("bank"), fixtures.Migrations(files), fixtures.Seed("testdata/accounts.json"))
	before := fixtures.Snapshot(t, db, "accounts")
	if err := (Repo{db}).Transfer(t.Context(), 1, 2, 5000); err == nil {
		t.Error("no error")
	}
	before.RequireUnchanged(t)
}
