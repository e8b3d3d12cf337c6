package template_test

import (
	"testing"

	"github.com/pgdbm/pgdbm/internal/template"
)

func TestParseValue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text   string
		syntax template.Syntax
		want   template.Name
	}{
		{"{{schema}}", template.Both, template.Name{}},
		{"<<schema>>", template.Both, template.Name{}},
		{"{{schema}}", template.Braces, template.Name{}},
		{"{{tables.users}}", template.Both, template.Name{Table: "users"}},
		{"<<tables.users>>", template.Both, template.Name{Table: "users"}},
		{"{{tables.audit.Events}}", template.Both, template.Name{Schema: "audit", Table: "Events"}},
	} {
		got, ok := template.ParseValue(tt.text, tt.syntax)
		if !ok || got != tt.want {
			t.Errorf("%q is %+v (%v), want %+v", tt.text, got, ok, tt.want)
		}
	}
	for _, text := range []string{
		"", "{", "{{", "{{}}", "schema", " {{schema}}", "{{schema}} ", "{{schema}}.users", "{{schema>>", "{{tables.}}", "{{tables.a.b.c}}",
		"{{tables.users}}{{schema}}", "{{tables.pg_catalog.pg_class}}", `"{{schema}}"`, "{{ schema }}", "{{Schema}}",
	} {
		if got, ok := template.ParseValue(text, template.Both); ok {
			t.Errorf("%q is %+v, want none", text, got)
		}
	}
	if got, ok := template.ParseValue("<<schema>>", template.Braces); ok {
		t.Errorf("with templates=braces <<schema>> is %+v", got)
	}
}

func TestParseHalves(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ first, second string }{{"{{tables", "users}}"}, {"<<tables", "users>>"}} {
		got, ok := template.ParseHalves(tt.first, tt.second, template.Both)
		if want := (template.Name{Table: "users"}); !ok || got != want {
			t.Errorf("%q, %q is %+v (%v), want %+v", tt.first, tt.second, got, ok, want)
		}
	}
	for _, tt := range []struct{ first, second string }{
		{"{{tables", ""}, {"{{tables", "users"}, {"{{tables", "users>>"}, {"{{tables", "a.b}}"}, {"{{tables", "}}"},
	} {
		if got, ok := template.ParseHalves(tt.first, tt.second, template.Both); ok {
			t.Errorf("%q, %q is %+v, want none", tt.first, tt.second, got)
		}
	}
}

func TestNameIn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                     template.Name
		effective                string
		schema, table, qualified string
	}{
		{template.Name{Table: "users"}, "acme", "acme", "users", `"acme"."users"`},
		{template.Name{Table: "users"}, `a"b`, `a"b`, "users", `"a""b"."users"`},
		{template.Name{Table: "users"}, "", "public", "users", `"users"`},
		{template.Name{Schema: "audit", Table: "Events"}, "acme", "audit", "Events", `"audit"."Events"`},
		{template.Name{Schema: "audit", Table: "events"}, "", "audit", "events", `"audit"."events"`},
	} {
		schema, table := tt.name.In(tt.effective)
		if qualified := tt.name.Qualified(tt.effective); schema != tt.schema || table != tt.table || qualified != tt.qualified {
			t.Errorf("%+v in %q is %q, %q, %q", tt.name, tt.effective, schema, table, qualified)
		}
	}
}
