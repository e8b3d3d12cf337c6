package onetx

import (
	"strings"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// traces are what a text may leave that the end of a transaction takes away, or that its check needs.
type traces struct {
	locals   []string // names of settings
	cursors  bool     // that end with the transaction
	deferred bool     // other constraints than before may be INITIALLY DEFERRED
}

var traceWords = sqllex.NewWordFilter("local", "set_config", "declare", "hold", "deferred", "alter", "drop")

// tracesOf looks for them in a text of any number of statements.
func tracesOf(text string) (found traces) {
	hold := false
	lex := sqllex.Lexer{Text: text}
	for t := lex.Skim(traceWords); t.Kind != sqllex.EOF; t = lex.Skim(traceWords) {
		if t.Kind != sqllex.Word {
			continue
		}
		word := text[t.Start:t.End]
		switch {
		case sqllex.Equal(word, "local"):
			if prev, _ := lex.Prev(); sqllex.Equal(prev, "set") {
				found.add(settingName(text, lex))
			}
		case sqllex.Equal(word, "set_config"):
			found.add(localConfig(text, lex))
		case sqllex.Equal(word, "declare"):
			found.cursors = true
		case sqllex.Equal(word, "hold"):
			hold = true
		case sqllex.OneOf(word, "deferred", "alter", "drop"):
			found.deferred = true
		}
	}
	found.cursors = found.cursors && !hold // else those would be closed too
	return found
}

func (f *traces) merge(other traces) {
	f.locals = append(f.locals, other.locals...)
	f.cursors = f.cursors || other.cursors
	f.deferred = f.deferred || other.deferred
}

func (f *traces) add(setting string) {
	if setting != "" {
		f.locals = append(f.locals, setting)
	}
}

// settingName reads the name behind SET LOCAL: a word, or words with dots between them, or one of those with a syntax of
// their own.
func settingName(text string, lex sqllex.Lexer) string {
	name := ident(text, lex.Next())
	switch name {
	case "time": // SET LOCAL TIME ZONE
		return "timezone"
	case "session": // SET LOCAL SESSION AUTHORIZATION
		return "session_authorization"
	case "names":
		return "client_encoding"
	case "schema":
		return "search_path"
	}
	for {
		dot := lex.Next()
		if text[dot.Start:dot.End] != "." {
			return name
		}
		name += "." + ident(text, lex.Next())
	}
}

func ident(text string, t sqllex.Token) string {
	switch t.Kind {
	case sqllex.Word:
		return strings.ToLower(text[t.Start:t.End])
	case sqllex.QuotedIdent:
		return strings.ReplaceAll(strings.Trim(text[t.Start:t.End], `"`), `""`, `"`)
	}
	return ""
}

// localConfig reads the arguments of set_config, and returns the name if is_local is true.
func localConfig(text string, lex sqllex.Lexer) string {
	open, first := lex.Next(), lex.Next()
	if text[open.Start:open.End] != "(" || first.Kind != sqllex.String {
		return ""
	}
	name := strings.ReplaceAll(strings.Trim(text[first.Start:first.End], "'"), "''", "'")
	var last string
	for depth := 1; depth > 0; {
		t := lex.Next()
		switch word := text[t.Start:t.End]; {
		case t.Kind == sqllex.EOF:
			return ""
		case word == "(":
			depth++
		case word == ")":
			depth--
		default:
			last = word
		}
	}
	if sqllex.Equal(last, "true") {
		return name
	}
	return ""
}
