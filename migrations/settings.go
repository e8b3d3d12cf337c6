package migrations

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pgdbm/pgdbm/internal/sqllex"
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
	if s.timed {
		add("transaction_timeout", 0)
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
		`FROM (SELECT name, setting FROM pg_catalog.pg_settings WHERE context IN ('user', 'superuser') AND name !~ '^pgdbm[.]' ` +
		`AND name NOT IN ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable') ` +
		`UNION ALL SELECT name, pg_catalog.current_setting(name, true) FROM pg_catalog.unnest(%s) n (name) ` +
		`WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_settings p WHERE p.name = n.name)) s (name, setting)), true), ` +
		`pg_catalog.set_config('pgdbm.role', pg_catalog.current_setting('role'), true), ` +
		`pg_catalog.set_config('pgdbm.session_user', session_user::pg_catalog.text, true)`
	// After RESET ALL, what was put aside is gone, and NULL sets what the session had at its start.
	restoreRole = `SELECT CASE WHEN session_user::pg_catalog.text IS DISTINCT FROM ` + savedUser +
		` THEN pg_catalog.set_config('session_authorization', ` + savedUser + `, false) END, ` +
		`CASE WHEN pg_catalog.current_setting('role') IS DISTINCT FROM ` + savedRole +
		` THEN pg_catalog.set_config('role', ` + savedRole + `, false) END`
	savedUser       = `NULLIF(pg_catalog.current_setting('pgdbm.session_user', true), '')`
	savedRole       = `NULLIF(pg_catalog.current_setting('pgdbm.role', true), '')`
	restoreSettings = `SELECT pg_catalog.set_config(old.name, old.value, false) ` +
		`FROM pg_catalog.json_each_text(NULLIF(pg_catalog.current_setting('pgdbm.settings', true), '')::pg_catalog.json) old (name, value) ` +
		`LEFT JOIN pg_catalog.pg_settings s ON s.name = old.name ` +
		`WHERE COALESCE(s.setting, pg_catalog.current_setting(old.name, true)) IS DISTINCT FROM old.value`
)

// saving returns the statement that puts the settings aside. Settings of the user's own, such as app.tenant, are in no list of
// the server's, so it needs their names.
func saving(own []string) string { return fmt.Sprintf(saveSettings, textArray(own)) }

// ownSettings returns the names of settings with a dot that a text may set, also in a block of a DO or a function's body.
func ownSettings(text string) []string {
	names := settingNames(text)
	slices.Sort(names)
	return slices.Compact(names)
}

func settingNames(text string) (names []string) {
	lex, before := sqllex.Lexer{Text: text}, ""
	for t := lex.Next(); t.Kind != sqllex.EOF; t = lex.Next() {
		token := text[t.Start:t.End]
		switch {
		case t.Kind == sqllex.DollarString:
			_, start, end, _ := sqllex.DollarBody(text, t)
			names = append(names, settingNames(text[start:end])...)
		case (t.Kind == sqllex.String || t.Kind == sqllex.EscapeString) && sqllex.OneOf(before, "do", "as"): // a body too
			body := strings.Trim(strings.TrimLeft(token, "eE"), "'")
			names = append(names, settingNames(strings.ReplaceAll(body, "''", "'"))...)
		case sqllex.Equal(token, "set"):
			names = append(names, strings.ToLower(lex.Setting()))
		case sqllex.Equal(token, "set_config"):
			names = append(names, strings.ToLower(lex.SetConfig().Name))
		}
		before = token
	}
	return slices.DeleteFunc(names, func(name string) bool { return !strings.Contains(name, ".") })
}

// resetsAll reports whether a text has RESET ALL.
func resetsAll(text string) bool { return sqllex.Lexer{Text: text}.HasPhrase("reset", "all") }
