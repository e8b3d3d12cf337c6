package template_test

import (
	"testing"

	"github.com/pgdbm/pgdbm/internal/template"
)

// bareOnServer are statements in which PostgreSQL takes no qualified name in at least one place, in an order in which
// they succeed.
var bareOnServer = []string{
	"CREATE TABLE {{tables.t}} (id int, v text, CONSTRAINT {{tables.t_v}} CHECK (v <> ''), CONSTRAINT \"{{tables.t_id}}\" UNIQUE (id))",
	"CREATE TABLE {{tables.log}} (id int)",
	"CREATE FUNCTION {{schema}}.f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$",

	"CREATE INDEX {{tables.t_pk}} ON {{tables.t}} (v)",
	"CLUSTER {{tables.t}} USING {{tables.t_id}}",
	"CLUSTER VERBOSE {{schema}}.t USING {{schema}}.t_id",
	`CLUSTER (VERBOSE) "{{tables.t}}" USING "{{tables.t_id}}"`,
	"ALTER TABLE {{tables.t}} CLUSTER ON {{tables.t_id}}",
	"ALTER TABLE {{tables.t}} ALTER id SET NOT NULL, REPLICA IDENTITY USING INDEX {{tables.t_id}}",

	"ALTER TABLE {{tables.t}} ADD CONSTRAINT {{tables.c}} CHECK (id > 0) NOT VALID",
	"ALTER TABLE {{tables.t}} VALIDATE CONSTRAINT {{tables.c}}",
	"ALTER TABLE {{tables.t}} RENAME CONSTRAINT {{tables.c}} TO {{tables.d}}",
	"ALTER TABLE {{tables.t}} RENAME CONSTRAINT d TO {{schema}}.c",
	"COMMENT ON CONSTRAINT {{tables.c}} ON {{tables.t}} IS 'x'",
	"ALTER TABLE {{tables.t}} DROP CONSTRAINT IF EXISTS {{tables.c}}, DROP CONSTRAINT {{tables.t_v}}",
	"INSERT INTO {{tables.t}} VALUES (1, 'a') ON CONFLICT ON CONSTRAINT {{tables.t_id}} DO UPDATE SET v = {{tables.t}}.v",
	"ALTER TABLE {{tables.t}} ADD CONSTRAINT {{tables.fk}} FOREIGN KEY (id) REFERENCES {{tables.t}} (id) DEFERRABLE",
	"ALTER TABLE {{tables.t}} ALTER CONSTRAINT {{tables.fk}} INITIALLY DEFERRED",
	"SET CONSTRAINTS {{tables.fk}} IMMEDIATE", // this one takes a qualified name
	"CREATE DOMAIN {{tables.dom}} AS int CONSTRAINT {{tables.positive}} CHECK (value > 0)",
	"ALTER DOMAIN {{tables.dom}} RENAME CONSTRAINT {{tables.positive}} TO {{tables.p}}",
	"COMMENT ON CONSTRAINT {{tables.p}} ON DOMAIN {{tables.dom}} IS 'x'",
	"ALTER DOMAIN {{tables.dom}} DROP CONSTRAINT {{tables.p}}",

	"CREATE TRIGGER {{tables.tr}} BEFORE UPDATE ON {{tables.t}} FOR EACH ROW EXECUTE FUNCTION {{schema}}.f()",
	"CREATE OR REPLACE TRIGGER {{schema}}.tr BEFORE UPDATE ON {{tables.t}} EXECUTE FUNCTION {{tables.f}}()",
	`CREATE CONSTRAINT TRIGGER "{{tables"."ct}}" AFTER UPDATE ON {{tables.t}} FOR EACH ROW EXECUTE FUNCTION {{schema}}.f()`,
	"ALTER TABLE {{tables.t}} DISABLE TRIGGER {{tables.tr}}, DISABLE TRIGGER USER",
	"ALTER TABLE {{tables.t}} ENABLE ALWAYS TRIGGER {{tables.tr}}, ENABLE REPLICA TRIGGER {{tables.ct}}",
	"COMMENT ON TRIGGER {{tables.tr}} ON {{tables.t}} IS 'x'",
	"ALTER TRIGGER {{tables.tr}} ON {{tables.t}} RENAME TO {{tables.tr2}}",
	"DROP TRIGGER {{tables.tr2}} ON {{tables.t}}; DROP TRIGGER IF EXISTS {{tables.ct}} ON {{tables.t}}",

	"CREATE RULE {{tables.r}} AS ON DELETE TO {{tables.t}} DO ALSO INSERT INTO {{tables.log}} VALUES (old.id)",
	"CREATE OR REPLACE RULE {{tables.r}} AS ON DELETE TO {{tables.t}} DO INSTEAD NOTHING",
	"ALTER TABLE {{tables.t}} DISABLE RULE {{tables.r}}, ENABLE ALWAYS RULE {{tables.r}}",
	"COMMENT ON RULE {{tables.r}} ON {{tables.t}} IS 'x'",
	"ALTER RULE {{tables.r}} ON {{tables.t}} RENAME TO {{tables.r2}}",
	"DROP RULE IF EXISTS {{tables.r2}} ON {{tables.t}}",

	"CREATE POLICY {{tables.p}} ON {{tables.t}} USING ({{schema}}.t.id > 0)",
	"ALTER POLICY {{tables.p}} ON {{tables.t}} USING (true)",
	"COMMENT ON POLICY {{tables.p}} ON {{tables.t}} IS 'x'",
	"ALTER POLICY {{tables.p}} ON {{tables.t}} RENAME TO {{tables.q}}",
	"DROP POLICY IF EXISTS {{tables.q}} ON {{tables.t}}",

	"BEGIN; DECLARE c CURSOR FOR SELECT * FROM {{tables.t}} FOR UPDATE OF {{tables.t}}; FETCH c;" +
		" DELETE FROM {{tables.t}} WHERE CURRENT OF c; COMMIT",
	"DO $$ BEGIN ALTER TABLE {{tables.t}} ADD CONSTRAINT {{tables.c}} CHECK (id > 0);" +
		" ALTER TABLE {{tables.t}} RENAME CONSTRAINT {{tables.c}} TO {{tables.d}}; END $$",

	// What looks alike but takes qualified names.
	"ALTER TABLE {{tables.t}} ALTER id TYPE int USING {{tables.t}}.id",
	"DELETE FROM {{tables.t}} USING {{tables.log}}",
	"CREATE TABLE {{schema}}.cluster (rule int, policy int, trigger int); CREATE TABLE {{tables.rule}} (id int)",
	"SELECT rule, policy, trigger FROM {{tables.cluster}} JOIN {{tables.rule}} ON {{tables.rule}}.id = rule",
	"DELETE FROM {{tables.cluster}} cluster USING {{tables.rule}}",
	"ALTER INDEX {{tables.t_pk}} RENAME TO {{tables.t_pk2}}",
	"ALTER FUNCTION {{schema}}.f() SET search_path TO {{schema}}",
	"ALTER TABLE {{tables.cluster}} RENAME rule TO rule2",
}

