package migrations

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// MigrateTo applies and undoes migrations until exactly those with versions up to version are applied. Undos run first,
// from the highest version down. Repeatable migrations run if no versioned one is left. The error is a *[VersionError] if no
// migration has the version; 0 stands for the state before the first one too.
func (m *Migrator) MigrateTo(ctx context.Context, version int64) (*Result, error) {
	if version != 0 && !m.source.has(version) {
		return nil, &VersionError{Version: version, Versions: m.source.versions()}
	}
	return m.run(ctx, func(st *state, _ int, t target) ([]job, error) {
		if err := m.options.check(m.source.drift(t, st)); err != nil {
			return nil, err
		}
		jobs := m.source.undos(st, func(x *migration) bool { return x.Version > version })
		if len(jobs) > 0 {
			if err := m.source.covered(t, st); err != nil {
				return nil, err
			}
		}
		complete := len(jobs) == 0
		for _, j := range m.source.pending(st) {
			if j.m.Kind == Versioned && j.m.Version > version {
				complete = false
			} else if j.m.Kind == Versioned || complete {
				jobs = append(jobs, j)
			}
		}
		return jobs, undoable(t, jobs)
	})
}

// Rollback undoes the last n versioned migrations, from the highest version down; all, if there are not so many. It
// needs their undo files: nothing is done if one is missing, which is an *[UndoError]. If a file that was applied is gone,
// nobody knows which one is the last, so that is a *[DriftError], whatever the options allow; MigrateTo and Redo too undo
// nothing then.
func (m *Migrator) Rollback(ctx context.Context, n int) (*Result, error) {
	if n < 0 {
		return nil, fmt.Errorf("pgdbm: Rollback(%d): the number of migrations is negative", n)
	}
	return m.run(ctx, func(st *state, done int, t target) ([]job, error) {
		jobs := m.source.undos(st, func(*migration) bool { return true })
		if done < n {
			if err := m.source.covered(t, st); err != nil {
				return nil, err
			}
		}
		jobs = jobs[:max(0, min(len(jobs), n-done))]
		return jobs, undoable(t, jobs)
	})
}

// Redo undoes the last versioned migration, and applies it again: to try out one that is being written. It takes the file
// as it is now, changed or not. The repeatable migrations that had run run again.
func (m *Migrator) Redo(ctx context.Context) (*Result, error) {
	var all []job
	return m.run(ctx, func(st *state, done int, t target) ([]job, error) {
		if done > 0 { // others may have applied some of it meanwhile
			return slices.DeleteFunc(slices.Clone(all[1:]), func(j job) bool { return st.find(j.m.File) != nil }), nil
		}
		if err := m.source.covered(t, st); err != nil {
			return nil, err
		}
		undos := m.source.undos(st, func(*migration) bool { return true })
		if len(undos) == 0 {
			return nil, fmt.Errorf("pgdbm: module %q in schema %q: Redo: no migration is applied", t.module, t.schema)
		}
		last := undos[0]
		all = []job{last, {kind: applyJob, m: last.m}}
		for _, file := range last.repeatables {
			all = append(all, job{kind: applyJob, m: m.source.find(file)})
		}
		return all, undoable(t, all)
	})
}

// Baseline records the versioned migrations up to version as applied without running them: for a schema that has what
// they do. Those that are recorded already stay as they are. math.MaxInt64 stands for all. What follows is pending.
func (m *Migrator) Baseline(ctx context.Context, version int64) (*Result, error) {
	if version != math.MaxInt64 && !m.source.has(version) {
		return nil, &VersionError{Version: version, Versions: m.source.versions()}
	}
	return m.run(ctx, func(st *state, _ int, _ target) ([]job, error) {
		var jobs []job
		for _, x := range m.source.migrations {
			if x.Kind == Versioned && x.Version <= version && st.find(x.File) == nil {
				jobs = append(jobs, job{kind: recordJob, m: x})
			}
		}
		return jobs, nil
	})
}

// Forget removes the record of a migration and does not undo it, as if it had not run. File is its name in the history,
// also of a file that is gone. If nothing is recorded under that name, the error wraps [ErrNotApplied].
//
// A file without a transaction of which a part has run is not in the history: Forget makes it begin anew.
func (m *Migrator) Forget(ctx context.Context, file string) (*Result, error) {
	result, err := m.run(ctx, func(st *state, done int, t target) ([]job, error) {
		switch {
		case done > 0:
			return nil, nil
		case st.find(file) == nil:
			return nil, fmt.Errorf("pgdbm: module %q in schema %q: Forget(%q): %w", t.module, t.schema, file, ErrNotApplied)
		}
		x := m.source.find(file)
		if x == nil {
			x = &migration{Migration: Migration{File: file}}
		}
		forget := job{kind: forgetJob, m: x}
		if st.find(file).checksum == undoBegun {
			forget.repeatables = m.source.appliedRepeatables(st)
		}
		return []job{forget}, nil
	})
	if errors.Is(err, ErrNotApplied) {
		if forgotten, otherErr := m.forgetProgress(ctx, file); forgotten || otherErr != nil {
			err = otherErr
		}
	}
	return result, err
}

