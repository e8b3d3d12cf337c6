package migrations_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/migrations"
	"github.com/pgdbm/pgdbm/schemadb"
)

// execFile runs a file in a schema with a table.
func execFile(t *testing.T, pool *sql.DB, schema, text string) (*schemadb.DB, error) {
	t.Helper()
	db := schemadb.New(pool, "").ForSchema(schema)
	if schema != "" {
		if err := db.EnsureSchema(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE IF NOT EXISTS {{tables.users}} (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, name text)"); err != nil {
		t.Fatal(err)
	}
	return db, migrations.ExecFile(t.Context(), db, "seeds/users.sql", []byte(text))
}

func names(t *testing.T, db *schemadb.DB) string {
	t.Helper()
	text, err := schemadb.Value[string](t.Context(), db, "SELECT coalesce(string_agg(name, ',' ORDER BY id), '') FROM {{tables.users}}")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestExecFile(t *testing.T) {
	t.Parallel()
	onPools(t, func(t *testing.T, pool *sql.DB) {
		for _, schema := range []string{"", odd} {
			db, err := execFile(t, pool, schema, "\ufeffBEGIN;\r\nINSERT INTO {{tables.users}} VALUES (1, '{{tables.users}}'), (3, $$c$$);\n"+
				"COPY {{tables.users}} FROM stdin;\n2\t{{schema}}\n\\.\nDELETE FROM {{tables.users}} WHERE id = 1;\nSET search_path = '';\nCOMMIT;")
			if err != nil {
				t.Fatal(err)
			}
			if got := names(t, db); got != "{{schema}},c" {
				t.Errorf("the names are %s", got)
			}
			if there, err := db.TableExists(t.Context(), "schema_migrations"); there || err != nil {
				t.Errorf("there is a history: %v", err)
			}
			if path, err := schemadb.Value[string](t.Context(), db, "SELECT current_setting('search_path')"); path == "" || err != nil {
				t.Errorf("the setting has stayed: %v", err)
			}
		}
	})
}

// TestExecFileLimits has a pool whose statements must not take long.
func TestExecFileLimits(t *testing.T) {
	t.Parallel()
	pool := open(t)
	pool.SetMaxOpenConns(1)
	if _, err := pool.ExecContext(t.Context(), "SET statement_timeout = 50"); err != nil {
		t.Fatal(err)
	}
	if _, err := execFile(t, pool, "", "SELECT pg_sleep(0.2)"); err != nil {
		t.Error(err)
	}
}

func TestExecFileThatFails(t *testing.T) {
	t.Parallel()
	pool := open(t)
	for text, want := range map[string]string{
		"INSERT INTO {{tables.users}} VALUES (1);\n  SELECT {{tables.nothing}}.x":               "pgdbm: seeds/users.sql:2:10: ERROR: missing FROM-clause",
		"INSERT INTO {{tables.users}} VALUES (1);\nCOPY {{tables.users}} FROM stdin;\nx\n\\.\n": "pgdbm: seeds/users.sql:2:1: ERROR: invalid input syntax",
		"INSERT INTO {{tables.users}} VALUES (1), (1)":                                          "pgdbm: seeds/users.sql: ERROR: duplicate key",
		"INSERT INTO {{tables.users}} VALUES (1); VACUUM":                                       "pgdbm: seeds/users.sql:1:42: ERROR: VACUUM cannot run inside a transaction block",
	} {
		db, err := execFile(t, pool, odd, text)
		var failed *migrations.MigrationError
		var pgErr *pgconn.PgError
		if !errors.As(err, &failed) || !errors.As(err, &pgErr) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if strings.Contains(err.Error(), "before it") || strings.Contains(err.Error(), "no-transaction") || failed.Module != "" {
			t.Errorf("the error speaks of migrations: %v", err)
		}
		if got := names(t, db); got != "" {
			t.Errorf("%s is left", got)
		}
	}
}

func TestExecFileThatCannotRun(t *testing.T) {
	t.Parallel()
	pool := open(t)
	for text, want := range map[string]string{
		"SELECT 1;\nCOMMIT; SELECT 2":         "pgdbm: seeds/users.sql, line 2, column 1: COMMIT: the file runs in one transaction, so no statement of it",
		"-- pgdbm:no-transaction\nSELECT 1":   "pgdbm: seeds/users.sql: the file runs in one transaction: remove the line -- pgdbm:no-transaction",
		"SELECT '\x00'":                       "pgdbm: seeds/users.sql, line 1, column 9: there is a NUL byte",
		"SELECT 1; SELECT * FROM {{tables.}}": "pgdbm: seeds/users.sql, line 1, column 25: template",
		"\\set x 1":                           `pgdbm: seeds/users.sql, line 1, column 1: \set`,
	} {
		_, err := execFile(t, pool, "", text)
		var wrong *migrations.SourceError
		if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := execFile(t, pool, "", " -- nothing"); err != nil {
		t.Error(err)
	}
}

func TestExecFileIsCancelled(t *testing.T) {
	t.Parallel()
	pool := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := migrations.ExecFile(ctx, schemadb.New(pool, ""), "a.sql", []byte("SELECT 1")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
