package migrations

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pgdbm/pgdbm/internal/migfile"
	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// A migration may drop, truncate or change the history in which it is recorded: by mistake, because it was written for another tool, or
// in a function that it calls. So before its transaction commits, the history has to be the table that it was, with the same columns, all
// earlier records as they were, and the migration's own.

// trace is an expression of what the history is known by within a transaction: which table it is, where its rows are, and how many of them
// the session has written. It reads no table, because to plan that after DDL takes the server a twentieth of a small migration.
// Of a session with track_counts = off it does not see the rows. See
// https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-STATS-FUNCTIONS
func trace(table string) string {
	return fmt.Sprintf("pg_catalog.concat(%s::pg_catalog.oid, ' ', pg_catalog.pg_relation_filenode(%[1]s), ' ', pg_catalog.pg_stat_get_xact_tuples_inserted(%[1]s), "+
		"' ', pg_catalog.pg_stat_get_xact_tuples_updated(%[1]s), ' ', pg_catalog.pg_stat_get_xact_tuples_deleted(%[1]s))", table)
}

// regclass is the history's oid, for a role that may use its schema.
func (t target) regclass() string { return literal(t.history()) + "::pg_catalog.regclass" }

// found is the history's oid for any role.
func (t target) found() string {
	schema, table := t.schema, ownTable
	if t.shared != "" {
		schema, table = t.shared, sharedTable
	}
	return "(SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = " + literal(schema) +
		" AND c.relname = " + literal(table) + ")"
}

// noting is an expression that notes, until the end of the transaction, what the history is known by.
func noting(table string) string {
	return "pg_catalog.set_config('pgdbm.history', " + trace(table) + ", true)"
}

// noted is what was noted, or NULL after a RESET ALL in a function, of which nobody knows: then the checks pass.
const noted = "NULLIF(pg_catalog.current_setting('pgdbm.history', true), '')"

// intact is a query that fails unless the history is what was noted.
func (t target) intact() string {
	return "SELECT " + zero([]string{noted + " = " + trace(t.regclass())})
}

// intactColumns is intact for any role, and wants the columns to be as they were too: what this transaction has written has no age.
func (t target) intactColumns(created bool) string {
	altered := 0
	if created {
		altered = columnsOfHistory
	}
	return "SELECT " + zero([]string{noted + " = " + trace(t.found()), fmt.Sprintf("(SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a "+
		"WHERE a.attrelid = %s AND a.attnum > 0 AND pg_catalog.age(a.xmin) <= 0) = %d", t.found(), altered)})
}

// touched is the error of a migration after which the history is not what it was.
func (r *run) touched(j job, statement int, err error) error {
	failed := r.failed(j, &HistoryError{Table: r.target.history(), Err: err, Reason: "the migration drops or changes it, or a record in it; " +
		"nothing of the migration stays: remove that statement, and change the history with Forget and Baseline"})
	if statement >= 0 {
		failed.locate(j.script(), statement, r.target, -1)
	}
	return failed
}

// mentionsHistory reports whether a text has the name of a table of ours, anywhere.
func mentionsHistory(text string) bool { return strings.Contains(strings.ToLower(text), ownTable) }

// maySpoil reports whether the history has to be looked at right behind a statement, so that an error can name its line.
func maySpoil(text string) bool {
	return mentionsHistory(text) || sqllex.Begins(text, "drop", "schema") || sqllex.Begins(text, "alter", "schema") || sqllex.Begins(text, "drop", "owned")
}

// refuseTouching refuses a statement that changes the history where no transaction would undo it, and one that changes the history of all
// schemas, or what is known of files without a transaction, anywhere.
func (r *run) refuseTouching(j job) error {
	script := j.script()
	if script == nil || !script.NoTransaction && !mentionsHistory(script.Text) {
		return nil
	}
	texts, err := script.Expand(r.target.name)
	if err != nil {
		return r.failed(j, err)
	}
	for i, text := range texts {
		if r.touches(script, text) {
			failed := r.failed(j, &HistoryError{Table: r.target.history(), Reason: "a migration must not change it, and no transaction would undo this: " +
				"remove the statement, and change the history with Forget and Baseline"})
			failed.locate(script, i, r.target, -1)
			return failed
		}
	}
	return nil
}

func (r *run) touches(script *migfile.Script, text string) bool {
	if sqllex.Begins(text, "select") && !sqllex.HasWord(text, "into") || harmless(text) {
		return false
	}
	names := []string{sharedTable, progressTable}
	if script.NoTransaction {
		names = append(names, ownTable)
		if sqllex.Begins(text, "drop", "owned") || (sqllex.Begins(text, "drop", "schema") || sqllex.Begins(text, "alter", "schema")) &&
			namesOne(text, r.target.schema, r.target.shared) {
			return true
		}
	}
	return namesOne(text, names...)
}

// harmless reports whether a statement leaves a table that it names as it is.
func harmless(text string) bool {
	verb := sqllex.Tokens(text, 1)
	return len(verb) == 1 && sqllex.OneOf(verb[0], "grant", "revoke", "comment", "analyze", "vacuum", "explain", "show", "create")
}

// namesOne reports whether a statement has one of the names, which may be in a body of its.
func namesOne(text string, names ...string) bool {
	lex := sqllex.Lexer{Text: text}
	for t := lex.Next(); t.Kind != sqllex.EOF; t = lex.Next() {
		switch t.Kind {
		case sqllex.DollarString, sqllex.String, sqllex.EscapeString:
			token := text[t.Start:t.End]
			if slices.ContainsFunc(names, func(name string) bool { return name != "" && strings.Contains(token, name) }) {
				return true
			}
		case sqllex.Word, sqllex.QuotedIdent:
			if slices.Contains(names, sqllex.Ident(text, t)) {
				return true
			}
		}
	}
	return false
}
