package users

import (
	"context"
	"iter"

	"github.com/pgdbm/pgdbm/schemadb"
)

// This file is what can be written now. Nothing has to be: the rest of the package is as it was for sqlx.

// Newest returns the last n users, the newest first.
func (r *Repository) Newest(ctx context.Context, n int) ([]User, error) {
	return schemadb.Collect[User](ctx, r.db, `SELECT * FROM {{tables.users}} ORDER BY id DESC LIMIT $1`, n)
}

// All returns all users, one by one as the server sends them, however many there are.
func (r *Repository) All(ctx context.Context) iter.Seq2[User, error] {
	return schemadb.Each[User](ctx, r.db, `SELECT * FROM {{tables.users}} ORDER BY id`)
}

// Load is Import with COPY: faster, and for any number of users, which need not be in memory.
func (r *Repository) Load(ctx context.Context, users iter.Seq2[User, error]) (int64, error) {
	return r.db.CopyFrom(ctx, "users", []string{"email", "name", "created"}, users)
}

// SwapNames gives each of two users the name of the other one. If another transaction is in the way, it tries again.
func (r *Repository) SwapNames(ctx context.Context, a, b int64) error {
	const read = `SELECT * FROM {{tables.users}} WHERE id = $1 FOR UPDATE`
	const write = `UPDATE {{tables.users}} SET name = :name WHERE id = :id`
	return r.db.InTx(ctx, func(tx *schemadb.Tx) error {
		first, err := schemadb.One[User](ctx, tx, read, a)
		if err != nil {
			return err
		}
		second, err := schemadb.One[User](ctx, tx, read, b)
		if err != nil {
			return err
		}
		first.Name, second.Name = second.Name, first.Name
		_, err = tx.ExecMany(ctx, write, []User{first, second})
		return err
	}, schemadb.WithRetry(3))
}
