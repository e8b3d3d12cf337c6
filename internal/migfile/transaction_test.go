package migfile

import (
	"strings"
	"testing"
)

// TestIsolation: the level is said by a directive, by SET TRANSACTION at the start, or by the BEGIN around the file.
func TestIsolation(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"SELECT 1;": "",
		"-- pgdbm:isolation repeatable read\nSELECT 1;":                         "REPEATABLE READ",
		"-- pgdbm:isolation Read Committed  \r\nSELECT 1;":                      "READ COMMITTED",
		"-- a\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE;\nSELECT 1;":        "SERIALIZABLE",
		"set local transaction isolation level repeatable read; SELECT 1;":      "REPEATABLE READ",
		"BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1; COMMIT;":                 "SERIALIZABLE",
		"BEGIN; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT 1; COMMIT": "SERIALIZABLE",
	} {
		s, err := NewScript("001_a.sql", []byte(text))
		if err != nil || s.Isolation != want || len(s.Statements) != 1 {
			t.Errorf("%q: %+v, %v; want %q", text, s, err, want)
		}
	}
}

// TestOneTransaction: what stands inside of a file's transaction.
func TestOneTransaction(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"SAVEPOINT a; SELECT 1; ROLLBACK TO SAVEPOINT a; RELEASE a;":     4,
		"BEGIN; SAVEPOINT a; ROLLBACK WORK TO a; COMMIT;":                2,
		"SET LOCAL lock_timeout = 1; SET CONSTRAINTS ALL DEFERRED;":      2,
		"SET standard_conforming_strings = on; SELECT 'off'":             2,
		"COPY t FROM stdin; SELECT 1;\n1\n\\.\nSELECT 2;":                3,
		"CREATE TEMP TABLE t (x int) ON COMMIT DROP; LOCK TABLE t;":      2,
		"SELECT set_config('a.b', '1', true), f(); -- pgdbm is not here": 1,
	} {
		if s, err := NewScript("001_a.sql", []byte(text)); err != nil || len(s.Statements) != want {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
}

// TestNoEffect: what means something only inside of a transaction is refused without one.
func TestNoEffect(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"SET LOCAL lock_timeout = '750ms'", "set local time zone 'UTC'", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET CONSTRAINTS ALL DEFERRED",
		"SAVEPOINT a", "RELEASE a", "ROLLBACK TO a", "LOCK TABLE t", "DECLARE c CURSOR FOR SELECT 1", "CREATE TEMP TABLE t (x int) ON COMMIT DROP",
		"SELECT set_config('a.b', '1', true)", "SELECT pg_catalog.set_config('a.b', '1', true);", "SELECT pg_advisory_xact_lock(1, 2)",
		"SELECT pg_try_advisory_xact_lock_shared(abs(1));", "SELECT x FROM t FOR UPDATE", "SELECT x FROM t FOR NO KEY UPDATE SKIP LOCKED",
		"SET LOCAL ROLE bob", "SET LOCAL \"a\".b = 1",
	} {
		_, err := NewScript("001_a.sql", []byte("-- pgdbm:no-transaction\nSELECT 1;\n"+text))
		if err == nil || !strings.Contains(err.Error(), "line 3, column 1: ") || !strings.Contains(err.Error(), "no effect on the next") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{
		"SET lock_timeout = 1", "SET local.x = 1", "SELECT set_config('a.b', '1', false)", "SELECT set_config('a.b', '1', true), work()",
		"SELECT work(set_config('a.b', '1', true))", "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "CREATE TEMP TABLE t (x int)",
		"CREATE TABLE lock (savepoint int)", "SELECT pg_advisory_lock(1)", "SELECT count(*) FROM t FOR UPDATE", "DO $$ BEGIN SET LOCAL a.b = 1; END $$",
	} {
		if _, err := NewScript("001_a.sql", []byte("-- pgdbm:no-transaction\n"+text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestStringsOff: behind it the text would be read in another way than the server reads it.
func TestStringsOff(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"SET standard_conforming_strings = off", "SET LOCAL standard_conforming_strings TO 'off'", "set session Standard_Conforming_Strings = false",
		"SELECT set_config('standard_conforming_strings', 'off', false)", "SELECT pg_catalog.set_config('standard_conforming_strings'::text, 'no', true)",
		"ALTER ROLE a SET standard_conforming_strings = 0", "ALTER DATABASE a SET \"standard_conforming_strings\" TO of", "SET standard_conforming_strings = f",
	} {
		if _, err := NewScript("001_a.sql", []byte(text)); err == nil || !strings.Contains(err.Error(), "standard_conforming_strings = off") {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := NewScript("001_a.sql", []byte("-- pgdbm:no-transaction\n"+text)); err == nil {
			t.Errorf("%s: no error without a transaction", text)
		}
	}
	for _, text := range []string{
		"SET standard_conforming_strings = on", "SET escape_string_warning = off", "SHOW standard_conforming_strings",
		"SELECT 'standard_conforming_strings = off'", "INSERT INTO t VALUES ('standard_conforming_strings', 'off')", "SELECT set_config('standard_conforming_strings', 'on', false)",
	} {
		if _, err := NewScript("001_a.sql", []byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
