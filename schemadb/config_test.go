package schemadb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	set := func(name, value string) map[string]string { return map[string]string{name: value} }
	for _, test := range []struct {
		config schemadb.Config
		field  string
		text   string
	}{
		{schemadb.Config{DSN: "postgres://u:hidden@h:x/d"}, "DSN", "invalid port"},
		{schemadb.Config{DSN: "host=h schema=a schema=b"}, "DSN", "twice"},
		{schemadb.Config{DSN: "host=h dbname=d&schema=x sslcert=/none sslkey=/none"}, "DSN", "written with a &"},
		{schemadb.Config{DSN: "pgdbm-config-1"}, "DSN", "schemadb.New"},
		{schemadb.Config{DSN: "postgres://a/d", Host: "b"}, "Host", `"b", but the host of the DSN is "a"`},
		{schemadb.Config{DSN: "host=h port=1", Port: 2}, "Port", `"2", but the port of the DSN is "1"`},
		{schemadb.Config{DSN: "postgres://h:1,i:1", Port: 1}, "Port", `"1,1"`},
		{schemadb.Config{DSN: "postgres://h/a", Database: "b"}, "Database", `"b", but the dbname of the DSN is "a"`},
		{schemadb.Config{DSN: "postgres://a@h", User: "b"}, "User", `"b", but the user of the DSN is "a"`},
		{schemadb.Config{DSN: "postgres://u:hidden@h", Password: "secret"}, "Password", "differs from the password of the DSN"},
		{schemadb.Config{DSN: "host=h password=hidden", Password: "secret"}, "Password", "give it once"},
		{schemadb.Config{DSN: "postgres://h?sslmode=require", SSLMode: "verify-full"}, "SSLMode", `the sslmode of the DSN is "require"`},
		{schemadb.Config{DSN: "postgres://h?ssl=true", SSLMode: "verify-full"}, "SSLMode", `the sslmode of the DSN is "require"`},
		{schemadb.Config{DSN: "postgres://h?sslpassword=hidden", SSLKeyPassword: "secret"}, "SSLKeyPassword", "differs"},
		{schemadb.Config{DSN: "host=h schema=a", Schema: "b"}, "Schema", `"b", but the schema of the DSN is "a"`},
		{schemadb.Config{Schema: "pg_a"}, "Schema", "reserved"},
		{schemadb.Config{Port: 65536}, "Port", "65536"},
		{schemadb.Config{Port: -1}, "Port", "-1"},
		{schemadb.Config{Host: "a\x00"}, "Host", "NUL"},
		{schemadb.Config{MinConns: 21}, "MinConns", "MaxOpenConns is 20"},
		{schemadb.Config{MinConns: 5, MaxIdleConns: 4}, "MinConns", "MaxIdleConns keeps 4"},
		{schemadb.Config{MinConns: 1, MaxIdleConns: -1}, "MinConns", "MaxIdleConns keeps 0"},
		{schemadb.Config{StatementTimeout: math.MaxInt32*time.Millisecond + 1}, "StatementTimeout", "more than the server takes"},
		{schemadb.Config{DSN: "host=h statement_timeout=5s", StatementTimeout: time.Second}, "StatementTimeout", "the DSN sets statement_timeout too"},
		{schemadb.Config{DSN: "host=h lock_timeout=5s", LockTimeout: -1}, "LockTimeout", "the DSN sets"},
		{schemadb.Config{DSN: "host=h options='-c lock_timeout=5s'", LockTimeout: 5 * time.Second}, "LockTimeout", "the DSN's key options sets"},
		{schemadb.Config{Settings: set("LOCK_TIMEOUT", "1"), LockTimeout: time.Second}, "LockTimeout", "Settings sets"},
		{schemadb.Config{Settings: set("host", "h")}, `Settings["host"]`, "not a server setting"},
		{schemadb.Config{Settings: set("Schema_Mode", "x")}, `Settings["Schema_Mode"]`, "not a server setting"},
		{schemadb.Config{Settings: set("default_query_exec_mode", "exec")}, `Settings["default_query_exec_mode"]`, "not a server setting"},
		{schemadb.Config{Settings: set("a=b", "x")}, `Settings["a=b"]`, "not the name"},
		{schemadb.Config{Settings: set("", "x")}, `Settings[""]`, "not the name"},
		{schemadb.Config{Settings: set("jit", "\x00")}, `Settings["jit"]`, "NUL"},
		{schemadb.Config{Settings: map[string]string{"jit": "on", "JIT": "on"}}, `Settings["jit"]`, "twice"},
		{schemadb.Config{DSN: "host=h JIT=on", Settings: set("jit", "off")}, `Settings["jit"]`, "the DSN sets it to another value"},
		{schemadb.Config{InitCommands: []string{"SELECT 1", " "}}, "InitCommands[1]", "empty"},
		{schemadb.Config{InitCommands: []string{"SELECT {{table.x}}"}}, "InitCommands[0]", "tables.x"},
		{schemadb.Config{Prepare: []string{"SELECT {{}}"}}, "Prepare[0]", "template"},
		{schemadb.Config{SSLMode: "verify"}, "SSLMode", `"verify" is not one of`},
		{schemadb.Config{RetryBackoff: 0.5}, "RetryBackoff", "at least 1"},
		{schemadb.Config{RetryBackoff: math.NaN()}, "RetryBackoff", "at least 1"},
		{schemadb.Config{RetryBackoff: math.Inf(1)}, "RetryBackoff", "at least 1"},
	} {
		err := test.config.Validate()
		wantConfigError(t, err, test.field, test.text)
		if err != nil && (strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%v: shows a password, or says more than one thing", err)
		}
	}
}

