package sqllex

import "strings"

// NeedsTransaction returns what a statement does that has no effect, or no effect that lasts, outside of a transaction block, in SQL's
// words, such as SET LOCAL; or "".
func NeedsTransaction(text string) string {
	l := Lexer{Text: text}
	if l.Control() == SetTransaction {
		return "SET TRANSACTION"
	}
	first, second := l.word(), l
	switch next := second.word(); {
	case Equal(first, "set") && Equal(next, "local"):
		if name := second.Next(); name.Kind == QuotedIdent || name.Kind == Word && !Equal(text[name.Start:name.End], "to") {
			return "SET LOCAL"
		}
	case Equal(first, "set") && Equal(next, "constraints"):
		return "SET CONSTRAINTS"
	case Equal(first, "lock"):
		return "LOCK"
	case Equal(first, "declare") && !HasWord(text, "hold"):
		return "DECLARE without WITH HOLD"
	case Equal(first, "create") && OneOf(next, "temp", "temporary", "local", "global") && l.HasPhrase("on", "commit", "drop"):
		return "ON COMMIT DROP"
	case Equal(first, "select"):
		return l.selectsNothing()
	}
	return ""
}

// selectsNothing returns what a SELECT, whose result nobody reads, does that ends with its transaction, if it is all that it does.
func (l Lexer) selectsNothing() string {
	call, second := l, l
	if second.word(); Equal(l.word(), "pg_catalog") {
		second.Next() // the dot
		call = second
		second.word()
	}
	name := strings.ToLower(call.word())
	config := call.SetConfig()
	switch {
	case name == "set_config" && config.IsLocal && config.Params == 0 && call.isLastCall():
		return "set_config with is_local = true"
	case (strings.HasPrefix(name, "pg_advisory_xact_lock") || strings.HasPrefix(name, "pg_try_advisory_xact_lock")) && call.isLastCall():
		return name
	case !strings.Contains(l.Text, "(") && (l.HasPhrase("for", "update") || l.HasPhrase("for", "share") || l.HasPhrase("for", "no", "key") || l.HasPhrase("for", "key")):
		return "SELECT ... FOR UPDATE or FOR SHARE"
	}
	return ""
}

// isLastCall reports whether the arguments that begin here are those of a call that ends the statement.
func (l Lexer) isLastCall() bool {
	for depth := 0; ; {
		t := l.Next()
		switch l.Text[t.Start:t.End] {
		case "(":
			depth++
		case ")":
			depth--
		}
		if t.Kind == EOF || depth == 0 {
			end := l.Next()
			return depth == 0 && (end.Kind == EOF || end.Kind == Semicolon)
		}
	}
}

// StringsOff returns the offset at which a statement turns standard_conforming_strings off, after which a backslash can hide the end of a
// literal, or -1.
func StringsOff(text string) int {
	const setting = "standard_conforming_strings"
	l, before := Lexer{Text: text}, [2]string{}
	for t := l.Next(); t.Kind != EOF; t = l.Next() {
		token := text[t.Start:t.End]
		isSet := t.Kind != String && OneOf(before[1], "set", "local", "session")
		isCall := t.Kind == String && before[1] == "(" && Equal(before[0], "set_config")
		before = [2]string{before[1], token}
		if (isSet || isCall) && Equal(strings.Trim(token, `'"`), setting) && l.turnsOff() {
			return t.Start
		}
	}
	return -1
}

// turnsOff reports whether the value of a setting that follows is false.
func (l Lexer) turnsOff() bool {
	value := l.Next()
	for OneOf(l.Text[value.Start:value.End], "=", "to", ",", ":", "text") {
		value = l.Next()
	}
	word := strings.ToLower(strings.Trim(l.Text[value.Start:value.End], "'"))
	return word == "0" || len(word) > 1 && strings.HasPrefix("off", word) ||
		word != "" && (strings.HasPrefix("false", word) || strings.HasPrefix("no", word))
}
