package template_test

import (
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/template"
)

// data are places where a template is data, or a comment: never rewritten.
var data = []string{
	`'{{tables.users}}'`,
	`'<<tables.users>>'`,
	`'it''s {{tables.users}}'`,
	`E'\'{{schema}}'`,
	`E'a\\' '{{schema}}'`,
	"E'a'\n'\\'{{schema}}'",
	"E'a' -- {{schema}}\n'\\'{{schema}}'",
	"'a'\n'{{schema}}'",
	`U&'{{schema}}\0041'`,
	`B'{{schema}}' x'{{schema}}' N'{{schema}}'`,
	`$$ {{tables.users}} $$`,
	`$x$ $$ {{tables.users}} $$ {{tables.users}} $x$`,
	`1$$ {{tables.users}} $$`,
	"-- {{tables.users}}\n",
	"-- {{tables.users}}\r",
	`/* {{tables.users}} /* {{oops */ {{tables.users}} */`,
	`"{{tables.users}} "`,
	`"a {{tables.users}}"`,
	`U&"{{tables.users}}"`,
	`'{{oops'`,
	`$$ {{oops $$`,
}

func TestDataIsNeverRewritten(t *testing.T) {
	t.Parallel()
	for _, d := range data {
		for _, text := range []string{
			"SELECT " + d,
			"INSERT INTO {{tables.t}} VALUES (" + d + ", " + d + ") RETURNING {{tables.t}}.id",
			"DO $do$ BEGIN PERFORM " + d + "; PERFORM {{schema}}.f(); END $do$",
		} {
			want := strings.NewReplacer("{{tables.t}}", `"myapp".t`, "{{schema}}.f", `"myapp".f`).Replace(text)
			if got := expand(t, text, plainSchema, template.Both); got != want {
				t.Errorf("%q:\n got %s\nwant %s", text, got, want)
			}
		}
	}
}

