package bun_test

import (
	"context"
	"testing"

	"github.com/uptrace/bun"

	example "github.com/pgdbm/pgdbm/examples/orms/bun"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
)

func TestMigrate(t *testing.T) {
	t.Parallel()
	for _, way := range []struct{ folder, mode string }{
		{"template", "schema_mode=template"}, {"template", "schema_mode=search_path"}, {"bare", "schema_mode=search_path"},
	} {
		t.Run(way.folder+" "+way.mode, func(t *testing.T) {
			t.Parallel()
			database := tenants.Empty(t)
			database.Exec("CREATE TABLE notes (id int, text text, deleted_at timestamptz); INSERT INTO notes VALUES (1, 'public')")
			db := example.Open(database.Open(way.mode))
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				migrateTwice(t, ctx, db, way.folder)
				for _, table := range []string{"notes", "bun_migrations", "bun_migration_locks"} {
					query := "SELECT count(*) FROM pg_tables WHERE schemaname = $1 AND tablename = $2"
					if n := database.Int(query, tenant, table); n != 1 {
						t.Errorf("the tenant has no table %s", table)
					}
				}
				n, err := example.Rollback(ctx, db, way.folder)
				wantNil(t, err)
				if n != 2 {
					t.Errorf("took back %d migrations, want 2", n)
				}
				if n := database.Int("SELECT count(*) FROM pg_tables WHERE schemaname = $1 AND tablename = 'notes'", tenant); n != 0 {
					t.Error("the table notes is left")
				}
			})
			t.Cleanup(func() {
				if n := database.Int("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"); n != 1 {
					t.Errorf("public has %d tables, want the one that was there", n)
				}
			})
		})
	}
}

// migrateTwice applies the migrations, and nothing when it is called again.
func migrateTwice(t *testing.T, ctx context.Context, db *bun.DB, folder string) {
	t.Helper()
	for i, want := range []int{2, 0} {
		n, err := example.Migrate(ctx, db, folder)
		wantNil(t, err)
		if n != want {
			t.Errorf("call %d applied %d migrations, want %d", i, n, want)
		}
	}
	var texts []string
	wantNil(t, db.NewSelect().Model((*example.Note)(nil)).Column("text").Scan(ctx, &texts))
	if len(texts) != 1 || texts[0] != "the first" {
		t.Errorf("read the notes %q", texts)
	}
}