func TestValidateTakesWhatAgrees(t *testing.T) {
	t.Parallel()
	for _, c := range []schemadb.Config{
		{},
		{DSN: "postgres://u:p%26@h:1/d?sslmode=require&schema=s", Host: "h", Port: 1, Database: "d", User: "u", Password: "p&", SSLMode: "require", Schema: "s"},
		{DSN: "host=h user=u", Password: "p", Database: "d"},
		{DSN: "postgres:///d", Host: "/tmp", Port: 1, User: "u", Password: "p"},
		{DSN: "host=h templates=braces", Prepare: []string{"SELECT 1 <<tables.x>> 2"}},
		{Schema: "Größe-\"7\"", MaxOpenConns: -1, MinConns: 500, MaxIdleConns: 500},
		{MinConns: 20, MaxIdleConns: 99},
	} {
		if err := c.Validate(); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestValidateFindsEverything(t *testing.T) {
	t.Parallel()
	err := schemadb.Config{DSN: "host=a", Host: "b", Port: -1, Schema: "$user", SSLMode: "x", Settings: map[string]string{"-": ""},
		RetryBackoff: -1, MinConns: 99}.Validate()
	for _, field := range []string{"Host", "Port", "Schema", "SSLMode", `Settings["-"]`, "RetryBackoff", "MinConns"} {
		wantConfigError(t, err, field)
	}
	var schemaErr *driver.SchemaError
	if !errors.As(err, &schemaErr) {
		t.Errorf("got %v, want a *driver.SchemaError", err)
	}
}

func TestParseConfig(t *testing.T) {
	t.Parallel()
	c, err := schemadb.ParseConfig("postgres://h/d?schema=a%20b")
	if err != nil || c.Schema != "a b" || c.DSN != "postgres://h/d?schema=a%20b" {
		t.Errorf("got %v, %v", c, err)
	}
	var dsnErr *driver.DSNError
	if _, err = schemadb.ParseConfig("postgres://h/d?shema=a"); !errors.As(err, &dsnErr) || dsnErr.Key != "shema" {
		t.Errorf("got %v, want a *driver.DSNError", err)
	}
	wantConfigError(t, err, "DSN")
}

func TestConfigShowsNoPassword(t *testing.T) {
	t.Parallel()
	for _, c := range []schemadb.Config{
		{Host: "thehost", Port: 77, Database: "thedb", User: "theuser", Password: "hidden", SSLKeyPassword: "hidden", Schema: "theschema"},
		{DSN: "postgres://theuser:hidden@thehost:77/thedb?sslpassword=hidden&schema=theschema"},
		{DSN: "postgres://theuser@thehost:77/thedb?pass%77ord=hidden&sslpassword=hidden", Schema: "theschema"},
		{DSN: "host=thehost port=77 dbname=thedb user=theuser password='hidden \\' hidden' sslpassword=hidden schema=theschema"},
		{DSN: "host=thehost port=77 dbname=thedb password = hidden", User: "theuser", SSLKeyPassword: "hidden", Schema: "theschema"},
	} {
		c.Settings = map[string]string{"app.key": "hidden", "jit": "off"}
		c.InitCommands, c.Prepare = []string{"SET app.x = 'hidden'"}, []string{"SELECT 'hidden'"}
		c.BeforeConnect = func(context.Context, *pgx.ConnConfig) error { return nil }
		for form, text := range forms(t, c) {
			if strings.Contains(text, "hidden") {
				t.Errorf("%s shows a password: %s", form, text)
			}
			for _, want := range []string{"thehost", "77", "thedb", "theuser", "theschema", "password", "***", "max_open_conns", "20", "app.key"} {
				if !strings.Contains(text, want) {
					t.Errorf("%s does not show %s: %s", form, want, text)
				}
			}
		}
	}
	if text := (schemadb.Config{DSN: "host=h"}).String(); strings.Contains(text, "password") || !strings.HasPrefix(text, "schemadb.Config{host=h ") {
		t.Errorf("got %s", text)
	}
	for _, dsn := range []string{"postgres://u:hid/den@h/d", "host=h user=u&password=hidden", "Postgres://u:hidden@h", "hidden", "postgres://u:hid@den@h/d"} {
		for form, text := range forms(t, schemadb.Config{DSN: dsn}) {
			if strings.Contains(text, "hid") && !strings.Contains(text, "(invalid, not shown)") || strings.Contains(text, "den") {
				t.Errorf("%s shows a part of an invalid DSN: %s", form, text)
			}
		}
	}
}

// forms returns the ways in which a Config gets into a log.
func forms(t *testing.T, c schemadb.Config) map[string]string {
	t.Helper()
	list := map[string]string{"String": c.String(), "GoString": c.GoString()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		list[verb] = fmt.Sprintf(verb, c)
		list["pointer "+verb] = fmt.Sprintf(verb, &c)
		list["inner "+verb] = fmt.Sprintf(verb, struct{ C schemadb.Config }{c})
		list["list "+verb] = fmt.Sprintf(verb, []schemadb.Config{c})
	}
	var text, object bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("opened", "config", c)
	slog.New(slog.NewJSONHandler(&object, nil)).Info("opened", "config", &c)
	if !json.Valid(object.Bytes()) {
		t.Errorf("no JSON: %s", &object)
	}
	list["slog text"], list["slog JSON"] = text.String(), object.String()
	return list
}
