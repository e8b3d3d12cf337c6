package schemadb_test

import (
	"database/sql"
	"testing"

	"github.com/pgdbm/pgdbm/driver"
)

// A facade's statements take other ways to the driver, where arguments that are templates are replaced too, if that is asked for.
func TestSchemaArgs(t *testing.T) {
	t.Parallel()
	connector, err := driver.NewConnector(server.Database(t), driver.WithSchemaArgs())
	if err != nil {
		t.Fatal(err)
	}
	pool := sql.OpenDB(connector)
	defer pool.Close()
	const (
		count = "SELECT count(*) FROM information_schema.tables WHERE table_schema = $1 AND table_name = $2"
		find  = "SELECT to_regclass($1)::oid = '{{tables.t}}'::regclass::oid"
	)
	for _, db := range tenants(t, pool, "a", odd) {
		for _, args := range [][]any{{"{{schema}}", "{{tables.t}}"}, {"{{tables", "t}}"}} {
			if n := value[int](t, db, count, args...); n != 1 {
				t.Errorf("%q: %d tables, want the one of %q", args, n, db.Schema())
			}
		}
		if !value[bool](t, db, find, "{{tables.t}}") {
			t.Errorf("in %q another table is found", db.Schema())
		}
		_, err := db.ExecMany(t.Context(), "INSERT INTO {{tables.t}} (owner) VALUES (:owner)", []map[string]any{{"owner": "{{schema}}"}})
		if err != nil {
			t.Fatal(err)
		}
		if n := value[int](t, db, "SELECT count(*) FROM {{tables.t}} WHERE owner = '{{schema}}'"); n != 1 {
			t.Error("ExecMany replaced what is data")
		}
	}
}
