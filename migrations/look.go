package migrations

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/template"
)

// state is what the server says about a target, before a run changes it.
type state struct {
	schema  bool // the schema exists
	table   bool // the history exists
	own     bool // the history is shared, and the schema has one of its own, whose rows have to move
	ownRows int  // how many rows of the target that one has
	ownOnly bool // and none of other modules, so it can go

	ownProgress     bool // there is a progress table beside it, with rows of the target
	ownProgressOnly bool // that table can go
	rows            int  // how many rows of the target the history has
	stale           bool // the schema does not exist, but a shared history has rows of one that did, of any module
	applied         []applied

	begun []string // files without a transaction of which a part is done
}

// applied is a row of the history, in the order in which they were written.
type applied struct {
	file, checksum string
	nobodys        bool // it has no module: it counts as ours where we have the file
}

// find returns the row of a file, or nil. If there are two, which the Python library's table allows for rows without a
// module, the later one counts.
func (s *state) find(file string) *applied {
	for i := len(s.applied) - 1; i >= 0; i-- {
		if s.applied[i].file == file {
			return &s.applied[i]
		}
	}
	return nil
}

// after changes the state to what it is when a job is done.
func (s *state) after(j job) {
	s.begun = slices.DeleteFunc(s.begun, func(file string) bool { return file == j.m.File })
	s.schema, s.table, s.stale = true, true, false
	switch j.kind {
	case applyJob, recordJob:
		s.applied = append(s.applied, applied{file: j.m.File, checksum: j.m.Checksum})
		s.rows++
	case reapplyJob:
		s.find(j.m.File).checksum = j.m.Checksum
	case undoJob, forgetJob:
		before := len(s.applied)
		gone := j.forgets()
		s.applied = slices.DeleteFunc(s.applied, func(a applied) bool { return slices.Contains(gone, a.file) })
		s.rows -= before - len(s.applied)
	}
}

// HistoryError says that a table schema_migrations cannot be used.
type HistoryError struct {
	Table  string // with its schema, quoted
	Reason string // what is wrong, and what to do
	Err    error  // the server's error, or nil
}

// Error names the table and the reason.
func (e *HistoryError) Error() string {
	return fmt.Sprintf("pgdbm: the history %s: %s", e.Table, e.Reason)
}

// Unwrap returns the server's error.
func (e *HistoryError) Unwrap() error { return e.Err }

// foreignHistory is the error for a table that has not our columns.
func foreignHistory(table string, err error) *HistoryError {
	return &HistoryError{Table: table, Err: err, Reason: "it is not ours, but that of another tool (golang-migrate and Rails " +
		"have a table of this name): rename it, migrate another schema, or use SharedHistory"}
}

// look reads the state of one target. It takes one round trip where the history exists.
func look(ctx context.Context, s *session, t target) (*state, error) {
	for range 3 { // tables come and go
		st, err := lookOnce(ctx, s, t)
		switch {
		case !hasCode(err, undefinedTable, invalidSchema):
			return st, err
		case t.shared != "":
			if err := ensureShared(ctx, s, t.shared); err != nil {
				return nil, err
			}
		default:
			if st, err = lookFresh(ctx, s, t); st != nil || err != nil {
				return st, err
			}
		}
	}
	return nil, fmt.Errorf("pgdbm: schema %q: its history comes and goes", t.schema)
}

func lookOnce(ctx context.Context, s *session, t target) (*state, error) {
	message := fmt.Sprintf("SELECT filename, checksum, module_name IS NULL FROM %s WHERE %s ORDER BY id;\n"+
		"SELECT pg_catalog.to_regclass(%s) IS NOT NULL", t.history(), t.rows(), literal(t.progress()))
	if t.shared != "" {
		message += fmt.Sprintf(";\nSELECT n.nspname IS NOT NULL, c.oid IS NOT NULL, p.oid IS NOT NULL "+
			"FROM (SELECT %s::pg_catalog.name AS name) s LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = s.name "+
			"LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = '%s' "+
			"LEFT JOIN pg_catalog.pg_class p ON p.relnamespace = n.oid AND p.relname = '%s';\n%s",
			literal(t.schema), ownTable, progressTable, "SELECT EXISTS ("+t.books()+")")
	}
	results, err := s.read(ctx, message)
	if hasCode(err, undefinedColumn, wrongObjectType) {
		return nil, foreignHistory(t.history(), err)
	}
	if err != nil {
		return nil, fmt.Errorf("pgdbm: the history %s cannot be read: %w", t.history(), err)
	}
	st := &state{schema: true, table: true, rows: len(results[0].Rows)}
	for _, row := range results[0].Rows {
		st.applied = append(st.applied, applied{file: string(row[0]), checksum: string(row[1]), nobodys: isTrue(row[2])})
	}
	if isTrue(results[1].Rows[0][0]) {
		if err := lookProgress(ctx, s, t, st); err != nil {
			return nil, err
		}
	}
	if t.shared == "" {
		return st, checkUndos(t, st)
	}
	st.schema, st.own = isTrue(results[2].Rows[0][0]), isTrue(results[2].Rows[0][1])
	if !st.schema { // what there is belongs to a schema that has been dropped since
		st.stale = isTrue(results[3].Rows[0][0])
		st.rows, st.applied, st.begun = 0, nil, nil
	}
	if st.own {
		err = lookOwn(ctx, s, t, st, isTrue(results[2].Rows[0][2]))
	}
	return st, err
}

// begun is the condition for files in the progress table of which something may be done.
const begun = "(statements_done > 0 OR running IS NOT NULL)"

