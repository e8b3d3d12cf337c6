package template_test

import (
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/template"
)

// Schemas in which the tables below are expanded; the second has what breaks careless quoting.
const (
	plainSchema = "myapp"
	weirdSchema = `Größe-"7"`
	bareMyapp   = "@myapp@" // in an expansion, plainSchema without quotes
)

// expansion says what text becomes in schema myapp and in no schema. In both it is left alone if myapp is "", and it
// does not depend on the schema if none is "". In the former, bareMyapp stands for the name without quotes.
type expansion struct{ text, myapp, none string }

func (e expansion) in(schema string) string {
	switch {
	case e.myapp == "":
		return e.text
	case schema == "" && e.none != "":
		return e.none
	case schema == "":
		return e.myapp
	}
	return strings.NewReplacer(`"myapp"`, template.QuoteIdent(schema), bareMyapp, schema).Replace(e.myapp)
}

func expand(t *testing.T, text, schema string, syntax template.Syntax) string {
	t.Helper()
	stmt, err := template.Parse(text, syntax)
	if err != nil {
		t.Errorf("Parse(%q): %v", text, err)
		return ""
	}
	sql, err := stmt.Expand(schema)
	if err != nil {
		t.Errorf("Expand(%q) of %q: %v", schema, text, err)
	}
	return sql
}

// checkExpansions expands each text in all schemas, alone and behind another statement.
func checkExpansions(t *testing.T, syntax template.Syntax, table []expansion) {
	t.Helper()
	for _, tt := range table {
		for _, schema := range []string{"", plainSchema, weirdSchema} {
			if got, want := expand(t, tt.text, schema, syntax), tt.in(schema); got != want {
				t.Errorf("%q in schema %q:\n got %s\nwant %s", tt.text, schema, got, want)
			}
			const before = "SELECT 'it''s' -- {{\n;"
			if got, want := expand(t, before+tt.text, schema, syntax), before+tt.in(schema); got != want {
				t.Errorf("%q as second statement in schema %q:\n got %s\nwant %s", tt.text, schema, got, want)
			}
		}
	}
}

// forms are the rows of the table in the contract, and their relatives.
var forms = []expansion{
	{`SELECT 1 FROM {{tables.users}}`, `SELECT 1 FROM "myapp".users`, `SELECT 1 FROM users`},
	{`SELECT 1 FROM <<tables.users>>`, `SELECT 1 FROM "myapp".users`, `SELECT 1 FROM users`},
	{`CREATE SCHEMA {{schema}}`, `CREATE SCHEMA "myapp"`, `CREATE SCHEMA public`},
	{`CREATE SCHEMA <<schema>>`, `CREATE SCHEMA "myapp"`, `CREATE SCHEMA public`},
	{`SELECT 1 FROM {{schema}}.users`, `SELECT 1 FROM "myapp".users`, `SELECT 1 FROM users`},
	{`SELECT 1 FROM <<schema>>.users`, `SELECT 1 FROM "myapp".users`, `SELECT 1 FROM users`},
	{`SELECT 1 FROM {{schema}}."Users"`, `SELECT 1 FROM "myapp"."Users"`, `SELECT 1 FROM "Users"`},
	{`SELECT 1 FROM {{schema}}.U&"\0061"`, `SELECT 1 FROM "myapp".U&"\0061"`, `SELECT 1 FROM U&"\0061"`},
	{`SELECT 1 FROM {{schema}}. users`, `SELECT 1 FROM "myapp". users`, `SELECT 1 FROM  users`},
	{`SELECT {{schema}}.f(1), {{schema}}.größe`, `SELECT "myapp".f(1), "myapp".größe`, `SELECT f(1), größe`},
	{`SELECT 1 FROM {{tables.audit.events}}`, `SELECT 1 FROM "audit".events`, ""},
	{`SELECT 1 FROM <<tables.Audit.events>>`, `SELECT 1 FROM "Audit".events`, ""},
	{`SELECT {{tables.users}}.id`, `SELECT "myapp".users.id`, `SELECT users.id`},
	{`{{tables.users}}`, `"myapp".users`, `users`},
	{`({{tables.a}},{{tables.b}})`, `("myapp".a,"myapp".b)`, `(a,b)`},
	{`TABLE {{tables._A9}}`, `TABLE "myapp"._A9`, `TABLE _A9`}, // as it is written, so PostgreSQL folds it
	{`TABLE {{tables.Users}}`, `TABLE "myapp".Users`, `TABLE Users`},
	{`TABLE {{tables.order}}`, `TABLE "myapp".order`, `TABLE "order"`},
	{`TABLE {{tables.Order}}`, `TABLE "myapp".Order`, `TABLE "order"`},
	{`TABLE {{schema}}.user`, `TABLE "myapp".user`, `TABLE "user"`},
	{"TABLE {{schema}}.li\u212ae", "TABLE \"myapp\".li\u212ae", "TABLE li\u212ae"}, // the Kelvin sign is no k
	{`TABLE {{tables.audit.user}}`, `TABLE "audit".user`, ""},
	{`TABLE {{tables.users}}_2024`, `TABLE "myapp".users_2024`, `TABLE users_2024`},
	{`TABLE {{tables.tables}}; TABLE {{tables.schema}}`, `TABLE "myapp".tables; TABLE "myapp".schema`,
		`TABLE tables; TABLE schema`},
	{`SELECT '{{1,2},{3,4}}'::int[], {{schema}}.f()`, `SELECT '{{1,2},{3,4}}'::int[], "myapp".f()`,
		`SELECT '{{1,2},{3,4}}'::int[], f()`},
}

