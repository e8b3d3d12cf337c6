package template_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pgdbm/pgdbm/internal/template"
)

// migrationLiterals are templates in the literals of a migration.
var migrationLiterals = []expansion{
	// Anywhere inside, of any kind of literal.
	{`SELECT 'see {{tables.users}} and {{schema}}'`, `SELECT 'see "myapp".users and "myapp"'`, `SELECT 'see users and public'`},
	{`SELECT '<<tables.users>>, <<schema>>!'`, `SELECT '"myapp".users, "myapp"!'`, `SELECT 'users, public!'`},
	{`SELECT '{{tables.audit.events}}'`, `SELECT '"audit".events'`, ""},
	{`SELECT '{{tables.user}}', '{{schema}}.user'`, `SELECT '"myapp".user', '"myapp".user'`, `SELECT '"user"', '"user"'`},
	{`SELECT '{{schema}}.t, {{schema}}."T", {{schema}}. Done'`, `SELECT '"myapp".t, "myapp"."T", "myapp". Done'`,
		`SELECT 't, "T", public. Done'`},
	{`SELECT '({{schema}}.)', '{{schema}}.'`, `SELECT '("myapp".)', '"myapp".'`, `SELECT '(public.)', 'public.'`},
	{`SELECT '{{schema}}', 'x'.'{{schema}}.' a`, `SELECT '@myapp@', 'x'.'"myapp".' a`, `SELECT 'public', 'x'.'public.' a`},
	{`SELECT format('%s {{schema}} %s', E'\n{{tables.t}}\\', U&'\0041{{tables.t}}', N'{{tables.t}} ')`,
		`SELECT format('%s "myapp" %s', E'\n"myapp".t\\', U&'\0041"myapp".t', N'"myapp".t ')`,
		`SELECT format('%s public %s', E'\nt\\', U&'\0041t', N't ')`},
	{`SELECT B'{{schema}}', x'{{tables.t}}'`, "", ""},
	{"SELECT 'a {{tables.t}}' -- {{schema}} it's\n'{{schema}}' --'\r\n  ' b{{tables.t}}'",
		"SELECT 'a \"myapp\".t' -- {{schema}} it's\n'\"myapp\"' --'\r\n  ' b\"myapp\".t'",
		"SELECT 'a t' -- {{schema}} it's\n'public' --'\r\n  ' bt'"},
	{"SELECT E'a'\n'\\'{{tables.t}}'", "SELECT E'a'\n'\\'\"myapp\".t'", "SELECT E'a'\n'\\'t'"},
	{`SELECT 'x{{tables.t}}y', 'a-{{schema}}.t'`, `SELECT 'x"myapp".ty', 'a-"myapp".t'`, `SELECT 'xty', 'a-t'`}, // no blank
	{`COMMENT ON TABLE {{tables.t}} IS 'it''s {{tables.t}}'`, `COMMENT ON TABLE "myapp".t IS 'it''s "myapp".t'`,
		`COMMENT ON TABLE t IS 'it''s t'`},
	{`DO 'BEGIN PERFORM 1 FROM {{tables.t}}; END'`, `DO 'BEGIN PERFORM 1 FROM "myapp".t; END'`,
		`DO 'BEGIN PERFORM 1 FROM t; END'`},
	{`SELECT E'\{{schema}}', E'\\{{tables.t}}', E'\{{{tables.t}}'`, `SELECT E'\{{schema}}', E'\\"myapp".t', E'\{"myapp".t'`,
		`SELECT E'\{{schema}}', E'\\t', E'\{t'`},
	{`SELECT U&'{{{tables.t}}' UESCAPE '{'`, "", ""},
	{`SELECT E'\x41{{tables.a}}\\x4{{tables.a}}\x{{{oops}}\xg{{tables.a}}', '\x{{tables.a}}'`,
		`SELECT E'\x41"myapp".a\\x4"myapp".a\x{{{oops}}\xg"myapp".a', '\x"myapp".a'`, `SELECT E'\x41a\\x4a\x{{{oops}}\xga', '\xa'`},

	// In double quotes, which are replaced too.
	{`SELECT '"{{schema}}"."t"', '"{{tables.T}}"', '"<<schema>>"'`, `SELECT '"myapp"."t"', '"myapp"."T"', '"myapp"'`,
		`SELECT '"public"."t"', '"T"', '"public"'`},
	{`SELECT '{"a": "{{schema}}"}'::json`, `SELECT '{"a": "myapp"}'::json`, `SELECT '{"a": "public"}'::json`},
	{`SELECT '"{{tables.a}}"{{tables.b}}"', '"a {{schema}}"'`, `SELECT '"myapp"."a""myapp".b"', '"a "myapp""'`,
		`SELECT '"a"b"', '"a public"'`},

	// A whole literal is a value, but not where PostgreSQL reads an identifier.
	{`SELECT 1 FROM pg_namespace WHERE nspname = '{{schema}}'`, `SELECT 1 FROM pg_namespace WHERE nspname = '@myapp@'`,
		`SELECT 1 FROM pg_namespace WHERE nspname = 'public'`},
	{`SELECT E'{{schema}}', N'<<schema>>', U&'{{schema}}', U&'{{schema}}' UESCAPE '!'`,
		`SELECT E'@myapp@', N'@myapp@', U&'@myapp@', U&'@myapp@' UESCAPE '!'`,
		`SELECT E'public', N'public', U&'public', U&'public' UESCAPE '!'`},
	{`SELECT ' {{schema}}', '{{schema}} '`, `SELECT ' "myapp"', '"myapp" '`, `SELECT ' public', 'public '`},
	{"SELECT '{{schema}}'\n''", "SELECT '\"myapp\"'\n''", "SELECT 'public'\n''"},
	{`SELECT '{{schema}}'::regnamespace, E'{{schema}}' :: /**/ pg_catalog . regnamespace`,
		`SELECT '"myapp"'::regnamespace, E'"myapp"' :: /**/ pg_catalog . regnamespace`,
		`SELECT 'public'::regnamespace, E'public' :: /**/ pg_catalog . regnamespace`},
	{`SELECT CAST ( '{{schema}}' AS regnamespace), CAST('{{schema}}' AS text), '{{schema}}' AS regnamespace`,
		`SELECT CAST ( '"myapp"' AS regnamespace), CAST('@myapp@' AS text), '@myapp@' AS regnamespace`,
		`SELECT CAST ( 'public' AS regnamespace), CAST('public' AS text), 'public' AS regnamespace`},
	{"SELECT regnamespace '{{schema}}', my_regnamespace '{{schema}}', To_RegNamespace (\n '{{schema}}')",
		"SELECT regnamespace '\"myapp\"', my_regnamespace '@myapp@', To_RegNamespace (\n '\"myapp\"')",
		"SELECT regnamespace 'public', my_regnamespace 'public', To_RegNamespace (\n 'public')"},
	{`SELECT set_config('search_path', '{{schema}}', true), set_config('a.b', '{{schema}}', true)`,
		`SELECT set_config('search_path', '"myapp"', true), set_config('a.b', '@myapp@', true)`,
		`SELECT set_config('search_path', 'public', true), set_config('a.b', 'public', true)`},
	{`SELECT $${{schema}}$$, $x${{schema}}$x$::regnamespace, $${{tables.t}}$$, $$<<schema>>$$`,
		`SELECT $$@myapp@$$, $x$"myapp"$x$::regnamespace, $$"myapp".t$$, $$@myapp@$$`,
		`SELECT $$public$$, $x$public$x$::regnamespace, $$t$$, $$public$$`},

	// Literals within literals.
	{`EXECUTE 'SELECT 1 WHERE n = ''{{schema}}'' AND m = ''{{schema}}'''`,
		`EXECUTE 'SELECT 1 WHERE n = ''@myapp@'' AND m = ''@myapp@'''`,
		`EXECUTE 'SELECT 1 WHERE n = ''public'' AND m = ''public'''`},
	{`EXECUTE 'SELECT ''{{schema}}''::regnamespace, to_regnamespace(''{{schema}}''), set_config(''search_path'', ''{{schema}}'')'`,
		`EXECUTE 'SELECT ''"myapp"''::regnamespace, to_regnamespace(''"myapp"''), set_config(''search_path'', ''"myapp"'')'`,
		`EXECUTE 'SELECT ''public''::regnamespace, to_regnamespace(''public''), set_config(''search_path'', ''public'')'`},
	{`EXECUTE E'SELECT \'{{schema}}\', ''{{schema}}''', '''{{schema}}'''`,
		`EXECUTE E'SELECT \'@myapp@\', ''@myapp@''', '''@myapp@'''`, `EXECUTE E'SELECT \'public\', ''public''', '''public'''`},
	{`EXECUTE 'x ''''{{schema}}''''', ' ''{{schema}} ''', ' ''{{tables.t}}'''`,
		`EXECUTE 'x ''''"myapp"''''', ' ''"myapp" ''', ' ''"myapp".t'''`, `EXECUTE 'x ''''public''''', ' ''public ''', ' ''t'''`},

	// What is no template.
	{`SELECT '{{1,2},{3,4}}'::int[], '{{schema,tables},{a,b}}'::text[], '{{"tables.a"}}'`, "", ""},
	{`SELECT '{{{schema}},{{{tables.t}}}}'::text[]`, `SELECT '{"myapp",{"myapp".t}}'::text[]`, `SELECT '{public,{t}}'::text[]`},
	{`SELECT '{{schemas}}'::text[], '{{shema}}' :: "My"."T" [1], '{{table.x}}'::varchar[]`, "", ""},
	{`SELECT '{{ user.name }}', '{{ table.name }}', '{{ scheme }}', '{{title}}', '{{user.name}}', '{{ schema|upper }}'`, "", ""},
	{`SELECT '{{{body}}}', '{{#each tables.x}}', '{% if schema %}', '{{', '{{}}', '{{ }}', '}}', '{{tables.t}', '{{tables.t', '{{$1}}'`, "", ""},
	{`SELECT '{"a":{"b":{}}}'::json, '{{größe.x}}', '{{tables:users}}', '{{' || 'schema}}', '<<table.x>>', '<<x', 'a << b'`, "", ""},
	{`SELECT $$ {{ user.name }} {{a}} << {{1,2},{3,4}} $$, $$ {{{tables.t}}} $$`,
		`SELECT $$ {{ user.name }} {{a}} << {{1,2},{3,4}} $$, $$ {"myapp".t} $$`,
		`SELECT $$ {{ user.name }} {{a}} << {{1,2},{3,4}} $$, $$ {t} $$`},

	// Comments and quoted identifiers are left alone.
	{"SELECT 1 -- '{{schema}}'\n/* '{{oops}}' /* {{tables.t}} */ */", "", ""},
	{`SELECT "a {{schema}}", U&"{{schema}}", "it's {{tables.t}}"`, "", ""},
	{`SELECT 'a', "{{tables.t}}", {{tables.t}}`, `SELECT 'a', "myapp"."t", "myapp".t`, `SELECT 'a', "t", t`},

	// No end.
	{`SELECT '{{tables.t}}`, "", ""},
	{`SELECT E'{{tables.t}}\'`, "", ""},
	{`SELECT "{{tables.t}}`, "", ""},
	{`SELECT $x$ {{tables.t}}`, "", ""},
}

