package template_test

import (
	"testing"

	"github.com/pgdbm/pgdbm/internal/template"
)

// piece is a part of a text, and what becomes of it: the same, if it is no template.
type piece struct{ source, expanded string }

// TestSource compares each offset with those that the pieces have.
func TestSource(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		schema string
		syntax template.Syntax
		pieces []piece
	}{
		{plainSchema, template.Both, []piece{{"SELECT 'ä{{schema}}' FROM ", ""}, {"{{tables.users}}", `"myapp".users`},
			{", ", ""}, {"{{schema}}.users", `"myapp".users`}, {" WHERE x;\n", ""}, {"{{schema}}", `"myapp"`}}},
		{"", template.Both, []piece{{"SELECT * FROM ", ""}, {"{{schema}}.", ""}, {`"t", `, ""}, {`"{{tables"."users}}"`, `"users"`},
			{" x", ""}}},
		{plainSchema, template.Both, []piece{{"TABLE ", ""}, {"{{tables.t}}", `"myapp".t`}, {"{{tables.u}}", ` "myapp".u`},
			{`"`, ""}}}, // a blank stands in for the template, too
		{plainSchema, template.Both, []piece{{`SELECT "users}}"."id`, ""}}},
		{plainSchema, template.Both, []piece{{`SELECT `, ""}, {`"users}}"`, `"users"`}, {`."id" FROM `, ""},
			{`"{{tables"."users}}"`, `"myapp"."users"`}}},
		{plainSchema, template.Both, []piece{{"DO $$ ", ""}, {"{{tables.t}}", `"myapp".t`}, {" $$", ""}}},
		{"it's", template.Migration, []piece{{"DO $$ x('a", ""}, {"{{tables.t}}", `"it''s".t`}, {" ', $q$", ""},
			{"{{schema}}", "it's"}, {"$q$, E'", ""}, {"{{schema}}", "it''s"}, {"') $$", ""}}},
		{"", template.Both, nil},
		{"", template.Both, []piece{{"{{schema}}", "public"}}},
	} {
		text, sql := "", ""
		var want []int
		for _, p := range tt.pieces {
			isTemplate := p.expanded != "" || p.source == "{{schema}}."
			if !isTemplate {
				p.expanded = p.source
			}
			for i := range len(p.expanded) {
				if isTemplate {
					i = 0
				}
				want = append(want, len(text)+i)
			}
			text, sql = text+p.source, sql+p.expanded
		}
		want = append(want, len(text))
		if got := expand(t, text, tt.schema, tt.syntax); got != sql {
			t.Errorf("%q becomes %q, want %q", text, got, sql)
		}
		stmt, err := template.Parse(text, tt.syntax)
		if err != nil {
			t.Fatal(err)
		}
		for offset, want := range want {
			if got := stmt.Source(tt.schema, offset); got != want {
				t.Errorf("%q, offset %d in %q: got %d, want %d", text, offset, sql, got, want)
			}
		}
	}
}

// TestSourceOutside: an offset that is in no expanded text is no reason to panic.
func TestSourceOutside(t *testing.T) {
	t.Parallel()
	stmt, err := template.Parse("DO $$ {{tables.t}} $$", template.Both)
	if err != nil {
		t.Fatal(err)
	}
	for _, schema := range []string{plainSchema, "a$$b"} { // in the second it cannot be expanded
		for offset, want := range map[int]int{-5: 0, 0: 0, 1000: len(stmt.Text)} {
			if got := stmt.Source(schema, offset); got != want {
				t.Errorf("schema %s: %d comes from %d, want %d", schema, offset, got, want)
			}
		}
	}
}

// checkSource checks what holds for any offset of an expanded text: it comes from the same byte, or from the start of
// a template, and its neighbours do not come from before it.
func checkSource(t *testing.T, text, schema, sql string, syntax template.Syntax) {
	t.Helper()
	stmt, err := template.Parse(text, syntax)
	if err != nil {
		return
	}
	last := 0
	for offset := 0; offset < len(sql); offset += 1 + len(sql)/16 { // all of them take too long
		source := stmt.Source(schema, offset)
		isTemplate := source < len(text) && (text[source] == '{' || text[source] == '<' || text[source] == '"')
		if source < last || source >= len(text) || text[source] != sql[offset] && !isTemplate {
			t.Errorf("%q becomes %q: offset %d is said to come from %d, behind %d", text, sql, offset, source, last)
			return
		}
		last = source
	}
	if got := stmt.Source(schema, len(sql)); got != len(text) {
		t.Errorf("%q becomes %q: the end is said to come from %d", text, sql, got)
	}
}