// TestBareNamesOfAllKindsOnServer runs them.
func TestBareNamesOfAllKindsOnServer(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{"", plainSchema, weirdSchema} {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			conn := connect(t)
			if schema != "" {
				mustExec(t, conn, "CREATE SCHEMA "+template.QuoteIdent(schema))
			}
			for _, sql := range bareOnServer {
				sql = expand(t, sql, schema, template.Both)
				if _, err := conn.Exec(t.Context(), sql); err != nil {
					t.Errorf("%s: %v", sql, err)
				}
			}
		})
	}
}

// labels are texts with PL/pgSQL labels, which look like templates.
var labels = []string{
	`CREATE FUNCTION {{tables.walk}}() RETURNS int LANGUAGE plpgsql AS $f$
		DECLARE n int := 0; r record;
		BEGIN
			<<schema>> /* a label */
			LOOP n := n + 1; EXIT schema WHEN n = 4; END LOOP schema;
			IF n > 0 THEN << schema >> FOR i IN 1..2 LOOP n := n + 1; END LOOP; END IF;
			IF n > 0 THEN <<schema>> FOR i IN 1..2 LOOP n := n + 1; END LOOP; END IF;
			<<schema>>WHILE n < 8 LOOP n := n + 1; END LOOP;
			IF false THEN ELSE <<schema>> foreach n IN ARRAY ARRAY[8] LOOP NULL; END LOOP; END IF;
			<<schema>> BEGIN <<schema>> DECLARE x int; BEGIN END; END schema;
			FOR r IN SELECT 1 FROM <<schema>>.t FOR UPDATE LOOP n := n + 1; END LOOP;
			RETURN n;
		END
		$f$`,
	"DO $$ #variable_conflict use_column\n<<schema>> DECLARE t int := 1; BEGIN END $$",
	`DO $$ <<schema>> DECLARE x int := 1; BEGIN ASSERT schema.x = 1; INSERT INTO <<tables.t>> VALUES (schema.x + x); END $$`,
	`DO $$ <<schema>> BEGIN ALTER DEFAULT PRIVILEGES IN SCHEMA <<schema>> FOR ROLE current_user GRANT SELECT ON TABLES TO public; END $$`,
}

func TestLabelsOnServer(t *testing.T) {
	t.Parallel()
	for _, syntax := range []template.Syntax{template.Both, template.Migration} {
		for _, schema := range []string{"", weirdSchema} {
			conn := connect(t)
			mustExec(t, conn, "CREATE SCHEMA "+template.QuoteIdent(weirdSchema))
			mustExec(t, conn, expand(t, "CREATE TABLE {{tables.t}} AS SELECT 1 AS id", schema, syntax))
			for _, sql := range labels {
				sql = expand(t, sql, schema, syntax)
				if _, err := conn.Exec(t.Context(), sql); err != nil {
					t.Errorf("%s: %v", sql, err)
				}
			}
			row, err := queryRow(t, conn, expand(t, "SELECT {{tables.walk}}()", schema, syntax))
			if err != nil || row[0] != int32(10) {
				t.Errorf("walk() = %v, %v", row, err)
			}
		}
	}
}
