package schemadb_test

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/schemadb"
)

// predicates tell errors of PostgreSQL apart. The statements fail with them, in a schema with the tables of violate.
var predicates = []struct {
	name      string
	is        func(error) bool
	code      string
	statement string
}{
	{"IsUniqueViolation", schemadb.IsUniqueViolation, "23505", "INSERT INTO {{tables.child}} (id, parent) VALUES (1, 1)"},
	{"IsForeignKeyViolation", schemadb.IsForeignKeyViolation, "23503", "INSERT INTO {{tables.child}} (id, parent) VALUES (2, 2)"},
	{"IsForeignKeyViolation", schemadb.IsForeignKeyViolation, "23503", "DELETE FROM {{tables.parent}}"},
	{"IsNotNullViolation", schemadb.IsNotNullViolation, "23502", "INSERT INTO {{tables.child}} (id) VALUES (2)"},
	{"IsCheckViolation", schemadb.IsCheckViolation, "23514", "INSERT INTO {{tables.child}} (id, parent) VALUES (-1, 1)"},
	{"IsSerializationFailure", schemadb.IsSerializationFailure, "40001", "DO $$ BEGIN RAISE SQLSTATE '40001'; END $$"},
	{"IsDeadlock", schemadb.IsDeadlock, "40P01", "DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$"},
	{"IsUndefinedTable", schemadb.IsUndefinedTable, "42P01", "SELECT * FROM {{tables.missing}}"},
	{"IsUndefinedSchema", schemadb.IsUndefinedSchema, "3F000", "CREATE TABLE {{tables.missing.t}} (i int)"},
}

func TestPredicates(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, odd)
		if err := db.EnsureSchema(t.Context()); err != nil {
			t.Fatal(err)
		}
		exec(t, db, "CREATE TABLE {{tables.parent}} (id int PRIMARY KEY)")
		exec(t, db, "CREATE TABLE {{tables.child}} (id int PRIMARY KEY CHECK (id > 0), parent int NOT NULL REFERENCES {{tables.parent}})")
		exec(t, db, "INSERT INTO {{tables.parent}} VALUES (1)")
		exec(t, db, "INSERT INTO {{tables.child}} VALUES (1, 1)")
		for _, test := range predicates {
			errs := map[string]error{}
			_, errs["Exec"] = db.Exec(test.statement)
			var all []map[string]any
			errs["Select"] = db.Select(&all, test.statement)
			_, errs["ExecMany"] = db.ExecMany(t.Context(), test.statement, [][]any{{}})
			for _, err := range schemadb.Each[map[string]any](t.Context(), db, test.statement) {
				errs["Each"] = err
			}
			errs["InTx"] = db.InTx(t.Context(), func(tx *schemadb.Tx) error {
				return tx.InTx(t.Context(), func(tx *schemadb.Tx) error {
					_, err := tx.Exec(test.statement)
					return fmt.Errorf("in the repository: %w", err)
				})
			})
			for how, err := range errs {
				var pgErr *pgconn.PgError
				if !errors.As(err, &pgErr) || pgErr.Code != test.code {
					t.Errorf("%s by %s: %v", test.name, how, err)
				}
				for _, other := range predicates {
					if other.is(err) != (other.code == test.code) {
						t.Errorf("%s of %s by %s: %t", other.name, test.code, how, other.is(err))
					}
				}
			}
		}
		_, errMissing := db.Exec("SELECT missing") // 42703, of the class of an undefined table
		for _, predicate := range predicates {
			for _, err := range []error{nil, io.EOF, sql.ErrNoRows, errBoom, errors.New("23505"), errMissing, &schemadb.RowError{Err: io.EOF}} {
				if predicate.is(err) {
					t.Errorf("%s of %v", predicate.name, err)
				}
			}
			err := error(&pgconn.PgError{Code: predicate.code})
			for _, wrapped := range []error{err, fmt.Errorf("a: %w", err), errors.Join(io.EOF, err), &schemadb.RowError{Err: err}} {
				if !predicate.is(wrapped) {
					t.Errorf("%s of %T", predicate.name, wrapped)
				}
			}
		}
	})
}

