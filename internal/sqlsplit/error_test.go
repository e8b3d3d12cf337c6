package sqlsplit_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/sqlsplit"
)

// badTexts are texts with the place of their error, the command in it, and a part of its reason.
var badTexts = []struct {
	text         string
	line, column int
	command      string
	reason       string
}{
	// Never closed.
	{"SELECT 1;\nSELECT 'ä', 'it;\nSELECT 2;", 2, 13, "", "string is never closed"},
	{"'", 1, 1, "", "string is never closed"},
	{"SELECT 'a'';", 1, 8, "", "string is never closed"},
	{"SELECT 'a'\n'b;", 1, 8, "", "string is never closed"},
	{`SELECT E'a\';`, 1, 8, "", "string is never closed"},
	{`SELECT E'a\`, 1, 8, "", "string is never closed"},
	{`SELECT U&'a`, 1, 8, "", "string is never closed"},
	{`SELECT "a"";`, 1, 8, "", "quoted identifier is never closed"},
	{`SELECT U&"a;`, 1, 8, "", "quoted identifier is never closed"},
	{"DO $$ BEGIN; $;", 1, 4, "", "dollar-quoted string is never closed"},
	{"DO $a$;$A$;", 1, 4, "", "dollar-quoted string is never closed"},
	{"DO $a$;$a", 1, 4, "", "dollar-quoted string is never closed"},
	{"DO $$", 1, 4, "", "dollar-quoted string is never closed"},
	{"SELECT 1;\n /* a /* b */;", 2, 2, "", "comment is never closed"},
	{"SELECT 1 -- /*\n\n /* b */ /*/;", 3, 10, "", "comment is never closed"},
	{"SELECT 1 -- c\r/*", 1, 15, "", "comment is never closed"},
	{"/*", 1, 1, "", "comment is never closed"},
	{"SELECT (1 /* );\n", 1, 11, "", "comment is never closed"},
	{"CREATE TABLE t (a int DEFAULT (1);\nSELECT (2);", 1, 16, "", "parenthesis is never closed"},
	{"SELECT (1); SELECT f(\n(2;", 1, 21, "", "parenthesis is never closed"},
	{"CREATE FUNCTION f() RETURNS int\n BEGIN ATOMIC SELECT 1 END;\nSELECT 2;", 2, 2, "", "BEGIN ATOMIC has no END"},
	{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC", 1, 33, "", "BEGIN ATOMIC has no END"},
	{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT (1; END;", 1, 53, "", "parenthesis is never closed"},

	// Rows.
	{"COPY t FROM stdin", 1, 1, "", "needs a semicolon"},
	{"COPY t FROM stdin -- ;", 1, 1, "", "needs a semicolon"},
	{"COPY t FROM stdin;\\.", 1, 19, `\.`, "ends the rows"},
	{"COPY t FROM stdin; SELECT 1\n1\n\\.\n", 1, 20, "", "has to end there"},
	{"COPY t FROM stdin; SELECT\n1\n", 1, 20, "", "has to end there"},
	{"COPY t FROM stdin; /* c\n*/ SELECT 1;\n\\.\n", 1, 19, "", "has to end there"},
	{"COPY t FROM stdin;\r1\r\\.\r", 1, 22, `\.`, "ends the rows"},
	{"SELECT 1 \\gexec\nSELECT 2;", 1, 10, `\gexec`, "DO block"},
	{"SELECT 1 AS a \\gset\n", 1, 15, `\gset`, "variables"},
	{"SELECT 1\\; SELECT 2;", 1, 9, `\;`, "semicolon without it"},
	{"SELECT (1 \\restrict x\n);", 1, 11, `\restrict`, "command of psql"},

	// Commands of psql.
	{"SELECT 1;\n\\connect other\n", 2, 1, `\connect`, "the database that the program is connected to"},
	{"\\c other", 1, 1, `\c`, "remove the line"},
	{" -- x\n  \\i a.sql", 2, 3, `\i`, "put the text of that file here"},
	{"\\set x 1", 1, 1, `\set`, "write the values"},
	{"\\copy t from 'x'", 1, 1, `\copy`, "write COPY"},
	{"\\if true\n", 1, 1, `\if`, "DO block"},
	{"\\g", 1, 1, `\g`, "with a semicolon"},
	{"\\.\n", 1, 1, `\.`, "ends the rows of COPY"},
	{"\ufeff\\.\n", 1, 1, `\.`, "ends the rows of COPY"},
	{"COPY t FROM '/f';\n1\n\\.\n;\n\\.", 3, 1, `\.`, "ends the rows of COPY"},
	{"\\echo secret", 1, 1, `\echo`, "remove it"},
	{"\\", 1, 1, `\`, "remove it"},
	{"\\ secret", 1, 1, `\`, "remove it"},
	{"\\\xffsecret", 1, 1, `\`, "remove it"},
	{"\\\x1b[1m", 1, 1, `\`, "remove it"},
	{"\\äsecret", 1, 1, `\ä`, "remove it"},
	{"\\!secret", 1, 1, `\!`, "remove it"},
	{"\\" + strings.Repeat("x", 50), 1, 1, `\` + strings.Repeat("x", 23), "remove it"},
	{"\\RESTRICT a", 1, 1, `\RESTRICT`, "remove it"},
	{"\\restrict\n", 1, 1, `\restrict`, "one word of letters"},
	{"\\restrict a; SELECT 1;\n", 1, 1, `\restrict`, "one word of letters"},
	{"\\restrict a b\n", 1, 1, `\restrict`, "one word of letters"},
	{"\\restrict a\rSELECT 1;\n", 1, 1, `\restrict`, "one word of letters"},
	{"\\unrestrict 'a'\n", 1, 1, `\unrestrict`, "one word of letters"},
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range badTexts {
		pieces, err := sqlsplit.Split(tt.text)
		var e *sqlsplit.Error
		if !errors.As(err, &e) {
			t.Errorf("%q: pieces %q, error %v, want an *Error", tt.text, describe(pieces), err)
			continue
		}
		if e.Line != tt.line || e.Column != tt.column || e.Command != tt.command || !strings.Contains(e.Reason, tt.reason) || pieces != nil {
			t.Errorf("%q:\n got %+v\nwant %+v", tt.text, e, tt)
		}
		if line, column := sqlsplit.Position(tt.text, e.Offset); line != e.Line || column != e.Column {
			t.Errorf("%q: offset %d is at %d:%d, not %d:%d", tt.text, e.Offset, line, column, e.Line, e.Column)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error shows data: %v", tt.text, err)
		}
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"SELECT 1;\n  \\echo x": `pgdbm: line 2, column 3: \echo: it is a command of psql, not SQL; remove it`,
		"SELECT 'x":             "pgdbm: line 1, column 8: the string is never closed",
	} {
		if _, err := sqlsplit.Split(text); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestPosition(t *testing.T) {
	t.Parallel()
	const text = "\ufeffaä€\r\n\n\U0001F418x"
	for _, tt := range []struct{ offset, line, column int }{
		{-1, 1, 1}, {0, 1, 1}, {3, 1, 1}, {4, 1, 2}, {6, 1, 3}, {9, 1, 4}, {10, 1, 5}, {11, 2, 1}, {12, 3, 1},
		{16, 3, 2}, {17, 3, 3}, {99, 3, 3},
	} {
		if line, column := sqlsplit.Position(text, tt.offset); line != tt.line || column != tt.column {
			t.Errorf("offset %d is at %d:%d, want %d:%d", tt.offset, line, column, tt.line, tt.column)
		}
	}
}
