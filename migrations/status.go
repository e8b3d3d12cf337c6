package migrations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pgdbm/pgdbm/schemadb"
)

// Status is what the files and the history say about one migration.
type Status struct {
	Migration Migration // of a file that was removed: its name and checksum in the history
	State     State
	Record    *Record // nil if it is not in the history
}

// State says how a file and the history agree.
type State string

// The states. Changed, Removed and OutOfOrder make Apply fail, unless an option allows them.
const (
	Pending    State = "pending"      // not applied
	Applied    State = "applied"      // as it is
	Changed    State = "changed"      // applied with another text; a repeatable migration runs again
	Removed    State = "removed"      // applied, and the file is gone
	OutOfOrder State = "out of order" // not applied, while one with a higher version is
	HalfUndone State = "half undone"  // its undo, without a transaction, was begun and is not finished; Apply fails in any case
)

// Record is a row of the history.
type Record struct {
	ID        int64     `db:"id"`
	File      string    `db:"filename"`
	Checksum  string    `db:"checksum"`
	Module    *string   `db:"module_name"`       // nil in rows of a table that no module owns; they count as everybody's
	AppliedAt time.Time `db:"applied_at"`        // the table has no time zone: read in that of the session
	AppliedBy *string   `db:"applied_by"`        // the server's user
	TookMS    *int      `db:"execution_time_ms"` // nil if it is not known
}

// Duration is how long the migration took; 0 if it is not known.
func (r Record) Duration() time.Duration {
	if r.TookMS == nil {
		return 0
	}
	return time.Duration(*r.TookMS) * time.Millisecond
}

func (r Record) applied() applied {
	return applied{file: r.File, checksum: r.Checksum, nobodys: r.Module == nil}
}

// History returns the rows of the module in the schema, in the order in which they were written; none if there is no
// table.
func (m *Migrator) History(ctx context.Context) ([]Record, error) {
	t, err := m.target(ctx)
	if err != nil {
		return nil, err
	}
	return m.history(ctx, t)
}

func (m *Migrator) history(ctx context.Context, t target) ([]Record, error) {
	query := "SELECT id, filename, checksum, module_name, applied_at::pg_catalog.timestamptz AS applied_at, " +
		"applied_by, execution_time_ms FROM %s WHERE %s ORDER BY id"
	if t.shared == "" {
		return collect(ctx, m.db, t.history(), fmt.Sprintf(query, t.history(), t.rows()))
	}
	exists := " AND EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = " + literal(t.schema) + ")"
	records, err := collect(ctx, m.db, t.history(), fmt.Sprintf(query, t.history(), t.rows()+exists))
	if err != nil {
		return records, err
	}
	own, err := collect(ctx, m.db, t.ownHistory(), fmt.Sprintf(query, t.ownHistory(), t.ownRows())) // it moves with the next run
	if errors.As(err, new(*HistoryError)) {
		return records, nil
	}
	return append(own, records...), err
}

func collect(ctx context.Context, db *schemadb.DB, table, query string) ([]Record, error) {
	records, err := schemadb.Collect[Record](ctx, db, query)
	switch {
	case hasCode(err, undefinedTable, invalidSchema):
		return []Record{}, nil
	case hasCode(err, undefinedColumn):
		return nil, foreignHistory(table, err)
	}
	return records, err
}

