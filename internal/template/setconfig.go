package template

import (
	"strings"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// setConfig looks at the arguments behind the name set_config. Whatever is not understood counts as the worst: the
// setting may be the role, and it may outlive the transaction.
func (p *parser) setConfig() {
	info := &p.stmt.Info
	info.Settings = true
	name, local, ok := configArguments(p.lex)
	info.Semantics = info.Semantics || !ok || mayHaveSemantics(name)
	info.Role = info.Role || !ok || mayBeRole(name)
	params, isLocal := localArgument(local)
	if !ok || !isLocal {
		info.SessionState = true
		return
	}
	info.LocalParams |= params
}

// configArguments returns lexers that stand before the first and the third argument of a call. It returns false if
// there are not three arguments, or more tokens in them than anybody writes.
func configArguments(l sqllex.Lexer) (name, local sqllex.Lexer, ok bool) {
	const most = 64
	depth, commas := 0, 0
	for range most {
		t := l.Next()
		switch l.Text[t.Start:t.End] {
		case "(", "[":
			if depth++; depth == 1 {
				name = l
			}
		case ")", "]":
			depth--
		case ",":
			if depth != 1 {
				break
			}
			if commas++; commas == 2 {
				local = l
			}
		}
		if depth == 0 || t.Kind == sqllex.EOF {
			return name, local, commas == 2 && t.Kind != sqllex.EOF
		}
	}
	return name, local, false
}

// mayHaveSemantics reports whether the argument before l names a setting that may decide what statements mean.
func mayHaveSemantics(l sqllex.Lexer) bool {
	t := l.Next()
	source := l.Text[t.Start:t.End]
	if t.Kind != sqllex.String || strings.Count(source, "'") != 2 || !endsArgument(l, "text") {
		return true
	}
	return hasSemantics(strings.Trim(source, "'"))
}

// mayBeRole reports whether the argument before l names one of the settings that decide who the session acts as.
func mayBeRole(l sqllex.Lexer) bool {
	t := l.Next()
	source := l.Text[t.Start:t.End]
	if t.Kind != sqllex.String || strings.Count(source, "'") != 2 || !endsArgument(l, "text") {
		return true
	}
	return sqllex.OneOf(source, "'role'", "'session_authorization'")
}

// localArgument reports whether the argument before l is true. If it is a parameter, it is true if that is, and params
// has its bit.
func localArgument(l sqllex.Lexer) (params uint64, ok bool) {
	t := l.Next()
	source := l.Text[t.Start:t.End]
	switch t.Kind {
	case sqllex.Word:
		ok = sqllex.Equal(source, "true")
	case sqllex.String:
		ok = sqllex.OneOf(source, "'true'", "'t'", "'yes'", "'y'", "'on'", "'1'")
	case sqllex.Param:
		n, end := sqllex.ParamNumber(l.Text, t)
		if ok = end == t.End && 1 <= n && n <= 64; ok {
			params = 1 << (n - 1)
		}
	}
	return params, ok && endsArgument(l, "bool", "boolean")
}

// endsArgument reports whether an argument ends before l, or behind a cast to one of the types.
func endsArgument(l sqllex.Lexer, types ...string) bool {
	next := func() string {
		t := l.Next()
		return l.Text[t.Start:t.End]
	}
	cast := l
	if skipCast(&cast) {
		l = cast
		name := next()
		if sqllex.Equal(name, "pg_catalog") && next() == "." {
			name = next()
		}
		if !sqllex.OneOf(name, types...) {
			return false
		}
	}
	end := next()
	return end == "," || end == ")"
}
