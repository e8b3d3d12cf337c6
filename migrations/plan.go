package migrations

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgdbm/pgdbm/internal/migfile"
)

// job is one step of a run.
type job struct {
	kind jobKind
	m    *migration

	repeatables []string // of an undo: they are to run again, because what they made may go with it
}

type jobKind uint8

const (
	applyJob   jobKind = iota // run it and record it
	reapplyJob                // a repeatable one has changed: run it again
	undoJob                   // run its undo, forget it
	recordJob                 // Baseline: record it without running it
	forgetJob                 // Forget: remove the record
)

// forgets returns the files that the history does not list any more.
func (j job) forgets() []string { return append([]string{j.m.File}, j.repeatables...) }

// runs reports whether the job runs something of the migration's.
func (j job) runs() bool { return j.kind == applyJob || j.kind == reapplyJob || j.kind == undoJob }

// adds reports whether the job adds a row to the history.
func (j job) adds() bool { return j.kind == applyJob || j.kind == recordJob }

// records reports whether the history lists the migration when the job is done.
func (j job) records() bool { return j.adds() || j.kind == reapplyJob }

// isolation returns the level of the job's transaction.
func (j job) isolation() string {
	if script := j.script(); script != nil && script.Isolation != "" {
		return script.Isolation
	}
	return "READ COMMITTED"
}

// endsProgress reports whether the job ends what an earlier run without a transaction has begun.
func (j job) endsProgress() bool {
	return j.kind == undoJob || j.kind == recordJob || j.kind == forgetJob
}

// past says what has happened, for the log.
func (k jobKind) past() string {
	switch k {
	case undoJob:
		return "migration undone"
	case recordJob:
		return "migration recorded"
	case forgetJob:
		return "migration forgotten"
	}
	return "migration applied"
}

// function returns the Go function of the job, or nil.
func (j job) function() Func {
	switch j.kind {
	case applyJob, reapplyJob:
		return j.m.upFunc
	case undoJob:
		return j.m.downFunc
	}
	return nil
}

// script returns the SQL of the job, or nil.
func (j job) script() *migfile.Script {
	switch j.kind {
	case applyJob, reapplyJob:
		return j.m.up
	case undoJob:
		return j.m.down
	}
	return nil
}

// fitsInMessage reports whether the job is one transaction of nothing but statements.
func (j job) fitsInMessage() bool {
	script := j.script()
	return j.function() == nil && (script == nil || !script.NoTransaction && !inParts(script) && !mentionsHistory(script.Text))
}

// changesSession reports whether the job's SQL may leave something in the session.
func (j job) changesSession() bool {
	script := j.script()
	return script != nil && script.SessionState()
}

// saving returns the statement that puts the settings aside which the job may change, or "".
func (j job) saving() string {
	if !j.changesSession() {
		return ""
	}
	return saving(ownSettings(j.script().Text))
}

// DriftError says how the files and the history of a schema contradict each other. The files are in the order of their
// versions.
type DriftError struct {
	Schema, Module string
	Changed        []string // files whose text is another one than when they were applied
	Removed        []string // files that were applied and are not there
	OutOfOrder     []string // files that were not applied, while some with higher versions were
	HalfDone       []string // files of which a part was done without a transaction, which now stands in the way; no option allows them
	HalfUndone     []string // files whose undo, without a transaction, was begun and is not finished; no option allows them
}

// Error lists the files, and says what to do about each kind.
func (e *DriftError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pgdbm: module %q in schema %q: nothing was done, because the files are not those of the history", e.Module, e.Schema)
	for _, part := range []struct {
		files  []string
		advice string
	}{
		{e.Changed, "changed since it was applied (restore it and write another migration, or AllowChanged)"},
		{e.Removed, "applied, but the file is gone (is the program older than the database? restore the file, Forget it, or AllowRemoved)"},
		{e.OutOfOrder, "not applied, but its version is lower than that of one which is (give it a higher version, or AllowOutOfOrder)"},
		{e.HalfDone, "a part of it was done without a transaction (Apply it as it was to finish it, or undo that part by hand and Forget it)"},
		{e.HalfUndone, "a part of its undo has run (run Rollback again to finish it, or put things right by hand and Forget it)"},
	} {
		for _, file := range part.files {
			fmt.Fprintf(&b, "\n  %s: %s", file, part.advice)
		}
	}
	if e.Removed != nil && e.OutOfOrder != nil {
		b.WriteString("\n  if a file was renamed: the history knows it by its name, so give it that name again")
	}
	return b.String()
}

// drift compares the source with the history. It returns nil if they agree.
func (s *source) drift(t target, st *state) *DriftError {
	e := &DriftError{Schema: t.schema, Module: t.module}
	last := -1 // the place of the highest version that was applied
	for i, m := range s.migrations {
		if m.Kind == Versioned && st.find(m.File) != nil {
			last = i
		}
	}
	for i, m := range s.migrations {
		row := st.find(m.File)
		switch {
		case m.Kind == Repeatable:
		case row != nil && row.checksum == undoBegun:
			e.HalfUndone = append(e.HalfUndone, m.File)
		case row == nil && slices.Contains(st.begun, m.File) && (m.up == nil || !m.up.NoTransaction):
			e.HalfDone = append(e.HalfDone, m.File) // it would begin anew
		case row == nil && i < last:
			e.OutOfOrder = append(e.OutOfOrder, m.File)
		case row != nil && row.checksum != m.Checksum:
			e.Changed = append(e.Changed, m.File)
		}
	}
	for _, row := range st.applied {
		if s.find(row.file) == nil && !row.nobodys && !slices.Contains(e.Removed, row.file) {
			e.Removed = append(e.Removed, row.file)
		}
	}
	if e.Changed == nil && e.Removed == nil && e.OutOfOrder == nil && e.HalfDone == nil && e.HalfUndone == nil {
		return nil
	}
	return e
}

// find returns the migration of a file of the history, or nil.
func (s *source) find(file string) *migration { return s.byFile[file] }

// check returns the drift that the options do not allow.
func (o *options) check(drift *DriftError) error {
	if drift == nil {
		return nil
	}
	e := *drift
	if o.allowChanged {
		e.Changed = nil
	}
	if o.allowRemoved {
		e.Removed = nil
	}
	if o.allowOutOfOrder {
		e.OutOfOrder = nil
	}
	if e.Changed == nil && e.Removed == nil && e.OutOfOrder == nil && e.HalfDone == nil && e.HalfUndone == nil {
		return nil
	}
	return &e
}

// pending returns what Apply has to do: the versioned migrations that were not applied, then the repeatable ones that
// were not, or that have changed.
func (s *source) pending(st *state) []job {
	var jobs []job
	for _, m := range s.migrations {
		row := st.find(m.File)
		switch {
		case row == nil:
			jobs = append(jobs, job{kind: applyJob, m: m})
		case m.Kind == Repeatable && row.checksum != m.Checksum:
			jobs = append(jobs, job{kind: reapplyJob, m: m})
		}
	}
	return jobs
}