// Status compares the files with the history: the versioned ones in their order, the repeatable ones, and then those that
// were removed.
func (m *Migrator) Status(ctx context.Context) ([]Status, error) {
	t, err := m.target(ctx)
	if err != nil {
		return nil, err
	}
	records, err := m.history(ctx, t)
	if err != nil {
		return nil, err
	}
	st, byFile := &state{}, map[string]*Record{}
	for i, r := range records {
		st.applied = append(st.applied, r.applied())
		byFile[r.File] = &records[i]
	}
	outOfOrder := map[string]bool{}
	if drift := m.source.drift(t, st); drift != nil {
		for _, file := range drift.OutOfOrder {
			outOfOrder[file] = true
		}
	}
	var all []Status
	for _, x := range m.source.migrations {
		s := Status{Migration: x.Migration, State: Pending, Record: byFile[x.File]}
		switch {
		case outOfOrder[x.File]:
			s.State = OutOfOrder
		case s.Record != nil && s.Record.Checksum == undoBegun:
			s.State = HalfUndone
		case s.Record != nil && s.Record.Checksum != x.Checksum:
			s.State = Changed
		case s.Record != nil:
			s.State = Applied
		}
		all = append(all, s)
	}
	for i, r := range records {
		if m.source.find(r.File) == nil && r.Module != nil && byFile[r.File] == &records[i] {
			all = append(all, Status{Migration: Migration{File: r.File, Checksum: r.Checksum}, State: Removed, Record: &records[i]})
		}
	}
	return all, nil
}

// Verify compares the history with the files and returns a *[DriftError] if a file was changed or removed, or lies out of
// order, whatever the options allow. Pending files are no error.
func (m *Migrator) Verify(ctx context.Context) error {
	st, t, err := m.look(ctx)
	if err != nil {
		return err
	}
	if drift := m.source.drift(t, st); drift != nil {
		return drift
	}
	return nil
}

// look reads the state without changing anything.
func (m *Migrator) look(ctx context.Context) (*state, target, error) {
	t, err := m.target(ctx)
	if err != nil {
		return nil, t, err
	}
	records, err := m.history(ctx, t)
	st := &state{}
	for _, r := range records {
		st.applied = append(st.applied, r.applied())
	}
	if err == nil {
		st.begun, err = m.begun(ctx, t)
	}
	return st, t, err
}

// begun returns the files without a transaction of which a part is done.
func (m *Migrator) begun(ctx context.Context, t target) (files []string, err error) {
	for _, table := range slices.Compact([]string{t.progress(), t.ownProgress()}) { // that one moves with the next run
		some, err := schemadb.Collect[string](ctx, m.db, "SELECT filename FROM "+table+" WHERE "+t.progressRows()+" AND "+begun+
			" AND EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = "+literal(t.schema)+") ORDER BY 1")
		if err != nil && !hasCode(err, undefinedTable, invalidSchema) {
			return nil, fmt.Errorf("pgdbm: the table %s cannot be read: %w", table, err)
		}
		files = append(files, some...)
	}
	return files, nil
}

// Pending returns what Apply would run, in its order. It returns the *[DriftError] that Apply would return.
func (m *Migrator) Pending(ctx context.Context) ([]Migration, error) {
	jobs, _, err := m.pendingJobs(ctx)
	if err != nil {
		return nil, err
	}
	pending := make([]Migration, len(jobs))
	for i, j := range jobs {
		pending[i] = j.m.Migration
	}
	return pending, nil
}

func (m *Migrator) pendingJobs(ctx context.Context) ([]job, target, error) {
	st, t, err := m.look(ctx)
	if err != nil {
		return nil, t, err
	}
	if err := m.options.check(m.source.drift(t, st)); err != nil {
		return nil, t, err
	}
	return m.source.pending(st), t, nil
}

// Planned is a migration that Apply would run.
type Planned struct {
	Migration
	SQL string // its statements as the server would get them; "" for a Go function
}

// Plan is a dry run: what Apply would run, with the templates expanded for the schema. It reads the history and changes
// nothing. It returns the *[DriftError] that Apply would return.
func (m *Migrator) Plan(ctx context.Context) ([]Planned, error) {
	jobs, t, err := m.pendingJobs(ctx)
	if err != nil {
		return nil, err
	}
	planned := make([]Planned, len(jobs))
	for i, j := range jobs {
		planned[i].Migration = j.m.Migration
		if j.m.up == nil {
			continue
		}
		texts, err := j.m.up.Expand(t.name)
		if err != nil {
			return nil, err
		}
		planned[i].SQL = j.m.up.Join(texts)
	}
	return planned, nil
}