func TestForms(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("x", template.MaxNameLen)
	table := append([]expansion{{"TABLE {{tables." + longest + "}}", `TABLE "myapp".` + longest, "TABLE " + longest}},
		forms...)
	checkExpansions(t, template.Both, table)
}

// shapes are what ORMs make of templates when they quote them.
var shapes = []expansion{
	{`SELECT * FROM "{{tables.users}}"`, `SELECT * FROM "myapp"."users"`, `SELECT * FROM "users"`},
	{`SELECT * FROM "<<tables.users>>"`, `SELECT * FROM "myapp"."users"`, `SELECT * FROM "users"`},
	{`SELECT "{{tables.Users}}"."id"`, `SELECT "myapp"."Users"."id"`, `SELECT "Users"."id"`},
	{`SELECT * FROM "{{tables.audit.events}}"`, `SELECT * FROM "audit"."events"`, ""},
	{`SELECT * FROM "{{tables"."users}}"`, `SELECT * FROM "myapp"."users"`, `SELECT * FROM "users"`},
	{`SELECT * FROM "<<tables"."users>>"`, `SELECT * FROM "myapp"."users"`, `SELECT * FROM "users"`},
	{`SELECT * FROM "{{tables"."audit"."events}}"`, `SELECT * FROM "audit"."events"`, ""},
	{`SELECT * FROM "<<tables"."audit"."events>>"`, `SELECT * FROM "audit"."events"`, ""},
	{`SELECT "{{tables"."users}}"."id" FROM "{{tables"."users}}" "u"`,
		`SELECT "myapp"."users"."id" FROM "myapp"."users" "u"`, `SELECT "users"."id" FROM "users" "u"`},
	{`SELECT * FROM "{{schema}}"."users"`, `SELECT * FROM "myapp"."users"`, `SELECT * FROM "public"."users"`},
	{`SELECT * FROM "<<schema>>"."users"`, `SELECT * FROM "myapp"."users"`, `SELECT * FROM "public"."users"`},
	{`CREATE SCHEMA "{{schema}}"`, `CREATE SCHEMA "myapp"`, `CREATE SCHEMA "public"`},

	// Nothing like it.
	{`CREATE INDEX "fk_{{schema}}_users" ON t`, "", ""},
	{`SELECT "{{table.users}}", "{{tables.users}} ", "{{tables.}}", "{{", "}}", "{{}}", "<<", "<<>>"`, "", ""},
	{`SELECT U&"{{tables.users}}", "{{tables.""users}}"`, "", ""},
	{`SELECT "{{tables" . "users}}", "{{tables"."users", "{{tables"."users>>", "{{tables"."a"."b"."c}}"`, "", ""},
	{`SELECT "{{tables"."", "{{tables"."}}", "{{tables".""."a}}", "{{tables"."1}}", "{{tabl"."users}}"`, "", ""},
	{`SELECT "{{tables.users>>", "<<tables.users}}", "{{tables.users}}`, "", ""},
}

