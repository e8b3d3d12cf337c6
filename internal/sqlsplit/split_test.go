package sqlsplit_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/sqllex"
	"github.com/pgdbm/pgdbm/internal/sqlsplit"
)

// hardCase is a text with what is in its pieces, as describe shows them.
type hardCase struct {
	text string
	want []string
}

// describe shows the bodies of all pieces that are not blank. A statement is shown as it is.
func describe(pieces []sqlsplit.Piece) []string {
	var shown []string
	for _, p := range pieces {
		switch p.Kind {
		case sqlsplit.Statement:
			shown = append(shown, p.Body)
		case sqlsplit.CopyData:
			shown = append(shown, "rows: "+p.Body)
		case sqlsplit.PsqlIgnored:
			shown = append(shown, "psql: "+p.Body)
		}
	}
	return shown
}

func one(text string) hardCase { return hardCase{text, []string{text}} }

var literals = []hardCase{
	{"", nil},
	{" \t\r\n", nil},
	{";", nil},
	{";; ; -- x;\n/* y; */ ;", nil},
	{"SELECT 1", []string{"SELECT 1"}},
	{"SELECT 1;;SELECT 2", []string{"SELECT 1;", "SELECT 2"}},
	{"SELECT 1 ;\nSELECT 2\n;\n", []string{"SELECT 1 ;", "SELECT 2\n;"}},
	{"SELECT 1;\r\nSELECT 2;\r\n", []string{"SELECT 1;", "SELECT 2;"}},
	{"SELECT 1; -- the end; of it", []string{"SELECT 1;"}},
	{"SELECT 1 -- the end; of it", []string{"SELECT 1"}},
	{"SELECT 1 -- no; end\n + 2; SELECT 3", []string{"SELECT 1 -- no; end\n + 2;", "SELECT 3"}},
	{"SELECT 1 -- no; end\r + 2; SELECT 3", []string{"SELECT 1 -- no; end\r + 2;", "SELECT 3"}},
	{"/* a; /* b; */ c; */ SELECT 1; /*/ x; */ SELECT 2;", []string{"SELECT 1;", "SELECT 2;"}},
	{"SELECT 1 /* a; /* b; */ c; */ + 2;", []string{"SELECT 1 /* a; /* b; */ c; */ + 2;"}},
	{"-- it's\nSELECT 1; /* it's */ SELECT 2;", []string{"SELECT 1;", "SELECT 2;"}},
	one("SELECT 'a;b';"),
	one("SELECT 'it''s;';"),
	{`SELECT 'C:\'; SELECT ';';`, []string{`SELECT 'C:\';`, `SELECT ';';`}},
	one(`SELECT E'it\'s;';`),
	one(`SELECT e'a\\'';';`),
	{`SELECT E'\\'; SELECT 2;`, []string{`SELECT E'\\';`, `SELECT 2;`}},
	{"SELECT 'a'\n  'b;'; SELECT 2;", []string{"SELECT 'a'\n  'b;';", "SELECT 2;"}},
	one("SELECT E'a'\n  'it\\'s;';"),
	one("SELECT 'a' -- it's\n  'b;';"),
	one(`SELECT U&'\0041;', N'a;', B'1', X'1f', U&"a;";`),
	one(`SELECT ";" AS "a;""b;", 1;`),
	one("SELECT $$a;b$$, $x$;$$;$y$;$x$;"),
	one("SELECT $$;$x$;$$;"),
	{"SELECT a$x$; SELECT b$x$;", []string{"SELECT a$x$;", "SELECT b$x$;"}},
	{"SELECT 1 AS \u00e4$$; SELECT 2 AS \u00e4$$;", []string{"SELECT 1 AS \u00e4$$;", "SELECT 2 AS \u00e4$$;"}},
	{"EXECUTE p($1$;$1); SELECT $1;", []string{"EXECUTE p($1$;$1);", "SELECT $1;"}},
	one("DO $$ BEGIN RAISE NOTICE ';'; END $$;"),
	one("DO $outer$ BEGIN EXECUTE $$SELECT 1;$$; END $outer$;"),
	{"SELECT 1 <<2; SELECT '{{a;b}}', {{c;", []string{"SELECT 1 <<2;", "SELECT '{{a;b}}', {{c;"}},
	{"\ufeffSELECT 1; SELECT 2;", []string{"SELECT 1;", "SELECT 2;"}},
	{"\ufeff", nil},
	{"\ufeff-- a\n;SELECT 1", []string{"SELECT 1"}},
}

const ruleTail = " AS ON INSERT TO t DO INSTEAD (INSERT INTO u VALUES (1, ')'); SELECT f((2)););"

