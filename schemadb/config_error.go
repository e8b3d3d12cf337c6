package schemadb

import (
	"errors"
	"fmt"
	"strings"
)

// ConfigError says what is wrong with one part of a [Config]. It never shows a password or a whole DSN.
type ConfigError struct {
	Field  string // the field, as in InitCommands[2], or the environment's variable
	Reason string // what is wrong and what to do, or "" if Err says it all
	Err    error  // the cause, or nil
}

// Error names the field, the reason and the cause.
func (e *ConfigError) Error() string {
	text := "pgdbm: config: " + e.Field
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	if e.Err != nil {
		text += ": " + strings.TrimPrefix(e.Err.Error(), "pgdbm: ")
	}
	return text
}

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// problems collects all that is wrong with a Config.
type problems []error

// add adds a problem.
func (p *problems) add(field, format string, values ...any) {
	*p = append(*p, &ConfigError{Field: field, Reason: fmt.Sprintf(format, values...)})
}

// wrap adds a problem with a cause that says it all.
func (p *problems) wrap(field string, cause error) {
	*p = append(*p, &ConfigError{Field: field, Err: cause})
}

func (p problems) err() error { return errors.Join(p...) }
