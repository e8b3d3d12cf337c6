package sqllex

import "strings"

// Comment reports whether a comment begins at s[i], and returns where it ends: one with two hyphens before the end of its line. Closed is
// false if a block comment, which may have others in it, lacks its end.
func Comment(s string, i int) (end int, closed, ok bool) {
	switch {
	case strings.HasPrefix(s[i:], "--"):
		return endLineComment(s, i), true, true
	case strings.HasPrefix(s[i:], "/*"):
		end, closed = blockComment(s, i)
		return end, closed, true
	}
	return i, true, false
}

// blockComment counts the comments inside the comment.
func blockComment(s string, i int) (end int, closed bool) {
	depth := 1
	for i += 2; i+1 < len(s); i++ {
		switch {
		case s[i] == '*' && s[i+1] == '/':
			depth--
			i++
			if depth == 0 {
				return i + 1, true
			}
		case s[i] == '/' && s[i+1] == '*':
			depth++
			i++
		}
	}
	return len(s), false
}