func TestShapesOfORMs(t *testing.T) {
	t.Parallel()
	checkExpansions(t, template.Both, shapes)
}

// tails are the last parts of split templates, which GORM writes before a column.
var tails = []expansion{
	{`SELECT "users}}"."id" FROM "{{tables"."users}}"`, // the opener behind the tail
		`SELECT "users"."id" FROM "myapp"."users"`, `SELECT "users"."id" FROM "users"`},
	{`SELECT * FROM "{{tables"."users}}" WHERE "users}}"."id" = 1`,
		`SELECT * FROM "myapp"."users" WHERE "users"."id" = 1`, `SELECT * FROM "users" WHERE "users"."id" = 1`},
	{`SELECT "users>>"."id" FROM "<<tables"."users>>"`,
		`SELECT "users"."id" FROM "myapp"."users"`, `SELECT "users"."id" FROM "users"`},
	{`SELECT "events}}"."id" FROM "{{tables"."audit"."events}}"`, `SELECT "events"."id" FROM "audit"."events"`, ""},
	{`SELECT "a}}"."x", "b}}"."y" FROM "{{tables"."b}}", "{{tables"."a}}" ORDER BY "a}}"."x"`,
		`SELECT "a"."x", "b"."y" FROM "myapp"."b", "myapp"."a" ORDER BY "a"."x"`,
		`SELECT "a"."x", "b"."y" FROM "b", "a" ORDER BY "a"."x"`},

	// No opener in the same statement, another delimiter, another table, another case, no split opener.
	{`SELECT "users}}"."id" FROM t`, "", ""},
	{`SELECT "users}}"."id" FROM t; SELECT 1 FROM "{{tables"."users}}"`,
		`SELECT "users}}"."id" FROM t; SELECT 1 FROM "myapp"."users"`,
		`SELECT "users}}"."id" FROM t; SELECT 1 FROM "users"`},
	{`SELECT 1 FROM "{{tables"."users}}"; SELECT "users}}"."id"`,
		`SELECT 1 FROM "myapp"."users"; SELECT "users}}"."id"`, `SELECT 1 FROM "users"; SELECT "users}}"."id"`},
	{`SELECT "a>>"."x", "b}}"."x", "A}}"."x" FROM "{{tables"."a}}"`,
		`SELECT "a>>"."x", "b}}"."x", "A}}"."x" FROM "myapp"."a"`,
		`SELECT "a>>"."x", "b}}"."x", "A}}"."x" FROM "a"`},
	{`SELECT "a}}"."x" FROM {{tables.a}}`, `SELECT "a}}"."x" FROM "myapp".a`, `SELECT "a}}"."x" FROM a`},

	// Not before a dot, or behind one.
	{`SELECT "a}}", "a}}" ."x", x."a}}"."x", "a}}".x FROM "{{tables"."a}}"`,
		`SELECT "a}}", "a}}" ."x", x."a}}"."x", "a".x FROM "myapp"."a"`,
		`SELECT "a}}", "a}}" ."x", x."a}}"."x", "a".x FROM "a"`},

	// A body is other SQL.
	{`DO $$ SELECT "a}}"."x" FROM "{{tables"."a}}" $$`, `DO $$ SELECT "a"."x" FROM "myapp"."a" $$`,
		`DO $$ SELECT "a"."x" FROM "a" $$`},
}

func TestTails(t *testing.T) {
	t.Parallel()
	checkExpansions(t, template.Both, tails)
}

