package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/driver"
)

// ways are the ways to run a statement; each returns its error.
var ways = map[string]func(context.Context, *sql.DB, string, ...any) error{
	"Exec": func(ctx context.Context, db *sql.DB, query string, args ...any) error {
		_, err := db.ExecContext(ctx, query, args...)
		return err
	},
	"Query": func(ctx context.Context, db *sql.DB, query string, args ...any) error {
		rows, err := db.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		return errors.Join(rows.Close(), rows.Err())
	},
	"QueryRow": func(ctx context.Context, db *sql.DB, query string, args ...any) error {
		var ignored any
		return db.QueryRowContext(ctx, query, args...).Scan(&ignored)
	},
	"Prepare": func(ctx context.Context, db *sql.DB, query string, args ...any) error {
		stmt, err := db.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		defer stmt.Close()
		_, err = stmt.ExecContext(ctx, args...)
		return err
	},
	"Tx": func(ctx context.Context, db *sql.DB, query string, args ...any) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		_, err = tx.ExecContext(ctx, query, args...)
		return err
	},
}

func TestTemplateErrorSaysWhere(t *testing.T) {
	t.Parallel()
	db := openDB(t, server.Database(t))
	tests := []struct {
		query, template, suggestion string
		offset, line, column        int
	}{
		{"SELECT * FROM {{table.users}}", "{{table.users}}", "{{tables.users}}", 14, 1, 15},
		{"SELECT 'ä€😀',\n\t/* ü */ * FROM {{tabels.users}} WHERE 1 = 1", "{{tabels.users}}", "{{tables.users}}", 37, 2, 17},
		{"SELECT 1\r\n\r\nFROM {{schemas}}.users", "{{schemas}}", "{{schema}}", 17, 3, 6},
		{"SELECT * FROM {{tables.users", "{{tables.users", "", 14, 1, 15},
	}
	for _, test := range tests {
		for way, run := range ways {
			var got *driver.TemplateError
			if err := run(t.Context(), db, test.query); !errors.As(err, &got) {
				t.Errorf("%s of %q: got %v, want a *TemplateError", way, test.query, err)
				continue
			}
			if got.Offset != test.offset || got.Line != test.line || got.Column != test.column ||
				!strings.HasPrefix(got.Template, test.template) || test.suggestion != "" && got.Suggestion != test.suggestion {
				t.Errorf("%s of %q: got %+v, want %+v", way, test.query, *got, test)
			}
			if got.Reason == "" || !strings.Contains(got.Error(), got.Reason) {
				t.Errorf("%s of %q: the error is %v", way, test.query, got)
			}
		}
	}
}

// A template error is found before anything is sent, so a transaction goes on.
func TestTemplateErrorLeavesTheTransaction(t *testing.T) {
	t.Parallel()
	tx := begin(t.Context(), t, openDB(t, server.Database(t)))
	if _, err := tx.ExecContext(t.Context(), "DELETE FROM {{table.t}}"); err == nil {
		t.Fatal("no error")
	}
	if got := get[int](t.Context(), t, tx, "SELECT 1"); got != 1 {
		t.Errorf("got %d", got)
	}
}

func TestPgErrorIsReachable(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "app")
	ctx := driver.WithSchema(t.Context(), "app")
	tests := []struct{ query, code string }{
		{"SELECT * FROM {{tables.missing}}", "42P01"},
		{"SELEC 1", "42601"},
		{"INSERT INTO {{tables.t}} VALUES (1, 'x')", "23505"},
		{"SELECT 1 / (id - 1) FROM {{tables.t}}", "22012"},
	}
	for _, db := range []*sql.DB{openDB(t, dsn), openDB(t, withSchema(t, dsn, "app"))} {
		for _, test := range tests {
			for way, run := range ways {
				var pgErr *pgconn.PgError
				if err := run(ctx, db, test.query); !errors.As(err, &pgErr) || pgErr.Code != test.code {
					t.Errorf("%s of %s: got %v, want a *pgconn.PgError %s", way, test.query, err, test.code)
				}
			}
		}
	}
}

