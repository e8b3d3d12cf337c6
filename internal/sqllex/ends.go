package sqllex

import (
	"math"
	"strings"
)

// Each function here takes the position of a token's first byte (of its opening quote, where there is one) and
// returns the position behind its last byte, or len(s) if the text ends before the token does.

// endQuoted is for anything between two quotes s[i], in which a doubled quote means one.
func endQuoted(s string, i int) int {
	quote := s[i]
	for i++; ; i += 2 {
		n := strings.IndexByte(s[i:], quote)
		if n < 0 {
			return len(s)
		}
		i += n
		if i+1 >= len(s) || s[i+1] != quote {
			return i + 1
		}
	}
}

// endString is for '...' and its continuation lines.
func endString(s string, i int) int {
	for {
		end := endQuoted(s, i)
		if i = continuation(s, end); i < 0 {
			return end
		}
	}
}

// endEscapeString is for the '...' of E'...' and its continuation lines, in which a backslash escapes too.
func endEscapeString(s string, i int) int {
	for {
		end := endEscaped(s, i)
		if i = continuation(s, end); i < 0 {
			return end
		}
	}
}

func endEscaped(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '\'':
			if i+1 >= len(s) || s[i+1] != '\'' {
				return i + 1
			}
			i++
		}
	}
	return len(s)
}

// continuation returns the position of the quote that continues a literal whose part ended at i, or -1: a quote
// after white space and -- comments that hold at least one line break (quotecontinue in scan.l).
func continuation(s string, i int) int {
	newline := false
	for i < len(s) {
		switch c := s[i]; {
		case c == '\n' || c == '\r':
			newline = true
			i++
		case class[c] == classSpace:
			i++
		case c == '-' && i+1 < len(s) && s[i+1] == '-':
			i = endLineComment(s, i)
		case c == '\'' && newline:
			return i
		default:
			return -1
		}
	}
	return -1
}

// endLineComment stops before the line break. It looks for both kinds at once: in a text that has only one of them,
// each comment would search all the rest for the other.
func endLineComment(s string, i int) int {
	for i < len(s) && s[i] != '\n' && s[i] != '\r' {
		i++
	}
	return i
}

// dollar reads $1, $tag$...$tag$, or a lone $.
func dollar(s string, i int) (Kind, int) {
	j := i + 1
	if j < len(s) && class[s[j]] == classDigit {
		return Param, endNumber(s, j)
	}
	for j < len(s) && wordByte[s[j]] && s[j] != '$' {
		j++
	}
	if j >= len(s) || s[j] != '$' {
		return Punct, i + 1
	}
	tag := s[i : j+1]
	n := strings.Index(s[j+1:], tag)
	if n < 0 {
		return DollarString, len(s)
	}
	return DollarString, j + 1 + n + len(tag)
}

// DollarBody returns the tag of a [DollarString] token, such as $$ or $tag$, and the bounds of what stands between
// its two tags. Without a closing tag the body reaches to the token's end and closed is false.
func DollarBody(text string, t Token) (tag string, start, end int, closed bool) {
	start = t.Start + 2 + strings.IndexByte(text[t.Start+1:t.End], '$')
	tag = text[t.Start:start]
	if t.End-len(tag) >= start && strings.HasSuffix(text[:t.End], tag) {
		return tag, start, t.End - len(tag), true
	}
	return tag, start, t.End, false
}

// ParamNumber returns the n of a [Param] token and the position behind its digits. Letters may follow them in the token;
// PostgreSQL 15 and later refuse those. What exceeds an int32 becomes the largest one.
func ParamNumber(text string, t Token) (n, end int) {
	end = t.Start + 1
	for ; end < t.End && class[text[end]] == classDigit; end++ {
		n = int(min(int64(n)*10+int64(text[end]-'0'), math.MaxInt32)) // also where int has 32 bits
	}
	return n, end
}

// endNumber takes letters and underscores too, for 0xff, 1e10 and 1_000: since PostgreSQL 15 nothing else that starts
// an identifier may follow a digit at once.
func endNumber(s string, i int) int {
	for i < len(s) && wordByte[s[i]] && s[i] != '$' {
		i++
	}
	return i
}

func endWord(s string, i int) int {
	for i < len(s) && wordByte[s[i]] {
		i++
	}
	return i
}
