package template_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/template"
)

// migrationSchemas are names that break careless quoting, each in its own way.
var migrationSchemas = []string{plainSchema, weirdSchema, "it's", `back\slash`, "a$$b", "Tenant_42"}

// TestMigrationOnServer runs what a migration may contain, and looks at what it did.
func TestMigrationOnServer(t *testing.T) {
	t.Parallel()
	for _, schema := range migrationSchemas {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			conn := connect(t)
			for _, sql := range []string{
				"CREATE SCHEMA {{schema}}; CREATE TABLE {{tables.users}} (id serial, v text DEFAULT '{{schema}}')",
				"COMMENT ON TABLE {{tables.users}} IS 'the {{tables.users}}'",
				"COMMENT ON SCHEMA {{schema}} IS $c$see {{tables.users}}$c$",
				`DO $do$ BEGIN
					EXECUTE $q$ CREATE TABLE {{tables.a}} (id int DEFAULT nextval('{{tables.users_id_seq}}')) $q$;
					EXECUTE 'CREATE TABLE {{tables.b}} (id int)';
					EXECUTE 'CREATE TABLE "{{schema}}"."c" (id int)';
					EXECUTE format('CREATE TABLE %I.d (id int)', '{{schema}}');
					EXECUTE $q$ DO $r$ BEGIN CREATE INDEX {{tables.i}} ON {{tables.a}} (id); END $r$ $q$;
					IF to_regnamespace('{{schema}}') IS NULL OR to_regclass('{{schema}}.d') IS NULL THEN
						RAISE EXCEPTION 'no {{schema}}';
					END IF;
				END $do$`,
				`CREATE FUNCTION {{schema}}.f() RETURNS text LANGUAGE plpgsql AS $f$
				DECLARE result text;
				BEGIN
					EXECUTE $q$ SELECT nspname FROM pg_namespace WHERE nspname = '{{schema}}' AND nspname = current_schema() $q$ INTO result;
					RETURN result;
				END $f$`,
				"INSERT INTO {{tables.users}} DEFAULT VALUES",
				"ALTER FUNCTION {{schema}}.f() SET search_path = '{{schema}}'",
			} {
				mustExec(t, conn, expand(t, sql, schema, template.Migration))
			}
			quoted := template.QuoteIdent(schema)
			for expr, want := range map[string]string{
				"'{{tables.users}}'::regclass::oid = to_regclass('{{schema}}.users')":                              "true",
				"E'{{tables.users}}'::regclass = '{{tables.users}}'::regclass":                                     "true",
				"U&'{{tables.users}}'::regclass = '{{tables.users}}'::regclass":                                    "true",
				"$x${{tables.users}}$x$::text":                                                                     quoted + ".users",
				"(SELECT nspname::text FROM pg_namespace WHERE nspname = '{{schema}}')":                            schema,
				"(SELECT nspname::text FROM pg_namespace WHERE oid = '{{schema}}'::regnamespace)":                  schema,
				"(SELECT nspname::text FROM pg_namespace WHERE oid = regnamespace '{{schema}}')":                   schema,
				"(SELECT nspname::text FROM pg_namespace WHERE oid = cast(U&'{{schema}}' AS regnamespace))":        schema,
				"(SELECT nspname::text FROM pg_namespace WHERE oid = to_regnamespace(E'{{schema}}'))":              schema,
				"(SELECT count(*) FROM pg_tables WHERE schemaname = '{{schema}}')":                                 "5",
				"(SELECT indexname::text FROM pg_indexes WHERE schemaname = E'{{schema}}')":                        "i",
				"(SELECT v FROM {{tables.users}})":                                                                 schema,
				"has_schema_privilege('{{schema}}', 'USAGE')":                                                      "true",
				"pg_get_serial_sequence('{{tables.users}}', 'id')::regclass = '{{tables.users_id_seq}}'::regclass": "true",
				"{{schema}}.f()": schema,
				"obj_description('{{tables.users}}'::regclass)":  "the " + quoted + ".users",
				"obj_description('{{schema}}'::regnamespace)":    "see " + quoted + ".users",
				"set_config('search_path', '{{schema}}', false)": quoted,
				"('{{{schema}},{{1,2}}'::text IS NOT NULL)":      "true",
			} {
				got, err := queryRow(t, conn, "SELECT "+expand(t, expr, schema, template.Migration))
				if err != nil || got[0] == nil || fmt.Sprint(got[0]) != want {
					t.Errorf("%s: got %v, want %s, error %v", expr, got, want, err)
				}
			}
		})
	}
}

// TestNestedLiteralsOnServer runs a literal that has literals: the schema's name is a value there as well.
func TestNestedLiteralsOnServer(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	for _, schema := range []string{plainSchema, weirdSchema, "a$$b", `back\slash`} {
		mustExec(t, conn, expand(t, "CREATE SCHEMA {{schema}}", schema, template.Migration))
		mustExec(t, conn, expand(t, `DO $do$ DECLARE n int; BEGIN
			EXECUTE 'SELECT count(*) FROM pg_namespace WHERE nspname = ''{{schema}}'' AND oid = ''{{schema}}''::regnamespace' INTO n;
			ASSERT n = 1;
			EXECUTE E'SELECT count(*) FROM pg_namespace WHERE nspname = \'{{schema}}\'' INTO n;
			ASSERT n = 1;
			EXECUTE 'DO ''BEGIN ASSERT to_regnamespace(''''{{schema}}'''') IS NOT NULL; END''';
		END $do$`, schema, template.Migration))
	}
}