// TestErrorsHideArguments has calls fail for many reasons, with arguments that must not be in a log.
func TestErrorsHideArguments(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		const secret = "hunter2"
		type login struct{ Password string }
		for _, test := range []struct {
			name string
			call func() error
		}{
			{"Exec, wrong number", func() error {
				_, err := db.Exec("SELECT $1::text", secret, secret)
				return err
			}},
			{"Exec, wrong type", func() error {
				_, err := db.Exec("SELECT $1::int", login{secret})
				return err
			}},
			{"Exec, pointer", func() error {
				_, err := db.Exec("SELECT $1::int", &login{secret})
				return err
			}},
			{"Exec, array", func() error {
				_, err := db.Exec("SELECT $1::int[]", []login{{secret}})
				return err
			}},
			{"Get, wrong number", func() error { return db.Get(new(string), "SELECT 'x'", secret) }},
			{"Get, wrong type", func() error { return db.Get(new(string), "SELECT $1::uuid::text", login{secret}) }},
			{"QueryRow", func() error { return db.QueryRow("SELECT $1::int", login{secret}).Scan(new(int)) }},
			{"QueryRowx", func() error { return db.QueryRowx("SELECT $1::int", login{secret}).Scan(new(int)) }},
			{"NamedExec, missing name", func() error {
				_, err := db.NamedExec("SELECT :name, :password", login{secret})
				return err
			}},
			{"NamedExec, wrong type", func() error {
				_, err := db.NamedExec("SELECT :password::int", map[string]any{"password": login{secret}})
				return err
			}},
			{"PrepareNamed, wrong type", func() error {
				stmt, err := db.PrepareNamed("SELECT :password::int")
				if err != nil {
					t.Fatal(err)
				}
				defer stmt.Close()
				_, err = stmt.Exec(map[string]any{"password": login{secret}})
				return err
			}},
			{"prepared QueryRow", func() error {
				stmt, err := db.Preparex("SELECT $1::int")
				if err != nil {
					t.Fatal(err)
				}
				defer stmt.Close()
				return errors.Join(stmt.QueryRow(login{secret}).Scan(new(int)), stmt.QueryRowx(login{secret}).Scan(new(int)))
			}},
			{"Each", func() error {
				for _, err := range schemadb.Each[int](t.Context(), db, "SELECT $1::int", login{secret}) {
					return err
				}
				return nil
			}},
			{"Tx", func() error {
				return db.InTx(t.Context(), func(tx *schemadb.Tx) error {
					_, err := tx.Exec("SELECT $1::int", login{secret})
					return err
				})
			}},
			{"In", func() error {
				_, _, err := db.In("SELECT ?, ?", []string{secret}, secret, secret)
				return err
			}},
			{"ExecMany", func() error {
				_, err := db.ExecMany(t.Context(), insertIDQuery, [][]any{{login{secret}, secret}})
				return err
			}},
			{"ExecMany, map", func() error {
				_, err := db.ExecMany(t.Context(), "SELECT :name", []map[string]any{{"password": secret}})
				return err
			}},
			{"CopyFrom", func() error {
				_, err := db.CopyFrom(t.Context(), "t", []string{"id"}, [][]any{{login{secret}}})
				return err
			}},
			{"CopyFrom, text", func() error {
				_, err := db.CopyFrom(t.Context(), "t", []string{"id"}, [][]any{{secret}})
				return err
			}},
			{"Get, a value that does not fit", func() error { return db.Get(new(int), "SELECT $1::text", secret) }},
			{"Select, a value that does not fit", func() error { return db.Select(new([]bool), "SELECT $1::text", secret) }},
			{"Value, a value that does not fit", func() error {
				_, err := schemadb.Value[row](t.Context(), db, "SELECT $1::text AS id", secret)
				return err
			}},
		} {
			err := test.call()
			if err == nil {
				t.Errorf("%s: no error", test.name)
			} else if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", test.name, err)
			}
		}
	})
}
