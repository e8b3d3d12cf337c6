package migfile

import (
	"errors"
	"strings"
	"testing"
)

func TestNoTransaction(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"SELECT 1;":                                                                           false,
		"-- pgdbm:no-transaction\nSELECT 1;":                                                  true,
		"-- pgdbm:no-transaction \t\r\nSELECT 1;":                                             true,
		"-- pgdbm:no-transaction\rSELECT 1;":                                                  true,
		bom + "-- pgdbm:no-transaction\nSELECT 1;":                                            true,
		"SELECT 1;\n-- pgdbm:no-transaction":                                                  true,
		"SELECT 1;\n-- pgdbm:no-transaction\n\\restrict a\n":                                  true,
		"SELECT\n-- pgdbm:no-transaction\n1;":                                                 true,
		"SELECT 1;\n\n-- a\n-- pgdbm:no-transaction\n-- b\n":                                  true,
		"SELECT '\n-- pgdbm:no-transaction\n';":                                               false,
		"SELECT 'a'\n-- no directive, for it is in a literal\n'b';":                           false,
		"SELECT $$\n-- pgdbm:no-transaction\n$$;":                                             false,
		"SELECT \"\n-- pgdbm:no-transaction\n\";":                                             false,
		"/*\n-- pgdbm:no-transaction\nmore */ SELECT 1;":                                      false,
		"/* /* */\n-- pgdbm:no-transaction\nmore */ SELECT 1;":                                false,
		"COPY a FROM stdin;\n-- pgdbm:no-transaction\n\\.\n":                                  false,
		"-- see pgdbm:no-transaction\nSELECT 1;":                                              false,
		"-- the directive -- pgdbm:no-transaction is not needed\nSELECT 1;":                   false,
		"-- pgdbm is a library\n-- pgdbm's schema\n-- pgdbmx: y\n-- no transaction\nSELECT 1": false,
		"-- no transaction\n/* goose */ -- goose\n-- migrate: up\n-- create above\nSELECT 1;": false,
	} {
		if got := mustScript(t, text).NoTransaction; got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestMisspeltDirective wants an error for whatever somebody meant as a directive.
func TestMisspeltDirective(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"-- pgdbm:notransaction", "--pgdbm:no-transaction", "-- pgdbm: no-transaction", "-- pgdbm:no_transaction",
		"-- pgdbm:no-transactions", "-- PGDBM:NO-TRANSACTION", "-- pgdbm no-transaction", "--  pgdbm:no-transaction",
		"-- pgdbm : no-transaction", "-- pgdbm:no-transaction;", "-- pgdbm:no-transaction -- because", "-- pgdbm:xyz",
		"-- pgdbm:", "--- pgdbm:no-transaction", "  -- pgdbm:no-transaction", "SELECT 2; -- pgdbm:no-transaction",
		"/* pgdbm:no-transaction */", "/* pgdbm:\nno-transaction */", "/* a */-- pgdbm:no-transaction", "-- pgdbm:no transaction",
		"COPY a FROM stdin; -- pgdbm:no-transaction\n\\.", "-- @pgdbm:no-transaction", "-- pgdbm:no-transaction\u00a0",
	} {
		_, err := NewScript("001_a.sql", []byte("SELECT 1;\n"+line+"\nSELECT 1;"))
		var e *Error
		at := strings.Index(line, "--")
		if block := strings.Index(line, "/*"); block >= 0 && at < 0 {
			at = block
		}
		if strings.HasPrefix(line, "/* pgdbm") {
			at = 0
		}
		if !errors.As(err, &e) || e.Line != 2 || e.Column != at+1 || !strings.Contains(e.Reason, noTransaction) {
			t.Errorf("%q: %v, want an error at column %d", line, err, at+1)
		}
	}
}
