package dsn

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/dsnform"
)

// Parse reads a DSN. Its errors are *[Error] or *[SchemaError] and hold no part of the DSN that could be, or
// could have been meant to be, a password.
func Parse(dsn string) (*pgx.ConnConfig, Settings, error) {
	if err := checkKeys(dsn); err != nil {
		return nil, Settings{}, err
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, Settings{}, redact(err, dsn)
	}
	if !dsnform.IsURL(dsn) {
		if err := checkValues(config); err != nil {
			return nil, Settings{}, err
		}
	}
	if err := checkMisplaced(dsn, config); err != nil {
		return nil, Settings{}, err
	}
	s, err := Take(config)
	return config, s, err
}

// checkKeys refuses keys that come twice, and keys of ours that a URL without a ? makes a part of something else.
func checkKeys(dsn string) error {
	var keys []string
	if dsnform.IsURL(dsn) {
		base, query := dsnform.SplitURL(dsn)
		if key := swallowed(dsnform.AfterUserinfo(base)); key != "" {
			return &Error{Key: key, Reason: "it stands before the ?, so it became a part of the host or the database name; " +
				"a URL's first parameter is written ?key=value, the others &key=value"}
		}
		for param := range strings.SplitSeq(query, "&") {
			keys = append(keys, dsnform.ParamKey(param))
		}
	} else {
		for _, k := range dsnform.Keywords(dsn) {
			keys = append(keys, k.Key)
		}
	}
	seen := make(map[string]bool)
	for _, key := range keys {
		if key == "database" {
			key = "dbname" // pgx takes both
		}
		if seen[key] && key != "" {
			return &Error{Key: safeKey(key), Reason: "it is given twice"}
		}
		seen[key] = true
	}
	return nil
}

// checkValues refuses a list of keywords to whose end &schema=x was added as if it were a URL.
func checkValues(config *pgx.ConnConfig) error {
	values := []string{config.Database, config.Host, config.User, config.Password}
	for _, value := range config.RuntimeParams {
		values = append(values, value)
	}
	for _, value := range values {
		if key := swallowed(value); key != "" {
			return &Error{Key: key, Reason: "written with a &, it became a part of the value before it; " +
				"in a DSN of keywords it is written with a space, as in dbname=app schema=myapp"}
		}
	}
	return nil
}

// checkMisplaced refuses a DSN whose password, or the end of it, became a part of what errors of connecting show: the
// user, the database, the hosts, and keys that the server does not know.
func checkMisplaced(dsn string, config *pgx.ConnConfig) error {
	hosts := []string{config.Host}
	for _, fallback := range config.Fallbacks {
		hosts = append(hosts, fallback.Host)
	}
	for _, host := range hosts {
		if strings.Contains(host, "@") && !strings.HasPrefix(host, "/") {
			return &Error{Reason: "a host contains an @" + advice(dsn)}
		}
	}
	if dsnform.IsURL(dsn) {
		if base, _ := dsnform.SplitURL(dsn); strings.Contains(dsnform.AfterUserinfo(base), "@") {
			return &Error{Reason: "an @ stands in the path" + advice(dsn)}
		}
	}
	for _, value := range append(hosts, config.User, config.Database) {
		if holdsPassword(value) || strings.Contains(value, "://") {
			return &Error{Reason: "another DSN, or a part of one, became the user, a host or the database name" + advice(dsn)}
		}
	}
	for key := range config.RuntimeParams {
		if strings.ContainsAny(key, ":/@?&'") {
			return &Error{Key: safeKey(key), Reason: "it has characters that no key has; " +
				"a URL begins with postgres:// or postgresql://, in lower case" + advice(dsn)}
		}
	}
	return nil
}

// holdsPassword reports whether a value goes on with another key, the password: app&password=x.
func holdsPassword(value string) bool { return strings.Contains(strings.ToLower(value), "password=") }

// swallowed returns the key of ours that text contains as in app&schema=x, or "".
func swallowed(text string) string {
	for _, key := range Keys {
		if strings.Contains(text, "&"+key+"=") {
			return key
		}
	}
	return ""
}

// safeKey returns key if pgx or we know it: an unknown one may be a piece of a password that was not quoted.
func safeKey(key string) string {
	known := append([]string{"host", "port", "dbname", "user", "password", "passfile", "sslmode", "sslcert", "sslkey",
		"sslrootcert", "sslpassword", "connect_timeout", "application_name", "search_path", "options", "timezone",
		"target_session_attrs", "service", "default_query_exec_mode", "statement_cache_capacity",
		"description_cache_capacity"}, Keys...)
	if slices.Contains(known, key) {
		return key
	}
	return "(unknown)"
}

// advice is what makes most DSNs right that cannot be read as they were meant.
func advice(dsn string) string {
	if dsnform.IsURL(dsn) {
		return "; percent-encode special characters such as / ? # @ % in user name and password"
	}
	return "; quote a value that contains spaces, as in password='a b'"
}

// redact makes an error of pgx's parser fit to be shown. Its own text quotes the DSN and masks passwords as well as it
// can, which is not always: password = secret, or a password with a slash. So only its constant parts are kept.
func redact(err error, dsn string) error {
	var parse *pgconn.ParseConfigError
	if !errors.As(err, &parse) {
		return &Error{Reason: "it cannot be parsed" + advice(dsn)}
	}
	bare := *parse
	bare.ConnString = ""
	reason := strings.TrimPrefix(bare.Error(), "cannot parse ``: ")
	if cause := parse.Unwrap(); cause != nil {
		reason = strings.TrimSuffix(reason, " ("+cause.Error()+")")
	}
	reason, _, _ = strings.Cut(reason, ":") // behind it stands the value
	if strings.HasPrefix(reason, "failed to parse as") || reason == "invalid port" {
		return &Error{Reason: reason + advice(dsn)}
	}
	var file *fs.PathError
	if errors.As(err, &file) && !strings.ContainsAny(file.Path, "@&?=") {
		reason += ": " + file.Error()
	}
	return &Error{Reason: reason}
}