// TestUnfinishedData: what has no end reaches to the end of the text.
func TestUnfinishedData(t *testing.T) {
	t.Parallel()
	for _, begin := range []string{"'", "E'\\'", "\"", "$$", "$a$ $$", "/*", "/* /* */", "-- ", "U&'", "U&\"", "DO $$",
		"CREATE FUNCTION f() AS $$"} {
		text := "SELECT 1; " + begin + " {{tables.users}} {{oops"
		if got := expand(t, text, plainSchema, template.Both); got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

// regCasts are the literals that are rewritten, and those that are not.
var regCasts = []expansion{
	{`SELECT '{{tables.users}}'::regclass`, `SELECT '"myapp".users'::regclass`, `SELECT 'users'::regclass`},
	{`SELECT '<<tables.users>>'::REGCLASS`, `SELECT '"myapp".users'::REGCLASS`, `SELECT 'users'::REGCLASS`},
	{`SELECT '{{tables.audit.events}}'::regclass`, `SELECT '"audit".events'::regclass`, ""},
	{`SELECT '{{schema}}'::regnamespace`, `SELECT '"myapp"'::regnamespace`, `SELECT 'public'::regnamespace`},
	{`SELECT '{{tables.user}}'::regclass`, `SELECT '"myapp".user'::regclass`, `SELECT '"user"'::regclass`},
	{"SELECT '{{tables.t}}' /* x */ :: -- y\n pg_catalog . regclass::oid",
		"SELECT '\"myapp\".t' /* x */ :: -- y\n pg_catalog . regclass::oid",
		"SELECT 't' /* x */ :: -- y\n pg_catalog . regclass::oid"},
	{`SELECT '{{tables.f}}'::regproc, '{{tables.t}}'::regtype, '{{tables.c}}'::regconfig`,
		`SELECT '"myapp".f'::regproc, '"myapp".t'::regtype, '"myapp".c'::regconfig`,
		`SELECT 'f'::regproc, 't'::regtype, 'c'::regconfig`},
	{`SELECT nextval('{{tables.s}}'::regclass), '{{tables.t}}'`, `SELECT nextval('"myapp".s'::regclass), '{{tables.t}}'`,
		`SELECT nextval('s'::regclass), '{{tables.t}}'`},
	{`DO $$ SELECT '{{tables.t}}'::regclass $$`, `DO $$ SELECT '"myapp".t'::regclass $$`,
		`DO $$ SELECT 't'::regclass $$`},

	{`SELECT '{{tables.users}}'::text, '{{schema}}'::name, '{{schema}}'::regclasses, '{{schema}}'::x.regclass`, "", ""},
	{`SELECT '{{tables.users}}'::"regclass", '{{schema}}'::pg_catalog.text, '{{schema}}'::pg_catalog`, "", ""},
	{`SELECT '{{tables.users}} '::regclass, ' {{schema}}'::regclass, '{{schema}}.f'::regproc`, "", ""},
	{`SELECT '{{tables.users}}'`, "", ""},
	{`SELECT '{{tables.users}}'::`, "", ""},
	{`SELECT ('{{tables.users}}')::regclass, CAST('{{tables.users}}' AS regclass)`, "", ""},
	{`SELECT '{{tables.users}}' = 'x'::regclass, '{{tables.users}}', 'x'::regclass`, "", ""},
	{`SELECT E'{{tables.users}}'::regclass, U&'{{schema}}'::regclass, $${{schema}}$$::regclass`, "", ""},
	{"SELECT '{{tables.users}}'\n''::regclass", "", ""},
	{`SELECT '{{schema}}'::regnamespace[], '{{schema}}'::regclass [2], '{{schema}}'::regclass ARRAY[1]`, "", ""},
	{`SELECT '{{1,2}}'::regclass, '{{}}'::regclass, '{{'::regclass`, "", ""},
	{`SELECT '{{tables.users}}::regclass`, "", ""},
	{`SELECT '<<tables.users}}'::regclass, '<<x>>'::regclass`, "", ""},
}

func TestCastsToRegTypes(t *testing.T) {
	t.Parallel()
	checkExpansions(t, template.Both, regCasts)
	got := expand(t, `SELECT '{{tables.t}}'::regclass, '{{schema}}'::regnamespace`, "o'brien", template.Both)
	if want := `SELECT '"o''brien".t'::regclass, '"o''brien"'::regnamespace`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// bodies are dollar-quoted strings: SQL in routines and in DO, data anywhere else.
var bodies = []expansion{
	// Labels of PL/pgSQL are not templates.
	{`DO $$ <<schema>> DECLARE n int; BEGIN <<schema>>LOOP PERFORM <<schema>>.f(); END LOOP; END $$`,
		`DO $$ <<schema>> DECLARE n int; BEGIN <<schema>>LOOP PERFORM "myapp".f(); END LOOP; END $$`,
		`DO $$ <<schema>> DECLARE n int; BEGIN <<schema>>LOOP PERFORM f(); END LOOP; END $$`},
	{`DO $$ BEGIN ALTER DEFAULT PRIVILEGES IN SCHEMA <<schema>> FOR ROLE bob GRANT ALL ON TABLES TO bob; END $$`,
		`DO $$ BEGIN ALTER DEFAULT PRIVILEGES IN SCHEMA "myapp" FOR ROLE bob GRANT ALL ON TABLES TO bob; END $$`,
		`DO $$ BEGIN ALTER DEFAULT PRIVILEGES IN SCHEMA public FOR ROLE bob GRANT ALL ON TABLES TO bob; END $$`},
	{`; <<schema>> LOOP`, `; "myapp" LOOP`, `; public LOOP`}, // outside of bodies nothing is a label

	{`CREATE FUNCTION {{schema}}.f() RETURNS int AS $$ SELECT 1 FROM {{tables.t}} $$ LANGUAGE sql`,
		`CREATE FUNCTION "myapp".f() RETURNS int AS $$ SELECT 1 FROM "myapp".t $$ LANGUAGE sql`,
		`CREATE FUNCTION f() RETURNS int AS $$ SELECT 1 FROM t $$ LANGUAGE sql`},
	{"create /**/ or replace\nprocedure p() language sql as -- x\n $b$ {{schema}}.x <<schema>>.y $b$",
		"create /**/ or replace\nprocedure p() language sql as -- x\n $b$ \"myapp\".x \"myapp\".y $b$",
		"create /**/ or replace\nprocedure p() language sql as -- x\n $b$ x y $b$"},
	{`DO $$ BEGIN PERFORM * FROM {{tables.t}}; END $$`, `DO $$ BEGIN PERFORM * FROM "myapp".t; END $$`,
		`DO $$ BEGIN PERFORM * FROM t; END $$`},
	{`DO LANGUAGE plpgsql $x${{schema}}$x$`, `DO LANGUAGE plpgsql $x$ "myapp"$x$`, `DO LANGUAGE plpgsql $x$ public$x$`},
	{`DO $$ BEGIN "{{tables"."t}}"; '{{schema}}'; -- {{oops` + "\n" + `END $$`,
		`DO $$ BEGIN "myapp"."t"; '{{schema}}'; -- {{oops` + "\n" + `END $$`,
		`DO $$ BEGIN "t"; '{{schema}}'; -- {{oops` + "\n" + `END $$`},
	{`CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 FROM {{tables.a}}; SELECT 2 FROM {{tables.b}}; END`,
		`CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 FROM "myapp".a; SELECT 2 FROM "myapp".b; END`,
		`CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 FROM a; SELECT 2 FROM b; END`},

	// Quotes inside: a literal, and statements that have bodies themselves.
	{`DO $$ BEGIN EXECUTE $q$ {{tables.t}} $q$; END $$`, "", ""},
	{`DO $$ BEGIN DO $q$ {{tables.t}} $q$; CREATE FUNCTION f() AS $q$ {{tables.u}} $q$; END $$`,
		`DO $$ BEGIN DO $q$ "myapp".t $q$; CREATE FUNCTION f() AS $q$ "myapp".u $q$; END $$`,
		`DO $$ BEGIN DO $q$ t $q$; CREATE FUNCTION f() AS $q$ u $q$; END $$`},
	{`DO $$ SELECT '$x$ {{schema}} $x$', $x$ '{{schema}}' $x$ $$; SELECT {{tables.t}}.x`,
		`DO $$ SELECT '$x$ {{schema}} $x$', $x$ '{{schema}}' $x$ $$; SELECT "myapp".t.x`,
		`DO $$ SELECT '$x$ {{schema}} $x$', $x$ '{{schema}}' $x$ $$; SELECT t.x`},

	// Parameters' defaults, and whatever only looks like a routine or a DO.
	{`CREATE FUNCTION f(a text DEFAULT $${{schema}}$$, b text = $x$ {{schema}} $x$) AS $$ {{schema}} $$`,
		`CREATE FUNCTION f(a text DEFAULT $${{schema}}$$, b text = $x$ {{schema}} $x$) AS $$ "myapp" $$`,
		`CREATE FUNCTION f(a text DEFAULT $${{schema}}$$, b text = $x$ {{schema}} $x$) AS $$ public $$`},
	{`CREATE FUNCTION f() AS '{{schema}}' LANGUAGE sql SET a.b = $$ {{schema}} $$`, "", ""},
	{`CREATE VIEW v AS SELECT $$ {{schema}} $$; CREATE FUNCTION f() AS $$ {{tables.t}} $$; SELECT $$ {{schema}} $$`,
		`CREATE VIEW v AS SELECT $$ {{schema}} $$; CREATE FUNCTION f() AS $$ "myapp".t $$; SELECT $$ {{schema}} $$`,
		`CREATE VIEW v AS SELECT $$ {{schema}} $$; CREATE FUNCTION f() AS $$ t $$; SELECT $$ {{schema}} $$`},
	{`DO $$ {{tables.t}} $$; SELECT $$ {{schema}} $$`, `DO $$ "myapp".t $$; SELECT $$ {{schema}} $$`,
		`DO $$ t $$; SELECT $$ {{schema}} $$`},
	{`CREATE FUNCTION f() AS $$ {{tables.t}} $$; COPY t TO STDOUT NULL AS $$ {{schema}} $$`,
		`CREATE FUNCTION f() AS $$ "myapp".t $$; COPY t TO STDOUT NULL AS $$ {{schema}} $$`,
		`CREATE FUNCTION f() AS $$ t $$; COPY t TO STDOUT NULL AS $$ {{schema}} $$`},
	{`INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING RETURNING $$ {{schema}} $$`, "", ""},
	{`SELECT x.do language, $$ {{schema}} $$ FROM x`, "", ""},
	{`COPY (SELECT x.create function FROM x) TO STDOUT NULL AS $$ {{schema}} $$`, "", ""},
	{`COMMENT ON FUNCTION f() IS $$ {{schema}} $$`, "", ""},
	{`ALTER FUNCTION f() SET a.b = $$ {{schema}} $$`, "", ""},
	{`CREATE TRIGGER t BEFORE INSERT ON x EXECUTE FUNCTION f($$ {{schema}} $$)`, "", ""},
	{`CREATE "FUNCTION" f() AS $$ {{schema}} $$`, "", ""},
	{`SELECT $$ do $$, $$ {{schema}} $$, 'do' $$ {{schema}} $$`, "", ""},
}

func TestBodies(t *testing.T) {
	t.Parallel()
	checkExpansions(t, template.Both, bodies)
}

// TestDeepBodies: what stands eight bodies deep is expanded, and deeper ones are left alone.
func TestDeepBodies(t *testing.T) {
	t.Parallel()
	text, want := "{{schema}}", `"myapp"`
	for depth := 1; depth <= 10; depth++ {
		tag := "$" + strings.Repeat("x", depth) + "$"
		text, want = "DO "+tag+" "+text+" "+tag, "DO "+tag+" "+want+" "+tag
		if depth > 8 {
			want = text
		}
		if got := expand(t, text, plainSchema, template.Both); got != want {
			t.Errorf("depth %d: got %s, want %s", depth, got, want)
		}
	}
}
