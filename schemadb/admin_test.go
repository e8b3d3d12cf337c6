package schemadb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

// withKeys returns dsn with the key schema, and others.
func withKeys(t testing.TB, dsn, schema string, keys ...string) string {
	t.Helper()
	dsn, err := driver.AddSchema(dsn, schema)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		dsn = addKey(dsn, key)
	}
	return dsn
}

func TestTableExists(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		a := tenants(t, pool, "a", "b", odd)[0]
		for _, query := range []string{
			"CREATE TABLE {{tables.only_a}} (i int)", `CREATE TABLE {{schema}}."Users" (i int)`, `CREATE TABLE {{schema}}."x.y" (i int)`,
			"CREATE VIEW {{tables.v}} AS SELECT 1", "CREATE MATERIALIZED VIEW {{tables.m}} AS SELECT 1",
			"CREATE TABLE {{tables.p}} (i int) PARTITION BY LIST (i)", "CREATE INDEX only_a_i ON {{tables.only_a}} (i)",
			"CREATE SEQUENCE {{tables.s}}", "CREATE TYPE {{schema}}.c AS (i int)", "CREATE TABLE public.only_public (i int)",
			"CREATE TABLE public.größe (i int)",
		} {
			exec(t, a, query)
		}
		for _, test := range []struct {
			schema, table string
			want          bool
		}{
			{"a", "t", true},
			{"a", "T", true},
			{"a", `"t"`, true},
			{"a", `"T"`, false},
			{"a", "only_a", true},
			{"b", "only_a", false},
			{odd, "t", true},
			{odd, "only_a", false},
			{"b", "a.only_a", true},
			{"b", "a.ONLY_A", true},
			{"b", `"a"."only_a"`, true},
			{"b", `a."Only_A"`, false},
			{"a", `"Größe-""7"""."t"`, true},
			{"a", "b.only_a", false},
			{"a", "A.only_a", false}, // as in a template, a schema is taken as it is written
			{"a", "Users", false},
			{"a", `"Users"`, true},
			{"a", `"x.y"`, true},
			{"a", `a."x.y"`, true},
			{"a", "v", true},
			{"a", "m", true},
			{"a", "p", true},
			{"a", "only_a_i", false},
			{"a", "s", false},
			{"a", "c", false},
			{"a", "only_public", false},
			{"a", "public.only_public", true},
			{"a", "public.größe", true},
			{"a", "missing", false},
			{"a", "missing.t", false},
			{"missing", "t", false},
			{"missing", "a.t", true},
			{"a", "pg_catalog.pg_class", true},
			{"", "only_public", true},
			{"", "only_a", false},
			{"", "a.only_a", true},
			{"", "pg_class", true}, // it is in the search_path
			{"", "missing", false},
		} {
			view := a.ForSchema(test.schema)
			tx := begin(t.Context(), t, view)
			for _, q := range []usable{view, tx} {
				if got, err := q.TableExists(t.Context(), test.table); got != test.want || err != nil {
					t.Errorf("%s in %q: %t, %v", test.table, test.schema, got, err)
				}
			}
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
		}
		for _, bad := range []string{"", ".", "a.", ".t", "a.b.t", `"t`, `""`, `"a"b`, `t"`, "{{tables.t}}", "a.{{tables.t}}", "t\x00"} {
			if _, err := a.TableExists(t.Context(), bad); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", bad)) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		unbound := a.ForSchema("")
		for ctx, want := range map[context.Context]bool{
			driver.WithSchema(t.Context(), "a"): true, driver.WithSchema(t.Context(), "b"): false, driver.WithoutSchema(t.Context()): false,
		} {
			if got, err := unbound.TableExists(ctx, "only_a"); got != want || err != nil {
				t.Errorf("by the context: %t, %v", got, err)
			}
			if got, err := a.TableExists(ctx, "only_a"); !got || err != nil {
				t.Errorf("bound, whatever the context says: %t, %v", got, err)
			}
		}
		tx := begin(driver.WithSchema(t.Context(), "a"), t, unbound)
		if got, err := tx.TableExists(t.Context(), "only_a"); !got || err != nil {
			t.Errorf("by the context of BeginTxx: %t, %v", got, err)
		}
		exec(t, tx, "CREATE TABLE {{tables.new}} (i int)")
		if got, err := tx.TableExists(t.Context(), "new"); !got || err != nil {
			t.Errorf("in its transaction: %t, %v", got, err)
		}
		if got, err := a.TableExists(t.Context(), "new"); got || err != nil {
			t.Errorf("in another one: %t, %v", got, err)
		}
		if _, err := unbound.TableExists(driver.WithSchema(t.Context(), ""), "t"); err == nil {
			t.Error("a poisoned context")
		}
	})
}

