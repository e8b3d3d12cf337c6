package driver

import (
	"net/url"
	"strings"
)

// This file takes the two forms of a DSN apart, as far as their keys are concerned. What the values mean is pgx's
// business: its parser follows libpq's (fe-connect.c), and so do these functions.

func isURL(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// splitURL splits a URL at the ? that begins its parameters.
func splitURL(dsn string) (base, query string) {
	start := len(dsn) - len(afterUserinfo(dsn))
	if i := strings.IndexByte(dsn[start:], '?'); i >= 0 {
		return dsn[:start+i], dsn[start+i+1:]
	}
	return dsn, ""
}

// afterUserinfo returns what follows scheme://user:password@ in a URL. The user ends at the first @, unless a / comes
// before it.
func afterUserinfo(dsn string) string {
	_, rest, _ := strings.Cut(dsn, "://")
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		return rest[i+1:]
	}
	return rest
}

// paramKey returns the key of a URL's key=value.
func paramKey(param string) string {
	key, _, _ := strings.Cut(param, "=")
	if decoded, err := url.PathUnescape(key); err == nil {
		key = decoded
	}
	return strings.Trim(key, " ")
}

// keyword is one key=value in a DSN of keywords: dsn[start:end].
type keyword struct {
	key        string
	start, end int
}

const dsnSpace = " \t\n\r\v\f"

// keywords returns the keywords up to the first thing that is none.
func keywords(dsn string) []keyword {
	var list []keyword
	for i := 0; ; {
		for i < len(dsn) && strings.IndexByte(dsnSpace, dsn[i]) >= 0 {
			i++
		}
		n := strings.IndexByte(dsn[i:], '=')
		if n < 0 {
			return list
		}
		end := valueEnd(dsn, i+n+1)
		list = append(list, keyword{strings.Trim(dsn[i:i+n], dsnSpace), i, end})
		i = end
	}
}

// valueEnd returns where the value that begins at dsn[i], or behind spaces there, ends.
func valueEnd(dsn string, i int) int {
	for i < len(dsn) && strings.IndexByte(dsnSpace, dsn[i]) >= 0 {
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
		case !quoted && strings.IndexByte(dsnSpace, dsn[i]) >= 0:
			return i
		}
		i++
	}
	return len(dsn)
}

// cutKeyword returns dsn without the keyword key.
func cutKeyword(dsn, key string) string {
	var b strings.Builder
	at := 0
	for _, k := range keywords(dsn) {
		if k.key == key {
			b.WriteString(dsn[at:k.start])
			at = k.end
		}
	}
	b.WriteString(dsn[at:])
	return strings.Trim(b.String(), dsnSpace)
}
