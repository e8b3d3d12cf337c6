package sqllex_test

import (
	"testing"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// corpus has statements, and what each is for the functions that classify them.
var corpus = []struct {
	text    string
	control sqllex.Control
	needs   string // a transaction, for what
	setting string // behind its first word
}{
	{"", sqllex.NoControl, "", ""},
	{";", sqllex.NoControl, "", ""},
	{"BEGIN", sqllex.Begin, "", ""},
	{"/* a /* b */ */ begin -- c\n work;", sqllex.Begin, "", ""},
	{"START TRANSACTION ISOLATION LEVEL SERIALIZABLE", sqllex.Begin, "", ""},
	{`"begin"`, sqllex.NoControl, "", ""},
	{"COMMIT AND CHAIN", sqllex.Commit, "", ""},
	{"END TRANSACTION", sqllex.Commit, "", ""},
	{"COMMIT PREPARED 'a'", sqllex.Prepared, "", ""},
	{"ROLLBACK", sqllex.Rollback, "", ""},
	{"ABORT WORK", sqllex.Rollback, "", ""},
	{"ROLLBACK PREPARED 'a'", sqllex.Prepared, "", ""},
	{"ROLLBACK TO a", sqllex.RollbackTo, "", ""},
	{"rollback transaction to savepoint \"to\"", sqllex.RollbackTo, "", ""},
	{"SAVEPOINT a", sqllex.Savepoint, "", ""},
	{"RELEASE SAVEPOINT a", sqllex.Savepoint, "", ""},
	{"PREPARE TRANSACTION 'a'", sqllex.Prepared, "", ""},
	{"PREPARE /* c */ transaction E'a';", sqllex.Prepared, "", ""},
	{"PREPARE transaction AS SELECT 1", sqllex.NoControl, "", ""},
	{"PREPARE transaction (int) AS SELECT 1", sqllex.NoControl, "", ""},
	{"SET TRANSACTION SNAPSHOT '1'", sqllex.SetTransaction, "SET TRANSACTION", ""},
	{"SET LOCAL TRANSACTION READ ONLY", sqllex.SetTransaction, "SET TRANSACTION", ""},
	{"SET transaction.x = 1", sqllex.NoControl, "", "transaction.x"},
	{"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", sqllex.NoControl, "", "CHARACTERISTICS"},
	{"SET LOCAL a.b = 1", sqllex.NoControl, "SET LOCAL", "a.b"},
	{`SET LOCAL "a"."b c" TO DEFAULT`, sqllex.NoControl, "SET LOCAL", "a.b c"},
	{"SET local.x = 1", sqllex.NoControl, "", "local.x"},
	{"SET session = 1", sqllex.NoControl, "", "session"},
	{"SET search_path TO a, b", sqllex.NoControl, "", "search_path"},
	{"SET SCHEMA 'a'", sqllex.NoControl, "", "search_path"},
	{"SET TIME ZONE 'UTC'", sqllex.NoControl, "", "timezone"},
	{"SET LOCAL TIME ZONE 'UTC'", sqllex.NoControl, "SET LOCAL", "timezone"},
	{"SET time.zone = 1", sqllex.NoControl, "", "time.zone"},
	{"SET NAMES 'UTF8'", sqllex.NoControl, "", "client_encoding"},
	{"SET SESSION AUTHORIZATION bob", sqllex.NoControl, "", "session_authorization"},
	{"SET LOCAL SESSION AUTHORIZATION DEFAULT", sqllex.NoControl, "SET LOCAL", "session_authorization"},
	{"SET SESSION SESSION AUTHORIZATION bob", sqllex.NoControl, "", "session_authorization"},
	{"RESET SESSION AUTHORIZATION", sqllex.NoControl, "", "session_authorization"},
	{`SET "Role" = 'bob'`, sqllex.NoControl, "", "Role"},
	{"RESET ALL", sqllex.NoControl, "", "ALL"},
	{"SET CONSTRAINTS ALL DEFERRED", sqllex.NoControl, "SET CONSTRAINTS", "CONSTRAINTS"},
	{"LOCK TABLE t", sqllex.NoControl, "LOCK", ""},
	{"DECLARE c CURSOR FOR SELECT 1", sqllex.NoControl, "DECLARE without WITH HOLD", ""},
	{"DECLARE c CURSOR WITH HOLD FOR SELECT 1", sqllex.NoControl, "", ""},
	{"CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 1", sqllex.NoControl, "ON COMMIT DROP", ""},
	{"CREATE TEMP TABLE t (c text DEFAULT 'on commit drop')", sqllex.NoControl, "", ""},
	{"SELECT pg_catalog.pg_advisory_xact_lock(hashtext('a'))", sqllex.NoControl, "pg_advisory_xact_lock", ""},
	{"SELECT set_config('a', 'b', (TRUE))", sqllex.NoControl, "set_config with is_local = true", ""},
	{"SELECT set_config('a', 'b', $1)", sqllex.NoControl, "", ""},
	{"SELECT a FROM t FOR SHARE NOWAIT", sqllex.NoControl, "SELECT ... FOR UPDATE or FOR SHARE", ""},
	{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END", sqllex.NoControl, "", ""},
	{"DO $$ BEGIN COMMIT; END $$", sqllex.NoControl, "", ""},
}

func TestStatements(t *testing.T) {
	t.Parallel()
	for _, c := range corpus {
		if got := sqllex.ControlOf(c.text); got != c.control {
			t.Errorf("%s: control is %d", c.text, got)
		}
		if got := sqllex.NeedsTransaction(c.text); got != c.needs {
			t.Errorf("%s: it needs a transaction for %q", c.text, got)
		}
		lex := sqllex.Lexer{Text: c.text}
		if first := lex.Next(); !sqllex.OneOf(c.text[first.Start:first.End], "set", "reset") {
			continue
		}
		if got := lex.Setting(); got != c.setting {
			t.Errorf("%s: the setting is %q", c.text, got)
		}
	}
}

func TestIsolationOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		level string
		other int
	}{
		"BEGIN":                               {"", -1},
		"BEGIN ISOLATION LEVEL SERIALIZABLE;": {"SERIALIZABLE", -1},
		"begin transaction read write, isolation level read committed":         {"READ COMMITTED", -1},
		"START TRANSACTION READ ONLY":                                          {"", 18},
		"SET TRANSACTION ISOLATION LEVEL SNAPSHOT":                             {"", 16},
		"SET LOCAL TRANSACTION ISOLATION LEVEL REPEATABLE READ NOT DEFERRABLE": {"REPEATABLE READ", 54},
	} {
		if level, other := sqllex.Isolation(text); level != want.level || other != want.other {
			t.Errorf("%s: %q, %d", text, level, other)
		}
	}
}

func TestSetConfig(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]sqllex.SetConfig{
		"('a.b', $1, true)":                            {Name: "a.b", IsLocal: true},
		"('a.b'::text, f(1, 2), 't'::pg_catalog.bool)": {Name: "a.b", IsLocal: true},
		"('a', 'b', $65)":                              {Name: "a"},
		"('a', 'b', $3::boolean)":                      {Name: "a", IsLocal: true, Params: 1 << 2},
		"('a' || 'b', 'c', false)":                     {},
		"($1, 'c', (('on')))":                          {IsLocal: true},
		"('it''s', 'c')":                               {},
		"('a'":                                         {},
		"(E'a.b', 'x', false)":                         {Name: "a.b"},
		`(E'a\x2eb', 'x', false)`:                      {},
	} {
		if got := (sqllex.Lexer{Text: text}).SetConfig(); got != want {
			t.Errorf("%s: %+v", text, got)
		}
	}
}
