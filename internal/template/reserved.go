package template

import "strings"

// isReserved reports whether PostgreSQL does not take name, without quotes, as the name of a table: the words that
// pg_get_keywords() calls "reserved" and "reserved (can be function or type name)" in any of PostgreSQL 15 to 18.
// The others work unquoted, and a table name is emitted as it is written wherever that works.
//
// See https://www.postgresql.org/docs/current/sql-keywords-appendix.html.
func isReserved(name string) bool {
	lower := strings.ToLower(name)
	if len(lower) != len(name) {
		return false // it is not ASCII: the Kelvin sign becomes a k
	}
	switch lower {
	case "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "binary",
		"both", "case", "cast", "check", "collate", "collation", "column", "concurrently", "constraint", "create",
		"cross", "current_catalog", "current_date", "current_role", "current_schema", "current_time",
		"current_timestamp", "current_user", "default", "deferrable", "desc", "distinct", "do", "else", "end",
		"except", "false", "fetch", "for", "foreign", "freeze", "from", "full", "grant", "group", "having", "ilike",
		"in", "initially", "inner", "intersect", "into", "is", "isnull", "join", "lateral", "leading", "left", "like",
		"limit", "localtime", "localtimestamp", "natural", "not", "notnull", "null", "offset", "on", "only", "or",
		"order", "outer", "overlaps", "placing", "primary", "references", "returning", "right", "select",
		"session_user", "similar", "some", "symmetric", "system_user", "table", "tablesample", "then", "to",
		"trailing", "true", "union", "unique", "user", "using", "variadic", "verbose", "when", "where", "window",
		"with":
		return true
	}
	return false
}
