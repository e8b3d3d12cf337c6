package rowscan

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// Error says which column does not fit its destination, and what to do about it. Its text never shows a value.
type Error struct {
	Column string // "" if it is the row as a whole
	Field  string // path of the field in Go, as in Address.City; "" if there is none
	Type   string // Go type of what the column goes to, "" if there is nothing
	PGType string // name of the column's type if the type map knows it, else "oid 12345"
	Dest   string // Go type of what the row goes to
	Err    error  // the reason; may show the value if it comes from a Scan method, pgx or database/sql
}

// Error names the column, the destination, the reason, and what to do.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("pgdbm: ")
	if e.Column == "" && e.PGType == "" {
		fmt.Fprintf(&b, "the result into %s: ", e.Dest)
	} else {
		null := ""
		if errors.Is(e.Err, errNull) {
			null = ", NULL"
		}
		fmt.Fprintf(&b, "column %q (%s%s) into ", e.Column, e.PGType, null)
		switch {
		case e.Field != "":
			fmt.Fprintf(&b, "field %s of type %s of %s: ", e.Field, e.Type, e.Dest)
		default:
			fmt.Fprintf(&b, "%s: ", e.Dest)
		}
	}
	b.WriteString(e.explain())
	return b.String()
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// reason is an error of this package, whose text shows no value.
type reason string

func (r reason) Error() string { return string(r) }

const (
	errNull     reason = "it cannot hold NULL"
	errRange    reason = "the value is out of range; use a wider Go type"
	errNoWay    reason = "there is no conversion; use another Go type, a sql.Scanner, or register the type with pgx"
	errConvert  reason = "the value does not convert; errors.Unwrap has the cause, which may show the value"
	errReadOnly reason = "an embedded pointer to an unexported struct cannot be allocated; embed the struct itself, or export it"
)

// explain says why, in words that show no value: those of other packages do.
func (e *Error) explain() string {
	var own reason
	switch {
	case errors.Is(e.Err, errNull):
		if e.Type == "time.Time" || !strings.ContainsAny(e.Type, ".[") { // sql.Null is for what database/sql knows
			return fmt.Sprintf("%s; use *%s or sql.Null[%s], or COALESCE in SQL", errNull, e.Type, e.Type)
		}
		return fmt.Sprintf("%s; use *%s, or COALESCE in SQL", errNull, e.Type)
	case errors.As(e.Err, &own):
		return string(own)
	case e.Err == nil:
		return string(errConvert)
	}
	text := e.Err.Error()
	switch {
	case errors.Is(e.Err, strconv.ErrRange), strings.HasSuffix(text, strconv.ErrRange.Error()),
		strings.Contains(text, "than maximum value for"), strings.Contains(text, "than minimum value for"):
		return string(errRange)
	}
	return string(errConvert)
}

// pgTypeName names a type of PostgreSQL as the type map does.
func pgTypeName(m *pgtype.Map, oid uint32) string {
	if t, ok := m.TypeForOID(oid); ok {
		return t.Name
	}
	return fmt.Sprintf("oid %d", oid)
}
