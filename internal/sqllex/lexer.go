package sqllex

import "strings"

// Kind says what a [Token] is.
type Kind uint8

// The kinds of token.
const (
	EOF          Kind = iota // the end of the text; the zero Kind
	Word                     // an identifier or keyword without quotes
	QuotedIdent              // "..."
	UnicodeIdent             // U&"..."
	String                   // '...' without a prefix
	EscapeString             // E'...'
	PrefixString             // B'...', X'...', N'...', U&'...'
	DollarString             // $tag$...$tag$
	Semicolon                // ;
	Braces                   // {{
	Angles                   // <<
	Param                    // $1
	Number                   // 42, 1_000, 0xff, and the runs of digits in 1.5e+10
	Punct                    // any other single byte
)

// Token is one token: the bytes [Start, End) of the text.
type Token struct {
	Kind       Kind
	Start, End int
}

// Lexer reads the tokens of Text from left to right. The zero position is the start of the text; a Lexer made as
// Lexer{Text: sql} is ready. It is a value: a copy reads on independently, which is how to look ahead.
type Lexer struct {
	Text string

	pos  int
	last Token
	seen history
}

// history is what Prev knows: the words directly before the position at.
type history struct {
	at          int
	prev, prev2 Token
}

// At returns a Lexer of text that starts reading at byte pos. It is for reading a part of a text with positions that
// count in the whole: At(text[:end], start).
func At(text string, pos int) Lexer { return Lexer{Text: text, pos: pos, seen: history{at: pos}} }

// Seek makes the Lexer go on at byte pos, as if a token of kind Punct stood before it.
func (l *Lexer) Seek(pos int) { l.pos, l.seen = pos, history{at: pos} }

// Next returns the next token. After the last one it returns EOF for ever.
func (l *Lexer) Next() Token {
	s, i := l.Text, l.pos
	for i < len(s) {
		start := i
		if class[s[i]] == classSpace {
			i++
			continue
		}
		var kind Kind
		if kind, i = token(s, i); kind != comment {
			return l.found(kind, start, i)
		}
	}
	return l.found(EOF, i, i)
}

// Skim returns the next token that is a string, a quoted identifier, a semicolon, Braces, Angles, a parameter, or a word
// that passes the filter. It passes over all others, at more than 1 GB/s, twice as fast as Next (BenchmarkSkim).
func (l *Lexer) Skim(words *WordFilter) Token {
	s, i := l.Text, l.pos
	for i < len(s) {
		start := i
		switch class[s[i]] {
		case classSpace, classPunct:
			i++
		case classWord:
			for i++; i < len(s) && wordByte[s[i]]; i++ {
			}
			if i < len(s) && i == start+1 && class[s[i]] > classDigit {
				var kind Kind
				if kind, i = prefixed(s, start, i); kind != Word {
					return l.found(kind, start, i)
				}
			}
			if words.Has(s[start:i]) {
				return l.found(Word, start, i)
			}
		case classDigit:
			i = endNumber(s, i)
		default:
			var kind Kind
			kind, i = special(s, i)
			if kind < Number && kind != comment {
				return l.found(kind, start, i)
			}
		}
	}
	return l.found(EOF, i, i)
}

// found records the token to return.
func (l *Lexer) found(kind Kind, start, end int) Token {
	l.pos, l.last = end, Token{kind, start, end}
	return l.last
}

// Prev returns the two words directly before the token that was returned last, the nearer one first: with nothing
// but white space and comments in between. It returns "" where something else stands.
//
// Skim keeps no record of what it passes over, which makes it a sixth faster. Prev reads that part again, each byte
// at most once however often it is called.
func (l *Lexer) Prev() (prev, prev2 string) {
	again := Lexer{Text: l.Text[:l.last.Start], pos: l.seen.at}
	for t := again.Next(); t.Kind != EOF; t = again.Next() {
		l.seen.prev2, l.seen.prev = l.seen.prev, t
		if t.Kind != Word {
			l.seen.prev, l.seen.prev2 = Token{}, Token{}
		}
	}
	l.seen.at = l.last.Start
	return l.Text[l.seen.prev.Start:l.seen.prev.End], l.Text[l.seen.prev2.Start:l.seen.prev2.End]
}

// comment is what token returns for a comment; no Token has this kind.
const comment = EOF

// token reads the token at s[i], which is no white space.
func token(s string, i int) (Kind, int) {
	switch class[s[i]] {
	case classPunct:
		return Punct, i + 1
	case classDigit:
		return Number, endNumber(s, i)
	case classWord:
		return prefixed(s, i, endWord(s, i))
	}
	return special(s, i)
}

// prefixed looks at what follows the word s[i:end]: E'...' and its like are strings.
func prefixed(s string, i, end int) (Kind, int) {
	if end-i > 1 || end == len(s) {
		return Word, end
	}
	letter := s[i] | 0x20
	switch {
	case s[end] == '\'' && letter == 'e':
		return EscapeString, endEscapeString(s, end)
	case s[end] == '\'' && (letter == 'b' || letter == 'x' || letter == 'n'):
		return PrefixString, endString(s, end)
	case letter == 'u' && strings.HasPrefix(s[end:], "&'"):
		return PrefixString, endString(s, end+1)
	case letter == 'u' && strings.HasPrefix(s[end:], `&"`):
		return UnicodeIdent, endQuoted(s, end+1)
	}
	return Word, end
}

// special reads the token that starts at s[i] with a byte of classSpecial.
func special(s string, i int) (Kind, int) {
	next := byte(0)
	if i+1 < len(s) {
		next = s[i+1]
	}
	switch c := s[i]; {
	case c == '\'':
		return String, endString(s, i)
	case c == '"':
		return QuotedIdent, endQuoted(s, i)
	case c == '$':
		return dollar(s, i)
	case c == ';':
		return Semicolon, i + 1
	case c == '-' && next == '-':
		return comment, endLineComment(s, i)
	case c == '/' && next == '*':
		end, _ := blockComment(s, i)
		return comment, end
	case c == '{' && next == '{':
		return Braces, i + 2
	case c == '<' && next == '<':
		return Angles, i + 2
	}
	return Punct, i + 1
}