// migrationDollars are templates in the dollar-quoted strings of a migration.
var migrationDollars = []expansion{
	{`DO $$ BEGIN <<schema>> LOOP EXIT; END LOOP; EXECUTE $q$; <<schema>> FOR $q$; END $$`,
		`DO $$ BEGIN <<schema>> LOOP EXIT; END LOOP; EXECUTE $q$; "myapp" FOR $q$; END $$`,
		`DO $$ BEGIN <<schema>> LOOP EXIT; END LOOP; EXECUTE $q$; public FOR $q$; END $$`},
	{`SELECT $$ {{tables.t}} <<schema>> $$`, `SELECT $$ "myapp".t "myapp" $$`, `SELECT $$ t public $$`},
	{`DO $$ BEGIN EXECUTE $q$ CREATE INDEX {{tables.i}} ON {{tables.t}} (id) $q$; END $$`,
		`DO $$ BEGIN EXECUTE $q$ CREATE INDEX i ON "myapp".t (id) $q$; END $$`,
		`DO $$ BEGIN EXECUTE $q$ CREATE INDEX i ON t (id) $q$; END $$`},
	{`DO $$ BEGIN EXECUTE 'TABLE {{tables.t}}'; RAISE 'it''s {{schema}}'; PERFORM '{{schema}}'; END $$`,
		`DO $$ BEGIN EXECUTE 'TABLE "myapp".t'; RAISE 'it''s "myapp"'; PERFORM '@myapp@'; END $$`,
		`DO $$ BEGIN EXECUTE 'TABLE t'; RAISE 'it''s public'; PERFORM 'public'; END $$`},
	{"SELECT $$ -- {{schema}}\n /* {{tables.t}} */ '{{schema}}' \"x {{schema}}\" \"{{tables.t}}\" $$",
		"SELECT $$ -- {{schema}}\n /* {{tables.t}} */ '@myapp@' \"x {{schema}}\" \"myapp\".\"t\" $$",
		"SELECT $$ -- {{schema}}\n /* {{tables.t}} */ 'public' \"x {{schema}}\" \"t\" $$"},
	{`CREATE FUNCTION f(a text DEFAULT $$ {{schema}} $$) AS $f$ SELECT $a$ $b$ {{tables.t}} $b$ {{oops}} $a$ $f$`,
		`CREATE FUNCTION f(a text DEFAULT $$ "myapp" $$) AS $f$ SELECT $a$ $b$ "myapp".t $b$ {{oops}} $a$ $f$`,
		`CREATE FUNCTION f(a text DEFAULT $$ public $$) AS $f$ SELECT $a$ $b$ t $b$ {{oops}} $a$ $f$`},
	{`COMMENT ON FUNCTION f() IS $$It's {{tables.t}}, $5 and $$`, `COMMENT ON FUNCTION f() IS $$It's "myapp".t, $5 and $$`,
		`COMMENT ON FUNCTION f() IS $$It's t, $5 and $$`},
	{`SELECT $x$ 5" of {{tables.t}} $x$, $x$ $$ {{schema}}{{schema}} $x$, $x$ E'\{{schema}} $x$`,
		`SELECT $x$ 5" of "myapp".t $x$, $x$ $$ "myapp""myapp" $x$, $x$ E'\"myapp" $x$`,
		`SELECT $x$ 5" of t $x$, $x$ $$ publicpublic $x$, $x$ E'\public $x$`},
	{`SELECT $x$ do $$ {{ x }} $$ $x$`, "", ""},
	{`DO $x${{schema}}$x$`, `DO $x$ "myapp"$x$`, `DO $x$ public$x$`}, // as in SQL that is no migration
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	checkExpansions(t, template.Migration, migrationLiterals)
	checkExpansions(t, template.Migration, migrationDollars)
	for _, table := range [][]expansion{forms, shapes, tails, bareNames, joins} { // in SQL all is as ever
		checkExpansions(t, template.Migration, table)
	}
}

