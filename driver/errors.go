package driver

import (
	"errors"
	"fmt"

	"github.com/pgdbm/pgdbm/internal/dsn"
	"github.com/pgdbm/pgdbm/internal/template"
)

// TemplateError says what is wrong with a template in a statement, and where. It has the fields Template (the text
// of the template), Reason, Suggestion (the template that was probably meant, or ""), Offset (in bytes, from 0), Line
// and Column (in characters, both from 1).
type TemplateError = template.Error

// SchemaError says why a name cannot be used as a schema. It has the fields Name and Reason.
type SchemaError = template.SchemaError

// DSNError says what is wrong with a DSN. It shows neither the DSN nor a password. It has the fields Key (the key that is wrong, or ""
// if it is the whole) and Reason.
type DSNError = dsn.Error

var (
	// ErrSchemaRequired is the error of a statement without a schema where the DSN's key schema_required asks for one.
	// The statement was not sent. Compare with errors.Is.
	ErrSchemaRequired = errors.New("pgdbm: the statement has no schema and schema_required is set; " +
		"name one with driver.WithSchema(ctx, name)")

	// ErrSchemaSwitch is the error of what cannot follow a context to its schema in schema_mode=search_path, because it needs a
	// session of its own and there is a pooler: Raw, migrations, VACUUM, CALL. Compare with errors.Is.
	ErrSchemaSwitch = errors.New("pgdbm: schema_mode=search_path: this needs a session of its own, and a pooler such as PgBouncer " +
		"hands out others' sessions; run it in a transaction, with templates and schema_mode=template, or on a direct connection")
)

// MissingSchemaError wraps an error of the server that came up while the statement's schema did not exist, or could not be
// used, in schema_mode=search_path. Err is the server's own error.
type MissingSchemaError struct {
	Schema string
	Err    error
}

// Error says what to do about it.
func (e *MissingSchemaError) Error() string {
	return fmt.Sprintf("pgdbm: schema %q does not exist, or the role has no USAGE privilege on it; "+
		"create it with CREATE SCHEMA: %v", e.Schema, e.Err)
}

// Unwrap returns the server's error, a *pgconn.PgError.
func (e *MissingSchemaError) Unwrap() error { return e.Err }
