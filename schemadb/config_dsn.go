package schemadb

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/pgdbm/pgdbm/internal/dsnform"
)

// Keys of a DSN.
const (
	keyHost        = "host"
	keyPort        = "port"
	keyDatabase    = "dbname"
	keyUser        = "user"
	keyPassword    = "password"
	keySSLMode     = "sslmode"
	keySSLRootCert = "sslrootcert"
	keySSLCert     = "sslcert"
	keySSLKey      = "sslkey"
	keySSLPassword = "sslpassword"
	keySSLCertMode = "sslcertmode"
	keySchema      = "schema"
	keySchemaMode  = "schema_mode"
	keyTemplates   = "templates"
	keyOptions     = "options"
)

// connField is a field of Config that a DSN has a key for.
type connField struct {
	name, key, value string
	secret           bool
}

// connFields returns the fields that are set.
func (c Config) connFields() []connField {
	port := ""
	if c.Port != 0 {
		port = strconv.Itoa(c.Port)
	}
	return slices.DeleteFunc([]connField{
		{"Host", keyHost, c.Host, false},
		{"Port", keyPort, port, false},
		{"Database", keyDatabase, c.Database, false},
		{"User", keyUser, c.User, false},
		{"Password", keyPassword, c.Password, true},
		{"SSLMode", keySSLMode, c.SSLMode, false},
		{"SSLRootCert", keySSLRootCert, c.SSLRootCert, false},
		{"SSLCert", keySSLCert, c.SSLCert, false},
		{"SSLKey", keySSLKey, c.SSLKey, false},
		{"SSLKeyPassword", keySSLPassword, c.SSLKeyPassword, true},
	}, func(f connField) bool { return f.value == "" })
}

// dsnValues returns what a DSN says, by key, as pgx reads it; the PG* variables are not in it. It is for DSNs that pgx
// accepts.
func dsnValues(dsn string) map[string]string {
	values := make(map[string]string)
	if dsnform.IsURL(dsn) {
		base, query := dsnform.SplitURL(dsn)
		addURLBase(values, base)
		for param := range strings.SplitSeq(query, "&") {
			_, value, _ := strings.Cut(param, "=")
			switch key := canonical(dsnform.ParamKey(param)); {
			case key == "ssl" && decode(value) == "true": // as JDBC has it
				values[keySSLMode] = "require"
			case key != "":
				values[key] = decode(value)
			}
		}
	} else {
		for _, k := range dsnform.Keywords(dsn) {
			_, value, _ := strings.Cut(dsn[k.Start:k.End], "=")
			values[canonical(k.Key)] = unquote(value)
		}
	}
	if values[keyUser] == "" {
		delete(values, keyUser)
	}
	return values
}

// addURLBase reads scheme://user:password@host:port,host:port/database.
func addURLBase(values map[string]string, base string) {
	set := func(key, value string) {
		if value != "" {
			values[key] = decode(value)
		}
	}
	rest := dsnform.AfterUserinfo(base)
	_, userinfo, _ := strings.Cut(strings.TrimSuffix(base, rest), "://")
	user, password, _ := strings.Cut(strings.TrimSuffix(userinfo, "@"), ":")
	set(keyUser, user)
	set(keyPassword, password)

	list, database, _ := strings.Cut(rest, "/")
	var hosts, ports []string
	for address := range strings.SplitSeq(list, ",") {
		host, port, _ := strings.Cut(address, ":")
		if strings.HasPrefix(address, "[") { // IPv6
			end := max(1, strings.LastIndex(address, "]"))
			host, port = address[1:end], strings.TrimLeft(address[end:], "]:")
		}
		hosts, ports = append(hosts, host), append(ports, port)
	}
	set(keyHost, strings.Join(hosts, ","))
	set(keyPort, strings.Join(ports, ","))
	set(keyDatabase, database)
}

// canonical returns the one of a key's spellings that this package uses.
func canonical(key string) string {
	if key == "database" {
		return keyDatabase
	}
	return key
}

func decode(value string) string {
	value = strings.Trim(value, " ")
	if decoded, err := url.PathUnescape(value); err == nil {
		return decoded
	}
	return value // pgx refuses it
}

// unquote reads a value in a list of keywords.
func unquote(value string) string {
	value = strings.TrimLeft(value, dsnform.Space)
	if quoted, ok := strings.CutPrefix(value, "'"); ok {
		value = strings.TrimSuffix(quoted, "'")
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' {
			if i++; i == len(value) {
				break
			}
		}
		b.WriteByte(value[i])
	}
	return b.String()
}

// withKeys returns a URL that says what dsn says, and added, whose keys dsn must not have. It is a URL because any
// password is safe there; package driver looks into the values of keywords for keys that were glued to them.
func withKeys(dsn string, added map[string]string) string {
	base, params := "postgres://", []string{}
	if dsnform.IsURL(dsn) {
		var query string
		base, query = dsnform.SplitURL(dsn)
		params = slices.DeleteFunc(strings.Split(query, "&"), func(param string) bool { return param == "" })
	} else {
		values := dsnValues(dsn)
		maps.Copy(values, added)
		added = values
	}
	for _, key := range slices.Sorted(maps.Keys(added)) {
		params = append(params, escape(key)+"="+escape(added[key]))
	}
	if len(params) == 0 {
		return base
	}
	return base + "?" + strings.Join(params, "&")
}

// escape is url.QueryEscape for pgx, which has no + for a space.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
