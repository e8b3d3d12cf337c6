package migrations

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pgdbm/pgdbm/internal/template"
)

// The names of the tables in which a run keeps its books.
const (
	ownTable      = "schema_migrations"          // in the schema itself; the Python library has the same
	sharedTable   = "schema_migrations_shared"   // with SharedHistory
	progressTable = "schema_migrations_progress" // of migrations without a transaction, beside the history
)

// target is what a run migrates: one module in one schema.
type target struct {
	name   string // what templates expand for; "" for no schema
	schema string // where the module's tables are: name, or else the first schema of the search_path
	module string
	shared string // the schema with the shared history, or ""
	pooled bool   // no connection holds the lock of the module, so each transaction takes it
	citus  bool   // the server is a node of Citus: see citus.go
	flyway bool   // undos are beside their migrations, as U1__name.sql
	path   string // the search_path where the driver pgdbm keeps one, or ""
}

// history returns the table that lists what has been applied.
func (t target) history() string {
	if t.shared != "" {
		return template.QuoteIdent(t.shared) + "." + sharedTable
	}
	return t.ownHistory()
}

func (t target) ownHistory() string { return template.QuoteIdent(t.schema) + "." + ownTable }

func (t target) progress() string {
	if t.shared != "" {
		return template.QuoteIdent(t.shared) + "." + progressTable
	}
	return t.ownProgress()
}

func (t target) ownProgress() string { return template.QuoteIdent(t.schema) + "." + progressTable }

// progressRows is the condition for the rows of the target in a progress table.
func (t target) progressRows() string {
	return "schema_name = " + literal(t.schema) + " AND module_name = " + literal(t.module)
}

// progressRow is the condition for the row of a file in the progress table.
func (t target) progressRow(file string) string {
	return t.progressRows() + " AND filename = " + literal(file)
}

// rows is the condition for the rows of the target in its history. In a table of its own, rows without a module are
// those of whoever looks, as for the Python library.
func (t target) rows() string { return t.rowsOf("") }

// rowsOf is rows for a table with an alias, which ends with a dot.
func (t target) rowsOf(alias string) string {
	if t.shared != "" {
		return alias + "schema_name = " + literal(t.schema) + " AND " + alias + "module_name = " + literal(t.module)
	}
	return fmt.Sprintf("(%smodule_name = %s OR %[1]smodule_name IS NULL)", alias, literal(t.module))
}

// ownRows is rows in the schema's own table.
func (t target) ownRows() string {
	t.shared = ""
	return t.rows()
}

// key is the advisory lock for one module in one schema: 64 bits, of which the Python library's hashtext uses 32.
func (t target) key() int64 {
	sum := sha256.Sum256([]byte("pgdbm\x00" + t.module + "\x00" + t.schema))
	return int64(binary.BigEndian.Uint64(sum[:])) //nolint:gosec // all 64 bits are the key
}

// lock takes the target's key, and where no connection keeps the Python library out of the module, does that too.
func (t target) lock() string {
	lock := "pg_catalog.pg_try_advisory_xact_lock(" + strconv.FormatInt(t.key(), 10) + ")"
	if t.pooled {
		lock += " AND " + shareModule(t.module)
	}
	return lock
}

// createShared creates the table of [SharedHistory]: the same columns, and the schema. It has one index, because each
// costs something in each migration of each schema.
func createShared(schema string) string {
	return "CREATE TABLE IF NOT EXISTS " + template.QuoteIdent(schema) + "." + sharedTable + ` (
    schema_name VARCHAR(63) NOT NULL,
    module_name VARCHAR(100) NOT NULL,
    filename VARCHAR(255) NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    checksum VARCHAR(64) NOT NULL,
    applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    applied_by VARCHAR(100) DEFAULT CURRENT_USER,
    execution_time_ms INTEGER,
    PRIMARY KEY (schema_name, module_name, filename)
)`
}

// books finds the rows of a schema in the shared history and beside it, whatever their module.
func (t target) books() string {
	schema := " WHERE schema_name = " + literal(t.schema)
	return "SELECT schema_name FROM " + t.history() + schema + " UNION ALL SELECT schema_name FROM " + t.progress() + schema
}

