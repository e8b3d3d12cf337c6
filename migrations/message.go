package migrations

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pgdbm/pgdbm/internal/sqllex"
	"github.com/pgdbm/pgdbm/internal/template"
)

// message is the text of several transactions, one for each job, which go to the server as one message of the simple
// protocol. When a statement fails, the server skips what follows in the message, so the jobs before the failed one are
// committed, and those after it have not begun.
//
// A transaction looks like this:
//
//	BEGIN ISOLATION LEVEL READ COMMITTED;
//	CREATE SCHEMA ...; CREATE TABLE ...;          what is missing, in the first one
//	LOCK TABLE schema_migrations IN SHARE ROW EXCLUSIVE MODE NOWAIT;
//	INSERT INTO schema_migrations ...;            fails if somebody else is at work, or has done it: see guard
//	(the migration)
//	SELECT ... FROM schema_migrations;            fails if the migration has changed the history: see intact
//	UPDATE schema_migrations ...;                 the durations, in the last one
//	COMMIT;
//
// Each statement costs the server about 5 % of what a small migration costs, because DDL empties its caches; so there are
// few.
type message struct {
	target  target
	options *options
	session *session
	text    strings.Builder
	marks   []mark // one for each statement
	jobs    int
	timed   []string // files whose durations are still to be noted
	longer  bool     // it gives the session the target's whole path, with the schema that it creates

	progress bool // the progress table exists
}

// mark is a statement of a message.
type mark struct {
	job        int
	role       role
	statement  int    // of the script
	start, end int    // in the text, in bytes
	timed      string // of COMMIT: the file of the job whose duration the history has, or ""
}

// role is what a statement is there for.
type role uint8

const (
	guards  role = iota // it fails if the state is not what the run knows
	works               // a statement of the migration
	checks              // it fails if the migration has changed the history
	helps               // puts the settings back
	records             // it returns files and their durations
	commits
)

func (m *message) add(role role, sql string) { m.addStatement(role, -1, sql) }

func (m *message) addStatement(role role, statement int, sql string) {
	start := m.text.Len()
	m.text.WriteString(sql)
	m.marks = append(m.marks, mark{job: m.jobs, role: role, statement: statement, start: start, end: m.text.Len()})
	m.text.WriteString("\n;\n") // on a line of its own: the statement may end in a comment
}

// job adds the transaction of a job. Guard is what it checks first, and statements the texts of its script.
func (m *message) job(j job, g guard, statements []string) {
	m.begin(j, g)
	for i, sql := range statements {
		m.work(i, sql, g.createTable)
	}
	m.end(j, g)
}

// work adds statement i of a migration, and behind one that may change the history a check that names its line.
func (m *message) work(i int, sql string, created bool) {
	watched := m.target.module != "" && !m.target.citus
	resets := sqllex.Begins(sql, "reset", "all") // takes the note away
	if resets && watched {
		m.addStatement(checks, i, m.target.intactColumns(created))
	}
	m.addStatement(works, i, sql)
	switch {
	case !watched:
	case resets:
		m.add(helps, "SELECT "+noting(m.target.found()))
	case maySpoil(sql):
		m.addStatement(checks, i, m.target.intactColumns(created))
	}
}

// begin adds the start of a job's transaction: what is missing, the guard, and what the history shall say.
func (m *message) begin(j job, g guard) {
	m.open(j, g)
	t, took := m.target, "NULL" // until it is known
	switch {
	case t.citus || !j.adds():
		m.check(g)
	case j.kind == applyJob:
		took = "NULLIF(" + zero(append(g.free(t), g.same(t)...)) + ", 0)"
	default:
		took = zero(append(g.free(t), g.same(t)...))
	}
	record := t.record(j, took)
	if j.runs() && !t.citus {
		record += " RETURNING " + noting(t.regclass())
	}
	m.add(guards, record)
	if m.progress && j.endsProgress() {
		m.add(guards, t.forgetProgress(j.m.File))
	}
	if j.kind == applyJob || j.kind == reapplyJob {
		m.timed = append(m.timed, j.m.File)
	}
	m.limit()
}

