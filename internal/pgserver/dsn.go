package pgserver

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/dsnform"
)

// socketDSN returns the connection string of the server with its socket in dir.
func socketDSN(dir string) string {
	return "postgres://postgres@/postgres?host=" + escapeQuery(dir) + "&port=5432"
}

// escapeQuery escapes a value for the query part of a connection URL, where '+' is no space.
func escapeQuery(value string) string {
	return strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
}

// errNotValid shows no details: they may quote parts of a password.
var errNotValid = errors.New("it is not a valid connection string (not shown here, as it may hold a password); try it with psql")

// maintenanceDSN checks dsn, which a user gave, and sees to it that it names a database and that one in URL form has a query
// part. Without a name the server would take the user's.
func maintenanceDSN(dsn string) (string, error) {
	dsn = strings.TrimSpace(dsn)
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return "", errNotValid
	}
	if config.Database == "" {
		return DatabaseDSN(dsn, "postgres")
	}
	if !dsnform.IsURL(dsn) {
		return dsn, nil
	}
	base, database, query := splitURL(dsn)
	return joinURL(base, database, query), nil
}

// DatabaseDSN returns dsn, which a [Server] has given, with another database name; name needs no escaping.
func DatabaseDSN(dsn, name string) (string, error) {
	var changed string
	if dsnform.IsURL(dsn) {
		base, _, query := splitURL(dsn)
		changed = joinURL(base, name, query)
	} else {
		// At the front: at the end it could be taken for the value of a last "password=".
		changed = "dbname=" + name + " " + dsnform.CutKeyword(dsnform.CutKeyword(dsn, "dbname"), "database")
	}
	if config, err := pgx.ParseConfig(changed); err != nil || config.Database != name {
		return "", fmt.Errorf("pgserver: cannot put another database name into %s: use the URL form, "+
			"postgres://user:password@host:port/database?sslmode=prefer", dsnVariable)
	}
	return changed, nil
}

// splitURL splits a connection URL into all before the path, the database name
// as written, and the query parameters but the database name. It does not
// decode: PostgreSQL's URLs allow what package net/url does not, such as more
// than one host.
func splitURL(dsn string) (base, database string, query []string) {
	base, parameters := dsnform.SplitURL(dsn)
	if rest := dsnform.AfterUserinfo(base); strings.Contains(rest, "/") {
		_, database, _ = strings.Cut(rest, "/")
		base = strings.TrimSuffix(base, "/"+database)
	}
	for parameter := range strings.SplitSeq(parameters, "&") {
		switch dsnform.ParamKey(parameter) {
		case "":
		case "dbname", "database": // wins over the path
			_, database, _ = strings.Cut(parameter, "=")
		default:
			query = append(query, parameter)
		}
	}
	return base, database, query
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
