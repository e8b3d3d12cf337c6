// Package accounts is a small repository, whose tests show what package fixtures has. The guide is docs/testing.md.
package accounts

import (
	"context"
	"embed"
	"fmt"

	"github.com/pgdbm/pgdbm/schemadb"
)

//go:embed migrations
var files embed.FS

// Repo has the accounts of a schema.
type Repo struct {
	db *schemadb.DB
}

// Open makes an account, and returns its id.
func (r Repo) Open(ctx context.Context, owner string, cents int64) (int64, error) {
	return r.db.InsertID(ctx, "INSERT INTO {{tables.accounts}} (owner, cents) VALUES ($1, $2)", owner, cents)
}

// Balance returns what is on an account, in cents.
func (r Repo) Balance(ctx context.Context, id int64) (int64, error) {
	return schemadb.Value[int64](ctx, r.db, "SELECT cents FROM {{tables.accounts}} WHERE id = $1", id)
}

// Transfer moves money, or nothing: no account goes below zero.
func (r Repo) Transfer(ctx context.Context, from, to, cents int64) error {
	return r.db.InTx(ctx, func(tx *schemadb.Tx) error {
		const add = "UPDATE {{tables.accounts}} SET cents = cents + $1 WHERE id = $2"
		if _, err := tx.ExecContext(ctx, add, cents, to); err != nil {
			return fmt.Errorf("to account %d: %w", to, err)
		}
		if _, err := tx.ExecContext(ctx, add, -cents, from); err != nil {
			return fmt.Errorf("from account %d: %w", from, err)
		}
		return nil
	})
}
