package template_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/pgdbm/pgdbm/internal/template"
)

// item is one expression of a SELECT list: as it is written with templates, as it has to be expanded, and its value.
type item struct{ text, expanded, value string }

// generator makes random expressions out of what is hard to tell apart.
type generator struct{ *rand.Rand }

func (g generator) oneOf(choices ...string) string { return choices[g.IntN(len(choices))] }

// content is text for the inside of a literal. It has no backslash and no single quote.
func (g generator) content() string {
	var b strings.Builder
	for range g.IntN(6) {
		b.WriteString(g.oneOf("{{tables.x}}", "<<tables.x>>", "{{schema}}", "{{oops", "}}", `"{{tables"."x}}"`, `"x}}"."id"`,
			`"`, "--", "/*", "*/", ";", "$", "$$", "$a$", "a", "E", "ä", "\n", " ", "::regclass"))
	}
	return b.String()
}

// gap is white space and comments; with a line break it continues a literal.
func (g generator) gap(lineBreak bool) string {
	if lineBreak {
		return g.oneOf("\n", " \r\n\t", " -- it's {{tables.x}} /*\n", "\n-- $$ {{oops\n --\n ", "-- <<schema>> \\'\r")
	}
	return g.oneOf("", " ", "\n", "/* it's {{tables.x}} */", "/*/*{{oops*/ '\" */", "-- 'x {{schema}}\n", "--\r", "/***/")
}

// quoted is a literal with the given prefix; each choice of pieces is written differently from what it means.
func (g generator) quoted(prefix string, pieces ...[2]string) item {
	text, value := prefix+"'", ""
	for parts := g.IntN(4); ; parts-- {
		for range g.IntN(4) {
			piece := pieces[g.IntN(len(pieces))]
			if g.IntN(2) == 0 {
				c := g.content()
				piece = [2]string{c, c}
			}
			text, value = text+piece[0], value+piece[1]
		}
		text += "'"
		if parts <= 0 {
			return item{text, text, value}
		}
		text += g.gap(true) + "'"
	}
}

func (g generator) dollarQuoted() item {
	tag := g.oneOf("$$", "$a$", "$A_1$", "$ä$")
	body := g.content() + g.oneOf("", "'", `\`, "$b$", "$a", "'{{schema}}'") + g.content()
	if strings.Index(body+tag, tag) < len(body) {
		body = "" // it would end too early
	}
	return item{tag + body + tag, tag + body + tag, body}
}

// templated is an expression that takes its value from the tenant's schema.
func (g generator) templated(schema string) item {
	table := template.QuoteIdent(schema) + ".t"
	quoted := template.QuoteIdent(schema) + `."t"`
	literal := g.quoted("", [2]string{"''", "'"})
	choices := []item{
		{"(SELECT v FROM {{tables.t}})", "(SELECT v FROM " + table + ")", "tenant"},
		{"(SELECT {{schema}}.t.v FROM <<schema>>.t)", "(SELECT " + table + ".v FROM " + table + ")", "tenant"},
		{`(SELECT "t}}"."v" FROM "{{tables"."t}}")`, `(SELECT "t"."v" FROM ` + quoted + `)`, "tenant"},
		{`(SELECT v FROM "<<tables.t>>" x WHERE 8 <<x.n>> 1 = 8)`, "(SELECT v FROM " + quoted + " x WHERE 8 <<x.n>> 1 = 8)", "tenant"},
		{"{{schema}}.f(" + literal.text + ")", template.QuoteIdent(schema) + ".f(" + literal.text + ")", literal.value},
		{"(SELECT relname FROM pg_class WHERE oid = '{{tables.t}}'::regclass)",
			"(SELECT relname FROM pg_class WHERE oid = '" + strings.ReplaceAll(table, "'", "''") + "'::regclass)", "t"},
	}
	return choices[g.IntN(len(choices))]
}

func (g generator) item(schema string) item {
	plain := [][2]string{{"''", "'"}, {`\`, `\`}, {`\''`, `\'`}}
	escapes := [][2]string{{"''", "'"}, {`\'`, "'"}, {`\\`, `\`}, {`\x41`, "A"}, {`\{`, "{"}, {`\n`, "\n"}}
	switch g.IntN(10) {
	case 0:
		return g.quoted("", plain...)
	case 1:
		return g.quoted(g.oneOf("text", "phrase", "public.phrase", "pg_catalog.text "), plain[:2]...)
	case 2, 3:
		return g.quoted(g.oneOf("E", "e"), escapes...)
	case 4:
		return g.quoted(g.oneOf("U&", "u&"), [2]string{"''", "'"}, [2]string{`\\`, `\`}, [2]string{`\0041`, "A"})
	case 5:
		return g.dollarQuoted()
	case 6:
		it := g.quoted(g.oneOf("N", "n"), plain[:2]...)
		it.value = strings.TrimRight(it.value, " ") // the type of N'...' is character
		return it
	case 7:
		it := g.quoted("", plain[:2]...) // {{tables.e}} is a type, and e'...' would be another literal
		return item{"{{tables.e}}" + it.text, template.QuoteIdent(schema) + ".e " + it.text, it.value}
	}
	return g.templated(schema)
}

// statement is SELECT with a list of items. The aliases are quoted, and none of them is a template.
func (g generator) statement(schema string) (text, expanded string, values []string) {
	text, expanded = "SELECT", "SELECT"
	for n := range 1 + g.IntN(8) {
		it := g.item(schema)
		before, between := g.gap(true), g.gap(false)
		alias := ` AS "` + fmt.Sprint(n, g.oneOf("", "'", "--", "{{tables.x}}", "/*", `""`, "$$", "<<schema>>")) + `"` + g.gap(false)
		if n > 0 {
			before = g.gap(false) + "," + before
		}
		text += before + it.text + between + "::text" + alias
		expanded += before + it.expanded + between + "::text" + alias
		values = append(values, it.value)
	}
	return text, expanded, values
}

// TestServerReadsWhatWasWritten runs random statements: literals that look like templates, comments, quotes and
// tags come back from PostgreSQL as they were written, and the templates between them are resolved.
func TestServerReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	const statements, seed = 500, 1
	for _, schema := range []string{weirdSchema, "o'brien {} $$"} {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			conn := connect(t)
			for _, sql := range []string{
				"CREATE SCHEMA {{schema}}",
				"CREATE TABLE {{tables.t}} (v text, n int); CREATE TABLE public.t (v text)",
				"CREATE DOMAIN public.phrase AS text; CREATE DOMAIN {{tables.e}} AS text",
				"INSERT INTO {{tables.t}} VALUES ('tenant', 1); INSERT INTO public.t VALUES ('public')",
				"CREATE FUNCTION {{schema}}.f(text) RETURNS text LANGUAGE sql AS $body$ SELECT $1 $body$",
			} {
				mustExec(t, conn, expand(t, sql, schema, template.Both))
			}
			for i := range uint64(statements) {
				text, expanded, values := generator{rand.New(rand.NewPCG(seed, i))}.statement(schema)
				if got := expand(t, text, schema, template.Both); got != expanded {
					t.Fatalf("seed %d, %d:\n got %s\nwant %s", seed, i, got, expanded)
				}
				if got, err := queryRow(t, conn, expanded); err != nil || fmt.Sprint(got) != fmt.Sprint(values) {
					t.Fatalf("seed %d, %d: %s\n got %q\nwant %q\n%v", seed, i, expanded, got, values, err)
				}
			}
		})
	}
}

