// Package billing is a module: a library with tables of its own, which brings its migrations along. It runs alone, on a
// pool that it opens; or in another program, on that one's pool and in the schema that it is given; or for many tenants.
package billing

import (
	"context"
	"embed"
	"errors"
	"iter"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

//go:embed migrations
var files embed.FS

// Migrate brings the tables of this module up to date, in the schema of db, which its host has chosen.
func Migrate(ctx context.Context, db *schemadb.DB) error {
	m, err := migrations.New(db, files, migrations.Module("billing"))
	if err != nil {
		return err
	}
	_, err = m.Apply(ctx)
	return err
}

// MigrateAll does so for each tenant, in the schema of that name, eight at once.
func MigrateAll(ctx context.Context, db *schemadb.DB, tenants iter.Seq[string]) (*migrations.AllResult, error) {
	return migrations.ApplyAll(ctx, db, files, tenants, migrations.Module("billing"), migrations.Parallel(8))
}

// Billing is the module at work, in one schema.
type Billing struct{ db *schemadb.DB }

// Open is for a program that has nothing but this module: it opens a pool, which the caller closes with Close.
func Open(ctx context.Context, dsn string) (*Billing, error) {
	db, err := schemadb.Open(ctx, schemadb.Config{DSN: dsn, Schema: "billing"})
	if err != nil {
		return nil, err
	}
	b, err := New(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return b, nil
}

// New is for a host, which has a pool and knows in which schema of it the module shall live.
func New(ctx context.Context, db *schemadb.DB) (*Billing, error) {
	if err := Migrate(ctx, db); err != nil {
		return nil, err
	}
	return &Billing{db}, nil
}

// Close closes the pool that Open has opened.
func (b *Billing) Close() error { return b.db.Close() }

// Invoice adds an invoice for a customer, and the customer, if it is the first one.
func (b *Billing) Invoice(ctx context.Context, email string, cents int) error {
	_, err := b.db.ExecContext(ctx, `
		WITH customer AS (
			INSERT INTO {{tables.customers}} (email) VALUES ($1)
			ON CONFLICT (lower(email)) DO UPDATE SET email = excluded.email RETURNING id)
		INSERT INTO {{tables.invoices}} (customer_id, cents) SELECT id, $2 FROM customer`, email, cents)
	return err
}

// Owed returns what a customer has not paid yet.
func (b *Billing) Owed(ctx context.Context, email string) (cents int, err error) {
	return schemadb.Value[int](ctx, b.db,
		"SELECT coalesce(sum(cents), 0) FROM {{tables.open_invoices}} WHERE lower(email) = lower($1)", email)
}
