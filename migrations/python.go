package migrations

import (
	"context"
	"fmt"
	"strings"
)

// What follows is there because the Python library of the same name reads and writes the same history, and may run at the same time.

// shareModule takes the Python library's lock of a module, shared: that library takes it exclusively, and other runs share it.
func shareModule(module string) string {
	return "pg_catalog.pg_try_advisory_xact_lock_shared(" + moduleKey(module) + ")"
}

// moduleKey is the Python library's lock for a module, as SQL.
func moduleKey(module string) string {
	return "pg_catalog.hashtext(" + literal("pgdbm_migration_"+module) + ")"
}

// columnsOfHistory is how many columns createOwn makes.
const columnsOfHistory = 7

// createOwn is the table as the Python library creates it.
func (t target) createOwn() []string {
	table := t.ownHistory()
	return []string{
		"CREATE TABLE " + table + ` (
    id SERIAL PRIMARY KEY,
    filename VARCHAR(255) NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    module_name VARCHAR(100),
    applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    applied_by VARCHAR(100) DEFAULT CURRENT_USER,
    execution_time_ms INTEGER,
    UNIQUE(filename, module_name)
)`,
		"CREATE INDEX idx_schema_migrations_module ON " + table + " (module_name, filename)",
	}
}

// checkFolded refuses a schema that has tables, but whose history the Python library has written elsewhere: it does not
// quote the schema there, so PostgreSQL folds the name.
func checkFolded(ctx context.Context, s *session, t target) error {
	folded, ok := fold(t.schema)
	if !ok || folded == t.schema {
		return nil
	}
	other := target{schema: folded, module: t.module}
	found, err := catalog(ctx, s, []string{folded})
	if err != nil || !found[folded].table {
		return err
	}
	results, err := s.send(ctx, fmt.Sprintf("SELECT EXISTS (SELECT FROM %s WHERE module_name = %s), EXISTS (SELECT FROM pg_catalog.pg_class c "+
		"JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s)",
		other.history(), literal(t.module), literal(t.schema)))
	if err != nil || !isTrue(results[0].Rows[0][0]) || !isTrue(results[0].Rows[0][1]) {
		return err
	}
	return &HistoryError{Table: t.history(), Reason: fmt.Sprintf("it does not exist, but schema %q has tables, and %s lists the module %q: "+
		"the Python library, which does not quote the schema there, seems to have migrated this one. If so, copy those rows "+
		"here; if %q is a tenant of its own, record what %q has with Baseline", t.schema, other.history(), t.module, folded, t.schema)}
}

// checkUndos refuses undos like U1__name.sql where the Python library has written to the history: it would run them as migrations, or has.
// Rows without a module, and rows of such files, are its own.
func checkUndos(t target, st *state) error {
	for _, row := range st.applied {
		if t.flyway && (row.nobodys || strings.HasPrefix(row.file, "U")) {
			return &HistoryError{Table: t.history(), Reason: "the Python library has applied " + row.file + ", and it takes undos like U1__name.sql for " +
				"migrations: move them to the folder down, which it does not read; if it has run one, Forget it and what it has undone"}
		}
	}
	return nil
}

// fold returns a name as PostgreSQL reads it without quotes, and whether it can.
func fold(name string) (folded string, ok bool) {
	b := []byte(name)
	for i, c := range b {
		switch {
		case 'A' <= c && c <= 'Z':
			b[i] = c + 'a' - 'A'
		case 'a' <= c && c <= 'z', c == '_', c >= 0x80:
		case i > 0 && ('0' <= c && c <= '9' || c == '$'):
		default:
			return "", false
		}
	}
	return string(b), true
}