// limit sets the timeouts for the migration. They are not for what comes before it.
func (m *message) limit() {
	if limits := m.options.limits(m.session); limits != "" {
		m.add(guards, limits)
	}
}

// check adds the guard as a statement of its own. A shared history is not locked, so it has to be counted by a query that
// begins when the key is ours: one that asks for both does not see what the last holder of the key has committed meanwhile.
// For an INSERT, which the primary key refuses then, one is enough.
func (m *message) check(g guard) {
	free, same := g.free(m.target), g.same(m.target)
	if (m.target.shared != "" || m.target.citus) && free != nil && same != nil {
		m.add(guards, "SELECT "+zero(free))
		free = nil
	}
	if conditions := append(free, same...); conditions != nil {
		m.add(guards, "SELECT "+zero(conditions))
	}
}

// open begins a transaction, and brings the schema and its history to where the guard can look. The history is locked before anything
// takes a snapshot, which would be that of the whole transaction where its isolation is higher.
func (m *message) open(j job, g guard) {
	t := m.target
	m.add(guards, "BEGIN ISOLATION LEVEL "+j.isolation())
	if g.createSchema {
		m.add(guards, "CREATE SCHEMA "+template.QuoteIdent(t.schema))
		if t.path != "" { // while the schema was missing, the driver had it shorter
			m.longer = true
			m.add(guards, "SELECT pg_catalog.set_config('search_path', "+literal(t.path)+", false)")
		}
	}
	switch {
	case g.createTable:
		for _, sql := range t.createOwn() {
			m.add(guards, sql)
		}
	case t.shared == "":
		m.add(guards, "LOCK TABLE "+t.history()+" IN SHARE ROW EXCLUSIVE MODE NOWAIT")
	}
	if g.forgetOld {
		for _, table := range []string{t.history(), t.progress()} {
			m.add(guards, "DELETE FROM "+table+" WHERE schema_name = "+literal(t.schema))
		}
	}
	if saving := j.saving(); saving != "" {
		m.add(guards, saving)
	}
}

// end adds the end of a migration's own part.
func (m *message) end(j job, g guard) {
	changes := j.changesSession()
	if changes {
		m.add(helps, restoreRole)
	}
	switch {
	case j.runs() && m.target.citus:
		m.add(checks, m.target.ownRecord(j))
	case j.runs() && j.script() != nil && mentionsHistory(j.script().Text):
		m.add(checks, m.target.intactColumns(g.createTable))
	case j.runs():
		m.add(checks, m.target.intact())
	}
	if changes && resetsAll(j.script().Text) { // then what was put aside is gone
		m.add(helps, "RESET ALL")
	}
	if changes {
		m.add(helps, restoreSettings)
	}
}

// commit adds the end of a transaction. Last says that it is the last one of the message.
func (m *message) commit(last bool) {
	switch {
	case !last || len(m.timed) == 0:
	case m.target.citus:
		m.add(records, "SELECT NULL, NULL, "+sessionMark)
	default:
		m.add(records, m.target.durations(m.timed, "pg_catalog.clock_timestamp()::pg_catalog.timestamp"))
	}
	m.add(commits, "COMMIT")
	if n := len(m.timed); n > 0 {
		m.marks[len(m.marks)-1].timed = m.timed[n-1]
	}
	m.jobs++
}

// batchBytes bounds the text of a message: the server keeps all of it, parsed, until it is done.
const batchBytes = 1 << 20

// place returns the statement that a position in the server's error belongs to, and the byte offset in it. What is missing
// at the end of a statement is found at the semicolon behind it.
func (m *message) place(position int) (at mark, offset int, ok bool) {
	bytes := byteOffset(m.text.String(), position)
	for _, mark := range slices.Backward(m.marks) {
		if mark.start <= bytes {
			return mark, min(bytes, mark.end) - mark.start, true
		}
	}
	return mark{}, 0, false
}

// byteOffset returns the offset in bytes of a position of the server's, which counts characters, from 1.
func byteOffset(text string, position int) int {
	bytes := 0
	for range position - 1 {
		_, size := utf8.DecodeRuneInString(text[bytes:])
		bytes += size
	}
	return bytes
}