// lookProgress reads which files have been begun.
func lookProgress(ctx context.Context, s *session, t target, st *state) error {
	results, err := s.read(ctx, "SELECT filename FROM "+t.progress()+" WHERE "+t.progressRows()+" AND "+begun+" ORDER BY 1")
	if err != nil {
		return fmt.Errorf("pgdbm: the table %s cannot be read: %w", t.progress(), err)
	}
	for _, row := range results[0].Rows {
		st.begun = append(st.begun, string(row[0]))
	}
	return nil
}

// lookOwn reads what a target with a shared history still has in a table of its own, and in the progress table beside it.
func lookOwn(ctx context.Context, s *session, t target, st *state, progress bool) error {
	message := fmt.Sprintf("SELECT filename, checksum, %s FROM %s ORDER BY id", t.ownRows(), t.ownHistory())
	if progress {
		message += fmt.Sprintf(";\nSELECT pg_catalog.count(*) FILTER (WHERE %s) > 0, pg_catalog.count(*) FILTER (WHERE NOT (%[1]s)) = 0 FROM %[2]s;\n"+
			"SELECT filename FROM %[2]s WHERE %[1]s AND %[3]s ORDER BY 1", t.progressRows(), t.ownProgress(), begun)
	}
	results, err := s.read(ctx, message)
	switch {
	case hasCode(err, undefinedTable, undefinedColumn): // gone, or of another tool
		st.own = false
		return nil
	case err != nil:
		return fmt.Errorf("pgdbm: the history %s cannot be read: %w", t.ownHistory(), err)
	}
	st.ownOnly = true
	for _, row := range results[0].Rows {
		if !isTrue(row[2]) {
			st.ownOnly = false
			continue
		}
		st.ownRows++
		if file := string(row[0]); st.find(file) == nil {
			st.applied = append(st.applied, applied{file: file, checksum: string(row[1])})
		}
	}
	if progress {
		row := results[1].Rows[0]
		st.ownProgress, st.ownProgressOnly = isTrue(row[0]), isTrue(row[1])
		st.ownOnly = st.ownOnly && st.ownProgressOnly // else the other module would not be seen any more
		for _, row := range results[2].Rows {
			st.begun = append(st.begun, string(row[0]))
		}
	}
	st.own = st.ownOnly || st.ownRows > 0 || st.ownProgress // an empty one just goes
	return nil
}

// lookFresh returns the state of a target without a history, or nil if it has one after all.
func lookFresh(ctx context.Context, s *session, t target) (*state, error) {
	found, err := catalog(ctx, s, []string{t.schema})
	if err != nil || found[t.schema].table {
		return nil, err
	}
	st := found[t.schema]
	if st.schema {
		if err := checkFolded(ctx, s, t); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// catalog says which schemas, and which histories of their own, exist.
func catalog(ctx context.Context, s *session, schemas []string) (map[string]*state, error) {
	results, err := s.send(ctx, fmt.Sprintf("SELECT s.name, n.oid IS NOT NULL, c.oid IS NOT NULL "+
		"FROM pg_catalog.unnest(%s) s (name) "+
		"LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = s.name::pg_catalog.name "+
		"LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = '%s'", textArray(schemas), ownTable))
	if err != nil {
		return nil, fmt.Errorf("pgdbm: looking for the schemas: %w", err)
	}
	found := make(map[string]*state, len(schemas))
	for _, row := range results[0].Rows {
		found[string(row[0])] = &state{schema: isTrue(row[1]), table: isTrue(row[2])}
	}
	return found, nil
}

// ensureShared creates the tables of a shared history, and their schema. Many may do so at once.
func ensureShared(ctx context.Context, s *session, schema string) error {
	found, err := catalog(ctx, s, []string{schema})
	if err != nil {
		return err
	}
	statements := []string{createShared(schema), target{shared: schema}.createProgress()}
	if !found[schema].schema { // to ask for it takes a privilege even where it exists
		create := "CREATE SCHEMA IF NOT EXISTS " + template.QuoteIdent(schema)
		if s.citus { // the history of all schemas is a table of the coordinator
			create = "BEGIN; SET LOCAL citus.enable_schema_based_sharding = off; " + create + "; COMMIT"
		}
		statements = append([]string{create}, statements...)
	}
	for _, statement := range statements {
		for tries := 3; ; tries-- {
			_, err := s.send(ctx, statement)
			// IF NOT EXISTS does not see what another session is about to commit.
			if err == nil {
				break
			}
			if tries == 1 || !hasCode(err, uniqueViolation, duplicateSchema, duplicateTable, duplicateObject) {
				return fmt.Errorf("pgdbm: the shared history in schema %q cannot be created: %w", schema, err)
			}
		}
	}
	return nil
}

func isTrue(value []byte) bool { return string(value) == "t" }

// The SQLSTATEs that decide something.
// See https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	divisionByZero       = "22012"
	uniqueViolation      = "23505"
	activeTransaction    = "25001"
	invalidTermination   = "2D000" // COMMIT in a DO block, in a transaction
	dependentObjects     = "2BP01"
	invalidSchema        = "3F000"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	syntaxError          = "42601"
	undefinedColumn      = "42703"
	wrongObjectType      = "42809"
	undefinedTable       = "42P01"
	duplicateSchema      = "42P06"
	duplicateTable       = "42P07"
	duplicateObject      = "42710"
	lockNotAvailable     = "55P03"
	queryCanceled        = "57014"
	internalError        = "XX000" // "tuple concurrently updated"
)

// hasCode reports whether the server has answered with one of the SQLSTATEs.
func hasCode(err error, codes ...string) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	for _, code := range codes {
		if pgErr.Code == code {
			return true
		}
	}
	return false
}
