package ent

import (
	"context"
	"database/sql"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"github.com/pgdbm/pgdbm/examples/orms/ent/ent"
	"github.com/pgdbm/pgdbm/schemadb"
)

// OpenFacade returns a client that stays in the schema of a facade, whatever the context says.
// Outside of a transaction entsql.WithVar does not work with it, because ent knows only a *sql.DB there.
func OpenFacade(db *schemadb.DB) *ent.Client {
	tables := ent.SchemaConfig{User: "{{schema}}", Post: "{{schema}}"}
	return ent.NewClient(ent.Driver(facade{Driver: entsql.NewDriver(dialect.Postgres, entsql.Conn{ExecQuerier: db}), db: db}),
		ent.AlternateSchema(tables))
}

// facade is ent's own driver but for what that has only for a *sql.DB: to begin a transaction, which ent does for many changes,
// and to close.
type facade struct {
	*entsql.Driver
	db *schemadb.DB
}

// Tx begins a transaction in the facade's schema.
func (f facade) Tx(ctx context.Context) (dialect.Tx, error) { return f.BeginTx(ctx, nil) }

// BeginTx begins a transaction in the facade's schema.
func (f facade) BeginTx(ctx context.Context, opts *sql.TxOptions) (dialect.Tx, error) {
	tx, err := f.db.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &entsql.Tx{Conn: entsql.Conn{ExecQuerier: tx}, Tx: tx}, nil
}

// Close closes the facade, which leaves a pool that it has borrowed open.
func (f facade) Close() error { return f.db.Close() }
