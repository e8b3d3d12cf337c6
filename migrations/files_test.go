package migrations_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/migrations"
)

// TestSavepoint wants SAVEPOINT, ROLLBACK TO and RELEASE to do what they do in psql.
func TestSavepoint(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	files := sqlFiles("001_a.sql", `CREATE TABLE {{tables.s}} (id int);
		SAVEPOINT before_fill;
		INSERT INTO {{tables.s}} VALUES (1);
		ROLLBACK TO SAVEPOINT before_fill;
		INSERT INTO {{tables.s}} VALUES (2);
		RELEASE SAVEPOINT before_fill;
		SAVEPOINT left_open`, "002_b.sql", "CREATE TABLE {{tables.after}} ()")
	l.succeeds("Apply", beginApply(l.Context(), l.migrator(l.pool("pgx", 0), "app", files)))
	if got := read[string](l, "SELECT string_agg(id::text, ',') FROM app.s"); got != "2" {
		t.Errorf("the rows are %s", got)
	}
	if n := read[int](l, "SELECT count(*) FROM app.schema_migrations"); n != 2 {
		t.Errorf("%d migrations are recorded", n)
	}
}

// TestIsolationLevel wants the level that a file asks for, with own and shared history, and READ COMMITTED for the next file.
func TestIsolationLevel(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]migrations.Option{"own": nil, "shared": {migrations.SharedHistory("ops")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			const noted = "INSERT INTO {{tables.l}} VALUES ((SELECT current_setting('transaction_isolation')))"
			files := sqlFiles("001_a.sql", "CREATE TABLE {{tables.l}} (level text); "+noted,
				"002_b.sql", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; "+noted,
				"003_c.sql", "-- pgdbm:isolation repeatable read\n"+noted,
				"004_d.sql", "BEGIN ISOLATION LEVEL SERIALIZABLE; "+noted+"; COMMIT",
				"005_e.sql", noted)
			l.succeeds("Apply", beginApply(l.Context(), l.migrator(l.pool("pgx", 0), "app", files, opts...)))
			if got := read[string](l, "SELECT string_agg(level, ', ' ORDER BY ctid) FROM app.l"); got != "read committed, serializable, repeatable read, serializable, read committed" {
				t.Errorf("the levels are %s", got)
			}
		})
	}
}

// TestIsolationLocksFirst wants a run that has waited for another one to see what that has committed: its snapshot is not older than its lock.
// In a snapshot from before, the update would fail, and what the other has added would be missing.
func TestIsolationLocksFirst(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	pool := l.pool("pgx", 0)
	first := "CREATE TABLE {{tables.n}} (n int); INSERT INTO {{tables.n}} VALUES (1); CREATE TABLE {{tables.m}} (n int)"
	l.succeeds("the first", beginApply(l.Context(), l.migrator(pool, "app", sqlFiles("001_a.sql", first))))
	other := l.connect()
	l.exec(other, "BEGIN; LOCK TABLE app.schema_migrations IN SHARE ROW EXCLUSIVE MODE; UPDATE app.n SET n = 2")
	run := beginApply(l.Context(), l.migrator(pool, "app", sqlFiles("001_a.sql", first,
		"002_b.sql", "-- pgdbm:isolation serializable\nUPDATE {{tables.n}} SET n = n * 10; INSERT INTO {{tables.m}} SELECT n FROM {{tables.n}}")))
	l.activity("application_name = 'runs'")
	l.exec(other, "COMMIT")
	l.succeeds("the run", run)
	if n := read[int](l, "SELECT n FROM app.m"); n != 20 {
		t.Errorf("it has read %d", n)
	}
}

// TestCommitInDo wants the advice that fits what a DO block with COMMIT needs, and that it works.
func TestCommitInDo(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	const text = "DO $$ BEGIN CREATE TABLE {{tables.c}} (id int); COMMIT; END $$;"
	m := l.migrator(l.pool("pgx", 0), "app", sqlFiles("001_a.sql", text))
	err := l.wait("Apply", beginApply(l.Context(), m))
	if !errors.As(err, new(*migrations.MigrationError)) {
		t.Fatal(err)
	}
	wantTexts(t, err, "2D000", "001_a.sql:1:", "-- pgdbm:no-transaction")
	l.succeeds("as advised", beginApply(l.Context(), l.migrator(l.pool("pgx", 0), "app", sqlFiles("001_a.sql", "-- pgdbm:no-transaction\n"+text))))
}