func TestMissingSchemaErrorWrapsPgError(t *testing.T) {
	t.Parallel()
	db := openDB(t, withSchema(t, newTenants(t), "nowhere"))
	for way, run := range ways {
		var missing *driver.MissingSchemaError
		var pgErr *pgconn.PgError
		err := run(t.Context(), db, "SELECT * FROM t")
		if !errors.As(err, &missing) || missing.Schema != "nowhere" || !errors.As(err, &pgErr) || pgErr.Code != "42P01" {
			t.Errorf("%s: got %v", way, err)
		}
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	tests := []struct{ query, schema, want string }{
		{"SELECT * FROM {{tables.users}}", "my app", `SELECT * FROM "my app".users`},
		{"SELECT * FROM <<tables.users>>", "", "SELECT * FROM users"},
		{"SELECT '{{tables.users}}', 8 <<x.n>> 1", "a", "SELECT '{{tables.users}}', 8 <<x.n>> 1"},
	}
	for _, test := range tests {
		if got, err := driver.Expand(test.query, test.schema); err != nil || got != test.want {
			t.Errorf("Expand(%q, %q) = %q, %v, want %q", test.query, test.schema, got, err, test.want)
		}
	}
	var templateErr *driver.TemplateError
	if got, err := driver.Expand("SELECT {{nonsense}}", "a"); !errors.As(err, &templateErr) || got != "" {
		t.Errorf("a bad template gives %q, %v", got, err)
	}
	for _, name := range []string{"$user", "pg_x", "a\x00", strings.Repeat("x", 64), "\xff", "{{"} {
		var schemaErr *driver.SchemaError
		if got, err := driver.Expand("SELECT 1", name); !errors.As(err, &schemaErr) || schemaErr.Name != name || got != "" {
			t.Errorf("schema %q gives %q, %v", name, got, err)
		}
	}
}

// The values of arguments are the users' data, and errors end up in logs.
func TestErrorsShowNoArguments(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "app")
	tests := []struct{ what, dsn, query string }{
		{"template error", dsn, "SELECT $1::text FROM {{table.t}}"},
		{"no such table", dsn, "SELECT $1::text FROM {{tables.missing}}"},
		{"missing schema", withSchema(t, dsn, "nowhere"), "SELECT $1::text FROM {{tables.t}}"},
		{"no schema", dsn + "&schema_required=true", "SELECT $1::text"},
		{"too many parameters", dsn, "SELECT $1::text, $2::text"},
		{"unique violation", dsn, "INSERT INTO {{tables.t}} SELECT 1, $1::text"},
		{"bad context", dsn, "SELECT $1::text"},
	}
	for _, test := range tests {
		ctx := t.Context()
		if test.what == "bad context" {
			ctx = driver.WithSchema(ctx, "$user")
		}
		db := openDB(t, test.dsn)
		for way, run := range ways {
			err := run(ctx, db, test.query, "S3cr3tPart")
			if err == nil {
				t.Errorf("%s, %s: no error", test.what, way)
			}
			checkNoSecret(t, test.what+", "+way, err)
		}
	}
}

func TestHugeStatements(t *testing.T) {
	t.Parallel()
	db := openDB(t, newTenants(t, "app"))
	ctx := driver.WithSchema(t.Context(), "app")
	const size = 10 << 20
	literal := strings.Repeat("x{{tables.t}}'' ", size/15)
	if got := get[int](ctx, t, db, "SELECT octet_length('"+literal+"')"); got != len(literal)-size/15 {
		t.Errorf("the server got %d bytes", got)
	}
	wantTail := "SELECT /* " + strings.Repeat("x", size) + " */ owner FROM {{tables.t}}"
	if got := get[string](ctx, t, db, wantTail); got != "app" {
		t.Errorf("read %q", got)
	}
	var templateErr *driver.TemplateError
	_, err := db.ExecContext(ctx, strings.Repeat("\n", size)+"{{tables."+strings.Repeat("x", size)+"}}")
	if !errors.As(err, &templateErr) || templateErr.Line != size+1 || len(err.Error()) > 1000 {
		t.Errorf("got an error of %d bytes, want a *TemplateError at line %d", len(err.Error()), size+1)
	}
}

// The server decides about the encoding.
func TestInvalidUTF8(t *testing.T) {
	t.Parallel()
	db := openDB(t, newTenants(t, "app"))
	ctx := driver.WithSchema(t.Context(), "app")
	for _, query := range []string{"SELECT '\xff'", "SELECT '\xc3' FROM {{tables.t}}", "SELECT \xf0\x9f FROM {{tables.t}}",
		"SELECT 1 -- \xff", "SELECT $$\xff$$ FROM {{schema}}.t"} {
		for way, run := range ways {
			var pgErr *pgconn.PgError
			if err := run(ctx, db, query); !errors.As(err, &pgErr) || pgErr.Code != "22021" {
				t.Errorf("%s of %q: got %v, want 22021 from the server", way, query, err)
			}
		}
	}
	for _, query := range []string{"SELECT 1 FROM {{tables.\xff}}", "{{\xff", "<<tables.\xff>>", "\xff{{", "E'\xff{{table.x}}"} {
		for way, run := range ways {
			if err := run(ctx, db, query); err == nil {
				t.Errorf("%s of %q: no error", way, query)
			}
		}
	}
}
