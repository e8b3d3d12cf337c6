package template

import "github.com/pgdbm/pgdbm/internal/sqllex"

// classify looks at how a statement begins: p.first and the word behind it.
func (p *parser) classify(second string) {
	first, info := p.first, &p.stmt.Info
	switch {
	case sqllex.OneOf(first, "select", "insert", "update", "delete", "with"): // nearly always
	case sqllex.OneOf(first, "savepoint", "release"), sqllex.Equal(first, "set") && sqllex.Equal(second, "transaction"):
		p.controls++
	case sqllex.OneOf(first, "begin", "start", "commit", "end", "rollback", "abort"),
		sqllex.Equal(first, "prepare") && sqllex.Equal(second, "transaction"):
		p.controls++
		info.Commits = true
	case sqllex.Equal(first, "set"):
		if sqllex.Equal(second, "constraints") {
			return
		}
		info.Settings = true
		info.SessionState = info.SessionState || !sqllex.Equal(second, "local")
	case sqllex.Equal(first, "do"): // it may do anything
		info.SessionState, info.Settings, info.SchemaDDL, info.DDL, info.Procedural = true, true, true, true, true
	case sqllex.Equal(first, "call"):
		info.Procedural = true
	case sqllex.OneOf(first, "prepare", "deallocate", "discard", "reset", "listen", "load"):
		// DEALLOCATE and DISCARD remove what pgx believes to be prepared, RESET what was set when the connection was made.
		info.SessionState, info.Settings = true, true
		info.Forgets = info.Forgets || sqllex.OneOf(first, "deallocate", "discard") && sqllex.Equal(second, "all")
	case sqllex.OneOf(first, "alter", "drop"):
		info.DDL = true
		info.SchemaDDL = info.SchemaDDL || sqllex.Equal(second, "schema")
	case sqllex.Equal(first, "create"):
		info.DDL = info.DDL || sqllex.Equal(second, "or")
		info.SchemaDDL = info.SchemaDDL || sqllex.Equal(second, "schema")
	}
}

// sessionWord looks at a word, wherever it stands, that may leave something in the session. Too much costs a new
// connection, too little shows one tenant what another one left, so doubt counts as yes.
func (p *parser) sessionWord(word string) {
	state := false
	switch {
	case sqllex.OneOf(word, "temp", "temporary"):
		prev, _ := p.lex.Prev()
		state = sqllex.OneOf(prev, "create", "replace", "local", "global", "into")
	case sqllex.Equal(word, "hold"):
		prev, _ := p.lex.Prev()
		state = sqllex.Equal(p.first, "declare") && sqllex.Equal(prev, "with")
	case sqllex.Equal(word, "pg_settings"): // UPDATE pg_settings is SET
		prev, _ := p.lex.Prev()
		state = sqllex.OneOf(prev, "update", "only", "") // "" is behind pg_catalog and a dot, say
	case sqllex.Equal(word, "pg_temp"):
		state = true
	case sqllex.Equal(word, "set_config"):
		p.stmt.Info.Settings = true
		state = !p.callsLocally()
	}
	p.stmt.Info.SessionState = p.stmt.Info.SessionState || state
}

// sessionIdent is sessionWord for a quoted identifier.
func (p *parser) sessionIdent(name string) {
	p.stmt.Info.Settings = p.stmt.Info.Settings || name == "set_config"
	state := name == "pg_settings" || name == "pg_temp" || name == "set_config" && !p.callsLocally()
	p.stmt.Info.SessionState = p.stmt.Info.SessionState || state
}

// callsLocally reports whether the arguments that follow set_config end with the word true: the setting then ends
// with the transaction. Longer lists than anybody writes count as no.
func (p *parser) callsLocally() bool {
	const most = 64
	ahead, depth := p.lex, 0
	var last, last2 sqllex.Token
	for range most {
		t := ahead.Next()
		switch p.text(t) {
		case "":
			return false
		case "(":
			depth++
		case ")":
			depth--
		}
		if depth == 0 {
			return last.Kind == sqllex.Word && sqllex.Equal(p.text(last), "true") && p.text(last2) == ","
		}
		last2, last = last, t
	}
	return false
}
