// Package dsnform takes the two forms of a connection string apart, a URL and a list of Keywords, as far as their keys are
// concerned. What the values mean is pgx's business: its parser follows libpq's (fe-connect.c), and so do these
// functions. None of them fails; a string that is wrong is for pgx to refuse.
package dsnform

import (
	"net/url"
	"strings"
)

// IsURL reports whether dsn is a URL and no list of keywords.
func IsURL(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// SplitURL splits a URL at the ? that begins its parameters.
func SplitURL(dsn string) (base, query string) {
	start := len(dsn) - len(AfterUserinfo(dsn))
	if i := strings.IndexByte(dsn[start:], '?'); i >= 0 {
		return dsn[:start+i], dsn[start+i+1:]
	}
	return dsn, ""
}

// AfterUserinfo returns what follows scheme://user:password@ in a URL. The user ends at the first @, unless a / comes
// before it.
func AfterUserinfo(dsn string) string {
	_, rest, _ := strings.Cut(dsn, "://")
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		return rest[i+1:]
	}
	return rest
}

// ParamKey returns the key of a URL's key=value.
func ParamKey(param string) string {
	key, _, _ := strings.Cut(param, "=")
	key = strings.Trim(key, " ")
	if decoded, err := url.PathUnescape(key); err == nil {
		return decoded
	}
	return key
}

// Keyword is one key=value in a list of keywords: dsn[Start:End].
type Keyword struct {
	Key        string
	Start, End int
}

// Space are the bytes that separate keywords.
const Space = " \t\n\r\v\f"

// Keywords returns the keywords up to the first thing that is none.
func Keywords(dsn string) []Keyword {
	var list []Keyword
	for i := 0; ; {
		for i < len(dsn) && strings.IndexByte(Space, dsn[i]) >= 0 {
			i++
		}
		n := strings.IndexByte(dsn[i:], '=')
		if n < 0 {
			return list
		}
		end := valueEnd(dsn, i+n+1)
		list = append(list, Keyword{strings.Trim(dsn[i:i+n], Space), i, end})
		i = end
	}
}

// valueEnd returns where the value that begins at dsn[i], or behind spaces there, ends.
func valueEnd(dsn string, i int) int {
	for i < len(dsn) && strings.IndexByte(Space, dsn[i]) >= 0 {
		i++
	}
	quoted := i < len(dsn) && dsn[i] == '\''
	if quoted {
		i++
	}
	for i < len(dsn) {
		switch {
		case dsn[i] == '\\':
			i++
		case quoted && dsn[i] == '\'':
			return i + 1
		case !quoted && strings.IndexByte(Space, dsn[i]) >= 0:
			return i
		}
		i++
	}
	return len(dsn)
}

// CutKeyword returns dsn without a keyword.
func CutKeyword(dsn, key string) string {
	var b strings.Builder
	at := 0
	for _, k := range Keywords(dsn) {
		if k.Key == key {
			b.WriteString(dsn[at:k.Start])
			at = k.End
		}
	}
	b.WriteString(dsn[at:])
	return strings.TrimLeft(b.String(), Space) // at the end, a space may be escaped, and the end of a value
}

// Option returns the value of a setting in the value of the key options, the command line for the server: -c name=value or
// --name=value, the last of which counts. A backslash keeps the byte behind it. As there, - and _ in a name are the same.
func Option(options, name string) (value string, ok bool) {
	words := optionWords(options)
	for i := 0; i < len(words); i++ {
		setting, long := strings.CutPrefix(words[i], "--")
		if !long {
			setting, long = strings.CutPrefix(words[i], "-c")
			if long && setting == "" && i+1 < len(words) {
				i++
				setting = words[i]
			}
		}
		key, v, assigned := strings.Cut(setting, "=")
		if long && assigned && strings.EqualFold(strings.ReplaceAll(key, "-", "_"), name) {
			value, ok = v, true
		}
	}
	return value, ok
}

// optionWords splits the value of the key options as PostgreSQL's pg_split_opts does.
func optionWords(options string) (words []string) {
	var word strings.Builder
	inWord := false
	for i := 0; i < len(options); i++ {
		switch c := options[i]; {
		case strings.IndexByte(Space, c) >= 0:
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
			continue
		case c == '\\' && i+1 < len(options):
			i++
			word.WriteByte(options[i])
		default:
			word.WriteByte(c)
		}
		inWord = true
	}
	if inWord {
		words = append(words, word.String())
	}
	return words
}
