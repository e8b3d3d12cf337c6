package schemadb

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"

	"github.com/jmoiron/sqlx"
)

// failedRow returns a row whose Scan returns err. Only database/sql can make one.
func failedRow(err error) *sql.Row {
	db := sql.OpenDB(failure{err})
	defer db.Close()
	return db.QueryRow("")
}

// failedRowx is failedRow for sqlx.
func failedRowx(err error) *sqlx.Row {
	db := sqlx.NewDb(sql.OpenDB(failure{err}), driverName)
	defer db.Close()
	return db.QueryRowx("")
}

// explainRow returns row, or one that fails with a clearer error.
func explainRow[R interface{ Err() error }](q *queries, row R, args []any, failed func(error) R) R {
	err := row.Err()
	if better := q.explain(err, args); better != err { //nolint:errorlint // it is the same, or another
		return failed(better)
	}
	return row
}

// failure is a connector that does not connect.
type failure struct{ err error }

// Connect fails.
func (f failure) Connect(context.Context) (sqldriver.Conn, error) { return nil, f.err }

// Driver returns f, which is not used further.
func (f failure) Driver() sqldriver.Driver { return f }

// Open fails.
func (f failure) Open(string) (sqldriver.Conn, error) { return nil, f.err }
