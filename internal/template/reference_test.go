package template_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// reference is a second tokenizer, written as regular expressions, to compare with: slow, and with nothing in common
// with package sqllex. It works on text whose bytes were made characters of Latin-1, so invalid UTF-8 is no matter.
var reference = func() []*regexp.Regexp {
	const (
		start     = `[A-Za-z_\x{80}-\x{ff}]`
		continued = `'(?:[ \t\f\v]|--[^\r\n]*)*[\r\n](?:[ \t\r\n\f\v]|--[^\r\n]*[\r\n])*'` // a quote, a line break, a quote
	)
	rules := []string{
		`[ \t\r\n\f\v]+`,
		`--[^\r\n]*`,
		`[eE]'(?:[^'\\]|\\.|''|` + continued + `)*(?:'|\\?\z)`,
		`(?:[bBxXnN]|[uU]&)?'(?:[^']|''|` + continued + `)*(?:'|\z)`,
		`(?:[uU]&)?"(?:[^"]|"")*(?:"|\z)`,
		start + `(?:` + start + `|[0-9$])*`,
		`\$?[0-9](?:` + start + `|[0-9])*`,
	}
	var all []*regexp.Regexp
	for _, rule := range rules {
		all = append(all, regexp.MustCompile(`\A(?s:`+rule+`)`))
	}
	return all
}()

var referenceTag = regexp.MustCompile(`\A\$(?:[A-Za-z_\x{80}-\x{ff}][A-Za-z_\x{80}-\x{ff}0-9]*)?\$`)

// dataOf returns the literals, comments and dollar-quoted strings of text, in order.
func dataOf(text string) (data []string) {
	latin1 := make([]rune, len(text))
	for i := range len(text) {
		latin1[i] = rune(text[i])
	}
	for rest := string(latin1); rest != ""; {
		n := referenceLen(rest)
		if token := rest[:n]; strings.Contains(token, "'") && token[0] != '"' && token[0] != '$' ||
			strings.HasPrefix(token, "--") || strings.HasPrefix(token, "/*") || referenceTag.MatchString(token) {
			if !strings.HasPrefix(strings.ToLower(token), `u&"`) {
				data = append(data, token)
			}
		}
		rest = rest[n:]
	}
	return data
}

// referenceLen returns the length of the token, comment or white space at the start of s.
func referenceLen(s string) int {
	if tag := referenceTag.FindString(s); tag != "" {
		if n := strings.Index(s[len(tag):], tag); n >= 0 {
			return n + 2*len(tag)
		}
		return len(s)
	}
	if strings.HasPrefix(s, "/*") {
		return commentLen(s)
	}
	for _, rule := range reference {
		if found := rule.FindString(s); found != "" {
			return len(found)
		}
	}
	return len(string([]rune(s)[:1]))
}

// commentLen looks for whichever comes first, the end of a comment or the start of one inside.
func commentLen(s string) int {
	n := 2
	for depth := 1; depth > 0; {
		end := strings.Index(s[n:], "*/")
		if end < 0 {
			return len(s)
		}
		if begin := strings.Index(s[n:n+end+1], "/*"); begin >= 0 {
			depth, n = depth+1, n+begin+2
			continue
		}
		depth, n = depth-1, n+end+2
	}
	return n
}

func TestReference(t *testing.T) {
	t.Parallel()
	text := "SELECT fooe'x\\', e'\\'' \"it's\" U&\"'\" 1$$a'b$$ a$$b -- 'y'\r/*/*/ */*/ 'a' -- {\n'b' $1 $t$ $$ $t$ u&'x' 'end"
	want := []string{"'x\\'", "e'\\''", "$$a'b$$", "-- 'y'", "/*/*/ */*/", "'a' -- {\n'b'", "$t$ $$ $t$", "u&'x'", "'end"}
	if got := dataOf(text); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
