package gorm_test

import (
	"context"
	"database/sql"
	"testing"

	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/pgdbm/pgdbm/driver"
	orm "github.com/pgdbm/pgdbm/examples/orms/gorm"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
)

// Person has what the models below have in common, which differ in the form of their table's name.
type Person struct {
	ID     int64
	Email  string `gorm:"uniqueIndex"`
	Tenant string `gorm:"default:(-);-:migration"`
}

type (
	schemaBraces struct{ Person }
	schemaAngles struct{ Person }
	tablesBraces struct{ Person }
	tablesAngles struct{ Person }
)

func (schemaBraces) TableName() string { return "{{schema}}.people" }
func (schemaAngles) TableName() string { return "<<schema>>.people" }
func (tablesBraces) TableName() string { return "{{tables.people}}" }
func (tablesAngles) TableName() string { return "<<tables.people>>" }

// A model can say itself that its table is a template. The names of indexes then have the template in them, as it is written.
func TestTableName(t *testing.T) {
	t.Parallel()
	for name, model := range map[string]any{
		"schema in braces": &schemaBraces{}, "schema in angles": &schemaAngles{},
		"tables in braces": &tablesBraces{}, "tables in angles": &tablesAngles{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := withSchemaArgs(t, tenants.Empty(t), "schema_mode=template")
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				db := open(t, pool, nil, false)
				wantNil(t, db.WithContext(ctx).AutoMigrate(model))
				wantNil(t, db.WithContext(ctx).Exec("ALTER TABLE {{schema}}.people ADD tenant text DEFAULT '"+tenant+"'").Error)
				wantNil(t, db.WithContext(ctx).AutoMigrate(model))
				created := db.WithContext(ctx).Model(model).Clauses(clause.Returning{}).Create(map[string]any{"email": tenant})
				wantNil(t, created.Error)
				var got string
				wantNil(t, db.WithContext(ctx).Model(model).Where("email = ?", tenant).Pluck("tenant", &got).Error)
				if got != tenant {
					t.Errorf("read a row of %q", got)
				}
			})
		})
	}
}

// GORM's own naming strategy with a prefix is enough for queries and for most migrations. But GORM then makes a unique constraint
// with one name, uni_{{schema}}_tags_name, and drops it by another.
func TestTablePrefix(t *testing.T) {
	t.Parallel()
	naming := schema.NamingStrategy{TablePrefix: "{{schema}}."}
	pool := withSchemaArgs(t, tenants.New(t), "schema_mode=template")
	tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
		db := open(t, pool, naming, true)
		one := test{T: t, way: way{naming: naming}, db: db.WithContext(ctx), tenant: tenant}
		one.readsItsOwn(one.db)
		one.workWith(ctx, db)
		one.changes(&orm.Tag{})
		one.want("changes the second time", one.changes(&orm.Tag{}), "[]")
	})
}

// Without the option, the migrator does not find the table that it has made.
func TestAutoMigrateWithoutOption(t *testing.T) {
	t.Parallel()
	database := tenants.Empty(t)
	poolWith, poolWithout := withSchemaArgs(t, database, "schema_mode=template"), database.Open("schema_mode=template")
	tenants.Each(t, func(t *testing.T, ctx context.Context, _ string) {
		with, without := open(t, poolWith, orm.NewTemplates(), false), open(t, poolWithout, orm.NewTemplates(), false)
		wantNil(t, without.WithContext(ctx).AutoMigrate(&orm.User{}))
		if without.WithContext(ctx).Migrator().HasTable(&orm.User{}) {
			t.Error("a table is found")
		}
		if !with.WithContext(ctx).Migrator().HasTable(&orm.User{}) {
			t.Error("a table is not found")
		}
		if err := without.WithContext(ctx).AutoMigrate(&orm.User{}); err == nil {
			t.Error("it is migrated twice")
		}
	})
}

// withSchemaArgs opens a database such that arguments can be templates too.
func withSchemaArgs(t *testing.T, database *tenants.Database, mode string) *sql.DB {
	t.Helper()
	connector, err := driver.NewConnector(database.DSN(mode), driver.WithSchemaArgs())
	wantNil(t, err)
	return database.Closing(sql.OpenDB(connector))
}
