package template_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/template"
)

var longName = strings.Repeat("x", template.MaxNameLen+1)

const (
	cutOff  = "it is cut off: }} is missing"
	unknown = "unknown template; there are {{tables.name}}, {{tables.schema.name}} and {{schema}}"
	badName = "bad table name; it takes one name, or schema.name, of ASCII letters, digits and _, not starting with a digit"
	tooLong = "the name is longer than PostgreSQL's limit of 63 bytes"
	nested  = "templates cannot be nested"
)

// badTemplates are texts with exactly what is said about them.
var badTemplates = []struct {
	text         string
	line, column int
	template     string
	reason       string
	suggestion   string
}{
	// Misspelt.
	{"SELECT * FROM {{table.users}}", 1, 15, "{{table.users}}", unknown, "{{tables.users}}"},
	{"SELECT 1\nFROM\t{{Tables.users}}", 2, 6, "{{Tables.users}}", unknown, "{{tables.users}}"},
	{"SELECT 'ä€\n\U0001F418', {{shema}}", 2, 5, "{{shema}}", unknown, "{{schema}}"},
	{"{{ tables.users }}", 1, 1, "{{ tables.users }}", unknown, "{{tables.users}}"},
	{"{{tables .users}}", 1, 1, "{{tables .users}}", unknown, "{{tables.users}}"},
	{"{{tables:users}}", 1, 1, "{{tables:users}}", unknown, "{{tables.users}}"},
	{"{{tables users}}", 1, 1, "{{tables users}}", unknown, "{{tables.users}}"},
	{"{{SCHEMA}}", 1, 1, "{{SCHEMA}}", unknown, "{{schema}}"},
	{"{{users}}", 1, 1, "{{users}}", unknown, ""},
	{"{{}}", 1, 1, "{{}}", unknown, ""},
	{"{{{tables.users}}}", 1, 1, "{{{tables.users}}", unknown, "{{tables.users}}"},
	{"{{schema.users}}", 1, 1, "{{schema.users}}", unknown, ""},
	{"SELECT 1;\r\n\r\n  {{oops}}", 3, 3, "{{oops}}", unknown, ""},
	{"DO $$\nBEGIN\n {{oops}} END $$", 3, 2, "{{oops}}", unknown, ""},

	// Cut off.
	{"SELECT 1 FROM {{tables.users", 1, 15, "{{tables.users", cutOff, "{{tables.users}}"},
	{"SELECT 1 FROM {{tables.users}", 1, 15, "{{tables.users", cutOff, "{{tables.users}}"},
	{"SELECT 1 FROM {{tables.users WHERE id = 1", 1, 15, "{{tables.users", cutOff, "{{tables.users}}"},
	{"SELECT 1 FROM {{tables.users\n}}", 1, 15, "{{tables.users", cutOff, "{{tables.users}}"},
	{"SELECT {{schema;", 1, 8, "{{schema", cutOff, "{{schema}}"},
	{"{{", 1, 1, "{{", cutOff, ""},
	{"SELECT {{tables.users>>", 1, 8, "{{tables.users", cutOff, "{{tables.users}}"},
	{"SELECT {{tables.users='x'", 1, 8, "{{tables.users", cutOff, "{{tables.users}}"},
	{"SELECT ({{ tables.users) }}", 1, 9, "{{ tables.users) }}", unknown, ""},
	{"DO $$ {{tables.users $$; SELECT '}}'", 1, 7, "{{tables.users", cutOff, "{{tables.users}}"},

	// Bad names.
	{"{{tables.}}", 1, 1, "{{tables.}}", badName, ""},
	{"{{tables.1st}}", 1, 1, "{{tables.1st}}", badName, ""},
	{"{{tables.a.b.c}}", 1, 1, "{{tables.a.b.c}}", badName, ""},
	{"{{tables.größe}}", 1, 1, "{{tables.größe}}", badName, ""},
	{"{{tables.a-b}}", 1, 1, "{{tables.a-b}}", badName, ""},
	{"{{tables. users}}", 1, 1, "{{tables. users}}", badName, "{{tables.users}}"},
	{`{{tables."users"}}`, 1, 1, `{{tables."users"}}`, badName, ""},
	{"{{tables." + longName + "}}", 1, 1, "{{tables." + longName + "}}", tooLong, ""},
	{"{{tables.a." + longName + "}}", 1, 1, "{{tables.a." + longName + "}}", tooLong, ""},
	{"{{tables.pg_catalog.pg_class}}", 1, 1, "{{tables.pg_catalog.pg_class}}",
		"schema pg_catalog is reserved for PostgreSQL; write pg_catalog.pg_class without a template", ""},
	{`TABLE "<<tables"."information_schema"."x>>"`, 1, 7, `"<<tables"."information_schema"."x>>"`,
		"schema information_schema is reserved for PostgreSQL; write information_schema.x without a template", ""},

	// Nested.
	{"{{tables.{{schema}}.users}}", 1, 1, "{{tables.{{schema", nested, ""},
	{"{{tables.{{schema}}}}", 1, 1, "{{tables.{{schema", nested, ""},
	{"{{{{schema}}}}", 1, 1, "{{{{schema", nested, ""},
	{"SELECT 1 FROM {{tables.a JOIN {{tables.b}}", 1, 15, "{{tables.a", cutOff, "{{tables.a}}"},
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range badTemplates {
		_, err := template.Parse(tt.text, template.Both)
		var e *template.Error
		if !errors.As(err, &e) {
			t.Errorf("%q: error %v, want a *template.Error", tt.text, err)
			continue
		}
		want := template.Error{Template: tt.template, Reason: tt.reason, Suggestion: tt.suggestion,
			Offset: strings.Index(tt.text, tt.template), Line: tt.line, Column: tt.column}
		if *e != want {
			t.Errorf("%q:\n got %+v\nwant %+v", tt.text, *e, want)
		}
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	_, err := template.Parse("SELECT 1\n FROM {{table.users}}", template.Both)
	want := "pgdbm: template {{table.users}} at line 2, column 7: unknown template; " +
		"there are {{tables.name}}, {{tables.schema.name}} and {{schema}}; did you mean {{tables.users}}?"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestErrorsShowNoData: the text of a statement may hold passwords, and error texts end in logs.
func TestErrorsShowNoData(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"SELECT {{tables.users='secret'",
		"SELECT {{tables.users WHERE p = 'secret'",
		"SELECT {{tables.users WHERE p = 'secret' AND a = '{{}}'",
		"SELECT {{tables.users WHERE p = $$secret$$ AND a = '}}'",
		"SELECT {{tables.users WHERE p = 'secret' AND {{tables.x}}",
		"SELECT {{tables.{{schema'secret'}}",
		"SELECT {{tables.users--secret\n}}",
		"SELECT {{schema;secret",
		"SELECT {{tables.\nsecret}}",
		"SELECT {{oops" + strings.Repeat("x", 100) + "secret}}",
		"SELECT 'secret', {{oops}}, 'secret'",
	} {
		_, err := template.Parse(text, template.Both)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestErrorTextIsText: what cannot be printed in one line is replaced.
func TestErrorTextIsText(t *testing.T) {
	t.Parallel()
	_, err := template.Parse("{{\xff\t\x00\x1b[1m}}", template.Both)
	var e *template.Error
	if !errors.As(err, &e) || e.Template != "{{?   [1m}}" {
		t.Errorf("%+v", e)
	}
}

func TestExpandErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, schema, reason string }{
		{"SELECT <<tables.<<tables.a>>>>", "", nested},
		{`SELECT "{{tables".{{schema}}."a}}"`, "", nested},
		{`SELECT '{{schema}}'::{{tables.regclass}}`, "", nested},
		{`CREATE {{tables.function}} f() AS $$ {{schema}} $$`, "", nested},
		{"DO $$ {{tables.t}} $$", "a$$b", "the expanded name would end the dollar-quoted body; give the body another tag"},
		{"DO $x$ DO $y$ {{tables.t}} $y$ $x$", "a$x$b", "the expanded name would end the dollar-quoted body; give the body another tag"},
		{"DO $$ SELECT '{{tables.t}}'::regclass $$", "$$", "the expanded name would end the dollar-quoted body; give the body another tag"},
	} {
		stmt, err := template.Parse(tt.text, template.Both)
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
	// The same schemas do no harm elsewhere.
	if got := expand(t, "DO $x$ {{tables.t}} $x$; SELECT $$ a $$, {{tables.t}}", "a$$b", template.Both); got !=
		`DO $x$ "a$$b".t $x$; SELECT $$ a $$, "a$$b".t` {
		t.Errorf("got %s", got)
	}
}
