package sqllex

// Tokens returns the first tokens of a statement, at most so many.
func Tokens(text string, most int) []string {
	lex := Lexer{Text: text}
	var found []string
	for t := lex.Next(); t.Kind != EOF && len(found) < most; t = lex.Next() {
		found = append(found, text[t.Start:t.End])
	}
	return found
}

// Begins reports whether a statement begins with the words, which are in lower case, whatever their case in the text.
func Begins(text string, words ...string) bool {
	lex := Lexer{Text: text}
	for _, word := range words {
		if t := lex.Next(); !Equal(text[t.Start:t.End], word) {
			return false
		}
	}
	return true
}

// HasWord reports whether a statement has one of the words, which are in lower case, outside of quotes and comments.
func HasWord(text string, words ...string) bool {
	lex := Lexer{Text: text}
	for t := lex.Next(); t.Kind != EOF; t = lex.Next() {
		if t.Kind == Word && OneOf(text[t.Start:t.End], words...) {
			return true
		}
	}
	return false
}

// HasPhrase reports whether what l is still to read has the words, which are in lower case, one behind the other.
func (l Lexer) HasPhrase(words ...string) bool {
	for t := l.Next(); t.Kind != EOF; t = l.Next() {
		ahead, found := l, t.Kind == Word && Equal(l.Text[t.Start:t.End], words[0])
		for _, word := range words[1:] {
			found = found && Equal(ahead.word(), word)
		}
		if found {
			return true
		}
	}
	return false
}

// CreatesRoutine reports whether what follows CREATE is a function or a procedure. Only those can have a body, BEGIN ATOMIC ...; END.
func (l Lexer) CreatesRoutine() bool {
	word := l.word()
	if Equal(word, "or") && Equal(l.word(), "replace") {
		word = l.word()
	}
	return OneOf(word, "function", "procedure")
}