// migrationDollar is a dollar-quoted string without quotes inside. Blanks keep names from what they could join.
func (g generator) migrationDollar() item {
	text := ""
	for range g.IntN(8) {
		text += g.oneOf(" {{tables.x}} ", " {{schema}} ", " {{schema}}.t ", ` "{{schema}}" `, " <<tables.a.b>>, ", "{{1,2},{3}}", "{",
			"ä", "{{oops}}", ";", `\ `, "\n", "create function do ", "<", "$$ $$")
	}
	return item{text: "$t1$" + text + "$t1$", value: text}
}

// migrationLiteral is a literal of any other kind.
func (g generator) migrationLiteral() item {
	pieces := [][2]string{{"{{tables.x}}", "{{tables.x}}"}, {"{{schema}}", "{{schema}}"}, {"<<tables.a.b>>", "<<tables.a.b>>"},
		{"{{schema}}.t", "{{schema}}.t"}, {`"{{schema}}"`, `"{{schema}}"`}, {`"<<tables.x>>"`, `"<<tables.x>>"`},
		{"''{{schema}}''", "'{{schema}}'"}, {"'' ", "' "}, {"{{1,2},{3}}", "{{1,2},{3}}"}, {"{", "{"}, {"<", "<"}, {"}}", "}}"},
		{"-- ", "-- "}, {"$$", "$$"}, {"a", "a"}, {"ä ", "ä "}, {"\n", "\n"}, {"/*", "/*"}, {";", ";"}, {"{{oops}}", "{{oops}}"}}
	prefix := g.oneOf("", "", "E", "e", "N", "U&", "u&")
	var special [][2]string
	switch prefix {
	case "E", "e":
		special = [][2]string{{`\' `, "' "}, {`\\`, `\`}, {`\x41`, "A"}, {`\n`, "\n"}, {`\{ `, "{ "}}
	case "U&", "u&":
		special = [][2]string{{`\\`, `\`}, {`\0041`, "A"}}
	default:
		special = [][2]string{{`\`, `\`}}
	}
	text, value := prefix+"'", ""
	for range g.IntN(8) {
		all := pieces
		if g.IntN(3) == 0 {
			all = special
		}
		piece := all[g.IntN(len(all))]
		text, value = text+piece[0], value+piece[1]
		if g.IntN(8) == 0 {
			text, value = text+" '"+g.gap(true)+"' ", value+"  "
		}
	}
	return item{text: text + "'", value: value}
}

// replaced is value with its templates replaced as plain text. A schema in quotes of its own is a value.
func replaced(value, schema string) string {
	quoted := template.QuoteIdent(schema)
	if value == "{{schema}}" {
		return schema
	}
	parts := strings.Split(value, "'{{schema}}'")
	quotes := 0
	for i, part := range parts {
		quotes += strings.Count(part, "'")
		if i > 0 {
			quotes += 2
		}
		parts[i] = strings.NewReplacer(`"{{schema}}"`, quoted, `"<<tables.x>>"`, quoted+`."x"`, "{{schema}}", quoted,
			"{{tables.x}}", quoted+".x", "<<tables.a.b>>", `"a".b`).Replace(part)
		if i < len(parts)-1 && quotes%2 == 0 {
			parts[i] += "'" + schema + "'"
		} else if i < len(parts)-1 {
			parts[i] += "'" + quoted + "'"
		}
	}
	return strings.Join(parts, "")
}

// TestMigrationLiteralsOnServer: what the server reads in a random literal is the literal's text, with the templates
// replaced as in plain text.
func TestMigrationLiteralsOnServer(t *testing.T) {
	t.Parallel()
	const statements, seed = 3000, 1
	conn := connect(t)
	refused := 0
	for i := range uint64(statements) {
		g := generator{rand.New(rand.NewPCG(seed, i))}
		schema := g.oneOf(migrationSchemas...)
		it := g.migrationLiteral()
		if g.IntN(8) == 0 {
			it = g.migrationDollar()
		}
		stmt, err := template.Parse("SELECT "+it.text+"::text", template.Migration)
		if err != nil {
			t.Fatalf("%d: %s: %v", i, it.text, err)
		}
		sql, err := stmt.Expand(schema)
		if err != nil && (strings.ContainsAny(schema, `'\`) && strings.Contains(it.value, "'") ||
			strings.Contains(schema, "$") && strings.Contains(it.value, "$")) {
			refused++ // a name that could end a quote within the literal
			continue
		}
		want := replaced(it.value, schema)
		if it.text[0] == 'N' {
			want = strings.TrimRight(want, " ") // the type of N'...' is character
		}
		if got, err2 := queryRow(t, conn, sql); err != nil || err2 != nil || got[0] != want {
			t.Fatalf("%d: %s becomes %s\n got %q\nwant %q\n%v %v", i, it.text, sql, got, want, err, err2)
		}
	}
	if refused == 0 || refused > statements/5 {
		t.Errorf("%d were refused", refused)
	}
}
