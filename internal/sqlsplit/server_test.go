package sqlsplit_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// known are statements that the server takes in the database of TestServerCountsTheSame, each as often as one likes.
var known = []string{
	"SELECT 1", "VALUES (';'), ('it''s')", "(SELECT 1) UNION (SELECT 2)", "SELECT E'it\\'s;', E'\\\\'", `SELECT 'C:\'`,
	"SELECT 'a'\n  'b;'", "SELECT E'a' -- it's\n  'it\\'s;'", `SELECT U&'\0041;', N'a;', B'1', X'1f' AS ";"";"`, `SELECT 1 AS U&"\0061;"`,
	"SELECT $$a;b$$, $x$;$$;$y$;$x$", "SELECT 1 AS a$x$, 2 AS b$x$", "SELECT 1 /* a; /* b; */ c; */ + 2", "SELECT 1 -- no;\r + 2",
	"SELECT 1 -- no; '\n + 2", "SELECT 1<<2, 3 - -1, 4/2, 5*-1", "SELECT 1.5e+10, .5, 1.", "SELECT begin atomic FROM t", "SELECT t.end FROM t",
	"SELECT begin end FROM t", "SELECT CASE WHEN true THEN ';' END", "SELECT ARRAY[1, (2)], '{a,\";\"}'::text[]",
	"INSERT INTO t VALUES (1, ';', 'x')", "UPDATE t SET begin = 1, \"end\" = ';'", "DELETE FROM t WHERE begin::text IS DISTINCT FROM atomic",
	"DO $$ BEGIN PERFORM ';'; END $$", "DO LANGUAGE plpgsql $o$ BEGIN EXECUTE $$SELECT 1;$$; END $o$",
	"CREATE OR REPLACE FUNCTION f(a int) RETURNS SETOF int BEGIN ATOMIC SELECT 1; SELECT a; END",
	"CREATE OR REPLACE FUNCTION g() RETURNS int LANGUAGE sql begin /* ; */ atomic ;; SELECT begin atomic FROM t; SELECT 1 AS end; SELECT 1 end;; END",
	"CREATE OR REPLACE FUNCTION h(begin int, atomic int DEFAULT 1) RETURNS int BEGIN ATOMIC RETURN CASE WHEN begin > 1 THEN CASE atomic WHEN 1 THEN 2 END ELSE 3 END; END",
	"CREATE OR REPLACE FUNCTION begin() RETURNS atomic BEGIN ATOMIC SELECT 'x;'; END", "CREATE OR REPLACE FUNCTION atomic() RETURNS begin RETURN 1",
	"CREATE OR REPLACE FUNCTION i() RETURNS int RETURN (SELECT begin atomic FROM t)",
	"CREATE OR REPLACE FUNCTION j() RETURNS TABLE (begin int) LANGUAGE sql SET search_path = begin, atomic AS 'SELECT 1;'",
	"CREATE OR REPLACE FUNCTION k() RETURNS int LANGUAGE sql SET search_path TO begin BEGIN ATOMIC SELECT 1; END",
	"CREATE OR REPLACE FUNCTION m() RETURNS int BEGIN ATOMIC (SELECT 1); ((SELECT 2) UNION (SELECT 3)); END",
	"CREATE OR REPLACE PROCEDURE p(a int)\nBEGIN -- ;\n ATOMIC INSERT INTO t VALUES (a, 'END;'); END", "CREATE OR REPLACE PROCEDURE q() BEGIN ATOMIC END",
	"CREATE OR REPLACE VIEW v AS SELECT begin atomic FROM t", "CREATE OR REPLACE RULE r AS ON UPDATE TO u DO INSTEAD (SELECT 1; SELECT ');')",
	"CREATE OR REPLACE RULE s AS ON INSERT TO u DO ALSO (DELETE FROM t;; UPDATE t SET begin = (1);)", "CREATE OR REPLACE RULE r AS ON UPDATE TO u DO NOTHING",
	"DROP SCHEMA IF EXISTS s1 CASCADE; CREATE SCHEMA s1 CREATE TABLE t (a int) CREATE VIEW v AS SELECT a FROM t",
	"COMMENT ON TABLE t IS ';'", "SET LOCAL work_mem = '4MB'", "NOTIFY x, ';'", "SAVEPOINT begin", "PREPARE transaction AS SELECT $1::int; DEALLOCATE transaction",
}

// TestServerCountsTheSame runs known statements, put together at random, as one text: the server gives one result for
// each statement that it sees. Then it runs the pieces one by one, which have to give the same results.
func TestServerCountsTheSame(t *testing.T) {
	t.Parallel()
	conn := connect(t, server.Database(t))
	results(t, conn, "CREATE TABLE t (begin int, \"end\" text, atomic text); CREATE TABLE u (a int); CREATE DOMAIN begin AS int; CREATE DOMAIN atomic AS text")
	const texts, seed = 400, 1
	for i := range uint64(texts) {
		r := rand.New(rand.NewPCG(seed, i))
		oneOf := func(choices ...string) string { return choices[r.IntN(len(choices))] }
		text := ""
		for range 1 + r.IntN(8) {
			text += oneOf("", " ", "\r\n", "-- it's;\n", "/* /* ' */ $$; */", ";", " ; ;") + known[r.IntN(len(known))] +
				oneOf("", " ", "\n", "\r\n", "/* it's; */", " -- $$ ;\n", "--\r") + ";"
		}
		if r.IntN(2) == 0 {
			text = strings.TrimSuffix(text, ";") + oneOf("", " ", "-- end;", "\n/* end; */")
		}
		pieces := split(t, text)
		checkPieces(t, text, pieces)
		statements := describe(pieces)

		results(t, conn, "BEGIN")
		want := results(t, conn, text)
		results(t, conn, "ROLLBACK; BEGIN")
		if len(want) != len(statements) {
			t.Fatalf("seed %d, %d: the server has %d results, and there are %d statements\n%q\n%q", seed, i, len(want), len(statements), want, statements)
		}
		for n, statement := range statements {
			if got := results(t, conn, statement); len(got) != 1 || got[0] != want[n] {
				t.Fatalf("seed %d, %d: %q gives %q, want %q", seed, i, statement, got, want[n])
			}
		}
		results(t, conn, "ROLLBACK")
	}
}

// results runs a text, and returns the tag of each result.
func results(t *testing.T, conn *pgconn.PgConn, text string) []string {
	t.Helper()
	var tags []string
	all := conn.Exec(t.Context(), text)
	for all.NextResult() {
		tag, err := all.ResultReader().Close()
		if err == nil {
			tags = append(tags, tag.String())
		}
	}
	if err := all.Close(); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return tags
}
