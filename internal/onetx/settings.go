package onetx

import (
	"strings"

	"github.com/pgdbm/pgdbm/internal/sqllex"
)

// traces are what a text may leave that the end of a transaction takes away, or that its check needs.
type traces struct {
	locals   []string // names of settings
	tables   []string // that are ON COMMIT DROP, as SQL writes them
	cursors  bool     // that end with the transaction
	deferred bool     // other constraints than before may be INITIALLY DEFERRED
	session  bool     // the session may keep something: a setting, a lock, a temporary table
}

var traceWords = sqllex.NewWordFilter("local", "set_config", "declare", "hold", "deferred", "alter", "drop", "temp", "temporary",
	"pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock", "pg_try_advisory_lock_shared")

// tracesOf looks for them in a text of any number of statements.
func tracesOf(text string) (found traces) {
	hold := false
	lex := sqllex.Lexer{Text: text}
	found.session = keeps(text, lex)
	for t := lex.Skim(traceWords); t.Kind != sqllex.EOF; t = lex.Skim(traceWords) {
		if t.Kind == sqllex.Semicolon {
			found.session = found.session || keeps(text, lex)
		}
		if t.Kind != sqllex.Word {
			continue
		}
		word := text[t.Start:t.End]
		switch {
		case sqllex.Equal(word, "local"):
			if prev, _ := lex.Prev(); sqllex.Equal(prev, "set") {
				found.add(lex.Setting())
			}
		case sqllex.Equal(word, "set_config"):
			call := lex.SetConfig()
			isLocal := call.IsLocal && call.Params == 0 && call.Name != ""
			if found.session = found.session || !isLocal; isLocal {
				found.add(call.Name)
			}
		case sqllex.Equal(word, "declare"):
			found.cursors = true
		case sqllex.Equal(word, "hold"):
			hold, found.session = true, true
		case sqllex.OneOf(word, "deferred", "alter", "drop"):
			found.deferred = true
		case sqllex.OneOf(word, "temp", "temporary"):
			found.session = true
			if table := droppedTable(text, lex); table != "" {
				found.tables = append(found.tables, table)
			}
		case strings.Contains(strings.ToLower(word), "advisory"):
			found.session = true
		}
	}
	found.cursors = found.cursors && !hold // else those would be closed too
	return found
}

func (f *traces) merge(other traces) {
	f.locals = append(f.locals, other.locals...)
	f.tables = append(f.tables, other.tables...)
	f.cursors = f.cursors || other.cursors
	f.deferred = f.deferred || other.deferred
	f.session = f.session || other.session
}

// keeps reports whether the statement that lex is about to read may leave something to the session, by its first word.
func keeps(text string, lex sqllex.Lexer) bool {
	t := lex.Next()
	return t.Kind == sqllex.Word && sqllex.OneOf(text[t.Start:t.End], "set", "listen", "do", "call")
}

// droppedTable reads the rest of CREATE TEMP TABLE, and returns the table if it is ON COMMIT DROP.
func droppedTable(text string, lex sqllex.Lexer) string {
	next := func() string {
		t := lex.Next()
		if t.Kind == sqllex.Semicolon {
			return ""
		}
		return text[t.Start:t.End]
	}
	if !sqllex.Equal(next(), "table") {
		return ""
	}
	table := next()
	if sqllex.Equal(table, "if") { // NOT EXISTS
		_, _, table = next(), next(), next()
	}
	word := next()
	if word == "." {
		table, word = next(), next()
	}
	for prev := ""; word != ""; prev, word = word, next() {
		if sqllex.Equal(prev, "commit") && sqllex.Equal(word, "drop") {
			return table
		}
	}
	return ""
}

func (f *traces) add(setting string) {
	if setting != "" {
		f.locals = append(f.locals, setting)
	}
}
