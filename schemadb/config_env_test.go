package schemadb

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestConfigFromEnv(t *testing.T) {
	t.Parallel()
	all := map[string]string{
		"DB_DSN": "host=h", "DB_HOST": "h", "DB_PORT": "7", "DB_NAME": "d", "DB_USER": "u", "DB_PASSWORD": "p", "DB_SCHEMA": "s",
		"DB_SSLMODE": "require", "DB_SSLROOTCERT": "r", "DB_SSLCERT": "c", "DB_SSLKEY": "k", "DB_SSLPASSWORD": "kp",
		"DB_MAX_OPEN_CONNS": "1", "DB_MIN_CONNS": "-2", "DB_MAX_IDLE_CONNS": "3", "DB_CONN_MAX_IDLE_TIME": "4s",
		"DB_CONN_MAX_LIFETIME": "5m", "DB_CONN_MAX_USES": "6", "DB_COMMAND_TIMEOUT": "-1s", "DB_STATEMENT_TIMEOUT": "8s",
		"DB_LOCK_TIMEOUT": "9ms", "DB_IDLE_IN_TRANSACTION_TIMEOUT": "10s", "DB_RETRY_ATTEMPTS": "11", "DB_RETRY_DELAY": "12s",
		"DB_RETRY_BACKOFF": "1.5", "DB_RETRY_MAX_DELAY": "13s", "DB_APPLICATION_NAME": "a", "DB_UNKNOWN": "x", "DATABASE_URL": "no",
	}
	want := Config{DSN: "host=h", Host: "h", Port: 7, Database: "d", User: "u", Password: "p", Schema: "s", SSLMode: "require",
		SSLRootCert: "r", SSLCert: "c", SSLKey: "k", SSLKeyPassword: "kp", MaxOpenConns: 1, MinConns: -2, MaxIdleConns: 3,
		ConnMaxIdleTime: 4 * time.Second, ConnMaxLifetime: 5 * time.Minute, ConnMaxUses: 6, CommandTimeout: -time.Second,
		StatementTimeout: 8 * time.Second, LockTimeout: 9 * time.Millisecond, IdleInTransactionTimeout: 10 * time.Second,
		RetryAttempts: 11, RetryDelay: 12 * time.Second, RetryBackoff: 1.5, RetryMaxDelay: 13 * time.Second,
		Settings: map[string]string{"application_name": "a"}}
	for _, test := range []struct {
		prefix string
		vars   map[string]string
		want   Config
	}{
		{"DB_", all, want},
		{"DB_", map[string]string{"DB_URL": "host=h", "DB_PORT": ""}, Config{DSN: "host=h"}},
		{"DB_", map[string]string{"DB_URL": "host=h", "DB_DSN": "host=h"}, Config{DSN: "host=h"}},
		{"", map[string]string{"PGDBM_HOST": "h"}, Config{Host: "h"}},
		{"DB_", map[string]string{"DATABASE_URL": "host=h", "DB_SCHEMA": "s"}, Config{DSN: "host=h", Schema: "s"}},
		{"DB_", map[string]string{"DATABASE_URL": "host=h", "DB_HOST": "i"}, Config{Host: "i"}},
		{"DB_", nil, Config{}},
	} {
		got, err := configFromEnv(test.prefix, func(name string) string { return test.vars[name] })
		if err != nil {
			t.Error(err)
		} else if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%v: got %v, want %v", test.vars, got, test.want)
		}
	}
}

func TestConfigFromEnvNamesBadVariables(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"DB_PORT": "hidden", "DB_LOCK_TIMEOUT": "5hidden", "DB_RETRY_BACKOFF": "hidden", "DB_MIN_CONNS": "1.5",
		"DB_DSN": "host=h password=hidden", "DB_URL": "hidden"}
	_, err := configFromEnv("DB_", func(name string) string { return vars[name] })
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"DB_PORT", "DB_LOCK_TIMEOUT", "DB_RETRY_BACKOFF", "DB_MIN_CONNS", "DB_URL"} {
		if !strings.Contains(err.Error(), "pgdbm: config: "+name+": ") {
			t.Errorf("%s is not in the error: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "hidden") {
		t.Errorf("the error shows a value: %v", err)
	}
}

func TestConfigFromEnvReadsTheEnvironment(t *testing.T) {
	t.Setenv("SCHEMADB_TEST_HOST", "h")
	if c, err := ConfigFromEnv("SCHEMADB_TEST_"); err != nil || c.Host != "h" {
		t.Errorf("got %v, %v", c, err)
	}
}