// TestSchemaOfDSN is for unbound facades, which follow the DSN. Only package driver has one.
func TestSchemaOfDSN(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"template", "search_path"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t)
			tenants(t, openAs(t, driver.Name, dsn), "a", odd)
			db := schemadb.New(openAs(t, driver.Name, withKeys(t, dsn, odd, "schema_mode="+mode)), "")
			if got, err := db.TableExists(t.Context(), "t"); !got || err != nil {
				t.Errorf("TableExists: %t, %v", got, err)
			}
			if got, err := db.Expand("SELECT * FROM {{tables.t}}"); got != `SELECT * FROM "Größe-""7""".t` || err != nil {
				t.Errorf("Expand: %s, %v", got, err)
			}
			if n, err := db.CopyFrom(t.Context(), "t", []string{"owner"}, [][]any{{"x"}}); n != 1 || err != nil {
				t.Errorf("CopyFrom: %d, %v", n, err)
			}
			wantCount(t, "CopyFrom", db, 2)
			if mode == "template" {
				got, err := db.ExpandContext(driver.WithSchema(t.Context(), "a"), "SELECT * FROM {{tables.t}}")
				if got != `SELECT * FROM "a".t` || err != nil {
					t.Errorf("ExpandContext: %s, %v", got, err)
				}
			}
			wantError(t, "DropSchema of the DSN's schema", db.DropSchema(t.Context()), "ForSchema")
			missing := schemadb.New(openAs(t, driver.Name, withKeys(t, dsn, "missing", "schema_mode="+mode)), "")
			if got, err := missing.TableExists(t.Context(), "t"); got || err != nil && mode == "template" {
				t.Errorf("TableExists in a missing schema: %t, %v", got, err)
			}
			if err := missing.EnsureSchema(t.Context()); err != nil {
				t.Error(err)
			}
			if all, err := missing.Schemas(t.Context()); !slices.Contains(all, "missing") || err != nil {
				t.Error(all, err)
			}
		})
	}
}

func TestEnsureSchemaAtOnce(t *testing.T) {
	t.Parallel()
	for _, name := range drivers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := server.Database(t)
			var pools []*sql.DB
			for range 4 {
				pools = append(pools, openAs(t, name, dsn))
			}
			for round := range 5 {
				var group sync.WaitGroup
				start := make(chan struct{})
				for i := range 20 {
					db := schemadb.New(pools[i%4], fmt.Sprintf(`Größe "%d"`, round))
					group.Go(func() {
						<-start
						var err error
						if i%2 == 0 {
							err = db.EnsureSchema(t.Context())
						} else {
							err = db.InTx(t.Context(), func(tx *schemadb.Tx) error {
								if err := tx.EnsureSchema(t.Context()); err != nil {
									return err
								}
								if i%3 == 0 {
									return errBoom // another one has to create it then
								}
								_, err := tx.Exec("SELECT 1") // the transaction goes on
								return err
							})
						}
						if err != nil && err != errBoom {
							t.Error(err)
						}
						if i%2 == 0 { // it is there for whoever has asked for it
							if _, err := db.Exec(fmt.Sprintf("CREATE TABLE {{tables.t%d}} (i int)", i)); err != nil {
								t.Error(err)
							}
						}
					})
				}
				close(start)
				group.Wait()
			}
			all, err := schemadb.New(pools[0], "").Schemas(t.Context())
			if want := `[Größe "0" Größe "1" Größe "2" Größe "3" Größe "4" public]`; fmt.Sprint(all) != want || err != nil {
				t.Errorf("%s, %v", all, err)
			}
		})
	}
}

