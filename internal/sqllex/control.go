package sqllex

import "strings"

// Control is what a statement does to the transaction that it runs in.
type Control uint8

// The kinds of transaction control. What a procedure or a DO block does inside is not seen.
const (
	NoControl      Control = iota // nothing; the zero Control
	Begin                         // BEGIN, START TRANSACTION
	Commit                        // COMMIT, END
	Rollback                      // ROLLBACK, ABORT
	Savepoint                     // SAVEPOINT, RELEASE
	RollbackTo                    // ROLLBACK TO a savepoint
	SetTransaction                // SET TRANSACTION
	Prepared                      // PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED
)

// Control returns what the statement that l is about to read does to its transaction.
func (l Lexer) Control() Control {
	first := l.word()
	switch {
	case OneOf(first, "begin", "start"):
		return Begin
	case OneOf(first, "savepoint", "release"):
		return Savepoint
	case OneOf(first, "end", "abort", "commit", "rollback"):
		return l.ending(first)
	case Equal(first, "prepare") && Equal(l.word(), "transaction"):
		// PREPARE transaction AS SELECT 1 prepares a statement of that name.
		if next := l.Next(); next.Kind != Word && next.Kind != Punct {
			return Prepared
		}
	case Equal(first, "set"):
		return l.setting()
	}
	return NoControl
}

// setting tells SET [LOCAL] TRANSACTION from SET transaction.x = 1.
func (l Lexer) setting() Control {
	second := l.word()
	if OneOf(second, "local", "session") {
		second = l.word()
	}
	if Equal(second, "transaction") && l.word() != "" {
		return SetTransaction
	}
	return NoControl
}

// ending tells the statements that end a transaction from their relatives.
func (l Lexer) ending(first string) Control {
	rollback := OneOf(first, "abort", "rollback")
	second := l.word()
	if OneOf(second, "work", "transaction") {
		second = l.word()
	}
	switch {
	case Equal(second, "prepared"):
		return Prepared
	case rollback && Equal(second, "to"):
		return RollbackTo
	case rollback:
		return Rollback
	}
	return Commit
}

// word reads a token, and returns it if it is a word.
func (l *Lexer) word() string {
	if t := l.Next(); t.Kind == Word {
		return l.Text[t.Start:t.End]
	}
	return ""
}

// ControlOf returns what a statement does to its transaction.
func ControlOf(text string) Control { return Lexer{Text: text}.Control() }

// Isolation reads the modes of BEGIN, START TRANSACTION or SET TRANSACTION. It returns the isolation level in capitals, or "" if there is
// none, and the offset of the first thing besides ISOLATION LEVEL and READ WRITE, or -1.
func Isolation(text string) (level string, other int) {
	l := Lexer{Text: text}
	for word := l.word(); word != "" && !OneOf(word, "begin", "transaction"); { // START TRANSACTION, SET LOCAL TRANSACTION
		word = l.word()
	}
	if ahead := l; OneOf(ahead.word(), "work", "transaction") {
		l = ahead
	}
	for {
		at := l
		t := l.Next()
		switch word := text[t.Start:t.End]; {
		case t.Kind == EOF, t.Kind == Semicolon:
			return level, -1
		case word == ",":
		case Equal(word, "read") && Equal(l.word(), "write"):
		case Equal(word, "isolation") && Equal(l.word(), "level"):
			if level = l.level(); level == "" {
				return "", t.Start
			}
		default:
			return level, at.Next().Start
		}
	}
}

// level reads the name of an isolation level.
func (l *Lexer) level() string {
	first := strings.ToUpper(l.word())
	switch first {
	case "SERIALIZABLE":
		return first
	case "REPEATABLE", "READ":
		level := first + " " + strings.ToUpper(l.word())
		if level == "REPEATABLE READ" || level == "READ COMMITTED" || level == "READ UNCOMMITTED" {
			return level
		}
	}
	return ""
}