var nestings = []hardCase{
	one("CREATE RULE r" + ruleTail),
	{"CREATE OR REPLACE RULE r" + ruleTail + "SELECT 1;", []string{"CREATE OR REPLACE RULE r" + ruleTail, "SELECT 1;"}},
	{"SELECT 1); SELECT 2;", []string{"SELECT 1);", "SELECT 2;"}},
	{"SELECT ')'; SELECT '(';", []string{"SELECT ')';", "SELECT '(';"}},
	{"SELECT )(1; 2); SELECT 3;", []string{"SELECT )(1; 2);", "SELECT 3;"}},
	one("CREATE SCHEMA x CREATE TABLE t (a int) CREATE VIEW v AS SELECT a FROM t;"),

	// A body ends at an END where a statement could begin.
	one("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;"),
	one("create or replace function f() returns int begin atomic select 1; end"),
	one("CREATE PROCEDURE p(a int)\nBEGIN -- x;\n ATOMIC\n;;INSERT INTO t VALUES (a);\nEND ;"),
	{"CREATE PROCEDURE p() BEGIN ATOMIC END; SELECT 1;", []string{"CREATE PROCEDURE p() BEGIN ATOMIC END;", "SELECT 1;"}},
	{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC RETURN CASE WHEN a THEN CASE b WHEN 1 THEN 2 END ELSE 3 END; END; SELECT 4;",
		[]string{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC RETURN CASE WHEN a THEN CASE b WHEN 1 THEN 2 END ELSE 3 END; END;", "SELECT 4;"}},
	one("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE\nWHEN true THEN 1\nEND AS end; SELECT t.end FROM t; SELECT 1 end; END;"),
	one("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC (SELECT 1); (VALUES (2)); END;"),
	one(`CREATE FUNCTION f() RETURNS int BEGIN ATOMIC "end"; U&"end"; 1 end; SELECT 1; END;`),
	one("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT begin atomic FROM t; SELECT ';', $$;$$ /*;*/; END;"),
	{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; END; SELECT 2;",
		[]string{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END;", "END;", "SELECT 2;"}},

	// Begin, atomic and end are good names too.
	{"CREATE FUNCTION begin(atomic int, begin atomic) RETURNS int RETURN 1; SELECT 2;",
		[]string{"CREATE FUNCTION begin(atomic int, begin atomic) RETURNS int RETURN 1;", "SELECT 2;"}},
	{"CREATE FUNCTION atomic() RETURNS begin LANGUAGE sql AS 'SELECT 1;'; SELECT 2;",
		[]string{"CREATE FUNCTION atomic() RETURNS begin LANGUAGE sql AS 'SELECT 1;';", "SELECT 2;"}},
	one("CREATE FUNCTION f(begin int = 1) RETURNS TABLE (begin int) SET x = begin BEGIN ATOMIC SELECT 1; END;"),
	{"CREATE FUNCTION f() RETURNS int RETURN (SELECT begin atomic FROM t); SELECT 1;",
		[]string{"CREATE FUNCTION f() RETURNS int RETURN (SELECT begin atomic FROM t);", "SELECT 1;"}},
	{"CREATE VIEW v AS SELECT begin atomic FROM t; SELECT 1;", []string{"CREATE VIEW v AS SELECT begin atomic FROM t;", "SELECT 1;"}},
	{"SELECT begin atomic FROM function; SELECT 1;", []string{"SELECT begin atomic FROM function;", "SELECT 1;"}},
	{"SELECT procedure, begin atomic FROM t; SELECT 1;", []string{"SELECT procedure, begin atomic FROM t;", "SELECT 1;"}},
	{"DROP FUNCTION begin, begin atomic; SELECT 1;", []string{"DROP FUNCTION begin, begin atomic;", "SELECT 1;"}},
	{`CREATE FUNCTION "begin"() RETURNS "begin" ATOMIC; SELECT 1;`, []string{`CREATE FUNCTION "begin"() RETURNS "begin" ATOMIC;`, "SELECT 1;"}},
	{"BEGIN; SELECT 1; END;", []string{"BEGIN;", "SELECT 1;", "END;"}},
}

var copies = []hardCase{
	{"COPY t FROM stdin;\n1\ta\n\\.\nSELECT 1;", []string{"COPY t FROM stdin;", "rows: 1\ta\n", "SELECT 1;"}},
	{"COPY t FROM stdin;", []string{"COPY t FROM stdin;", "rows: "}},
	{"COPY t FROM stdin;\n1\n2", []string{"COPY t FROM stdin;", "rows: 1\n2"}},
	{"SELECT 1;\n COPY t FROM stdin;\n1\n2\n", []string{"SELECT 1;", "COPY t FROM stdin;", "rows: 1\n2\n"}},
	{"COPY t FROM stdin;\n1\\.\n", []string{"COPY t FROM stdin;", "rows: 1\\.\n"}},
	{"COPY t FROM stdin; SELECT 1;\n1\n\\.\nSELECT 2", []string{"COPY t FROM stdin;", "SELECT 1;", "rows: 1\n", "SELECT 2"}},
	{"COPY t FROM stdin; /* c */ -- d\n1\n\\.\n", []string{"COPY t FROM stdin;", "rows: 1\n"}},
	{"COPY t FROM stdin;;\n1\n\\.\n", []string{"COPY t FROM stdin;", "rows: 1\n"}},
	{"COPY t FROM stdin; COPY u FROM stdin;\n1\n\\.\n2\n\\.\n;", []string{"COPY t FROM stdin;", "COPY u FROM stdin;", "rows: 1\n", "rows: 2\n"}},
	{"COPY t FROM stdin;\n\\.\n", []string{"COPY t FROM stdin;", "rows: "}},
	{"COPY t FROM stdin;\n\n\\.", []string{"COPY t FROM stdin;", "rows: \n"}},
	{"COPY t FROM stdin;\r\n1\r\n\\.\r\nSELECT 1;\r\n", []string{"COPY t FROM stdin;", "rows: 1\r\n", "SELECT 1;"}},
	{"COPY t FROM stdin;\r\n1\r\n\\.\r", []string{"COPY t FROM stdin;", "rows: 1\r\n"}},
	{"copy public.\"t;(\" (a, b) from STDIN (FORMAT csv, DELIMITER ';') ;  -- rows;\n;'\"$$/*{{x}}\n -- \\.\n\\.x\n\\\\.\n\\. \nx\\.\n\\.\nSELECT 1",
		[]string{"copy public.\"t;(\" (a, b) from STDIN (FORMAT csv, DELIMITER ';') ;",
			"rows: ;'\"$$/*{{x}}\n -- \\.\n\\.x\n\\\\.\n\\. \nx\\.\n", "SELECT 1"}},
	{"COPY s.from FROM stdin;\n1\n\\.\n", []string{"COPY s.from FROM stdin;", "rows: 1\n"}},
	{"COPY t FROM stdout;\n1\n\\.\n", []string{"COPY t FROM stdout;", "rows: 1\n"}},
	{"COPY t(a) FROM stdin WITH (NULL ';') WHERE a > 1;\n1\n\\.\n", []string{"COPY t(a) FROM stdin WITH (NULL ';') WHERE a > 1;", "rows: 1\n"}},
	{"SELECT 1; /* c */ COPY t FROM stdin;\n1\n\\.\n;COPY u FROM stdin;\n2\n\\.\n",
		[]string{"SELECT 1;", "COPY t FROM stdin;", "rows: 1\n", "COPY u FROM stdin;", "rows: 2\n"}},

	// No rows.
	{"COPY t FROM '/stdin'; SELECT 1;", []string{"COPY t FROM '/stdin';", "SELECT 1;"}},
	{"COPY t FROM PROGRAM 'x'; SELECT 1;", []string{"COPY t FROM PROGRAM 'x';", "SELECT 1;"}},
	{"COPY t TO stdout; SELECT 1;", []string{"COPY t TO stdout;", "SELECT 1;"}},
	{"COPY t TO stdin; SELECT 1;", []string{"COPY t TO stdin;", "SELECT 1;"}},
	{"COPY (SELECT * FROM stdin) TO stdout; SELECT 1;", []string{"COPY (SELECT * FROM stdin) TO stdout;", "SELECT 1;"}},
	{"COPY stdin TO '/f'; SELECT 1;", []string{"COPY stdin TO '/f';", "SELECT 1;"}},
	{"COPY t FROM '/f' WHERE a IS DISTINCT FROM stdin; SELECT 1;", []string{"COPY t FROM '/f' WHERE a IS DISTINCT FROM stdin;", "SELECT 1;"}},
	{"COPY s.from TO '/f'; SELECT 1;", []string{"COPY s.from TO '/f';", "SELECT 1;"}},
	{`COPY t FROM "stdin"; SELECT 1;`, []string{`COPY t FROM "stdin";`, "SELECT 1;"}},
	{"SELECT copy FROM stdin; SELECT 1;", []string{"SELECT copy FROM stdin;", "SELECT 1;"}},
	{"COPY; SELECT 1;", []string{"COPY;", "SELECT 1;"}},
}

var psqlCommands = []hardCase{
	{"\\restrict aB3\nSELECT 1;\n\\unrestrict aB3\n", []string{"psql: \\restrict aB3", "SELECT 1;", "psql: \\unrestrict aB3"}},
	{"--\n-- PostgreSQL database dump\n--\n\n\\restrict \t aB3 \r\nSELECT 1;", []string{"psql: \\restrict \t aB3", "SELECT 1;"}},
	{"SELECT 1; \\unrestrict a", []string{"SELECT 1;", "psql: \\unrestrict a"}},
	{"\ufeff\\restrict a\n;", []string{"psql: \\restrict a"}},
}

func allCases() []hardCase { return slices.Concat(literals, nestings, copies, psqlCommands) }

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, tt := range allCases() {
		pieces, err := sqlsplit.Split(tt.text)
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		if got := describe(pieces); !slices.Equal(got, tt.want) {
			t.Errorf("%q:\n got %q\nwant %q", tt.text, got, tt.want)
		}
		checkPieces(t, tt.text, pieces)
	}
}

// TestSplitBehindOthers: what stands before a statement does not change where it ends.
func TestSplitBehindOthers(t *testing.T) {
	t.Parallel()
	const before = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END;"
	for _, tt := range allCases() {
		if strings.HasPrefix(tt.text, "\ufeff") {
			continue
		}
		pieces, err := sqlsplit.Split(before + tt.text)
		if got, want := describe(pieces), append([]string{before}, tt.want...); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q:\n got %q, %v\nwant %q", tt.text, got, err, want)
		}
	}
}

// TestPieces: what belongs to which piece.
func TestPieces(t *testing.T) {
	t.Parallel()
	const text = "\ufeff-- ä\n BEGIN; ;COPY t FROM stdin; -- c\n1\n\\.\n\\restrict x\nSELECT 1 -- end"
	want := []sqlsplit.Piece{
		{Kind: sqlsplit.Statement, Text: "\ufeff-- ä\n BEGIN;", Body: "BEGIN;"},
		{Kind: sqlsplit.Blank, Text: " ;"},
		{Kind: sqlsplit.Statement, Text: "COPY t FROM stdin;", Body: "COPY t FROM stdin;"},
		{Kind: sqlsplit.CopyData, Text: " -- c\n1\n\\.\n", Body: "1\n"},
		{Kind: sqlsplit.PsqlIgnored, Text: "\\restrict x\n", Body: "\\restrict x"},
		{Kind: sqlsplit.Statement, Text: "SELECT 1", Body: "SELECT 1"},
		{Kind: sqlsplit.Blank, Text: " -- end"},
	}
	pieces, err := sqlsplit.Split(text)
	if err != nil {
		t.Fatal(err)
	}
	checkPieces(t, text, pieces)
	for i := range pieces {
		pieces[i].Start, pieces[i].End, pieces[i].BodyStart, pieces[i].Copy = 0, 0, 0, 0
	}
	if !slices.Equal(pieces, want) {
		t.Errorf("\n got %+q\nwant %+q", pieces, want)
	}
}

// checkPieces checks what holds for the pieces of any text.
func checkPieces(t *testing.T, text string, pieces []sqlsplit.Piece) {
	t.Helper()
	end := 0
	for i, p := range pieces {
		if p.Start != end || p.End < p.Start || p.End == p.Start && p.Kind != sqlsplit.CopyData || p.Text != text[p.Start:p.End] {
			t.Fatalf("piece %+v follows the byte %d of %q", p, end, text)
		}
		end = p.End
		bodyEnd := p.BodyStart + len(p.Body)
		if p.BodyStart < p.Start || bodyEnd > p.End || p.Body != text[p.BodyStart:bodyEnd] {
			t.Fatalf("the body of %+v of %q", p, text)
		}
		switch p.Kind {
		case sqlsplit.Statement:
			if bodyEnd != p.End || p.Body == "" || strings.ContainsAny(p.Body[:1], " \t\r\n\f\v;\\") || strings.HasPrefix(p.Body, "--") {
				t.Fatalf("the statement %+v of %q", p, text)
			}
		case sqlsplit.CopyData:
			if i == 0 || !sqllex.Begins(text[p.Copy:], "copy") || p.Body != "" && !strings.HasSuffix(p.Body, "\n") && p.End != len(text) {
				t.Fatalf("the rows %+v of %q", p, text)
			}
		case sqlsplit.Blank:
			if p.Body != "" {
				t.Fatalf("the blank %+v of %q", p, text)
			}
		}
	}
	if end != len(text) {
		t.Fatalf("the pieces end at %d of %q", end, text)
	}
}
