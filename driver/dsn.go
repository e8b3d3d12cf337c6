package driver

import (
	"errors"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/template"
)

// AddSchema returns dsn, a URL or a list of keywords, with the key schema set to name, whatever it was before. The
// error is a *[SchemaError] if name cannot be used as a schema, and a *[DSNError] if dsn is a name from
// RegisterConnConfig, which has no keys.
func AddSchema(dsn, name string) (string, error) {
	if err := template.CheckSchema(name); err != nil {
		return "", err
	}
	if isRegisteredName(dsn) {
		return "", &DSNError{Key: keySchema, Reason: "a registered name takes no keys; " +
			`set config.RuntimeParams["schema"] before driver.RegisterConnConfig`}
	}
	if !isURL(dsn) {
		// At the front, because behind a last "password=" it would be taken for the value.
		value := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(name)
		return strings.TrimSpace("schema='" + value + "' " + cutKeyword(dsn, keySchema)), nil
	}
	base, query := splitURL(dsn)
	params := []string{}
	for param := range strings.SplitSeq(query, "&") {
		if param != "" && paramKey(param) != keySchema {
			params = append(params, param)
		}
	}
	value := strings.ReplaceAll(url.QueryEscape(name), "+", "%20") // pgx's URLs have no + for a space
	return base + "?" + strings.Join(append(params, keySchema+"="+value), "&"), nil
}

// parseDSN reads a DSN. Its errors are *[DSNError] or *[SchemaError] and hold no part of the DSN that could be, or
// could have been meant to be, a password.
func parseDSN(dsn string) (*pgx.ConnConfig, settings, error) {
	if err := checkKeys(dsn); err != nil {
		return nil, settings{}, err
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, settings{}, redact(err, dsn)
	}
	if !isURL(dsn) {
		if err := checkValues(config); err != nil {
			return nil, settings{}, err
		}
	}
	s, err := takeSettings(config)
	return config, s, err
}

// checkKeys refuses keys that come twice, and keys of ours that a URL without a ? makes a part of something else.
func checkKeys(dsn string) error {
	var keys []string
	if isURL(dsn) {
		base, query := splitURL(dsn)
		if key := swallowed(afterUserinfo(base)); key != "" {
			return &DSNError{Key: key, Reason: "it stands before the ?, so it became a part of the host or the database name; " +
				"a URL's first parameter is written ?key=value, the others &key=value"}
		}
		for param := range strings.SplitSeq(query, "&") {
			keys = append(keys, paramKey(param))
		}
	} else {
		for _, k := range keywords(dsn) {
			keys = append(keys, k.key)
		}
	}
	seen := make(map[string]bool)
	for _, key := range keys {
		if key == "database" {
			key = "dbname" // pgx takes both
		}
		if seen[key] && key != "" {
			return &DSNError{Key: safeKey(key), Reason: "it is given twice"}
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
			return &DSNError{Key: key, Reason: "written with a &, it became a part of the value before it; " +
				"in a DSN of keywords it is written with a space, as in dbname=app schema=myapp"}
		}
	}
	return nil
}

// swallowed returns the key of ours that text contains as in app&schema=x, or "".
func swallowed(text string) string {
	for _, key := range ownKeys {
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
		"description_cache_capacity"}, ownKeys...)
	if slices.Contains(known, key) {
		return key
	}
	return "(unknown)"
}

// redact makes an error of pgx's parser fit to be shown. Its own text quotes the DSN and masks passwords as well as it
// can, which is not always: password = secret, or a password with a slash. So only its constant parts are kept.
func redact(err error, dsn string) error {
	advice := "; quote a value that contains spaces, as in password='a b'"
	if isURL(dsn) {
		advice = "; percent-encode special characters such as / ? # @ % in user name and password"
	}
	var parse *pgconn.ParseConfigError
	if !errors.As(err, &parse) {
		return &DSNError{Reason: "it cannot be parsed" + advice}
	}
	bare := *parse
	bare.ConnString = ""
	reason := strings.TrimPrefix(bare.Error(), "cannot parse ``: ")
	if cause := parse.Unwrap(); cause != nil {
		reason = strings.TrimSuffix(reason, " ("+cause.Error()+")")
	}
	reason, _, _ = strings.Cut(reason, ":") // behind it stands the value
	if strings.HasPrefix(reason, "failed to parse as") || reason == "invalid port" {
		return &DSNError{Reason: reason + advice}
	}
	var file *fs.PathError
	if errors.As(err, &file) && !strings.ContainsAny(file.Path, "@&?=") {
		reason += ": " + file.Error()
	}
	return &DSNError{Reason: reason}
}
