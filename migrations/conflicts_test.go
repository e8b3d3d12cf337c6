package migrations_test

import (
	"errors"
	"testing"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// TestHistoryThatCannotBe has what looks as if another run were at work, and stays.
func TestHistoryThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ setup, code string }{
		"an index has the name of ours": {"CREATE TABLE app.t (x int); CREATE INDEX idx_schema_migrations_module ON app.t (x)", "42P07"},
		"a type has the table's name":   {"CREATE TYPE app.schema_migrations AS ENUM ('x')", "42710"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := open(t)
			execOn(t, pool, "CREATE SCHEMA app; "+c.setup)
			_, err := migrator(t, schemadb.New(pool, "app"), files{"1_a.sql": "SELECT 1"}).Apply(t.Context())
			var failed *migrations.HistoryError
			if !errors.As(err, &failed) {
				t.Errorf("error = %v", err)
			}
			wantTexts(t, err, c.code, "nobody else is at work")
		})
	}
}

// TestMigrationThatDropsTheHistory would otherwise begin anew for ever.
func TestMigrationThatDropsTheHistory(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{"schema": "DROP SCHEMA {{schema}} CASCADE", "history": "DROP TABLE {{tables.schema_migrations}}"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := open(t)
			execOn(t, pool, "CREATE TABLE public.log (what text)")
			f := files{"1_log.sql": "INSERT INTO public.log VALUES ('1')", "2_drop.sql": statement, "3_log.sql": "INSERT INTO public.log VALUES ('3')"}
			_, err := migrator(t, schemadb.New(pool, "app"), f).Apply(t.Context())
			var failed *migrations.HistoryError
			if !errors.As(err, &failed) {
				t.Errorf("error = %v", err)
			}
			want(t, "log", query(t, pool, "SELECT string_agg(what, ' ') FROM public.log"), "1")
		})
	}
}