func TestEnsureSchema(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, odd)
		schemas := func() string {
			t.Helper()
			all, err := db.Schemas(t.Context())
			if err != nil {
				t.Error(err)
			}
			return strings.Join(all, " ")
		}
		for range 2 {
			if err := db.EnsureSchema(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if got := schemas(); got != odd+" public" {
			t.Error(got)
		}
		if err := db.ForSchema("").EnsureSchema(driver.WithSchema(t.Context(), "b")); err != nil {
			t.Error(err)
		}
		err := db.InTx(t.Context(), func(tx *schemadb.Tx) error {
			return errors.Join(tx.ForSchema("c").EnsureSchema(t.Context()), errBoom)
		})
		if got := schemas(); got != odd+" b public" || !errors.Is(err, errBoom) {
			t.Error(got, err)
		}
		wantError(t, "no schema", db.ForSchema("").EnsureSchema(t.Context()), "ForSchema", "WithSchema")
		wantError(t, "without schema", db.ForSchema("").EnsureSchema(driver.WithoutSchema(t.Context())), "ForSchema", "WithSchema")
		for _, bad := range []string{"pg_x", "information_schema", "$user", strings.Repeat("ö", 32), "a}}"} {
			var schemaErr *driver.SchemaError
			if err := db.ForSchema(bad).EnsureSchema(t.Context()); !errors.As(err, &schemaErr) {
				t.Errorf("%q: %v", bad, err)
			}
			if err := db.ForSchema(bad).DropSchema(t.Context()); !errors.As(err, &schemaErr) {
				t.Errorf("%q: %v", bad, err)
			}
		}

		exec(t, db, "CREATE TABLE {{tables.x}} (i int)")
		wantError(t, "unbound", db.ForSchema("").DropSchema(driver.WithSchema(t.Context(), odd)), "ForSchema")
		if got := schemas(); got != odd+" b public" {
			t.Error(got)
		}
		for range 2 {
			if err := db.DropSchema(driver.WithSchema(t.Context(), "b")); err != nil {
				t.Error(err)
			}
		}
		if got := schemas(); got != "b public" {
			t.Error(got)
		}
		tx := begin(t.Context(), t, db.ForSchema("b"))
		if err := tx.DropSchema(t.Context()); err != nil {
			t.Error(err)
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		if got := schemas(); got != "b public" {
			t.Error(got)
		}
	})
}

// TestEnsureSchemaWithoutPrivilege needs none if the schema exists.
func TestEnsureSchemaWithoutPrivilege(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "a")
		conn := connx(t, db)
		if err := conn.EnsureSchema(t.Context()); err != nil {
			t.Fatal(err)
		}
		exec(t, conn, "SET ROLE pg_monitor")
		if err := conn.EnsureSchema(t.Context()); err != nil {
			t.Error(err)
		}
		exec(t, conn, "RESET ROLE")
	})
}

func TestStatsAndPing(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		pool.SetMaxOpenConns(7)
		db := schemadb.New(pool, "a")
		for _, view := range []*schemadb.DB{db, db.ForSchema("b"), db.Unsafe(), schemadb.New(pool, "")} {
			if err := errors.Join(view.Ping(), view.PingContext(t.Context())); err != nil {
				t.Error(err)
			}
			conn := connx(t, view)
			if err := conn.PingContext(t.Context()); err != nil {
				t.Error(err)
			}
			if stats := view.Stats(); stats.InUse != 1 || stats.MaxOpenConnections != 7 {
				t.Errorf("%+v", stats)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			if err := conn.PingContext(t.Context()); err != sql.ErrConnDone {
				t.Error(err)
			}
			if stats := view.Stats(); stats.InUse != 0 {
				t.Errorf("%+v", stats)
			}
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := db.PingContext(cancelled); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestExpand(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, odd)
		const query = "SELECT '{{tables.a}}', x FROM {{tables.a}}, <<tables.b.c>>"
		expanded := func(schema string) string { return "SELECT '{{tables.a}}', x FROM " + schema + `a, "b".c` }
		in := func(schema string) context.Context { return driver.WithSchema(t.Context(), schema) }
		tx := begin(in("c"), t, db.ForSchema(""))
		for _, test := range []struct {
			name string
			q    interface {
				ExpandContext(context.Context, string) (string, error)
			}
			ctx  context.Context
			want string
		}{
			{"bound", db, t.Context(), `"Größe-""7""".`},
			{"bound, whatever the context says", db, in("a"), `"Größe-""7""".`},
			{"bound, poisoned context", db, in("pg_x"), `"Größe-""7""".`},
			{"unbound", db.ForSchema(""), t.Context(), ""},
			{"unbound, by the context", db.ForSchema(""), in("a"), `"a".`},
			{"unbound, by none", db.ForSchema(""), driver.WithoutSchema(t.Context()), ""},
			{"transaction", tx, t.Context(), `"c".`},
			{"transaction, by the context", tx, in("a"), `"a".`},
			{"view of a transaction", tx.ForSchema("d"), in("a"), `"d".`},
		} {
			if got, err := test.q.ExpandContext(test.ctx, query); got != expanded(test.want) || err != nil {
				t.Errorf("%s: %s, %v", test.name, got, err)
			}
		}
		if got, err := db.Expand(query); got != expanded(`"Größe-""7""".`) || err != nil {
			t.Errorf("Expand: %s, %v", got, err)
		}
		var schemaErr *driver.SchemaError
		for name, poisoned := range map[string]func() (string, error){
			"context":        func() (string, error) { return db.ForSchema("").ExpandContext(in("pg_x"), query) },
			"empty":          func() (string, error) { return db.ForSchema("").ExpandContext(in(""), query) },
			"facade":         func() (string, error) { return db.ForSchema("pg_x").Expand(query) },
			"of transaction": func() (string, error) { return tx.ForSchema("pg_x").Expand(query) },
		} {
			if got, err := poisoned(); got != "" || !errors.As(err, &schemaErr) {
				t.Errorf("poisoned %s: %s, %v", name, got, err)
			}
		}
		var templateErr *driver.TemplateError
		if got, err := db.Expand("SELECT * FROM {{table.a}}"); got != "" || !errors.As(err, &templateErr) {
			t.Errorf("%s, %v", got, err)
		}
		if n := pool.Stats().InUse; n != 1 {
			t.Errorf("%d connections in use", n-1)
		}
	})
}

