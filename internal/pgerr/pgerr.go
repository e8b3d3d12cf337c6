// Package pgerr reads from PostgreSQL's errors what has happened to a statement. What it relies on besides SQLSTATEs (the names of
// routines and source files, and where an error says it came from) is not promised; the tests show it for each server that they run on.
package pgerr

import (
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATEs that more than one package looks at.
const (
	InvalidSchema = "3F000"
	InvalidText   = "22P02"
)

// RefusesGroup reports whether the server refuses to execute a statement, such as VACUUM, together with others. Nothing has happened
// then.
func RefusesGroup(err error) bool {
	const activeTransaction = "25001"
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == activeTransaction && pgErr.Where == "" // not in a function
}

// IsGone reports whether a prepared statement whose name begins with prefix does not exist, after a DISCARD ALL for example.
func IsGone(err *pgconn.PgError, prefix string) bool {
	return err.Code == "26000" && strings.Contains(err.Message, `"`+prefix)
}

// HasChanged reports whether a prepared statement would return other columns than it did. The server finds out before it executes
// anything, unless the statement stands in a function (then the error says Where) or in a procedure.
func HasChanged(err *pgconn.PgError) bool {
	return err.Code == "0A000" && err.Routine == "RevalidateCachedQuery" && err.Where == ""
}

// RefusedUnrun reports whether the server refused a statement when it analysed it, or read the values or formats that were sent with
// it. What a function runs has a Where of its own.
func RefusedUnrun(err *pgconn.PgError) bool {
	switch {
	case strings.HasPrefix(err.Where, "unnamed portal parameter $"):
		return true
	case err.Where != "":
		return false
	}
	return strings.HasPrefix(err.File, "parse_") || err.Routine == "PortalSetResultFormat"
}

// IsUndefined reports whether a table, a type, a function or a schema was not found.
func IsUndefined(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && slices.Contains([]string{"42P01", "42704", "42883", InvalidSchema}, pgErr.Code)
}