// createProgress creates the table in which a migration without a transaction notes how far it has come: how many statements
// are done, the checksum of the text up to there, and that of the statement which is running.
func (t target) createProgress() string {
	return "CREATE TABLE IF NOT EXISTS " + t.progress() + ` (
    schema_name VARCHAR(63) NOT NULL,
    module_name VARCHAR(100) NOT NULL,
    filename VARCHAR(255) NOT NULL,
    statements_done INTEGER NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    running VARCHAR(64),
    PRIMARY KEY (schema_name, module_name, filename)
)`
}

// insert records a migration; took is SQL for its duration in milliseconds.
func (t target) insert(m *migration, took string) string {
	columns, values := "", ""
	if t.shared != "" {
		columns, values = "schema_name, ", literal(t.schema)+", "
	}
	return fmt.Sprintf("INSERT INTO %s (%sfilename, checksum, module_name, applied_at, execution_time_ms) "+
		"VALUES (%s%s, %s, %s, pg_catalog.clock_timestamp(), %s)",
		t.history(), columns, values, literal(m.File), literal(m.Checksum), literal(t.module), took)
}

// update records that a repeatable migration runs again.
func (t target) update(m *migration, took string) string {
	return fmt.Sprintf("UPDATE %s SET checksum = %s, applied_at = CURRENT_TIMESTAMP, applied_by = CURRENT_USER, "+
		"execution_time_ms = %s WHERE %s AND filename = %s", t.history(), literal(m.Checksum), took, t.rows(), literal(m.File))
}

// record writes what the history shall say of a job; took is SQL for its duration in milliseconds.
func (t target) record(j job, took string) string {
	switch j.kind {
	case reapplyJob:
		return t.update(j.m, took)
	case undoJob, forgetJob:
		return t.remove(j.forgets())
	}
	return t.insert(j.m, took)
}

// finished records a job that has run, and how long it took.
func (t target) finished(j job, took time.Duration) string {
	return t.record(j, strconv.FormatInt(took.Milliseconds(), 10))
}

// durations records how long migrations took that have run one after the other: each until the next one began, and the last
// one until end. It finds the rows by their key: a window over the rows of a target is read, and sorted, from the whole of a
// shared history, as long as the server has no statistics of it, which makes a run over 200 schemas half as slow again.
func (t target) durations(files []string, end string) string {
	pairs := make([]string, len(files))
	for i, file := range files {
		next := "NULL"
		if i+1 < len(files) {
			next = literal(files[i+1])
		}
		pairs[i] = "(" + literal(file) + ", " + next + ")"
	}
	return fmt.Sprintf("UPDATE %s r SET execution_time_ms = (1000 * extract(epoch FROM COALESCE(n.applied_at, %s) - r.applied_at))::pg_catalog.int4 "+
		"FROM (VALUES %s) x (file, next) LEFT JOIN %[1]s n ON %[4]s AND n.filename = x.next WHERE %[5]s AND r.filename = x.file "+
		"RETURNING r.filename, r.execution_time_ms, "+sessionMark,
		t.history(), end, strings.Join(pairs, ", "), t.rowsOf("n."), t.rowsOf("r."))
}

// remove forgets migrations.
func (t target) remove(files []string) string {
	return fmt.Sprintf("DELETE FROM %s WHERE %s AND filename IN (%s)", t.history(), t.rows(), literals(files))
}

// undoBegun is in the place of a checksum from when the undo of a migration begins without a transaction until it is done.
const undoBegun = "undone in part"

// mark records a checksum, or undoBegun.
func (t target) mark(file, checksum string) string {
	return fmt.Sprintf("UPDATE %s SET checksum = %s WHERE %s AND filename = %s", t.history(), literal(checksum), t.rows(), literal(file))
}

// forgetProgress forgets how far a migration without a transaction has come.
func (t target) forgetProgress(file string) string {
	return "DELETE FROM " + t.progress() + " WHERE " + t.progressRow(file)
}

// textArray is an array of texts as one literal, which the server reads faster than ARRAY[...].
func textArray(values []string) string {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	var b strings.Builder
	for i, value := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + quote.Replace(value) + `"`)
	}
	return literal("{"+b.String()+"}") + "::pg_catalog.text[]"
}

// literals quotes texts as a list of literals.
func literals(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = literal(text)
	}
	return strings.Join(quoted, ", ")
}

// literal quotes a text as a literal, which means the same whatever standard_conforming_strings is.
func literal(s string) string {
	quoted := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return " E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}
