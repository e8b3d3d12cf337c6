package schemadb

import (
	"cmp"
	"os"
	"strconv"
	"time"
)

// DefaultEnvPrefix is the prefix that [ConfigFromEnv] uses if it gets none.
const DefaultEnvPrefix = "PGDBM_"

// ConfigFromEnv reads a Config from the environment. With the prefix DB_, these variables are its fields:
//
//	DB_DSN or DB_URL                DSN
//	DB_HOST                         Host
//	DB_PORT                         Port
//	DB_NAME                         Database
//	DB_USER                         User
//	DB_PASSWORD                     Password
//	DB_SCHEMA                       Schema
//	DB_SSLMODE                      SSLMode
//	DB_SSLROOTCERT                  SSLRootCert
//	DB_SSLCERT                      SSLCert
//	DB_SSLKEY                       SSLKey
//	DB_SSLPASSWORD                  SSLKeyPassword
//	DB_MAX_OPEN_CONNS               MaxOpenConns
//	DB_MIN_CONNS                    MinConns
//	DB_MAX_IDLE_CONNS               MaxIdleConns
//	DB_CONN_MAX_IDLE_TIME           ConnMaxIdleTime
//	DB_CONN_MAX_LIFETIME            ConnMaxLifetime
//	DB_CONN_MAX_USES                ConnMaxUses
//	DB_COMMAND_TIMEOUT              CommandTimeout
//	DB_STATEMENT_TIMEOUT            StatementTimeout
//	DB_LOCK_TIMEOUT                 LockTimeout
//	DB_IDLE_IN_TRANSACTION_TIMEOUT  IdleInTransactionTimeout
//	DB_RETRY_ATTEMPTS               RetryAttempts
//	DB_RETRY_DELAY                  RetryDelay
//	DB_RETRY_BACKOFF                RetryBackoff
//	DB_RETRY_MAX_DELAY              RetryMaxDelay
//	DB_APPLICATION_NAME             Settings["application_name"]
//
// Durations are written as Go has them, as in 5s; zero and negative values mean what they mean in Config. An empty
// variable is as good as none, and others with the prefix are ignored. If neither the DSN nor the host is set,
// DATABASE_URL is the DSN, if it is set. An empty prefix means [DefaultEnvPrefix].
//
// What comes back is not checked as a whole, as the program may change it yet; Open does that. The error joins a
// *[ConfigError] for each variable that cannot be read; it names the variable and never shows its value.
func ConfigFromEnv(prefix string) (Config, error) {
	return configFromEnv(prefix, os.Getenv)
}

func configFromEnv(prefix string, getenv func(string) string) (Config, error) {
	e := env{prefix: cmp.Or(prefix, DefaultEnvPrefix), getenv: getenv}
	c := Config{
		DSN:      e.dsn(),
		Host:     e.text("HOST"),
		Port:     e.number("PORT"),
		Database: e.text("NAME"),
		User:     e.text("USER"),
		Password: e.text("PASSWORD"),
		Schema:   e.text("SCHEMA"),

		MaxOpenConns:    e.number("MAX_OPEN_CONNS"),
		MinConns:        e.number("MIN_CONNS"),
		MaxIdleConns:    e.number("MAX_IDLE_CONNS"),
		ConnMaxIdleTime: e.duration("CONN_MAX_IDLE_TIME"),
		ConnMaxLifetime: e.duration("CONN_MAX_LIFETIME"),
		ConnMaxUses:     e.number("CONN_MAX_USES"),

		CommandTimeout:           e.duration("COMMAND_TIMEOUT"),
		StatementTimeout:         e.duration("STATEMENT_TIMEOUT"),
		LockTimeout:              e.duration("LOCK_TIMEOUT"),
		IdleInTransactionTimeout: e.duration("IDLE_IN_TRANSACTION_TIMEOUT"),

		SSLMode:        e.text("SSLMODE"),
		SSLRootCert:    e.text("SSLROOTCERT"),
		SSLCert:        e.text("SSLCERT"),
		SSLKey:         e.text("SSLKEY"),
		SSLKeyPassword: e.text("SSLPASSWORD"),

		RetryAttempts: e.number("RETRY_ATTEMPTS"),
		RetryDelay:    e.duration("RETRY_DELAY"),
		RetryBackoff:  e.factor("RETRY_BACKOFF"),
		RetryMaxDelay: e.duration("RETRY_MAX_DELAY"),
	}
	if name := e.text("APPLICATION_NAME"); name != "" {
		c.Settings = map[string]string{"application_name": name}
	}
	if c.DSN == "" && c.Host == "" {
		c.DSN = getenv("DATABASE_URL")
	}
	if err := e.problems.err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// env reads variables that begin with a prefix.
type env struct {
	prefix   string
	getenv   func(string) string
	problems problems
}

func (e *env) text(name string) string { return e.getenv(e.prefix + name) }

func (e *env) dsn() string {
	dsn, url := e.text("DSN"), e.text("URL")
	if dsn != "" && url != "" && dsn != url {
		e.problems.add(e.prefix+"URL", "it differs from %sDSN; set one of them", e.prefix)
	}
	return cmp.Or(dsn, url)
}

func (e *env) number(name string) int {
	return read(e, name, "a whole number, such as 20", strconv.Atoi)
}

func (e *env) duration(name string) time.Duration {
	return read(e, name, "a duration, such as 5s or 1m30s", time.ParseDuration)
}

func (e *env) factor(name string) float64 {
	return read(e, name, "a number, such as 1.5", func(text string) (float64, error) {
		return strconv.ParseFloat(text, 64)
	})
}

// read parses a variable. The parser's error is not kept: it shows the value, which may be a password in the wrong
// place.
func read[T any](e *env, name, kind string, parse func(string) (T, error)) (value T) {
	text := e.text(name)
	if text == "" {
		return value
	}
	value, err := parse(text)
	if err != nil {
		e.problems.add(e.prefix+name, "it is not %s", kind)
	}
	return value
}