func TestMigrationWithBraces(t *testing.T) {
	t.Parallel()
	checkExpansions(t, template.Migration|template.Braces, []expansion{
		{`SELECT '{{tables.t}} <<tables.t>>', $$ <<schema>> {{schema}} $$, <<schema>>, $$<<schema>>$$, "<<schema>>", '<<schema>>'::regclass`,
			`SELECT '"myapp".t <<tables.t>>', $$ <<schema>> "myapp" $$, <<schema>>, $$<<schema>>$$, "<<schema>>", '<<schema>>'::regclass`,
			`SELECT 't <<tables.t>>', $$ <<schema>> public $$, <<schema>>, $$<<schema>>$$, "<<schema>>", '<<schema>>'::regclass`},
	})
}

// TestNoMigration: without Migration all of that is data.
func TestNoMigration(t *testing.T) {
	t.Parallel()
	for _, tt := range append(migrationLiterals, migrationDollars...) {
		for _, syntax := range []template.Syntax{template.Both, template.Braces} {
			compareData(t, tt.text, expand(t, tt.text, weirdSchema, syntax))
		}
	}
}

// TestMigrationQuotes writes names that are hard to quote into each kind of literal.
func TestMigrationQuotes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, schema, want string }{
		{`'{{tables.t}}', '{{schema}}', ' {{schema}}'`, `it's`, `'"it''s".t', 'it''s', ' "it''s"'`},
		{`'{{tables.t}}', '{{schema}}', '"{{schema}}"'`, `a"b`, `'"a""b".t', 'a"b', '"a""b"'`},
		{`'{{tables.t}}', '{{schema}}'`, `back\slash`, `'"back\slash".t', 'back\slash'`},
		{`E'{{tables.t}}', E'{{schema}}', N'{{schema}}'`, `it's\`, `E'"it''s\\".t', E'it''s\\', N'it''s\'`},
		{`U&'{{tables.t}}', u&'{{schema}}'`, `it's\`, `U&'"it''s\\".t', u&'it''s\\'`},
		{`U&'{{tables.tz}}' /**/ uescape 'z', U&'{{schema}}' UESCAPE '!'`, `z\!`, `U&'"zz\!".tzz' /**/ uescape 'z', U&'z\!!' UESCAPE '!'`},
		{`$$ {{tables.t}} $$, $${{schema}}$$, $$ '{{tables.t}}' $$`, `it's\`, `$$ "it's\".t $$, $$it's\$$, $$ '"it''s\".t' $$`},
		{`$$It's {{schema}}$$`, `it's`, `$$It's "it's"$$`},
		{`' ''{{tables.t}}'' E'`, `\`, `' ''"\".t'' E'`},
		{`' '''' {{tables.t}}'`, `it's`, `' '''' "it''s".t'`},
		{`'{{tables.t}} $$'`, `a$$b`, `'"a$$b".t $$'`},
		{`'$1 {{schema}}.a$b'`, `it's`, `'$1 "it''s".a$b'`},
	} {
		if got := expand(t, tt.text, tt.schema, template.Migration); got != tt.want {
			t.Errorf("%q in %s:\n got %s\nwant %s", tt.text, tt.schema, got, tt.want)
		}
	}
}

func TestLongMigrations(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	for _, part := range []string{"x {{tables.t}} ", "''{{schema}}''/* ", "{{schema}}./*", "'' ''{{schema}}''$$", "{{", "<<", "{{ ", "{{tables",
		"\\x", "'' ", "\"{{schema}}\"", "{", "to_regnamespace(''"} {
		for _, text := range []string{"SELECT '%'", "SELECT E'%'", "SELECT $$%$$", "SELECT $$ '% $$",
			"SELECT $a$ $b$ '%'::text[] $b$ $a$"} {
			text = strings.Replace(text, "%", strings.Repeat(part, size/len(part)), 1)
			begin := time.Now()
			stmt, err := template.Parse(text, template.Migration)
			if err == nil {
				_, err = stmt.Expand(plainSchema)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("%.40s... took %v, error %v", text, took, err)
			}
		}
	}
}

// TestDeepMigration: what stands deeper than eight bodies is plain text, in which comments have templates.
func TestDeepMigration(t *testing.T) {
	t.Parallel()
	text, want := "x {{schema}} /* {{tables.t}} */", ""
	for depth := 1; depth <= 10; depth++ {
		tag := "$" + strings.Repeat("x", depth) + "$"
		text = "SELECT " + tag + " " + text + " " + tag
		want = strings.Replace(text, "{{schema}}", `"myapp"`, 1)
		if depth > 8 {
			want = strings.Replace(want, "{{tables.t}}", `"myapp".t`, 1)
		}
		if got := expand(t, text, plainSchema, template.Migration); got != want {
			t.Errorf("depth %d: got %s, want %s", depth, got, want)
		}
	}
}

// TestMigrationErrors: misspelt templates in literals and dollar quotes, at their place.
func TestMigrationErrors(t *testing.T) {
	t.Parallel()
	const hex = `it would become part of the \x before it; write two digits there`
	for _, tt := range []struct {
		text, template     string
		line, column       int
		reason, suggestion string
	}{
		{"SELECT 'ä',\n 'größe {{table.users}}'", "{{table.users}}", 2, 9, unknown, "{{tables.users}}"},
		{"SELECT E'\\'\n{{shema}}'", "{{shema}}", 2, 1, unknown, "{{schema}}"},
		{"SELECT '{{schema }}'", "{{schema }}", 1, 9, unknown, "{{schema}}"},
		{"SELECT '{{ Tables.users }}'", "{{ Tables.users }}", 1, 9, unknown, "{{tables.users}}"},
		{"SELECT '{{SCHEMA}}'::text", "{{SCHEMA}}", 1, 9, unknown, "{{schema}}"},
		{"SELECT '{{schema.users}}'", "{{schema.users}}", 1, 9, unknown, ""},
		{"SELECT '{{tables.1st}}'", "{{tables.1st}}", 1, 9, badName, ""},
		{"SELECT '{{tables.pg_catalog.x}}'", "{{tables.pg_catalog.x}}", 1, 9,
			"schema pg_catalog is reserved for PostgreSQL; write pg_catalog.x without a template", ""},
		{"SELECT 'a' --\n'{{tabels.x}}'", "{{tabels.x}}", 2, 2, unknown, "{{tables.x}}"},
		{"SELECT $$\n\n {{table.x}} $$", "{{table.x}}", 3, 2, unknown, "{{tables.x}}"},
		{"DO $$\n$q$ ' {{table.x}}' $q$ $$", "{{table.x}}", 2, 7, unknown, "{{tables.x}}"},
		{"SELECT $$ It's\n {{table.x}} $$", "{{table.x}}", 2, 2, unknown, "{{tables.x}}"},
		{"DO $$\n {{oops}} $$", "{{oops}}", 2, 2, unknown, ""},
		{"SELECT '{{oops}}', {{oops2}}", "{{oops2}}", 1, 20, unknown, ""},
		{`SELECT E'\x{{tables.a}}'`, "{{tables.a}}", 1, 12, hex, ""},
		{`SELECT E'\\\x4{{tables.a}}'`, "{{tables.a}}", 1, 15, hex, ""},
	} {
		_, err := template.Parse(tt.text, template.Migration)
		var e *template.Error
		if !errors.As(err, &e) {
			t.Errorf("%q: error %v", tt.text, err)
			continue
		}
		want := template.Error{Template: tt.template, Reason: tt.reason, Suggestion: tt.suggestion,
			Offset: strings.Index(tt.text, tt.template), Line: tt.line, Column: tt.column}
		if *e != want {
			t.Errorf("%q:\n got %+v\nwant %+v", tt.text, *e, want)
		}
	}
}

func TestMigrationExpandErrors(t *testing.T) {
	t.Parallel()
	const (
		ends   = "the expanded name would end the dollar-quoted body; give the body another tag"
		within = `the schema's name has a ', a \ or a $, which could end a quote within this literal; use dollar quotes for it`
	)
	for _, tt := range []struct{ text, schema, reason string }{
		{"SELECT $$ {{tables.t}} $$", "a$$b", ends},
		{"SELECT $${{schema}}$$", "a$$b", ends},
		{"DO $$ $q$ '{{schema}}' $q$ $$", "a$$b", ends},
		{"DO $$ $q$ '{{schema}}' $q$ $$", "a$q$b", ends},
		{"SELECT $users$ '${{tables.users}}$' $users$", "", ends},
		{"SELECT $ab$ '${{tables.a}}{{tables.b}}$' $ab$", "", ends},
		{"SELECT $$ it's ${{schema}}.$\" \" $$", "a$$", ends},
		{"EXECUTE 'SELECT ''{{schema}}'''", "it's", within},
		{"EXECUTE 'SELECT $q${{tables.t}}$q$'", "a$q$b", within},
		{`EXECUTE 'SELECT E''it\''s {{tables.t}}'''`, `it's`, within},
		{`EXECUTE 'SELECT e'' {{tables.t}}'''`, `\`, within},
		{`EXECUTE E'SELECT e\' {{tables.t}}'`, `\`, within},
		{"SELECT '<<tables.<<tables.a>>>>'", "", nested},
		{"SELECT $$ {{{{schema}}.shema}} $$", "", nested},
	} {
		stmt, err := template.Parse(tt.text, template.Migration)
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		_, err = stmt.Expand(tt.schema)
		var e *template.Error
		if !errors.As(err, &e) || e.Reason != tt.reason {
			t.Errorf("%q in schema %q: error %v", tt.text, tt.schema, err)
		}
	}
}
