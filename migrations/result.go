package migrations

import "time"

// Step is a migration that has run in a schema, or that is about to.
type Step struct {
	Schema, Module string
	Migration      Migration
	Undo           bool          // its undo
	RecordOnly     bool          // only the history has changed: Baseline and Forget
	Duration       time.Duration // as the history has it, in milliseconds; 0 before it has run, and for an undo
}

// Result is what a run has done in a schema.
type Result struct {
	Schema, Module string
	Steps          []Step // in the order in which they ran; empty if there was nothing to do
	Duration       time.Duration
}

// Files returns the names of the files of the steps.
func (r *Result) Files() []string {
	files := make([]string, len(r.Steps))
	for i, s := range r.Steps {
		files[i] = s.Migration.File
	}
	return files
}
