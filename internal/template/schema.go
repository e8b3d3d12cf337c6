package template

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxNameLen is the length in bytes at which PostgreSQL cuts an identifier off without an error (NAMEDATALEN - 1).
const MaxNameLen = 63

// SchemaError says why a name cannot be a schema of this package's users.
type SchemaError struct {
	Name   string // the name as it was given
	Reason string // what is wrong with it, and what to do
}

// Error names the schema, shortened if it is long, and the reason.
func (e *SchemaError) Error() string {
	return fmt.Sprintf("pgdbm: invalid schema name %s: %s", shortQuote(e.Name), e.Reason)
}

// CheckSchema returns a *[SchemaError] if name cannot be used as a schema. PostgreSQL allows any text of 1 to 63
// bytes as an identifier; refused on top of that are the names that mean something else to PostgreSQL ($user, pg_*,
// information_schema) and those that would look like a template in the expanded text.
func CheckSchema(name string) error {
	refuse := func(format string, args ...any) error {
		return &SchemaError{Name: name, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case name == "":
		return refuse("it is empty, as if a name got lost; to mean no schema, use WithoutSchema")
	case len(name) > MaxNameLen:
		return refuse("it is %d bytes long, and PostgreSQL cuts names off after %d", len(name), MaxNameLen)
	case strings.IndexByte(name, 0) >= 0:
		return refuse("it contains a NUL byte")
	case !utf8.ValidString(name):
		return refuse("it is not valid UTF-8")
	case name == "$user":
		return refuse("PostgreSQL replaces it by the name of the current user")
	case strings.HasPrefix(name, "pg_"), name == "information_schema":
		return refuse("it is reserved for PostgreSQL's own schemas")
	}
	if !strings.ContainsAny(name, "{}<>") {
		return nil
	}
	for _, mark := range []string{"{{", "}}", "<<", ">>"} {
		if strings.Contains(name, mark) {
			return refuse("it contains %s, a template's delimiter", mark)
		}
	}
	return nil
}

// QuoteIdent quotes name as an identifier, whatever it contains.
func QuoteIdent(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// shortQuote is %q for names that may be as long as a book.
func shortQuote(s string) string {
	if len(s) > 2*MaxNameLen {
		return fmt.Sprintf("%q...", strings.ToValidUTF8(s[:2*MaxNameLen], "?"))
	}
	return fmt.Sprintf("%q", s)
}
