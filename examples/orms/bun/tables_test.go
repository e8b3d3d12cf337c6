package bun_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/uptrace/bun"

	example "github.com/pgdbm/pgdbm/examples/orms/bun"
	"github.com/pgdbm/pgdbm/examples/orms/internal/tenants"
)

// Tables that bun creates are the tenant's, also if another schema has one of that name.
func TestCreateTable(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			database := tenants.New(t)
			database.Exec("CREATE TABLE public.notes (id int, text text, deleted_at timestamptz)")
			database.Exec("INSERT INTO public.notes (text) VALUES ('public')")
			db := example.Open(database.Open(mode))
			tenants.Each(t, func(t *testing.T, ctx context.Context, tenant string) {
				wantNil(t, example.CreateNotes(ctx, db))
				wantNil(t, example.CreateNotes(ctx, db))
				keepNotes(t, ctx, db, tenant)
				changeNotes(t, ctx, db)
			})
		})
	}
}

// keepNotes deletes one of two notes, which bun then leaves out.
func keepNotes(t *testing.T, ctx context.Context, db *bun.DB, tenant string) {
	t.Helper()
	notes := []*example.Note{{Text: "kept by " + tenant}, {Text: "deleted by " + tenant}}
	_, err := db.NewInsert().Model(&notes).Exec(ctx)
	wantNil(t, err)
	_, err = db.NewDelete().Model(notes[1]).WherePK().Exec(ctx)
	wantNil(t, err)
	var kept, all []string
	wantNil(t, db.NewSelect().Model((*example.Note)(nil)).Column("text").Scan(ctx, &kept))
	wantNil(t, db.NewSelect().Model((*example.Note)(nil)).Column("text").WhereAllWithDeleted().Order("id").Scan(ctx, &all))
	if len(kept) != 1 || kept[0] != notes[0].Text || len(all) != 2 || all[1] != notes[1].Text {
		t.Errorf("read %q, with the deleted %q", kept, all)
	}
}

// changeNotes has what else bun can do to a table.
func changeNotes(t *testing.T, ctx context.Context, db *bun.DB) {
	t.Helper()
	model := (*example.Note)(nil)
	for _, query := range []interface {
		Exec(ctx context.Context, dest ...any) (sql.Result, error)
	}{
		db.NewAddColumn().Model(model).ColumnExpr("author bigint REFERENCES {{tables.users}}"),
		db.NewCreateIndex().Model(model).Index("notes_author").Column("author").IfNotExists(),
		db.NewDropColumn().Model(model).Column("author"),
		db.NewTruncateTable().Model(model),
		db.NewDropTable().Model(model),
	} {
		_, err := query.Exec(ctx)
		wantNil(t, err)
	}
}