// forgetProgress forgets how far a migration without a transaction has come.
func (m *Migrator) forgetProgress(ctx context.Context, file string) (bool, error) {
	t, err := m.target(ctx)
	if err != nil {
		return false, err
	}
	deleted, err := m.db.ExecContext(ctx, "DELETE FROM "+t.progress()+" WHERE "+t.progressRow(file))
	if hasCode(err, undefinedTable, invalidSchema) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	n, err := deleted.RowsAffected()
	return n > 0, err
}

// ErrNotApplied says that the history has no such file.
var ErrNotApplied = errors.New("the history has no such file")

// VersionError says that no migration has a version.
type VersionError struct {
	Version  int64
	Versions []int64 // those that there are
}

// Error lists the versions that there are.
func (e *VersionError) Error() string {
	return fmt.Sprintf("pgdbm: no migration has version %d; there are %s", e.Version, listVersions(e.Versions))
}

func listVersions(versions []int64) string {
	texts := make([]string, len(versions))
	for i, v := range versions {
		texts[i] = fmt.Sprint(v)
	}
	if len(texts) > 20 {
		texts = append(texts[:10], append([]string{"..."}, texts[len(texts)-10:]...)...)
	}
	return strings.Join(texts, ", ")
}

// UndoError says which migrations have no undo.
type UndoError struct {
	Schema, Module string
	Files          []string
}

// Error lists the files.
func (e *UndoError) Error() string {
	return fmt.Sprintf("pgdbm: module %q in schema %q: nothing was undone, because these migrations have no undo (a file of the same name "+
		"in the folder down, or .down.sql): %s", e.Module, e.Schema, strings.Join(e.Files, ", "))
}

// undoable returns an error if one of the jobs is an undo that does not exist.
func undoable(t target, jobs []job) error {
	e := &UndoError{Schema: t.schema, Module: t.module}
	for _, j := range jobs {
		if j.kind == undoJob && !j.m.Undoable {
			e.Files = append(e.Files, j.m.File)
		}
	}
	if e.Files == nil {
		return nil
	}
	return e
}

// covered returns a *[DriftError] if the history has versioned migrations whose files are gone: they may lie above the last
// one that has a file, and then that is not the last one. So it does if a part of a file is done, which is not in the history:
// an undo of another might take it away, and the next run would not know.
func (s *source) covered(t target, st *state) error {
	var begun []string
	for _, file := range st.begun {
		if st.find(file) == nil {
			begun = append(begun, file)
		}
	}
	if begun != nil {
		return &DriftError{Schema: t.schema, Module: t.module, HalfDone: begun}
	}
	drift := s.drift(t, st)
	if drift == nil {
		return nil
	}
	removed := slices.DeleteFunc(drift.Removed, func(file string) bool { return strings.HasPrefix(file, "R__") })
	if len(removed) == 0 {
		return nil
	}
	return &DriftError{Schema: t.schema, Module: t.module, Removed: removed}
}

// undos returns the jobs that undo the applied versioned migrations which are chosen, from the highest version down.
func (s *source) undos(st *state, chosen func(*migration) bool) []job {
	var jobs []job
	repeatables := s.appliedRepeatables(st)
	for _, m := range slices.Backward(s.migrations) {
		if m.Kind == Versioned && st.find(m.File) != nil && chosen(m) {
			jobs = append(jobs, job{kind: undoJob, m: m, repeatables: repeatables})
		}
	}
	return jobs
}

// appliedRepeatables returns the files of the repeatable migrations that have run.
func (s *source) appliedRepeatables(st *state) []string {
	var files []string
	for _, m := range s.migrations {
		if m.Kind == Repeatable && st.find(m.File) != nil {
			files = append(files, m.File)
		}
	}
	return files
}

func (s *source) has(version int64) bool { return slices.Contains(s.versions(), version) }

// versions returns the versions in their order.
func (s *source) versions() []int64 {
	var versions []int64
	for _, m := range s.migrations {
		if m.Kind == Versioned {
			versions = append(versions, m.Version)
		}
	}
	return versions
}
