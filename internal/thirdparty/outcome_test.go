package thirdparty_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/driver"
)

// lostConnection is the outcome of a statement whose connection broke.
const lostConnection = "the connection is lost"

// querier is what *sql.DB, *sql.Conn and *sql.Tx have in common; so has a prepared statement, whatever the text.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

type stmtQuerier struct{ stmt *sql.Stmt }

func (s stmtQuerier) ExecContext(ctx context.Context, _ string, args ...any) (sql.Result, error) {
	return s.stmt.ExecContext(ctx, args...)
}

func (s stmtQuerier) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return s.stmt.QueryContext(ctx, args...)
}

func (s stmtQuerier) QueryRowContext(ctx context.Context, _ string, args ...any) *sql.Row {
	return s.stmt.QueryRowContext(ctx, args...)
}

// outcome executes a statement and returns all that a caller can see of it. Rows are sorted: after a difference their order on the
// disk is not the same.
func (s statement) outcome(ctx context.Context, q querier, text string, t *tenant) string {
	switch s.form {
	case asExec:
		result, err := q.ExecContext(ctx, text, s.args...)
		if err != nil {
			return errorOutcome(err, t)
		}
		n, err := result.RowsAffected()
		return fmt.Sprintf("%d rows affected, %v", n, err)
	case asRow:
		var value any
		if err := q.QueryRowContext(ctx, text, s.args...).Scan(&value); err != nil {
			return errorOutcome(err, t)
		}
		return "row" + valueOutcome(value)
	}
	rows, err := q.QueryContext(ctx, text, s.args...)
	if err != nil {
		return errorOutcome(err, t)
	}
	defer rows.Close()
	return rowsOutcome(rows, t)
}

func rowsOutcome(rows *sql.Rows, t *tenant) string {
	types, err := rows.ColumnTypes()
	if err != nil {
		return errorOutcome(err, t)
	}
	var head strings.Builder
	for _, c := range types {
		name := c.DatabaseTypeName()
		if strings.Trim(name, "0123456789") == "" {
			name = "custom" // the OID of a type that pgx has no name for
		}
		fmt.Fprintf(&head, "%s %s %v, ", c.Name(), name, c.ScanType())
	}
	var lines []string
	dest := make([]any, len(types))
	for rows.Next() {
		for i := range dest {
			dest[i] = new(any)
		}
		if err := rows.Scan(dest...); err != nil {
			return errorOutcome(err, t)
		}
		var line strings.Builder
		for _, d := range dest {
			line.WriteString(valueOutcome(*d.(*any)))
		}
		lines = append(lines, line.String())
	}
	if err := rows.Err(); err != nil {
		return errorOutcome(err, t)
	}
	slices.Sort(lines)
	return head.String() + "\n" + strings.Join(lines, "\n")
}

func valueOutcome(value any) string {
	if at, ok := value.(time.Time); ok {
		return fmt.Sprintf(" time(%s in %s)", at.Format(time.RFC3339Nano), at.Location())
	}
	return fmt.Sprintf(" %T(%#v)", value, value)
}

// isError reports whether an outcome is one of errorOutcome.
func isError(outcome string) bool { return strings.HasPrefix(outcome, "error ") }

var ownOID = regexp.MustCompile(`\b[1-9][0-9]{4,}\b`)

// missingCodes are the errors of names that are not found.
var missingCodes = []string{"3F000", "42P01", "42704", "42883"}

// errorOutcome returns an error without what is not the same in two databases: OIDs, positions, and the schema's name, which
// PostgreSQL leaves out where it is in the path.
func errorOutcome(err error, t *tenant) string {
	var pgErr *pgconn.PgError
	var missing *driver.MissingSchemaError
	switch {
	case isLost(err) || errors.Is(err, sqldriver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone):
		return "error " + lostConnection
	case t.missing && (errors.As(err, &missing) || errors.As(err, &pgErr) && slices.Contains(missingCodes, pgErr.Code)):
		return "error the schema is missing"
	case errors.As(err, &pgErr):
		return "error " + pgErr.Code + " " + neutral(pgErr.Message, t)
	}
	return "error " + neutral(err.Error(), t)
}

func neutral(message string, t *tenant) string {
	message = strings.NewReplacer(t.quoted()+".", "", t.name+".", "").Replace(message)
	return ownOID.ReplaceAllString(message, "#")
}
