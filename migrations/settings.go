package migrations

import (
	"strconv"
	"strings"
	"time"
)

// limits returns the statement that sets what the options say about timeouts until the end of the transaction, or "" if
// the session has it so.
func (o *options) limits(s *session) string {
	var set []string
	add := func(name string, d time.Duration) {
		set = append(set, "pg_catalog.set_config('"+name+"', '"+strconv.FormatInt(d.Milliseconds(), 10)+"', true)")
	}
	if o.statementTimeout > 0 || !s.unlimited {
		add("statement_timeout", o.statementTimeout)
	}
	if o.lockTimeout > 0 {
		add("lock_timeout", o.lockTimeout)
	}
	if set == nil {
		return ""
	}
	return "SELECT " + strings.Join(set, ", ")
}

// sessionMark is what a session should have after each migration as it had it before. A function that a migration calls may
// have changed it, which nobody can see in the text.
const sessionMark = "pg_catalog.concat_ws(' ', pg_catalog.current_setting('role'), session_user, pg_catalog.current_setting('search_path'))"

// What a migration sets for the session, such as the search_path that pg_dump writes, would stay for the next one, and
// behind PgBouncer for other clients. So the settings are put aside before it, and set again in the same transaction.
const (
	saveSettings = `SELECT pg_catalog.set_config('pgdbm.settings', (SELECT pg_catalog.json_object_agg(name, setting)::pg_catalog.text ` +
		`FROM pg_catalog.pg_settings WHERE context IN ('user', 'superuser') AND name !~ '^(transaction_|pgdbm[.])'), true), ` +
		`pg_catalog.set_config('pgdbm.role', pg_catalog.current_setting('role'), true), ` +
		`pg_catalog.set_config('pgdbm.session_user', session_user::pg_catalog.text, true)`
	// After RESET ALL, what was put aside is gone, and NULL sets what the session had at its start.
	restoreRole = `SELECT CASE WHEN session_user::pg_catalog.text IS DISTINCT FROM ` + savedUser +
		` THEN pg_catalog.set_config('session_authorization', ` + savedUser + `, false) END, ` +
		`CASE WHEN pg_catalog.current_setting('role') IS DISTINCT FROM ` + savedRole +
		` THEN pg_catalog.set_config('role', ` + savedRole + `, false) END`
	savedUser       = `NULLIF(pg_catalog.current_setting('pgdbm.session_user', true), '')`
	savedRole       = `NULLIF(pg_catalog.current_setting('pgdbm.role', true), '')`
	restoreSettings = `SELECT pg_catalog.set_config(s.name, old.value, false) ` +
		`FROM pg_catalog.json_each_text(NULLIF(pg_catalog.current_setting('pgdbm.settings', true), '')::pg_catalog.json) old (name, value) ` +
		`JOIN pg_catalog.pg_settings s ON s.name = old.name WHERE s.setting IS DISTINCT FROM old.value`
)
