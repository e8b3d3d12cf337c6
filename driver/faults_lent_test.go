package driver_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/driver"
)

// newTypes returns a database in which each schema has a table t with a column n of its own type, and a row with the value.
func newTypes(t testing.TB, value string, types ...string) (dsn string, schemas []string) {
	t.Helper()
	dsn = server.Database(t)
	for i, sqlType := range types {
		schema := fmt.Sprint("s", i)
		schemas = append(schemas, schema)
		admin(t, dsn, fmt.Sprintf("CREATE SCHEMA %s; CREATE TYPE %[1]s.mood AS ENUM ('sad', 'happy'); CREATE TABLE %[1]s.t (id int PRIMARY KEY, n %s); "+
			"INSERT INTO %[1]s.t VALUES (1, %[3]s)", schema, strings.ReplaceAll(sqlType, "$", schema), value))
	}
	return dsn, schemas
}

// orders are all orders of a list.
func orders(list []string) [][]string {
	if len(list) < 2 {
		return [][]string{list}
	}
	var all [][]string
	for i, first := range list {
		for _, rest := range orders(slices.Concat(list[:i], list[i+1:])) {
			all = append(all, append([]string{first}, rest...))
		}
	}
	return all
}

// Each tenant computes with its own types, whatever the others have and whoever comes first.
func TestEachTenantComputesWithItsTypes(t *testing.T) {
	t.Parallel()
	for option, settings := range differently {
		for _, mode := range []string{"", "&schema_mode=search_path"} {
			t.Run(option+mode, func(t *testing.T) {
				t.Parallel()
				dsn, schemas := newTypes(t, "7", "int", "numeric", "float8", "bigint")
				plain, db := openAs(t, "pgx", dsn), openOne(t, dsn+settings+mode)
				fill(t, db)
				for _, query := range []string{"UPDATE {{tables.t}} SET n = n / $1 RETURNING n", "SELECT n / $1 FROM {{tables.t}}",
					"SELECT id FROM {{tables.t}} WHERE n / $1 > 3", "SELECT n + $1 FROM {{tables.t}}"} {
					for i, order := range orders(schemas) {
						text := fmt.Sprintf("%s -- %d", query, i)
						for _, schema := range order {
							reset := "UPDATE " + schema + ".t SET n = 7"
							exec(t.Context(), t, plain, reset)
							want := resultOf(t.Context(), plain, expand(t, query, schema), 2)
							exec(t.Context(), t, plain, reset)
							if got := resultOf(driver.WithSchema(t.Context(), schema), db, text, 2); got != want {
								t.Errorf("order %q, %s: %s gives %s, want %s", order, schema, query, got, want)
							}
						}
					}
				}
			})
		}
	}
}

// A number that another type could not tell from its neighbours finds its own row only.
func TestLargeNumberFindsItsRow(t *testing.T) {
	t.Parallel()
	const large = 9007199254740993 // 2^53 + 1
	for option, settings := range differently {
		for _, other := range []string{"float8", "real", "numeric"} {
			t.Run(option+"/"+other, func(t *testing.T) {
				t.Parallel()
				dsn, schemas := newTypes(t, "7", other, "bigint")
				admin(t, dsn, fmt.Sprintf("INSERT INTO s1.t VALUES (2, %d), (3, %d), (4, %d)", large-1, large, large+1))
				db := openOne(t, dsn+settings)
				fill(t, db)
				const query = "DELETE FROM {{tables.t}} WHERE n = $1"
				exec(driver.WithSchema(t.Context(), schemas[0]), t, db, query, 0)
				if err := wantChanged(db.ExecContext(driver.WithSchema(t.Context(), schemas[1]), query, int64(large))); err != nil {
					t.Errorf("a row by its number: %v", err)
				}
			})
		}
	}
}

