package pgserver

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// socketDSN returns the connection string of the server with its socket in dir.
func socketDSN(dir string) string {
	// In a connection URL '+' is no space, so a space has to be %20.
	host := strings.ReplaceAll(url.QueryEscape(dir), "+", "%20")
	return "postgres://postgres@/postgres?host=" + host + "&port=5432"
}

// maintenanceDSN checks dsn, which a user gave, and sees to it that one in URL
// form has a query part.
func maintenanceDSN(dsn string) (string, error) {
	dsn = strings.TrimSpace(dsn)
	if _, err := pgx.ParseConfig(dsn); err != nil {
		// The error is not shown: it may quote parts of a password.
		return "", fmt.Errorf("pgserver: %s is not a valid connection string "+
			"(not shown here, as it may hold a password); try it with: psql \"$%[1]s\"", dsnVariable)
	}
	if !isURL(dsn) {
		return dsn, nil
	}
	base, database, query := splitURL(dsn)
	return joinURL(base, database, query), nil
}

// databaseDSN returns dsn with another database name; name needs no escaping.
func databaseDSN(dsn, name string) (string, error) {
	for _, candidate := range databaseDSNs(dsn, name) {
		config, err := pgx.ParseConfig(candidate)
		if err == nil && config.Database == name {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("pgserver: cannot put another database name into %s: use the URL form, "+
		"postgres://user:password@host:port/database?sslmode=prefer", dsnVariable)
}

// databaseDSNs returns strings of which one is dsn with another database name.
func databaseDSNs(dsn, name string) []string {
	if isURL(dsn) {
		base, _, query := splitURL(dsn)
		return []string{joinURL(base, name, query)}
	}
	// The last dbname wins, so it belongs at the end. There, though, it would
	// be taken for the value of a keyword without one ("password="); at the
	// front it is right if no other dbname follows.
	keyword := "dbname=" + name
	return []string{dsn + " " + keyword, keyword + " " + dsn}
}

func isURL(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// splitURL splits a connection URL into all before the path, the database name
// as written, and the query parameters but the database name. It does not
// decode: PostgreSQL's URLs allow what package net/url does not, such as more
// than one host.
func splitURL(dsn string) (base, database string, query []string) {
	authority := strings.Index(dsn, "://") + len("://")
	// As in libpq, user and password end at an '@' before the first '/'.
	if i := strings.IndexAny(dsn[authority:], "@/"); i >= 0 && dsn[authority+i] == '@' {
		authority += i + 1
	}
	end := len(dsn)
	if i := strings.IndexAny(dsn[authority:], "/?"); i >= 0 {
		end = authority + i
	}
	path, parameters, _ := strings.Cut(dsn[end:], "?")
	database = strings.TrimPrefix(path, "/")
	for parameter := range strings.SplitSeq(parameters, "&") {
		key, value, _ := strings.Cut(parameter, "=")
		switch key {
		case "":
		case "dbname", "database": // wins over the path
			database = value
		default:
			query = append(query, parameter)
		}
	}
	return dsn[:end], database, query
}

// joinURL is the reverse of splitURL; the result always has a query part.
func joinURL(base, database string, query []string) string {
	if len(query) == 0 {
		// What the client asks for anyway: a bare "?" could not be continued
		// with "&", as an empty parameter is an error.
		query = []string{"client_encoding=UTF8"}
	}
	return base + "/" + database + "?" + strings.Join(query, "&")
}