// bareNames are the places where PostgreSQL takes no qualified name, and others that look like it.
var bareNames = []expansion{
	{`SELECT 1 FROM {{tables.t}} FOR UPDATE OF {{tables.t}}`, `SELECT 1 FROM "myapp".t FOR UPDATE OF t`,
		`SELECT 1 FROM t FOR UPDATE OF t`},
	{`select 1 for no key update of {{tables.a}}, {{tables.b}} NOWAIT`,
		`select 1 for no key update of a, b NOWAIT`, ""},
	{`SELECT 1 FOR SHARE OF x, {{schema}}.b , "{{tables"."c}}" /* , */ , {{tables.audit.d}}`,
		`SELECT 1 FOR SHARE OF x, b , "c" /* , */ , d`, ""},
	{`SELECT 1 FOR KEY /* */ SHARE -- x` + "\n" + `OF "x","{{tables.a}}", {{tables.user}}`,
		`SELECT 1 FOR KEY /* */ SHARE -- x` + "\n" + `OF "x","a", "user"`, ""},
	{`SELECT 1 FOR UPDATE OF <<tables.a>> FOR SHARE OF <<tables.b>>`, `SELECT 1 FOR UPDATE OF a FOR SHARE OF b`, ""},
	{`SELECT 1 FOR UPDATE OF "{{schema}}"."a", {{schema}}."b"`, `SELECT 1 FOR UPDATE OF "a", "b"`, ""},
	{`ALTER TABLE {{tables.a}} RENAME TO {{tables.b}}`, `ALTER TABLE "myapp".a RENAME TO b`, `ALTER TABLE a RENAME TO b`},
	{`ALTER TABLE "{{tables"."a}}" RENAME TO "{{tables"."b}}"`, `ALTER TABLE "myapp"."a" RENAME TO "b"`,
		`ALTER TABLE "a" RENAME TO "b"`},
	{`ALTER INDEX {{tables.i}} RENAME TO {{schema}}.j`, `ALTER INDEX "myapp".i RENAME TO j`, `ALTER INDEX i RENAME TO j`},
	{`ALTER SCHEMA x RENAME TO {{schema}}`, `ALTER SCHEMA x RENAME TO "myapp"`, `ALTER SCHEMA x RENAME TO public`},
	{`ALTER SCHEMA x RENAME TO "{{schema}}"`, `ALTER SCHEMA x RENAME TO "myapp"`, `ALTER SCHEMA x RENAME TO "public"`},
	{`CREATE INDEX {{tables.i}} ON {{tables.t}} (id)`, `CREATE INDEX i ON "myapp".t (id)`, `CREATE INDEX i ON t (id)`},
	{`CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {{tables.i}} ON ONLY {{tables.t}} (id)`,
		`CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY "myapp".t (id)`,
		`CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY t (id)`},
	{`CREATE INDEX CONCURRENTLY ON {{tables.t}} (id)`, `CREATE INDEX CONCURRENTLY ON "myapp".t (id)`,
		`CREATE INDEX CONCURRENTLY ON t (id)`},
	{`CREATE INDEX ON {{tables.t}} (id)`, `CREATE INDEX ON "myapp".t (id)`, `CREATE INDEX ON t (id)`},
	{`CREATE INDEX "{{tables"."i}}" ON {{schema}}.t (id)`, `CREATE INDEX "i" ON "myapp".t (id)`,
		`CREATE INDEX "i" ON t (id)`},
	{`CREATE INDEX {{schema}}.i ON t (id)`, `CREATE INDEX i ON t (id)`, ""},
	{`ALTER TABLE {{tables.t}} ADD CONSTRAINT c UNIQUE USING INDEX {{tables.i}}`,
		`ALTER TABLE "myapp".t ADD CONSTRAINT c UNIQUE USING INDEX i`, `ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i`},
	{`CLUSTER {{tables.a}} USING {{tables.i}}`, `CLUSTER "myapp".a USING i`, `CLUSTER a USING i`},
	{`ALTER TABLE {{tables.a}} CLUSTER ON {{tables.user}}`, `ALTER TABLE "myapp".a CLUSTER ON "user"`,
		`ALTER TABLE a CLUSTER ON "user"`},
	{`ALTER TABLE {{tables.a}} RENAME CONSTRAINT {{tables.b}} TO {{schema}}.c, DROP CONSTRAINT "{{schema}}"."d"`,
		`ALTER TABLE "myapp".a RENAME CONSTRAINT b TO c, DROP CONSTRAINT "d"`,
		`ALTER TABLE a RENAME CONSTRAINT b TO c, DROP CONSTRAINT "d"`},
	{`CREATE CONSTRAINT TRIGGER {{tables.a}} AFTER UPDATE ON {{tables.b}}`,
		`CREATE CONSTRAINT TRIGGER a AFTER UPDATE ON "myapp".b`, `CREATE CONSTRAINT TRIGGER a AFTER UPDATE ON b`},
	{`DROP POLICY IF EXISTS {{tables.a}} ON {{tables.b}}`, `DROP POLICY IF EXISTS a ON "myapp".b`,
		`DROP POLICY IF EXISTS a ON b`},

	// Qualified names are right in all of these.
	{`SET CONSTRAINTS {{tables.a}}, {{tables.b}} DEFERRED`, `SET CONSTRAINTS "myapp".a, "myapp".b DEFERRED`,
		`SET CONSTRAINTS a, b DEFERRED`},
	{`SELECT 1 FROM cluster JOIN rule ON {{schema}}.f(rule) JOIN policy USING (a)`,
		`SELECT 1 FROM cluster JOIN rule ON "myapp".f(rule) JOIN policy USING (a)`,
		`SELECT 1 FROM cluster JOIN rule ON f(rule) JOIN policy USING (a)`},
	{`DELETE FROM cluster USING {{tables.a}}`, `DELETE FROM cluster USING "myapp".a`, `DELETE FROM cluster USING a`},
	{`CREATE RULE r AS ON UPDATE TO {{tables.a}} DO NOTHING`, `CREATE RULE r AS ON UPDATE TO "myapp".a DO NOTHING`,
		`CREATE RULE r AS ON UPDATE TO a DO NOTHING`},
	{`ALTER TABLE {{tables.a}} ALTER b TYPE int USING {{schema}}.f(b)`,
		`ALTER TABLE "myapp".a ALTER b TYPE int USING "myapp".f(b)`,
		`ALTER TABLE a ALTER b TYPE int USING f(b)`},
	// No schema holds what these name, so they are left to fail.
	{`LISTEN {{tables.a}}`, `LISTEN "myapp".a`, `LISTEN a`},
	{`WITH {{tables.a}} AS (SELECT 1) SELECT * FROM {{tables.a}}`,
		`WITH "myapp".a AS (SELECT 1) SELECT * FROM "myapp".a`, `WITH a AS (SELECT 1) SELECT * FROM a`},

	{`CREATE TABLE {{tables.c}} PARTITION OF {{tables.p}} DEFAULT`, `CREATE TABLE "myapp".c PARTITION OF "myapp".p DEFAULT`,
		`CREATE TABLE c PARTITION OF p DEFAULT`},
	{`CREATE TRIGGER x BEFORE UPDATE OF a, b ON {{tables.t}} EXECUTE FUNCTION {{schema}}.f()`,
		`CREATE TRIGGER x BEFORE UPDATE OF a, b ON "myapp".t EXECUTE FUNCTION "myapp".f()`,
		`CREATE TRIGGER x BEFORE UPDATE OF a, b ON t EXECUTE FUNCTION f()`},
	{`CREATE TABLE x OF {{schema}}.typ`, `CREATE TABLE x OF "myapp".typ`, `CREATE TABLE x OF typ`},
	{`ALTER TABLE {{tables.t}} RENAME COLUMN a TO b`, `ALTER TABLE "myapp".t RENAME COLUMN a TO b`,
		`ALTER TABLE t RENAME COLUMN a TO b`},
	{`GRANT SELECT ON {{tables.t}} TO bob; SET search_path TO {{schema}}`,
		`GRANT SELECT ON "myapp".t TO bob; SET search_path TO "myapp"`, `GRANT SELECT ON t TO bob; SET search_path TO public`},
	{`DROP INDEX CONCURRENTLY IF EXISTS {{tables.i}}`, `DROP INDEX CONCURRENTLY IF EXISTS "myapp".i`,
		`DROP INDEX CONCURRENTLY IF EXISTS i`},
	{`REINDEX INDEX {{tables.i}}`, `REINDEX INDEX "myapp".i`, `REINDEX INDEX i`},
	{`ALTER INDEX {{tables.i}} ATTACH PARTITION {{tables.j}}`, `ALTER INDEX "myapp".i ATTACH PARTITION "myapp".j`,
		`ALTER INDEX i ATTACH PARTITION j`},
	{`COPY {{tables.t}} TO STDOUT`, `COPY "myapp".t TO STDOUT`, `COPY t TO STDOUT`},
	{`DELETE FROM {{tables.a}} USING {{tables.b}}`, `DELETE FROM "myapp".a USING "myapp".b`, `DELETE FROM a USING b`},
	{`SELECT "for", "update" of, {{tables.t}}.x`, `SELECT "for", "update" of, "myapp".t.x`, `SELECT "for", "update" of, t.x`},
}

