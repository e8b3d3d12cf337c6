package migrations_test

import (
	"bytes"
	"database/sql"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// ofComments has migrations and undos that are comments.
var ofComments = files{
	"001_c.up.sql":       "CREATE TABLE {{tables.c}} (id int);\n",
	"001_c.down.sql":     "DROP TABLE {{tables.c}};\n",
	"002_touch.up.sql":   "UPDATE {{tables.c}} SET id = id;\n",
	"002_touch.down.sql": "-- nothing to undo\n",
	"003_gone.up.sql":    "-- was a mistake",
	"003_gone.down.sql":  "/* */\n",
	"004_own.up.sql":     "-- pgdbm:no-transaction\n",
	"004_own.down.sql":   "-- pgdbm:no-transaction\n-- nothing\n",
	"005_long.up.sql":    strings.Repeat("-- a long story\n", 1<<17),
	"005_long.down.sql":  "BEGIN;\nCOMMIT;\n",
	"R__none.sql":        "-- none yet\n",
}

func TestFilesOfComments(t *testing.T) {
	t.Parallel()
	const all = "001_c.up.sql 002_touch.up.sql 003_gone.up.sql 004_own.up.sql 005_long.up.sql R__none.sql"
	onPools(t, func(t *testing.T, pool *sql.DB) {
		for schema, opts := range map[string][]migrations.Option{"own": nil, "shared": {migrations.SharedHistory("books")}} {
			db := schemadb.New(pool, schema)
			wantFiles(t, "Apply", apply(t, db, ofComments, opts...), all)
			wantFiles(t, "Apply again", apply(t, db, ofComments, opts...), "")
			m := migrator(t, db, ofComments, opts...)
			records, err := m.History(t.Context())
			if err != nil || len(records) != 6 {
				t.Errorf("History: %v, %v", records, err)
			}
			wantFiles(t, "Redo", ran(t)(m.Redo(t.Context())), "005_long.up.sql 005_long.up.sql R__none.sql")
			wantFiles(t, "Rollback", ran(t)(m.Rollback(t.Context(), 4)), "005_long.up.sql 004_own.up.sql 003_gone.up.sql 002_touch.up.sql")
			plan, err := m.Plan(t.Context())
			if err != nil || len(plan) != 5 || plan[1].SQL != "" {
				t.Errorf("Plan: %+v, %v", plan, err)
			}
			wantFiles(t, "MigrateTo", ran(t)(m.MigrateTo(t.Context(), 0)), "001_c.up.sql")
			changed := ofComments.with("R__none.sql", "-- still none\n")
			wantFiles(t, "Apply after the undos", apply(t, db, changed, opts...), all)
		}
	})
}

// TestFilesOfCommentsAreNoWarning wants no warning that a file does the same in each schema if it does nothing.
func TestFilesOfCommentsAreNoWarning(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	result, err := migrations.ApplyAll(t.Context(), open(t), ofComments.fs(), slices.Values([]string{"a", "b"}), migrations.Logger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil || len(result.Applied) != 2 || strings.Contains(log.String(), "no template") {
		t.Errorf("%+v, %v\n%s", result, err, &log)
	}
}
