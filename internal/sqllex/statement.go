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
