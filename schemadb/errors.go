package schemadb

import (
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/named"
	"github.com/pgdbm/pgdbm/internal/native"
	"github.com/pgdbm/pgdbm/internal/rowscan"
)

// ScanError says which column of a row does not fit its destination, and what to do about it. It has the fields Column,
// Field (its path in Go), Type (the field's Go type), PGType (the column's type in PostgreSQL), Dest (the Go type of
// the row) and Err. Its text never shows a value.
type ScanError = rowscan.Error

// NamedError says which names of a statement and of the argument do not match. It has the fields Missing, Unused, Names
// (those of the statement), Given (those of the argument), Type and Row. It holds no values.
type NamedError = named.Error

// ArgumentError says that an argument cannot be sent as the type that its parameter has. It does not show the value.
type ArgumentError struct {
	Index int    // of the argument, from 0; -1 if it is not known
	Type  string // the argument's Go type, or ""
	Param string // the parameter's type in PostgreSQL, or ""
	Err   error  // what the argument's Value method returned, or nil; Error does not show it
}

// Unwrap returns the error of the argument's Value method.
func (e *ArgumentError) Unwrap() error { return e.Err }

// Error names the argument and the types.
func (e *ArgumentError) Error() string {
	argument, param := "an argument", "its parameter's type"
	if e.Index >= 0 {
		argument = fmt.Sprintf("argument $%d of type %s", e.Index+1, e.Type)
	}
	if e.Param != "" {
		param = "the type " + e.Param
	}
	return fmt.Sprintf("pgdbm: %s cannot be sent as %s; pass another Go type, or cast the parameter in SQL", argument, param)
}

// explain makes the errors of database/sql and pgx clear.
func (q *queries) explain(err error, args []any) error {
	if q.held != nil && errors.Is(err, sqldriver.ErrBadConn) {
		// pgx's driver says so too if rows of the same connection are still open.
		if busy := q.raw(q.held, false, func(native.Conn) error { return nil }); errors.Is(busy, errBusy) {
			return busy
		}
	}
	return explain(err, args)
}

// explain replaces an error of pgx that shows an argument's value. Only its text says what it is.
func explain(err error, args []any) error {
	var pgErr *pgconn.PgError
	if err == nil || errors.As(err, &pgErr) {
		return err
	}
	const numbered, encoding = "failed to encode args[", "unable to encode "
	text := err.Error()
	at := strings.Index(text, numbered)
	if at < 0 && !strings.Contains(text, encoding) {
		return err
	}
	e := &ArgumentError{Index: -1, Param: encodedAs(text)}
	if at >= 0 {
		if _, scanErr := fmt.Sscanf(text[at+len(numbered):], "%d", &e.Index); scanErr != nil {
			e.Index = -1
		}
	}
	if args = values(args); e.Index >= 0 && e.Index < len(args) {
		e.Type = fmt.Sprintf("%T", args[e.Index])
		if _, ok := args[e.Index].(sqldriver.Valuer); ok {
			e.Err = innermost(err)
		}
	}
	return e
}

// innermost returns the cause of err without the texts of pgx around it, which show the value.
func innermost(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// encodedAs returns the type that pgx could not encode a value as, "" if its error does not say it.
func encodedAs(text string) string {
	const before = " format for "
	at := strings.LastIndex(text, before)
	if at < 0 {
		return ""
	}
	name, _, _ := strings.Cut(text[at+len(before):], " ")
	return name
}

func hasCode(err error, code string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == code
}

// The codes are those of https://www.postgresql.org/docs/current/errcodes-appendix.html.

// IsUniqueViolation reports whether a row with the same key exists (23505). The constraint's name is in
// (*pgconn.PgError).ConstraintName.
func IsUniqueViolation(err error) bool { return hasCode(err, "23505") }

// IsForeignKeyViolation reports whether a row refers to one that does not exist, or is referred to (23503).
func IsForeignKeyViolation(err error) bool { return hasCode(err, "23503") }

// IsNotNullViolation reports whether a value is missing (23502).
func IsNotNullViolation(err error) bool { return hasCode(err, "23502") }

// IsCheckViolation reports whether a CHECK constraint was not met (23514).
func IsCheckViolation(err error) bool { return hasCode(err, "23514") }

// IsSerializationFailure reports whether the transaction could not be serialized with others (40001). It may succeed
// when it is tried again; see [WithRetry].
func IsSerializationFailure(err error) bool { return hasCode(err, "40001") }

// IsDeadlock reports whether the transaction was given up to end a deadlock (40P01). It may succeed when it is tried
// again; see [WithRetry].
func IsDeadlock(err error) bool { return hasCode(err, "40P01") }

// IsUndefinedTable reports whether a table does not exist (42P01): were the schema's migrations applied?
func IsUndefinedTable(err error) bool { return hasCode(err, "42P01") }

// IsUndefinedSchema reports whether a schema does not exist (3F000).
func IsUndefinedSchema(err error) bool { return hasCode(err, "3F000") }

// values returns args without the options of pgx that may stand before them.
func values(args []any) []any {
	for len(args) > 0 {
		switch args[0].(type) {
		case pgx.QueryExecMode, pgx.QueryResultFormats, pgx.QueryResultFormatsByOID:
			args = args[1:]
		default:
			return args
		}
	}
	return args
}