func TestBareNames(t *testing.T) {
	t.Parallel()
	checkExpansions(t, template.Both, bareNames)
}

// joins are templates right beside something else, which must stay what it is.
var joins = []expansion{
	{`SELECT 1 FROM{{tables.t}}`, `SELECT 1 FROM "myapp".t`, `SELECT 1 FROM t`},
	{`SELECT u&{{schema}}.f(1)`, `SELECT u& "myapp".f(1)`, `SELECT u& f(1)`},
	{`SELECT "a"{{tables.t}}`, `SELECT "a" "myapp".t`, `SELECT "a" t`},
	{`SELECT {{schema}}"a"`, `SELECT "myapp" "a"`, `SELECT public"a"`},
	{`SELECT "a""{{tables.t}}"`, "", ""}, // one name with a quote in it
	{`SELECT "{{tables.t}}""{{tables.u}}"`, "", ""},
	{`SELECT "{{tables.t}}"{{tables.u}}`, `SELECT "myapp"."t" "myapp".u`, `SELECT "t" u`},
	{`TABLE {{tables.t}}{{tables.u}}`, `TABLE "myapp".t "myapp".u`, `TABLE t u`},
	{`SELECT 1{{tables.t}}`, `SELECT 1 "myapp".t`, `SELECT 1 t`},
	{`SELECT $1{{tables.t}}`, `SELECT $1 "myapp".t`, `SELECT $1 t`},
	{`SELECT e{{tables.t}}'a\'`, `SELECT e "myapp".t 'a\'`, `SELECT e t 'a\'`},
	{`SELECT 2-{{tables.t}}.n-- x`, `SELECT 2-"myapp".t.n-- x`, `SELECT 2-t.n-- x`},

	// A type called e, and E'...': in these a backslash means something else.
	{`SELECT {{schema}}.e'a\'b'`, `SELECT "myapp".e'a\'b'`, `SELECT public.e'a\'b'`},
	{`SELECT {{tables.e}}'a\', 'b'`, `SELECT "myapp".e 'a\', 'b'`, `SELECT e 'a\', 'b'`},
	{`SELECT {{tables.a}}e'\'', 'b'`, `SELECT "myapp".a e'\'', 'b'`, `SELECT a e'\'', 'b'`},
	{`SELECT {{tables.u}}&'x'`, `SELECT "myapp".u &'x'`, `SELECT u &'x'`},
	{`SELECT {{tables.u}}&"x"`, `SELECT "myapp".u &"x"`, `SELECT u &"x"`},
	{`SELECT {{tables.a}}$$x$$`, `SELECT "myapp".a $$x$$`, `SELECT a $$x$$`},
	{`SELECT {{tables.a}}1$$x$$`, `SELECT "myapp".a 1$$x$$`, `SELECT a 1$$x$$`},
	{`SELECT {{tables.a}}$1`, `SELECT "myapp".a $1`, `SELECT a $1`},
	{`DO $$SELECT 1 FROM {{tables.t}}$$`, `DO $$SELECT 1 FROM "myapp".t$$`, `DO $$SELECT 1 FROM t$$`},

	// A qualifier that is followed by no name does not vanish, for its neighbours would meet.
	{`SELECT 'a'{{schema}}.'b'`, `SELECT 'a'"myapp".'b'`, `SELECT 'a'public.'b'`},
	{`SELECT 1 -{{schema}}.-1`, `SELECT 1 -"myapp".-1`, `SELECT 1 -public.-1`},
	{`SELECT 1 /{{schema}}.*`, `SELECT 1 /"myapp".*`, `SELECT 1 /public.*`},
	{"SELECT 1 -{{schema}}.--\nf(1)", "SELECT 1 - \"myapp\".--\nf(1)", "SELECT 1 - --\nf(1)"},
	{`SELECT {{schema}}.`, `SELECT "myapp".`, `SELECT public.`},
}