// TestCopyAsPsql wants what stands on the line of COPY to run behind it, and rows to end with the file.
func TestCopyAsPsql(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	files := sqlFiles("001_a.sql", "CREATE TABLE {{tables.c}} (n int);\n"+
		"copy {{tables.c}} from stdin; UPDATE {{tables.c}} SET n = n * 10; COPY {{tables.c}} FROM stdin;\n1\n2\n\\.\n3\n\\.\nINSERT INTO {{tables.c}} VALUES (4);\n",
		"002_b.sql", "COPY {{tables.c}} FROM stdin;\n5\n6", "003_c.sql", "-- pgdbm:no-transaction\ncopy {{tables.c}} from stdin; DELETE FROM {{tables.c}} WHERE n = 7;\n7\n8\n")
	l.succeeds("Apply", beginApply(l.Context(), l.migrator(l.pool("pgx", 0), "app", files)))
	if got := read[string](l, "SELECT string_agg(n::text, ',' ORDER BY n) FROM app.c"); got != "3,4,5,6,8,10,20" {
		t.Errorf("the rows are %s", got)
	}
}

// TestRolesBelongToTheServer wants the error in the second database to say why, and its advice to work in several at once.
func TestRolesBelongToTheServer(t *testing.T) {
	t.Parallel()
	l, second := newLab(t), newLab(t)
	role := fmt.Sprintf("test_role_%d", l.connect().PgConn().PID())
	defer l.exec(l.connect(), "DROP ROLE IF EXISTS "+role+", "+role+"_2")
	plain := sqlFiles("001_a.sql", "CREATE ROLE "+role+" NOLOGIN")
	l.succeeds("the first", beginApply(l.Context(), l.migrator(l.pool("pgx", 0), "app", plain)))
	err := second.wait("the second", beginApply(second.Context(), second.migrator(second.pool("pgx", 0), "app", plain)))
	wantTexts(t, err, "42710", "001_a.sql:1:", "roles belong to the server", "WHEN duplicate_object OR unique_violation")
	for _, other := range []string{"DO $$ BEGIN CREATE USER " + role + "; END $$", "CREATE GROUP " + role, "ALTER DATABASE template1 OWNER TO nobody_at_all"} {
		err := second.wait(other, beginApply(second.Context(), second.migrator(second.pool("pgx", 0), "app", sqlFiles("001_a.sql", other))))
		if advised := strings.Contains(fmt.Sprint(err), "roles belong to the server"); advised != strings.Contains(other, role) {
			t.Errorf("%s: %v", other, err)
		}
	}

	advised := sqlFiles("001_a.sql", "DO $$ BEGIN CREATE ROLE "+role+"_2; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
	var runs []task
	for _, lab := range []*lab{l, second, newLab(t)} {
		runs = append(runs, beginApply(lab.Context(), lab.migrator(lab.pool("pgx", 0), "advised", advised)))
	}
	for _, run := range runs {
		l.succeeds("as advised", run)
	}

	l.exec(l.connect(), "CREATE TABLE owned (); ALTER TABLE owned OWNER TO "+role)
	drop := sqlFiles("001_a.sql", "DROP ROLE "+role)
	err = second.wait("the drop", beginApply(second.Context(), second.migrator(second.pool("pgx", 0), "dropping", drop)))
	wantTexts(t, err, "2BP01", "DROP OWNED")
	l.exec(l.connect(), "DROP TABLE owned")
}

// TestRoleAtTheSameTime meets another session that creates the same role, in a file that is not tried again.
func TestRoleAtTheSameTime(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	other := l.connect()
	role := fmt.Sprintf("test_role_%d", other.PgConn().PID())
	l.exec(other, "BEGIN; CREATE ROLE "+role)
	defer l.exec(l.connect(), "DROP ROLE IF EXISTS "+role)
	run := beginApply(l.Context(), l.migrator(l.pool("pgx", 0), "app", sqlFiles("001_a.sql", "-- pgdbm:no-transaction\nCREATE ROLE "+role)))
	l.activity("query LIKE '%CREATE ROLE " + role + "' AND wait_event_type = 'Lock'")
	l.exec(other, "COMMIT")
	wantTexts(t, l.wait("the run", run), "23505", "roles belong to the server")
}
