package migrations

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

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

// AllResult is what [ApplyAll] has done. Each schema is in one of the lists. It can be marshalled to JSON and back, as for [OnlyFailed] in
// another process.
type AllResult struct {
	Applied    []*Result // schemas in which something was done, in the order in which they were ready
	UpToDate   []string  // schemas that had nothing to do
	Failed     []Failure
	NotReached []string // schemas that had not begun when ctx ended, or when StopOnError stopped the run
	Duration   time.Duration
}

// Failure is a schema that has failed, or in which the end of the context has interrupted a migration.
type Failure struct {
	Schema string
	Done   []Step // what was done before, and stays
	Err    error  // of JSON only its text
}

// failure is a Failure in JSON.
type failure struct {
	Schema string
	Done   []Step
	Err    string
}

// MarshalJSON writes the error's text.
func (f Failure) MarshalJSON() ([]byte, error) {
	return json.Marshal(failure{Schema: f.Schema, Done: f.Done, Err: fmt.Sprint(f.Err)})
}

// UnmarshalJSON reads what MarshalJSON has written. The error has nothing but its text then.
func (f *Failure) UnmarshalJSON(data []byte) error {
	var j failure
	err := json.Unmarshal(data, &j)
	*f = Failure{Schema: j.Schema, Done: j.Done, Err: errors.New(j.Err)}
	return err
}

// Report is what [Progress] is told after a schema.
type Report struct {
	*Result                         // of this schema; no Steps if it had nothing to do
	Err                       error // nil unless it has failed
	Applied, UpToDate, Failed int   // how many schemas so far
	Total                     int   // how many there are
	PerSecond                 float64
	Left                      time.Duration // at this rate
}

// AllError says that not all schemas are up to date. errors.Is and errors.As look at the errors of all that have failed.
type AllError struct {
	Failed     []Failure
	NotReached int
	Err        error // why the run has ended early, or nil
}

// err returns the error for the result, or nil if all is well.
func (r *AllResult) err(cause error) error {
	if len(r.Failed) == 0 && len(r.NotReached) == 0 {
		return nil
	}
	return &AllError{Failed: r.Failed, NotReached: len(r.NotReached), Err: cause}
}

// shownFailures is how many failures the text of an AllError shows.
const shownFailures = 3

// Error shows the counts and the first failures.
func (e *AllError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pgdbm: %d schemas have failed, %d were not reached", len(e.Failed), e.NotReached)
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	for i, f := range e.Failed {
		if i == shownFailures {
			fmt.Fprintf(&b, "\nand %d more", len(e.Failed)-i)
			break
		}
		fmt.Fprintf(&b, "\n%s: %s", f.Schema, strings.TrimPrefix(f.Err.Error(), "pgdbm: "))
	}
	return b.String()
}

// Unwrap returns the errors of the schemas, and why the run has ended early.
func (e *AllError) Unwrap() []error {
	var all []error
	for _, f := range e.Failed {
		all = append(all, f.Err)
	}
	if e.Err != nil {
		all = append(all, e.Err)
	}
	return all
}