func TestJoins(t *testing.T) {
	t.Parallel()
	checkExpansions(t, template.Both, joins)
}

// TestAngles: only the exact forms count, because << is an operator.
func TestAngles(t *testing.T) {
	t.Parallel()
	checkExpansions(t, template.Both, []expansion{
		{`SELECT 8 <<x.n>> 1, 8 << 1, a<<b, 1<<schema.x, 1 <<tables.x, 1<<tables.a.b.c>>2`, "", ""},
		{`SELECT 1 << tables.x >>2, 1 <<schema >>2, 1<< schema>>2, 1<<Schema>>2, 1<<tables.1>>2`, "", ""},
		{`SELECT a<<<tables.t>>.n`, `SELECT a<"myapp".t.n`, `SELECT a<t.n`},
		{`SELECT a<<<<tables.t>>.n`, `SELECT a<<"myapp".t.n`, `SELECT a<<t.n`},
		{`SELECT 1<<<schema>>.f()`, `SELECT 1<"myapp".f()`, `SELECT 1<f()`},
		{`SELECT '1'::inet <<'1'::cidr, 1<<$1, 1<</* c */2, 1<<--` + "\n2", "", ""},
	})
}

func TestSyntaxBraces(t *testing.T) {
	t.Parallel()
	checkExpansions(t, template.Braces, []expansion{
		{`SELECT 1 FROM {{tables.t}}, "{{tables"."t}}" WHERE "t}}".x = 1`,
			`SELECT 1 FROM "myapp".t, "myapp"."t" WHERE "t".x = 1`, `SELECT 1 FROM t, "t" WHERE "t".x = 1`},
		{`SELECT '{{tables.t}}'::regclass`, `SELECT '"myapp".t'::regclass`, `SELECT 't'::regclass`},
		{`SELECT 1 <<tables.t>> 2, 1 <<schema>> 2, "<<tables.t>>", "<<schema>>", "<<tables"."t>>"`, "", ""},
		{`SELECT "t>>".x FROM "<<tables"."t>>"`, "", ""},
		{`SELECT '<<tables.t>>'::regclass, '<<schema>>'::regnamespace`, "", ""},
		{`SELECT 1<<{{tables.t}}.n`, `SELECT 1<<"myapp".t.n`, `SELECT 1<<t.n`},
	})
}

