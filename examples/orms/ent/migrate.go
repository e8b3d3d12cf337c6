package ent

import (
	"context"

	"entgo.io/ent/dialect/sql/schema"

	"github.com/pgdbm/pgdbm/examples/orms/ent/ent"
	"github.com/pgdbm/pgdbm/examples/orms/ent/ent/migrate"
)

// Migrate makes what is missing of the tables, columns and indexes of the context's tenant. It needs schema_mode=search_path:
// ent asks what the current schema has, and creates tables by their bare names, also if the client has templates.
//
// It is client.Schema.Create on a copy of the tables. That method itself writes to variables of the generated package migrate,
// so two tenants must not be migrated with it at the same time.
func Migrate(ctx context.Context, client *ent.Client) error {
	tables, err := schema.CopyTables(migrate.Tables)
	if err != nil {
		return err
	}
	return migrate.Create(ctx, client.Schema, tables)
}
