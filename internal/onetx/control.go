package onetx

import (
	"slices"
	"strings"

	"github.com/pgdbm/pgdbm/internal/sqllex"
	"github.com/pgdbm/pgdbm/internal/sqlsplit"
)

// control is what a statement does to the transaction.
type control uint8

const (
	plain          control = iota // nothing
	begins                        // BEGIN, START TRANSACTION
	commits                       // COMMIT, END
	rollsBack                     // ROLLBACK, ABORT
	savepoint                     // SAVEPOINT, RELEASE, ROLLBACK TO
	needsBlock                    // LOCK, and DECLARE without HOLD, if they are alone in a message
	setTransaction                // SET TRANSACTION
	impossible                    // PREPARE TRANSACTION, COMMIT PREPARED, AND CHAIN
)

// step is a statement that controls the transaction, or a run of others.
type step struct {
	control  control
	text     string
	readOnly bool // of begins and setTransaction
}

// steps splits the text of a Query message. Most have no transaction control and are one step.
func steps(text string) ([]step, error) {
	if !mayControl(text) {
		return []step{{text: text}}, nil
	}
	pieces, err := sqlsplit.Split(text)
	if err != nil {
		return nil, err
	}
	var all []step
	for _, piece := range pieces {
		s := stepOf(piece)
		if last := len(all) - 1; s.control == plain && last >= 0 && all[last].control == plain {
			all[last].text += s.text
			continue
		}
		all = append(all, s)
	}
	if len(pieces) == 1 && (sqllex.Begins(pieces[0].Body, "lock") || sqllex.Begins(pieces[0].Body, "declare") && !slices.Contains(words(text), "hold")) {
		all[0].control = needsBlock
	}
	return all, nil
}

// mayControl reports whether one of its statements begins with such a word.
func mayControl(text string) bool {
	lex := sqllex.Lexer{Text: text}
	atStart := true
	for t := lex.Next(); t.Kind != sqllex.EOF; t = lex.Next() {
		if atStart && t.Kind == sqllex.Word && sqllex.OneOf(text[t.Start:t.End], "begin", "start", "commit", "end", "rollback", "abort",
			"savepoint", "release", "prepare", "set", "lock", "declare") {
			return true
		}
		atStart = t.Kind == sqllex.Semicolon
	}
	return false
}

// stepOfText classifies a text of one statement.
func stepOfText(text string) step {
	if !mayControl(text) {
		return step{text: text}
	}
	return stepOf(sqlsplit.Piece{Kind: sqlsplit.Statement, Text: text, Body: text})
}

func stepOf(piece sqlsplit.Piece) step {
	words := words(piece.Body)
	s := step{text: piece.Text, readOnly: hasPair(words, "read", "only"), control: controls[piece.Control()]}
	if (s.control == commits || s.control == rollsBack) && hasPair(words, "and", "chain") && !hasPair(words, "and", "no") {
		s.control = impossible
	}
	return s
}

// controls are the kinds of control that need nothing else to be known.
var controls = map[sqllex.Control]control{
	sqllex.NoControl: plain, sqllex.Begin: begins, sqllex.Commit: commits, sqllex.Rollback: rollsBack, sqllex.Savepoint: savepoint,
	sqllex.RollbackTo: savepoint, sqllex.SetTransaction: setTransaction, sqllex.Prepared: impossible,
}

// words returns the first words of a statement, in lower case. "" stands for what is no word.
func words(text string) []string {
	const most = 16 // BEGIN with all its options has fewer
	list := make([]string, 0, most)
	lex := sqllex.Lexer{Text: text}
	for t := lex.Next(); t.Kind != sqllex.EOF && len(list) < most; t = lex.Next() {
		word := ""
		if t.Kind == sqllex.Word {
			word = strings.ToLower(text[t.Start:t.End])
		}
		list = append(list, word)
	}
	return list
}

func hasPair(words []string, first, second string) bool {
	for i := range len(words) - 1 {
		if words[i] == first && words[i+1] == second {
			return true
		}
	}
	return false
}
