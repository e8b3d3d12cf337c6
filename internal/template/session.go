package template

import (
	"strings"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// classify looks at how a statement begins: p.first and the word behind it.
func (p *parser) classify(second string) {
	first, info := p.first, &p.stmt.Info
	switch {
	case sqllex.OneOf(first, "select", "values", "table"): // most often
		p.reads++
	case sqllex.OneOf(first, "insert", "update", "delete", "with"):
	case p.start.Control() != sqllex.NoControl:
		control := p.start.Control()
		p.controls++
		info.Commits = info.Commits || control != sqllex.Savepoint && control != sqllex.SetTransaction
	case sqllex.Equal(first, "set") && sqllex.Equal(second, "constraints") && p.thirdIs("all"):
		p.utilities++
	case sqllex.Equal(first, "lock"), sqllex.Equal(first, "set") && sqllex.Equal(second, "constraints"):
		p.locks++
	case sqllex.OneOf(first, "notify", "unlisten", "checkpoint"), sqllex.Equal(first, "show") && !sqllex.OneOf(second, "search_path", "all"):
		p.utilities++
	case sqllex.Equal(first, "set"):
		p.utilities++
		info.Settings, info.Semantics = true, info.Semantics || hasSemantics(p.setting())
		info.SessionState = info.SessionState || !sqllex.Equal(second, "local")
		info.Role = info.Role || isRole(p.setting())
	case sqllex.OneOf(first, "deallocate", "discard", "reset", "listen"):
		// DEALLOCATE and DISCARD remove what pgx believes to be prepared, RESET what was set when the connection was made.
		p.utilities++
		info.SessionState, info.Settings = true, true
		info.Semantics = info.Semantics || sqllex.Equal(first, "discard") || sqllex.Equal(first, "reset") && hasSemantics(p.setting())
		info.Forgets = info.Forgets || sqllex.OneOf(first, "deallocate", "discard") && sqllex.Equal(second, "all")
		info.Role = info.Role || sqllex.OneOf(first, "discard", "reset") && sqllex.Equal(second, "all") ||
			sqllex.Equal(first, "reset") && isRole(p.setting())
	case sqllex.OneOf(first, "prepare", "load"):
		info.SessionState, info.Settings = true, true
	default:
		p.classifyDDL(second)
	}
}

// classifyDDL is classify for statements that change the database. CREATE is in word, because of EXPLAIN.
func (p *parser) classifyDDL(second string) {
	first, info := p.first, &p.stmt.Info
	switch {
	case sqllex.Equal(first, "do"): // it may do anything
		info.SessionState, info.Settings, info.Semantics, info.SchemaDDL = true, true, true, true
		info.DDL, info.Procedural, info.Role = true, true, true
	case sqllex.Equal(first, "call"):
		info.DDL, info.Procedural, info.Role = true, true, true
	case sqllex.OneOf(first, "alter", "drop", "import"):
		info.DDL = true
		info.SchemaDDL = info.SchemaDDL || !sqllex.Equal(first, "import") && sqllex.Equal(second, "schema")
	case sqllex.Equal(first, "create"):
		info.SchemaDDL = info.SchemaDDL || sqllex.Equal(second, "schema")
	}
}

// thirdIs reports whether the third word of the statement is word.
func (p *parser) thirdIs(word string) bool {
	l := p.start
	l.Next()
	l.Next()
	return sqllex.Equal(p.text(l.Next()), word)
}

// setting returns the name of the setting of a SET or a RESET.
func (p *parser) setting() string {
	l := p.start
	l.Next()
	return l.Setting()
}

// hasSemantics reports whether a setting may decide what statements mean.
func hasSemantics(name string) bool {
	const limit = "_timeout"
	if n := len(name) - len(limit); n > 0 && sqllex.Equal(name[n:], limit) {
		return false
	}
	return !strings.Contains(name, ".") && !sqllex.OneOf(name, "application_name", "client_min_messages", "jit", "maintenance_work_mem",
		"synchronous_commit", "work_mem")
}

// isRole reports whether a setting, "" for an unknown one, is the role or the session authorization.
func isRole(name string) bool { return sqllex.OneOf(name, "", "role", "session_authorization") }

// sessionWord looks at a word, wherever it stands, that may leave something in the session. Too much costs a new
// connection, too little shows one tenant what another one left, so doubt counts as yes.
func (p *parser) sessionWord(word string) {
	info := &p.stmt.Info
	switch {
	case sqllex.OneOf(word, "temp", "temporary"):
		prev, _ := p.lex.Prev()
		p.temp = p.temp || sqllex.OneOf(prev, "create", "replace", "local", "global", "into")
	case sqllex.Equal(word, "drop"):
		prev, prev2 := p.lex.Prev()
		p.dropsTemp = p.dropsTemp || sqllex.Equal(prev, "commit") && sqllex.Equal(prev2, "on")
	case sqllex.Equal(word, "hold"):
		prev, _ := p.lex.Prev()
		info.SessionState = info.SessionState || sqllex.Equal(p.first, "declare") && sqllex.Equal(prev, "with")
	case sqllex.Equal(word, "pg_settings"):
		prev, _ := p.lex.Prev()
		if sqllex.OneOf(prev, "update", "only", "") { // "" is behind pg_catalog and a dot, say
			p.settingsView()
		}
	case sqllex.Equal(word, "pg_temp"):
		info.SessionState, info.Temp = true, true
	case sqllex.Equal(word, "set_config"):
		p.setConfig()
	case sqllex.Equal(word, "into"): // SELECT INTO creates a table
		prev, _ := p.lex.Prev()
		info.DDL = info.DDL || !sqllex.OneOf(prev, "insert", "merge") && !p.isTemporary()
	}
}

// sessionIdent is sessionWord for a quoted identifier.
func (p *parser) sessionIdent(name string) {
	switch name {
	case "pg_settings":
		p.settingsView()
	case "pg_temp":
		p.stmt.Info.SessionState, p.stmt.Info.Temp = true, true
	case "set_config":
		p.setConfig()
	}
}

// settingsView is for a text that may change the view pg_settings: an UPDATE of it is a SET.
func (p *parser) settingsView() {
	info := &p.stmt.Info
	info.SessionState = true
	if sqllex.Equal(p.first, "update") {
		info.Settings, info.Semantics, info.Role = true, true, true
	}
}

// isTemporary looks at the words behind CREATE or INTO.
func (p *parser) isTemporary() bool {
	ahead := *p
	ahead.skipWords("or", "replace", "local", "global")
	t := ahead.lex.Next()
	return t.Kind == sqllex.Word && sqllex.OneOf(p.text(t), "temp", "temporary")
}

// endSession settles what only the end of a statement tells.
func (p *parser) endSession() {
	if p.temp {
		p.stmt.Info.Temp = true
		p.stmt.Info.SessionState = p.stmt.Info.SessionState || !p.dropsTemp
	}
}

// summarize settles what only the end of the text tells.
func (p *parser) summarize() {
	info, plain := &p.stmt.Info, p.controls+p.utilities
	info.TransactionControl = p.statements > 0 && p.statements == p.controls
	info.Commits = info.Commits && p.statements > p.controls
	info.Reads = p.statements == 1 && p.reads == 1 && !info.DDL && !info.Temp
	info.NoNames = p.statements > 0 && p.statements == plain
	info.NoSnapshot = p.locks > 0 && p.statements == plain+p.locks
}

// setConfig looks at the arguments behind the name set_config. Whatever is not understood counts as the worst: the
// setting may be the role, and it may outlive the transaction.
func (p *parser) setConfig() {
	info := &p.stmt.Info
	info.Settings = true
	call := p.lex.SetConfig()
	info.Semantics = info.Semantics || hasSemantics(call.Name)
	info.Role = info.Role || isRole(call.Name)
	info.SessionState = info.SessionState || !call.IsLocal
	info.LocalParams |= call.Params
}
