package sqllex

import (
	"slices"
	"strings"
)

// Ident returns the name that a token is, as the server has it: in lower case, or what stands in its quotes. It is "" for other tokens.
func Ident(text string, t Token) string {
	switch t.Kind {
	case Word:
		return strings.ToLower(text[t.Start:t.End])
	case QuotedIdent:
		return strings.ReplaceAll(strings.Trim(text[t.Start:t.End], `"`), `""`, `"`)
	}
	return ""
}

// Setting reads the name of a setting behind SET, SET LOCAL, SET SESSION or RESET, with its dots and without quotes. Its case does not
// matter to the server, and is that of the text. Those with a syntax of their own, such as TIME ZONE, have the names that pg_settings
// lists. It is "" if there is no name.
func (l Lexer) Setting() string {
	t := l.Next()
	for ahead := l; t.Kind == Word && OneOf(l.Text[t.Start:t.End], "local", "session"); ahead = l {
		next := ahead.Next()
		if word := l.Text[next.Start:next.End]; OneOf(word, "to", "=", ".") {
			break // a setting of that name
		}
		if t, l = next, ahead; Equal(l.Text[t.Start:t.End], "authorization") {
			return "session_authorization"
		}
	}
	name, ahead := l.part(t), l
	switch next := ahead.word(); {
	case t.Kind != Word:
	case Equal(name, "time") && Equal(next, "zone"):
		return "timezone"
	case Equal(name, "transaction") && next != "" && !Equal(next, "to"):
		return "" // it is no setting
	case Equal(name, "names"):
		return "client_encoding"
	case Equal(name, "schema"):
		return "search_path"
	}
	for {
		dot := l.Next()
		if l.Text[dot.Start:dot.End] != "." {
			return name
		}
		name += "." + l.part(l.Next())
	}
}

// part returns a part of a setting's name.
func (l Lexer) part(t Token) string {
	switch t.Kind {
	case Word:
		return l.Text[t.Start:t.End]
	case QuotedIdent:
		return Ident(l.Text, t)
	}
	return ""
}

// SetConfig is a call of set_config.
type SetConfig struct {
	Name    string // of the setting, if the first argument is a plain literal, else ""
	IsLocal bool   // until the end of the transaction, if all parameters in Params are true; false too if that is not known
	Params  uint64 // bit n-1 is set if the third argument is $n
}

// SetConfig reads the arguments of a call of set_config, behind that name.
func (l Lexer) SetConfig() (call SetConfig) {
	name, local, ok := l.configArguments()
	t := name.Next()
	source := name.Text[t.Start:t.End]
	isPlain := t.Kind == String || t.Kind == EscapeString && !strings.Contains(source, `\`)
	if isPlain && strings.Count(source, "'") == 2 && name.endsArgument("text") {
		call.Name = source[strings.IndexByte(source, '\'')+1 : len(source)-1]
	}
	if ok {
		call.Params, call.IsLocal = local.isTrue()
	}
	return call
}

// configArguments returns lexers that stand before the first and the third argument of a call. It returns false if
// there are not three arguments, or more tokens in them than anybody writes.
func (l Lexer) configArguments() (name, local Lexer, ok bool) {
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
		if depth == 0 || t.Kind == EOF {
			return name, local, commas == 2 && t.Kind != EOF
		}
	}
	return name, local, false
}

// isTrue reports whether the argument before l is true. If it is a parameter, it is true if that is, and params has its bit.
func (l Lexer) isTrue() (params uint64, ok bool) {
	t, parens := l.Next(), 0
	for ; l.Text[t.Start:t.End] == "("; t = l.Next() {
		parens++
	}
	source := l.Text[t.Start:t.End]
	switch t.Kind {
	case Word:
		ok = Equal(source, "true")
	case String:
		ok = OneOf(source, "'true'", "'t'", "'yes'", "'y'", "'on'", "'1'")
	case Param:
		n, end := ParamNumber(l.Text, t)
		if ok = end == t.End && 1 <= n && n <= 64; ok {
			params = 1 << (n - 1)
		}
	}
	for ; parens > 0; parens-- {
		t = l.Next()
		ok = ok && l.Text[t.Start:t.End] == ")"
	}
	return params, ok && l.endsArgument("bool", "boolean")
}

// endsArgument reports whether an argument ends before l, or behind a cast to one of the types.
func (l Lexer) endsArgument(types ...string) bool {
	next := func() string {
		t := l.Next()
		return l.Text[t.Start:t.End]
	}
	if cast := l; cast.SkipCast() {
		l = cast
		name := next()
		if Equal(name, "pg_catalog") && next() == "." {
			name = next()
		}
		if !OneOf(name, types...) {
			return false
		}
	}
	return slices.Contains([]string{",", ")"}, next())
}

// SkipCast reads the :: of a cast, and reports whether it was there.
func (l *Lexer) SkipCast() bool {
	for range 2 {
		if t := l.Next(); t.Kind != Punct || l.Text[t.Start] != ':' {
			return false
		}
	}
	return true
}
