package template_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/template"
)

func TestCheckSchemaAllows(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"a", "myapp", "Größe-\"7\"", "o'brien", " ", "a b\n", "1", "select", "public", "pg", "PG_X", "Pg_catalog", "xpg_",
		"INFORMATION_SCHEMA", "information_schema2", "$user2", "$", `"$user"`, "a$$b", "{", "}{", "a{b", "<>", "><", `\`, "--", "/*",
		"日本語", strings.Repeat("x", 63), strings.Repeat("ä", 31) + "x",
	} {
		if err := template.CheckSchema(name); err != nil {
			t.Errorf("CheckSchema(%q): %v", name, err)
		}
	}
}

func TestCheckSchemaRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, reason string }{
		{"", "empty"},
		{strings.Repeat("x", 64), "64 bytes long, and PostgreSQL cuts names off after 63"},
		{strings.Repeat("ä", 32), "64 bytes long"},
		{strings.Repeat("x", 10_000), "10000 bytes long"},
		{"a\x00b", "NUL"},
		{"\x00", "NUL"},
		{"\xff", "UTF-8"},
		{"a\xc3", "UTF-8"},
		{"$user", "current user"},
		{"pg_", "reserved"},
		{"pg_catalog", "reserved"},
		{"pg_toast", "reserved"},
		{"pg_temp_3", "reserved"},
		{"information_schema", "reserved"},
		{"{{", "{{, a template's delimiter"},
		{"a}}", "}}, a template's delimiter"},
		{"<<a", "<<, a template's delimiter"},
		{"a>>b", ">>, a template's delimiter"},
		{"{{schema}}", "a template's delimiter"},
		{"{{{", "a template's delimiter"},
	} {
		err := template.CheckSchema(tt.name)
		var e *template.SchemaError
		if !errors.As(err, &e) || e.Name != tt.name || !strings.Contains(e.Reason, tt.reason) {
			t.Errorf("CheckSchema(%q) = %v, want something about %q", tt.name, err, tt.reason)
			continue
		}
		if text := err.Error(); len(text) > 400 || strings.ContainsAny(text, "\x00\n") {
			t.Errorf("CheckSchema(%q): unreadable text %q", tt.name, text)
		}
	}
}

func TestQuoteIdent(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"": `""`, "a": `"a"`, `a"b""`: `"a""b"""""`, `'\`: `"'\"`} {
		if got := template.QuoteIdent(name); got != want {
			t.Errorf("QuoteIdent(%q) = %s, want %s", name, got, want)
		}
	}
}
