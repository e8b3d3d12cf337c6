package migrations_test

import (
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// TestNotices wants what the server says about a migration to be in the log, with its file and line, however its statements are sent.
func TestNotices(t *testing.T) {
	t.Parallel()
	const raise = "DO $$ BEGIN RAISE NOTICE 'said'; RAISE WARNING 'warned'; END $$"
	for name, text := range map[string]string{
		"in one message": "SELECT 1;\n\n" + raise + ";",
		"in parts": "CREATE TABLE {{tables.t}} (x int);\n\n" + raise + ";\nCREATE FUNCTION {{schema}}.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'row %', NEW.x; RETURN NEW; END $$;\n" +
			"CREATE TRIGGER f BEFORE INSERT ON {{tables.t}} FOR EACH ROW EXECUTE FUNCTION {{schema}}.f();\nCOPY {{tables.t}} FROM stdin;\n" + strings.Repeat("1\n", 20000) + "\\.\n",
		"without a transaction": "-- pgdbm:no-transaction\n\n" + raise + ";",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &events{}
			db := schemadb.New(open(t), "app")
			apply(t, db, files{"0_a.sql": "SELECT 1", "1_b.sql": text}, migrations.Logger(log.logger()))
			said := log.text()
			for _, line := range []string{"INFO pgdbm: NOTICE from the server schema=app module=app file=1_b.sql line=3 message=said",
				"WARN pgdbm: WARNING from the server schema=app module=app file=1_b.sql line=3 message=warned"} {
				if !strings.Contains(said, line) {
					t.Errorf("%q is not in the log:\n%.2000s", line, said)
				}
			}
			if n := strings.Count(said, "line=6 message=row 1"); name == "in parts" && n != 20000 {
				t.Errorf("%d warnings of rows are in the log", n)
			}
			if strings.Contains(said, "already exists") {
				t.Errorf("notices of our own statements are in the log:\n%.2000s", said)
			}
		})
	}
}