// What pgx refuses is refused in pgx's words, hot and cold, whatever type the column has elsewhere; and what it accepts is accepted.
func TestRefusedAsByPgx(t *testing.T) {
	t.Parallel()
	values := []any{int64(1) << 40, 1.5, 1e300, uint64(1) << 63, -1, "abc", "12", []byte("12"), true, nil, instant, []int{1}}
	for option, settings := range differently {
		for _, mode := range []string{"", "&schema_mode=search_path"} {
			t.Run(option+mode, func(t *testing.T) {
				t.Parallel()
				dsn, schemas := newTypes(t, "NULL", "numeric", "float8", "bigint", "text", "int", "smallint", "real", "oid", "jsonb")
				plain := openAs(t, "pgx", dsn)
				for i, query := range []string{"UPDATE {{tables.t}} SET n = $1 RETURNING n::text", "SELECT id FROM {{tables.t}} WHERE n = $1"} {
					db := openOne(t, dsn+settings+mode)
					fill(t, db)
					if i == 1 {
						slices.Reverse(schemas)
					}
					for _, value := range append([]any{7}, values...) {
						for _, schema := range schemas {
							got := resultOf(driver.WithSchema(t.Context(), schema), db, query, value)
							want := resultOf(t.Context(), plain, expand(t, query, schema), value)
							if mode != "" { // the same error of a statement that was prepared by itself or in a group
								want = strings.ReplaceAll(want, schema+".t", "t")
							}
							if got != want {
								t.Errorf("%s in %s with %T(%[3]v): %s, want %s", query, schema, value, got, want)
							}
						}
					}
				}
			})
		}
	}
}

// Strings mean in each tenant what pgx makes of them for its own type.
func TestStringsAsByPgx(t *testing.T) {
	t.Parallel()
	dsn, schemas := newTypes(t, "NULL", "text", "int", "numeric", "jsonb", "json", "bytea", "uuid", "$.mood", "text[]", "int[]", "interval",
		"timestamptz", "timestamp", "date", "bool", "inet", "varchar(3)", "char(4)", "point", "int4range", "xml", "name", "money", `"char"`, "bit(4)")
	values := []any{"7", "1.5", `{"a": 1}`, `\x4142`, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "sad", "{1,2}", "1 day", "2024-02-29 01:02:03+05",
		"true", "10.0.0.1", "abcdef", "", "(1,2)", "[1,5)", "<a/>", "1010", nil, "nul\x00"}
	plain := openAs(t, "pgx", dsn)
	for option, settings := range differently {
		db := openOne(t, dsn+settings)
		fill(t, db)
		for _, query := range []string{"UPDATE {{tables.t}} SET n = $1 RETURNING n::text", "SELECT $1 IS NULL, id FROM {{tables.t}} WHERE n::text = $1",
			"INSERT INTO {{tables.t}} VALUES (2, $1) ON CONFLICT (id) DO UPDATE SET n = excluded.n RETURNING n::text"} {
			for _, value := range values {
				for _, schema := range schemas {
					got := resultOf(driver.WithSchema(t.Context(), schema), db, query, value)
					if want := resultOf(t.Context(), plain, expand(t, query, schema), value); got != want {
						t.Errorf("%s: %s in %s with %v: %s, want %s", option, query, schema, value, got, want)
					}
				}
			}
		}
	}
}

// A cold statement whose arguments are strings or NULL takes one round trip once its template was seen in some schema.
func TestColdStringsTakeOneRoundTrip(t *testing.T) {
	t.Parallel()
	schemas := []string{"a", "b", "c", "d", odd}
	for _, option := range []string{"cold", "describe"} {
		for _, way := range []schemaWay{byTemplate, byContext} {
			t.Run(option+"/"+way.name, func(t *testing.T) {
				t.Parallel()
				db, flights := countingDB(t, newTenants(t, schemas...)+differently[option]+way.options)
				fill(t, db)
				asks := map[string]func(ctx context.Context){
					"a string":          func(ctx context.Context) { exec(ctx, t, db, way.sql("UPDATE TABLE_T SET owner = $1"), "x") },
					"a string, by name": func(ctx context.Context) { exec(ctx, t, db, way.sql("DELETE FROM TABLE_T WHERE owner = $1"), "nobody") },
					"NULL": func(ctx context.Context) {
						exec(ctx, t, db, way.sql("UPDATE TABLE_T SET id = id WHERE owner = $1"), nil)
					},
					"two": func(ctx context.Context) {
						exec(ctx, t, db, way.sql("DELETE FROM TABLE_T WHERE owner = $1 AND id = $2"), "y", nil)
					},
					"rows": func(ctx context.Context) {
						get[int](ctx, t, db, way.sql("SELECT count(*) FROM TABLE_T WHERE owner > $1"), "a")
					},
				}
				for what, ask := range asks {
					for i, schema := range schemas {
						fill(t, db)
						before := flights.Load()
						ask(driver.WithSchema(t.Context(), schema))
						if got := flights.Load() - before; i > 0 && got != 1 {
							t.Errorf("%s in schema %s: %d round trips", what, schema, got)
						}
					}
				}
			})
		}
	}
}
