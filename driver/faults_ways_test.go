package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/pgbouncer"
)

// schemaWay is a way to name the schema of a statement.
type schemaWay struct {
	name, options string
	table         string // as the statements name the table t
	ownDB         bool   // each schema has its own database/sql pool, whose DSN names it
	pgxpool       bool   // and all of them are on one pgxpool
}

// The ways that the tests of the faults go through.
var (
	byTemplate = schemaWay{name: "template", table: "{{tables.t}}"}
	byContext  = schemaWay{name: "search_path of the context", options: "&schema_mode=search_path", table: "t"}
	byDSN      = schemaWay{name: "search_path of the DSN", table: "t", ownDB: true}
	byPgxpool  = schemaWay{name: "template on a pgxpool", table: "{{tables.t}}", ownDB: true, pgxpool: true}
	schemaWays = []schemaWay{byTemplate, byContext, byDSN}
	allWays    = []schemaWay{byTemplate, byContext, byDSN, byPgxpool}
)

// schemaDBs gives the database and the context of each schema.
type schemaDBs struct {
	schemaWay
	dbs map[string]*sql.DB
}

// open opens dsn for the schemas, with at most size connections for each database.
func (w schemaWay) open(t testing.TB, dsn string, size int, schemas ...string) schemaDBs {
	t.Helper()
	d := schemaDBs{w, make(map[string]*sql.DB)}
	switch {
	case w.pgxpool:
		pool := openPool(t, dsn+w.options, int32(size)) //nolint:gosec // a handful
		for _, schema := range schemas {
			db := driver.OpenDBFromPool(pool, driver.DefaultSchema(schema))
			t.Cleanup(func() { db.Close() })
			d.dbs[schema] = db
		}
	case w.ownDB:
		for _, schema := range schemas {
			d.dbs[schema] = openDB(t, withSchema(t, dsn+w.options, schema))
		}
	default:
		db := openDB(t, dsn+w.options)
		for _, schema := range schemas {
			d.dbs[schema] = db
		}
	}
	for _, db := range d.dbs {
		db.SetMaxOpenConns(size)
		if !w.pgxpool { // where an idle connection would be kept from the other databases
			db.SetMaxIdleConns(size)
		}
	}
	return d
}

// of returns the database and the context of a schema.
func (d schemaDBs) of(t testing.TB, schema string) (context.Context, *sql.DB) {
	if d.ownDB {
		return t.Context(), d.dbs[schema]
	}
	return driver.WithSchema(t.Context(), schema), d.dbs[schema]
}

// sql puts the name of the table t into a statement.
func (w schemaWay) sql(query string) string { return strings.ReplaceAll(query, "TABLE_T", w.table) }

// untracked are PgBouncers in transaction mode that do not track prepared statements: the one that is installed, and those that the
// environment names.
func untracked() map[string]func(t testing.TB, dsn string, settings ...string) string {
	all := map[string]func(testing.TB, string, ...string) string{"installed": func(t testing.TB, dsn string, settings ...string) string {
		t.Helper()
		return pgbouncer.Start(t, dsn, settings...)
	}}
	for variable, program := range otherPoolers() {
		all[variable] = func(t testing.TB, dsn string, settings ...string) string {
			t.Helper()
			return pgbouncer.StartProgram(t, program, dsn, append(settings, "max_prepared_statements=0")...)
		}
	}
	return all
}

// otherPoolers are the programs of newer PgBouncers, which track prepared statements if they are told to, by the variables that name
// them.
func otherPoolers() map[string]string {
	all := make(map[string]string)
	for _, variable := range []string{"PGDBM_TEST_PGBOUNCER_124", "PGDBM_TEST_PGBOUNCER_126"} {
		if program := os.Getenv(variable); program != "" {
			all[variable] = program
		}
	}
	return all
}

// tracking runs a test behind each PgBouncer that tracks prepared statements, or else behind the one that is installed: what is true
// behind these is true behind all.
func tracking(t *testing.T, test func(t *testing.T, start func(dsn string, settings ...string) string)) {
	t.Helper()
	programs := otherPoolers()
	if len(programs) == 0 {
		test(t, func(dsn string, settings ...string) string { return pgbouncer.Start(t, dsn, settings...) })
	}
	for variable, program := range programs {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			test(t, func(dsn string, settings ...string) string {
				return pgbouncer.StartProgram(t, program, dsn, append(settings, "max_prepared_statements=200")...)
			})
		})
	}
}

// wantRow is get that returns an error instead of failing the test, for other goroutines than the test's.
func wantRow[T comparable](row *sql.Row, want T) error {
	var got T
	if err := row.Scan(&got); err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%w: got %v, want %v", errWrong, got, want)
	}
	return nil
}

// errWrong is what must not happen at all: another error may at least be seen.
var errWrong = errors.New("WRONG")

// resultOf is what a statement gives, in words: its rows' values, or its error. It is shorter than [question.answer].
func resultOf(ctx context.Context, q querier, query string, args ...any) string {
	var b strings.Builder
	rows, err := q.QueryContext(ctx, query, args...)
	if err == nil {
		defer rows.Close()
		columns, _ := rows.Columns()
		dest := make([]any, len(columns))
		for i := range dest {
			dest[i] = new(any)
		}
		for err == nil && rows.Next() {
			err = rows.Scan(dest...)
			for _, d := range dest {
				writeValue(&b, *d.(*any))
			}
		}
		err = errors.Join(err, rows.Err())
	}
	var pgErr *pgconn.PgError
	switch {
	case errors.As(err, &pgErr):
		fmt.Fprintf(&b, " error %s: %s", pgErr.Code, pgErr.Message)
	case err != nil:
		fmt.Fprintf(&b, " error: %v", err)
	}
	return strings.TrimSpace(b.String())
}

// asStmt executes what it is given as a prepared statement.
type asStmt struct{ querier }

func (s asStmt) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := s.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	_ = stmt.Close() // database/sql waits for the rows
	return rows, err
}
