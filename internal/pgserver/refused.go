package pgserver

import (
	"fmt"
	"strings"
)

// NoServerError says that there is no server, and why each source was refused.
type NoServerError struct {
	Request Request
	Forced  string    // the only source that PGDBM_TEST_SERVER allows, or ""
	Refused []Refusal // in the order in which they were tried
}

// Refusal is why there is no server from a source.
type Refusal struct {
	Source string
	Reason error
}

// Error has a line for each source.
func (e *NoServerError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "pgserver: no server for the tests (%v)", e.Request)
	if e.Forced != "" {
		fmt.Fprintf(&text, ", and %s=%s allows no other source", serverVariable, e.Forced)
	}
	text.WriteByte(':')
	for _, r := range e.Refused {
		fmt.Fprintf(&text, "\n\t%s: %v", r.Source, r.Reason)
	}
	return text.String()
}

// Unwrap returns the reasons.
func (e *NoServerError) Unwrap() []error {
	reasons := make([]error, len(e.Refused))
	for i, r := range e.Refused {
		reasons[i] = r.Reason
	}
	return reasons
}
