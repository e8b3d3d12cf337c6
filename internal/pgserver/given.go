package pgserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// partVariables name the environment variables that select a server that is there already, part by part.
const (
	hostVariable     = "TEST_DB_HOST"
	portVariable     = "TEST_DB_PORT"
	userVariable     = "TEST_DB_USER"
	passwordVariable = "TEST_DB_PASSWORD"
)

// errNamed says that whoever names a server wants that one: tests that pass on another would say nothing about it.
var errNamed = errors.New("no other source is tried, as this server was named")

// given is a server that is there already.
type given struct {
	dsn  string
	from string // the variables that name it
}

// givenServer returns what the environment says; the zero value if that is nothing.
func givenServer() given {
	if dsn := os.Getenv(dsnVariable); dsn != "" {
		return given{dsn, dsnVariable}
	}
	host, port := os.Getenv(hostVariable), os.Getenv(portVariable)
	user, password := os.Getenv(userVariable), os.Getenv(passwordVariable)
	if host+port+user+password == "" {
		return given{}
	}
	return given{partsDSN(host, port, user, password), "TEST_DB_*"}
}

// partsDSN returns a connection URL. Parts that are "" have their defaults.
func partsDSN(host, port, user, password string) string {
	dsn := url.URL{Scheme: "postgres", User: url.User(or(user, "postgres")), Path: "/postgres"}
	if password != "" {
		dsn.User = url.UserPassword(or(user, "postgres"), password)
	}
	query := "client_encoding=UTF8"
	host, port = or(host, "localhost"), or(port, "5432")
	if filepath.IsAbs(host) { // the directory of a socket
		query = "host=" + escapeQuery(host) + "&port=" + escapeQuery(port)
	} else {
		dsn.Host = net.JoinHostPort(host, port)
	}
	dsn.RawQuery = query
	return dsn.String()
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// useGiven returns the server that is there already, if it is what is asked for.
func useGiven(ctx context.Context, with settings, asked Request) (Running, error) {
	if with.given.dsn == "" {
		return Running{}, fmt.Errorf("neither %s nor %s, %s, %s, %s are set; set the first to the connection string of a running "+
			"server", dsnVariable, hostVariable, portVariable, userVariable, passwordVariable)
	}
	dsn, err := maintenanceDSN(with.given.dsn)
	if err == nil {
		err = checkDatabaseName(dsn, with.anyDatabase)
	}
	var version string
	if err == nil {
		version, err = serverVersion(ctx, dsn)
	}
	from := with.given.from
	switch {
	case err != nil:
		return Running{}, fmt.Errorf("the server of %s cannot be used: %w; %w: unset %[1]s to have one started",
			from, oneLine{err}, errNamed)
	case asked.Version != "" && asked.Version != version:
		return Running{}, fmt.Errorf("the server of %s is PostgreSQL %s, not %s", from, version, asked.Version)
	case asked.TLS && !checksCertificate(dsn):
		return Running{}, fmt.Errorf("the connection string of %s does not ask for TLS with a certificate that is checked; "+
			"add sslmode=verify-full, and sslrootcert", from)
	}
	return Running{DSN: dsn}, nil
}

// oneLine is an error of pgx, which has a line for each address.
type oneLine struct{ err error }

func (e oneLine) Error() string { return strings.ReplaceAll(e.err.Error(), "\n\t", " ") }
func (e oneLine) Unwrap() error { return e.err }

// checkDatabaseName refuses a database in which tests could do harm. The tests work in databases of their own, but roles and
// settings are those of the whole server.
func checkDatabaseName(dsn string, any bool) error {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return errNotValid
	}
	name := config.Database
	if any || name == "postgres" || name == "template1" || strings.Contains(strings.ToLower(name), "test") {
		return nil
	}
	return fmt.Errorf("its database %q may be one that matters, and tests do not belong on its server: "+
		"name the database postgres, or one with \"test\" in its name, or set %s=1 if you are sure", name, anyVariable)
}

// anyVariable allows databases with any name.
const anyVariable = "PGDBM_TEST_ANY_DATABASE"

// serverVersion returns the major version of the server.
func serverVersion(ctx context.Context, dsn string) (string, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var number int
	const query = "SELECT current_setting('server_version_num')::int / 10000"
	if err := conn.QueryRow(ctx, query, pgx.QueryExecModeSimpleProtocol).Scan(&number); err != nil {
		return "", err
	}
	return strconv.Itoa(number), nil
}

// checksCertificate reports whether each connection that dsn allows is TLS and checks who the server is.
func checksCertificate(dsn string) bool {
	config, err := pgx.ParseConfig(dsn)
	if err != nil || !checks(config.TLSConfig) {
		return false
	}
	for _, fallback := range config.Fallbacks {
		if !checks(fallback.TLSConfig) {
			return false
		}
	}
	return true
}

func checks(config *tls.Config) bool {
	return config != nil && (!config.InsecureSkipVerify || config.VerifyPeerCertificate != nil || config.VerifyConnection != nil)
}
