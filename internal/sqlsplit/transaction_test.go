package sqlsplit_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/internal/sqllex"
	"github.com/pgdbm/pgdbm/internal/sqlsplit"
)

func split(t *testing.T, text string) []sqlsplit.Piece {
	t.Helper()
	pieces, err := sqlsplit.Split(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return pieces
}

func TestControl(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"BEGIN": true, "begin work;": true, "START TRANSACTION READ ONLY": true, "COMMIT": true, "COMMIT PREPARED 'x'": true,
		"END": true, "ROLLBACK TO x": true, "ABORT": true, "SAVEPOINT x": true, "RELEASE x": true, "/* c */ Commit;": true,
		"PREPARE TRANSACTION 'x'": true, "SET TRANSACTION READ ONLY": true, "PREPARE /* */ transaction E'x'": true, "ROLLBACK PREPARED 'x'": true,

		"": false, ";": false, "SELECT 1": false, `"begin"`: false, "(BEGIN)": false,
		"LOCK t": false, "PREPARE p AS SELECT 1": false, "PREPARE transaction AS SELECT 1": false,
		"PREPARE transaction (int) AS SELECT 1": false, "CREATE TABLE begin (commit int)": false,
		"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END;": false, "\\restrict begin": false,
	} {
		got := slices.ContainsFunc(split(t, text), func(p sqlsplit.Piece) bool { return p.Control() != sqllex.NoControl })
		if got != want {
			t.Errorf("%q: got %t", text, got)
		}
	}
}

func TestKeyword(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"-- c\ncreate Table t ()": "CREATE", "(SELECT 1)": "", `"create"`: "", ";": "", "\\restrict create": "", "COMMIT;": "COMMIT",
	} {
		if got := split(t, text)[0].Keyword(); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// TestRowsAreNoStatement: rows can look like one.
func TestRowsAreNoStatement(t *testing.T) {
	t.Parallel()
	rows := split(t, "COPY t FROM stdin;\nCOMMIT\n\\.\n")[1]
	if rows.Kind != sqlsplit.CopyData || rows.Keyword() != "" || rows.Control() != sqllex.NoControl {
		t.Errorf("%+v", rows)
	}
}

func TestOuterTransaction(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text  string
		found bool
		inner string // joined
	}{
		{"BEGIN;\nCREATE TABLE t ();\nCOMMIT;\n", true, "\nCREATE TABLE t ();"},
		{"-- Migration\n\nBEGIN;\n\n-- here\n\nCOMMIT;\n-- done", true, ""},
		{"\ufeff\\restrict x\n;begin work; SELECT 1; ; SELECT 2; end transaction ; \\unrestrict x\n;", true, " SELECT 1; ; SELECT 2;"},
		{"START TRANSACTION; SELECT 1; END WORK", true, " SELECT 1;"},
		{"BEGIN TRANSACTION; SAVEPOINT a; RELEASE a; COMMIT", true, " SAVEPOINT a; RELEASE a;"},
		{"BEGIN; COPY t FROM stdin;\n1\n\\.\nCOMMIT", true, " COPY t FROM stdin;\n1\n\\.\n"},
		{"BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2; COMMIT;", true, " SELECT 1; COMMIT; BEGIN; SELECT 2;"},

		{"", false, ""},
		{"-- nothing", false, ""},
		{"BEGIN;", false, ""},
		{"COMMIT;", false, ""},
		{"END;", false, ""},
		{"BEGIN; SELECT 1;", false, ""},
		{"SELECT 1; COMMIT;", false, ""},
		{"SELECT 0; BEGIN; SELECT 1; COMMIT;", false, ""},
		{"BEGIN; SELECT 1; COMMIT; SELECT 2;", false, ""},
		{"BEGIN; SELECT 1; ROLLBACK;", false, ""},
		{"BEGIN; PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x';", false, ""},
		{"BEGIN; COPY t FROM stdin;\nCOMMIT\n\\.\n", false, ""},
		{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END;", false, ""},
	} {
		pieces := split(t, tt.text)
		inner, _, found, err := sqlsplit.OuterTransaction(tt.text, pieces)
		want := tt.inner
		if !tt.found {
			want = tt.text
		}
		got := ""
		for _, p := range inner {
			got += p.Text
		}
		if err != nil || found != tt.found || got != want {
			t.Errorf("%q: got %q, %t, %v", tt.text, got, found, err)
		}
	}
}

func TestOuterTransactionIsolation(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"BEGIN; COMMIT;": "",
		"BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1; COMMIT;":                              "SERIALIZABLE",
		"begin work read write, isolation level repeatable read; END;":                       "REPEATABLE READ",
		"START TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; COMMIT;":                        "READ UNCOMMITTED",
		"BEGIN TRANSACTION /* c */ ISOLATION -- c\n LEVEL READ COMMITTED READ WRITE; COMMIT": "READ COMMITTED",
	} {
		if _, got, found, err := sqlsplit.OuterTransaction(text, split(t, text)); err != nil || !found || got != want {
			t.Errorf("%q: got %q, %t, %v", text, got, found, err)
		}
	}
}

func TestOuterTransactionOptions(t *testing.T) {
	t.Parallel()
	for text, column := range map[string]int{
		"BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY; COMMIT;": 36,
		"BEGIN ISOLATION LEVEL READ; SELECT 1; COMMIT;":         7,
		" START TRANSACTION READ ONLY; COMMIT;":                 20,
		"BEGIN WORK DEFERRABLE; COMMIT;":                        12,
		"BEGIN; COMMIT AND CHAIN;":                              15,
		"BEGIN; END TRANSACTION AND NO CHAIN;":                  24,
	} {
		_, _, _, err := sqlsplit.OuterTransaction(text, split(t, text))
		var e *sqlsplit.Error
		if !errors.As(err, &e) || e.Line != 1 || e.Column != column || !strings.Contains(e.Reason, "options") {
			t.Errorf("%q: error %v, want one at column %d", text, err, column)
		}
	}
}
