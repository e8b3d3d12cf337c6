package dsn

import (
	"net/url"
	"strings"

	"github.com/pgdbm/pgdbm/internal/dsnform"
)

// Add returns dsn, a URL or a list of keywords, with the key schema set to name, whatever it was before.
func Add(dsn, name string) string {
	if !dsnform.IsURL(dsn) {
		// At the front, because behind a last "password=" it would be taken for the value.
		value := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(name)
		added := KeySchema + "='" + value + "'"
		if rest := dsnform.CutKeyword(dsn, KeySchema); rest != "" {
			added += " " + rest
		}
		return added
	}
	base, query := dsnform.SplitURL(dsn)
	params := []string{}
	for param := range strings.SplitSeq(query, "&") {
		if param != "" && dsnform.ParamKey(param) != KeySchema {
			params = append(params, param)
		}
	}
	value := strings.ReplaceAll(url.QueryEscape(name), "+", "%20") // pgx's URLs have no + for a space
	return base + "?" + strings.Join(append(params, KeySchema+"="+value), "&")
}