func mustExec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// queryRow returns the columns of the only row.
func queryRow(t *testing.T, conn *pgx.Conn, sql string) ([]any, error) {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return nil, err
	}
	return pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
}

// TestBareNamesOnServer runs what takes no qualified name, and what does although it looks alike.
func TestBareNamesOnServer(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{"", weirdSchema} {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			conn := connect(t)
			mustExec(t, conn, "CREATE SCHEMA "+template.QuoteIdent(weirdSchema))
			for _, sql := range []string{
				"CREATE TABLE {{tables.t}} (id int, v text NOT NULL) PARTITION BY LIST (id)",
				"CREATE TABLE {{tables.p}} PARTITION OF {{tables.t}} FOR VALUES IN (1)",
				`CREATE TABLE "{{tables"."u}}" (id int NOT NULL)`,
				"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {{tables.u_id}} ON {{tables.u}} (id)",
				"ALTER TABLE {{tables.u}} ADD CONSTRAINT pk PRIMARY KEY USING INDEX {{tables.u_id}}",
				"CREATE INDEX ON {{schema}}.u (id)",
				"CREATE FUNCTION {{schema}}.f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$",
				"CREATE TRIGGER tr BEFORE UPDATE OF id, v ON {{tables.p}} FOR EACH ROW EXECUTE FUNCTION {{schema}}.f()",
				"SELECT * FROM {{tables.t}}, {{tables.u}} FOR NO KEY UPDATE OF {{tables.t}}, {{tables.u}} FOR KEY SHARE OF t",
				`SELECT * FROM "{{tables"."u}}" FOR SHARE OF "{{tables"."u}}"`,
				`SELECT "u}}"."id" FROM "{{tables"."u}}" ORDER BY "u}}"."id"`,
				"ALTER TABLE {{tables.u}} RENAME TO {{tables.w}}",
				"ALTER TABLE {{tables.w}} RENAME COLUMN id TO i",
				"DO $$ BEGIN PERFORM * FROM {{tables.w}}, {{tables.t}}; END $$",
				"DROP TABLE {{tables.w}}, {{tables.p}}, {{tables.t}}",
			} {
				mustExec(t, conn, expand(t, sql, schema, template.Both))
			}
		})
	}
}