// With schema_mode=search_path every other statement in a schema that does not exist is an error, which aborts a transaction.
func TestTablesOfMissingSchemaUnderAPath(t *testing.T) {
	t.Parallel()
	pool := openAs(t, driver.Name, server.Database(t)+"&schema_mode=search_path")
	db := schemadb.New(pool, odd)
	if schemas, err := db.Schemas(t.Context()); err != nil || slices.Contains(schemas, odd) {
		t.Errorf("Schemas are %q, %v", schemas, err)
	}
	for _, want := range []bool{false, true} {
		err := db.InTx(t.Context(), func(tx *schemadb.Tx) error {
			for _, table := range []string{"t", "public.t"} {
				if got, err := tx.TableExists(t.Context(), table); got != (want && table == "t") || err != nil {
					t.Errorf("TableExists(%q) is %v, %v, want %v", table, got, err, want)
				}
			}
			if err := tx.EnsureSchema(t.Context()); err != nil {
				return err
			}
			_, err := tx.Exec("CREATE TABLE IF NOT EXISTS t ()")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A schema is dropped while many rows wait for its table. PostgreSQL looks the name up again then, and finds public's.
func TestSchemaIsDroppedMeanwhile(t *testing.T) {
	t.Parallel()
	pool := openAs(t, driver.Name, server.Database(t)+"&schema_mode=search_path")
	db := tenants(t, pool, "public", "b")[1]
	for _, inTx := range []bool{false, true} {
		tenants(t, pool, "c")
		drop, err := pool.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer drop.Rollback()
		if _, err := drop.Exec("DROP SCHEMA c CASCADE"); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		c := db.ForSchema("c")
		go func() {
			rows := []map[string]any{{"owner": "lost"}, {"owner": "lost too"}}
			const insert = "INSERT INTO t (owner) VALUES (:owner)"
			if !inTx {
				_, err := c.ExecMany(t.Context(), insert, rows)
				done <- err
				return
			}
			done <- c.InTx(t.Context(), func(tx *schemadb.Tx) error {
				_, err := tx.ExecMany(t.Context(), insert, rows)
				return err
			})
		}()
		eventually(t, "the rows wait", func() bool {
			return value[int](t, db, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 1
		})
		if err := drop.Commit(); err != nil {
			t.Fatal(err)
		}
		var missing *driver.MissingSchemaError
		if err := <-done; !errors.As(err, &missing) || missing.Schema != "c" {
			t.Errorf("in a transaction (%v): %v, want a *MissingSchemaError", inTx, err)
		}
		if n := value[int](t, db, "SELECT count(*) FROM public.t"); n != 1 {
			t.Errorf("public.t has %d rows, want the 1 that was there", n)
		}
	}
}