// TestInvalidUTF8 leaves bytes that are no text as they are.
func TestInvalidUTF8(t *testing.T) {
	t.Parallel()
	checkExpansions(t, template.Both, []expansion{
		{"SELECT '\xff\xfe', \"\x80\", \xc3 FROM {{tables.t}} -- \xc3", "SELECT '\xff\xfe', \"\x80\", \xc3 FROM \"myapp\".t -- \xc3",
			"SELECT '\xff\xfe', \"\x80\", \xc3 FROM t -- \xc3"},
		{"\xff{{tables.t}}\xff", "\xff \"myapp\".t\xff", "\xff t\xff"},
		{"SELECT '\x00' \x00", "", ""},
	})
}

func TestLongStatements(t *testing.T) {
	t.Parallel()
	const size = 10 << 20
	for _, part := range []string{"('{{tables.x}}', $$ <<schema>> $$), ", "{{tables.t}}, ", `"a", "b"."c", `, `"x}}"."y", `,
		"'{{schema}}'::regnamespace, ", "1<<2, <<tables.", "of to index create do temp hold set_config ", `"{{tables", `, "; "} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			parts := strings.Repeat(part, size/len(part))
			text := parts + `TABLE "{{tables"."x}}"`
			got := expand(t, text, plainSchema, template.Both)
			want := strings.ReplaceAll(parts, "{{tables.t}}", `"myapp".t`)
			want = strings.ReplaceAll(want, `"x}}"`, `"x"`)
			want = strings.ReplaceAll(want, "'{{schema}}'", `'"myapp"'`)
			if got != want+`TABLE "myapp"."x"` {
				t.Errorf("wrong: %.200q...", got)
			}
		})
	}
}
