package driver_test

import (
	"context"
	"database/sql"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
)

// asKeywords returns a DSN of keywords that means the same as the URL dsn.
func asKeywords(t *testing.T, dsn string) string {
	t.Helper()
	config := parsed(t, dsn)
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	text := fmt.Sprintf("host='%s' port=%d dbname='%s' user='%s'", quote.Replace(config.Host), config.Port,
		quote.Replace(config.Database), quote.Replace(config.User))
	if config.Password != "" {
		text += " password='" + quote.Replace(config.Password) + "'"
	}
	return text
}

func parsed(t *testing.T, dsn string) *pgx.ConnConfig {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// createSchema creates a schema with a table whereami, whose only row is the schema's name.
func createSchema(t *testing.T, db *sql.DB, name string) {
	t.Helper()
	ctx := driver.WithSchema(t.Context(), name)
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA {{schema}}"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, "CREATE TABLE {{tables.whereami}} (name text)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, "INSERT INTO {{tables.whereami}} VALUES ($1)", name); err != nil {
		t.Fatal(err)
	}
}

// whereAmI returns the schema that a table of createSchema is found in.
func whereAmI(ctx context.Context, db *sql.DB, table string) (name string, err error) {
	err = db.QueryRowContext(ctx, "SELECT name FROM "+table).Scan(&name)
	return name, err
}

// wantDSNError fails the test unless err is a *DSNError for key and mentions reason.
func wantDSNError(t *testing.T, err error, key, reason string) {
	t.Helper()
	var dsnErr *driver.DSNError
	if !errors.As(err, &dsnErr) {
		t.Errorf("got %v, want a *DSNError", err)
	} else if dsnErr.Key != key || !strings.Contains(dsnErr.Reason, reason) {
		t.Errorf("got key %q, reason %q; want key %q and a reason with %q", dsnErr.Key, dsnErr.Reason, key, reason)
	}
}

func TestOpenRefusesBadKeys(t *testing.T) {
	t.Parallel()
	tests := []struct{ dsn, key, reason string }{
		{"postgres://h/d?schema=", "schema", "it is empty"},
		{"host=h schema=''", "schema", "it is empty"},
		{"postgres://h/d?schema_mode=searchpath", "schema_mode", `"searchpath" is not one of template, search_path`},
		{"host=h schema_mode=''", "schema_mode", "is not one of"},
		{"postgres://h/d?schema_required=yes", "schema_required", "is not one of false, true, context"},
		{"host=h schema_required=TRUE", "schema_required", "is not one of"},
		{"postgres://h/d?templates=none", "templates", "is not one of both, braces"},
		{"host=h templates=angles", "templates", "is not one of"},
		{"postgres://h/d?schema=a&schema=a", "schema", "twice"},
		{"postgres://h/d?schema=a&%73chema=b", "schema", "twice"},
		{"host=h schema=a user=u schema = 'b'", "schema", "twice"},
		{"host=h templates=both templates=both", "templates", "twice"},
		{"postgres://h/d?sslmode=disable&sslmode=require", "sslmode", "twice"},
		{"host=h user=a dbname=d user=b", "user", "twice"},
		{"host=h dbname=a database=b", "dbname", "twice"},
		{"postgres://h?dbname=a&database=b", "dbname", "twice"},
		{"host=h unheardof=a unheardof=b", "(unknown)", "twice"},
		{"postgres://h/d?shema=a", "shema", "did you mean"},
		{"postgres://h/d?Schema=a", "Schema", "did you mean"},
		{"host=h schema-mode=template", "schema-mode", "did you mean"},
		{"host=h template=braces", "template", "did you mean"},
	}
	for _, test := range tests {
		_, err := sql.Open("pgdbm", test.dsn)
		wantDSNError(t, err, test.key, test.reason)
	}
}

func TestOpenRefusesBadSchemaNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 64)
	for _, name := range []string{long, strings.Repeat("%C3%A4", 32), "$user", "pg_toast", "pg_", "information_schema", "%7B%7B",
		"a{{b", "a}}", "%3C%3C", "a<<b", "a>>", "%ff", "a%C3"} {
		var schemaErr *driver.SchemaError
		if _, err := sql.Open("pgdbm", "postgres://h/d?schema="+name); !errors.As(err, &schemaErr) || schemaErr.Reason == "" {
			t.Errorf("URL with schema %s: got %v, want a *SchemaError", name, err)
		}
	}
	for _, name := range []string{long, strings.Repeat("ä", 32), "$user", "pg_toast", "information_schema", "a{{b", "<<", "\xff"} {
		var schemaErr *driver.SchemaError
		if _, err := sql.Open("pgdbm", "host=h schema='"+name+"'"); !errors.As(err, &schemaErr) || schemaErr.Name != name {
			t.Errorf("keywords with schema %q: got %v, want a *SchemaError", name, err)
		}
	}
	for _, dsn := range []string{"postgres://h/d?schema=a%00b", "postgres://h/d?schema=a\x00b", "host=h schema='a\x00b'"} {
		var dsnErr *driver.DSNError
		if _, err := sql.Open("pgdbm", dsn); !errors.As(err, &dsnErr) {
			t.Errorf("%q: got %v, want a *DSNError", dsn, err)
		}
	}
}

// In a URL the first parameter is written ?key=value, in keywords a space stands before each.
func TestOpenRefusesSwallowedKeys(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"schema", "schema_mode", "schema_required", "templates"} {
		for _, before := range []string{
			"postgres://h/d", "postgres://h", "postgres://h:5432", "postgres://u:p@h:5432", "postgres://u:p@a,b", "postgres://[::1]/d",
			"postgres:///d", "postgresql://h/", "host=h dbname=d", "dbname=d password=p", "host=h application_name=a", "host=h user=u",
			"dbname=d host=h", "dbname='d' user='u", "host=h search_path=a",
		} {
			dsn := before + "&" + key + "=x"
			if strings.Count(dsn, "'")%2 == 1 {
				dsn += "'"
			}
			_, err := sql.Open("pgdbm", dsn)
			wantDSNError(t, err, key, "became a part of")
			if strings.Contains(before, "://") {
				_, err = sql.Open("pgdbm", dsn+"?sslmode=disable")
				wantDSNError(t, err, key, "became a part of")
			}
		}
	}
}

func TestOpenTakesWhatLooksSwallowedButIsNot(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{
		"postgres://h/d?schema=x", "postgres://h/d?schema=x&sslmode=disable", "postgres://h?schema=x", "postgres://h:5432?schema=x",
		"postgres://u:a&schema=b@h/d", "postgres://u:a?schema=b@h/d", "postgres://u:p@h/d?password=a%26schema%3Db",
		"postgres://h/d?application_name=a%26b", "host=h schema=x dbname=d", "schema=x host=h", "host=h password='a b&c' schema=x",
		"postgres:///d?host=/tmp/@x&schema=x", "host=/tmp/@x schema=x", "postgres://h/a%40b", "host=h dbname=a@b", "",
		"postgres://u%40corp:p@h/d", "postgres://h/d?user=u@corp", "host=h user=u@corp", "postgres://h/d?ssl=true&sslmode=disable",
	} {
		db, err := sql.Open("pgdbm", dsn)
		if err != nil {
			t.Errorf("%q: %v", dsn, err)
			continue
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAddSchemaConnectsToTheSchema(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	admin := openAs(t, "pgdbm", dsn)
	for _, name := range []string{`quo"te`, `"`, "do.t", "Upper", "a b", " a ", "äöü€😀", "per%cent", "per%41", "a&b", "a&b=c", "a=b", "it's",
		`back\slash`, `back\`, "a+b", "a?b", "a#b", "a/b", "a@b", "select", "tab\tnew\nline", "{a}", strings.Repeat("x", 63)} {
		createSchema(t, admin, name)
		for _, form := range []string{dsn, asKeywords(t, dsn)} {
			added, err := driver.AddSchema(form, name)
			if err != nil {
				t.Fatal(err)
			}
			db := openAs(t, "pgdbm", added)
			for _, table := range []string{"whereami", "{{tables.whereami}}", "{{schema}}.whereami"} {
				if got, err := whereAmI(t.Context(), db, table); err != nil || got != name {
					t.Errorf("%s: %s is in %q, %v, want %q", added, table, got, err, name)
				}
			}
		}
	}
}

func TestAddSchemaWithoutMode(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	createSchema(t, openAs(t, "pgdbm", dsn), "app")
	added, err := driver.AddSchema(dsn+"&schema=old&schema_mode=template", "app")
	if err != nil {
		t.Fatal(err)
	}
	db := openAs(t, "pgdbm", added)
	if got, err := whereAmI(t.Context(), db, "{{tables.whereami}}"); err != nil || got != "app" {
		t.Errorf("the template is in %q, %v", got, err)
	}
	if got, err := whereAmI(t.Context(), db, "whereami"); err == nil {
		t.Errorf("the bare name is in %q in template mode", got)
	}
}

// A password file is read at each connect, not only when the database is opened.
func TestPasswordFileIsReadAtConnect(t *testing.T) {
	t.Parallel()
	dsn := asKeywords(t, server.Database(t))
	if strings.Contains(dsn, "password=") {
		dsn = dsn[:strings.Index(dsn, " password=")]
	}
	file := filepath.Join(t.TempDir(), "pgpass")
	var passwords []string
	spy := stdlib.OptionBeforeConnect(func(_ context.Context, config *pgx.ConnConfig) error {
		passwords = append(passwords, config.Password)
		return errors.New("not today")
	})
	connector, err := driver.NewConnector(dsn+" passfile='"+file+"'", driver.WithStdlib(spy))
	if err != nil {
		t.Fatal(err)
	}
	for _, password := range []string{"first", "second"} {
		if err := os.WriteFile(file, []byte("*:*:*:*:"+password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := connector.Connect(t.Context()); err == nil || err.Error() != "not today" {
			t.Fatalf("got %v", err)
		}
	}
	if got := strings.Join(passwords, " "); got != "first second" {
		t.Errorf("the passwords were %q", got)
	}
}

func TestRemovedCertificateIsAnErrorAtConnect(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	file := filepath.Join(t.TempDir(), "root.crt")
	if err := os.WriteFile(file, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	db := openAs(t, "pgdbm", "postgres://u:S3cr3tPart@127.0.0.1:1/d?sslmode=verify-ca&sslrootcert="+file)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	err := db.PingContext(t.Context())
	wantDSNError(t, err, "", "failed to configure TLS: open "+file)
	checkNoSecret(t, "a removed certificate", err)
}

// checkNoSecret fails the test if err, or an error that it wraps, shows a part of the password S3cr3tPart.
func checkNoSecret(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	text := strings.ToLower(fmt.Sprintf("%v\n%+v\n%s\n%q", err, err, err.Error(), err))
	for _, part := range []string{"s3cr3t", "cr3tpart", "3tpart", "tpart"} {
		if strings.Contains(text, part) {
			t.Errorf("%s: %T shows the password: %v", what, err, err)
			return
		}
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		checkNoSecret(t, what, wrapper.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range wrapper.Unwrap() {
			checkNoSecret(t, what, inner)
		}
	}
}

// passwordDSNs returns DSNs, many of them malformed, with the password in every place where somebody may put it. Their
// hosts do not exist, or nothing listens there.
func passwordDSNs() []string {
	dsns := []string{"port=1 host=u:S3cr3tPart@127.0.0.1", "postgres://127.0.0.1:1&password=S3cr3tPart"}
	for _, p := range []string{"S3cr3tPart", "S3cr3t/Part", "S3cr3t?Part", "S3cr3t#Part", "S3cr3t@Part", "S3cr3t:Part", "S3cr3t%Part",
		"S3cr3t%2Part", "S3cr3t%zzPart", "S3cr3t&Part", "S3cr3t=Part", "S3cr3t Part", "S3cr3t'Part", `S3cr3t"Part`, `S3cr3t\Part`,
		"12/S3cr3tPart", "1?S3cr3tPart", "@S3cr3tPart", "/S3cr3tPart", "S3cr3tPart@", "S3cr3tPart/", "S3cr3t@Part/x", "S3cr3t/@Part",
		"S3cr3t?a=b@Part", "S3cr3t%00Part", "S3cr3t\x00Part", "S3cr3t[Part", "[S3cr3tPart", "S3cr3t,Part", "S3cr3t Part=x"} {
		dsns = append(dsns,
			"postgres://u:"+p+"@127.0.0.1:1/d", "postgresql://u:"+p+"@127.0.0.1:1", "postgres://u@corp:"+p+"@127.0.0.1:1/d",
			"postgres://u:"+p+"@127.0.0.1:1/d?sslmode=bad", "postgres://u:"+p+"@127.0.0.1:1/d&schema=x", "postgres://u:"+p+"@127.0.0.1:none/d",
			"postgres://u:"+p+"@127.0.0.1:1/d?connect_timeout=x", "postgres://u:"+p+"@a.invalid:1,b.invalid:1/d",
			"POSTGRES://u:"+p+"@127.0.0.1:1/d", "POSTGRES://u:"+p+"@127.0.0.1:1/d?sslmode=disable", "Postgresql://u:"+p+"@h.invalid/d?a=b",
			"jdbc:postgresql://u:"+p+"@127.0.0.1:1/d?a=b", "http://u:"+p+"@127.0.0.1:1/d?a=b", " postgres://u:"+p+"@127.0.0.1:1/d?a=b",
			"postgres:/u:"+p+"@127.0.0.1:1/d", "u:"+p+"@127.0.0.1:1/d", "u:"+p+"@127.0.0.1:1/d?a=b",
			"postgres://127.0.0.1:1/d?password="+p, "postgres://127.0.0.1:1/d?sslpassword="+p, "postgres://127.0.0.1:1/d?password="+p+"&password=x",
			"postgres://127.0.0.1:1/d&password="+p, "postgres://h.invalid&password="+p,
			"postgres://127.0.0.1:1/d password="+p, "postgres://127.0.0.1:1/d\tpassword="+p, "postgres://127.0.0.1:1/d?schema=x password="+p,
			"host=127.0.0.1 port=1 password="+p, "host=127.0.0.1 port=1 password = "+p, "host=127.0.0.1 port=1 password = '"+p+"' dbname=d",
			"host=127.0.0.1 port=1 password='"+p, "host=127.0.0.1 port=1 password="+p+" user", "password="+p+" port=none",
			"host=127.0.0.1 port=1 sslpassword="+p+" sslmode=bad", "host=127.0.0.1 port=1 PASSWORD="+p, "host=127.0.0.1 port=1 passwd="+p,
			"host=127.0.0.1 port=1 pgpassword="+p+" templates=x", "password="+p+" password="+p, "host=127.0.0.1 port=1 dbname=d&password="+p,
			"host=127.0.0.1 port=1 user=u&password="+p, "port=1 host=127.0.0.1&password="+p, "port=1&password="+p+" host=127.0.0.1",
			"host=127.0.0.1 port=1 dbname=postgres://u:"+p+"@h/d", "port=1 host=postgres://u:"+p+"@h/d",
			"host=127.0.0.1 port=1 schema_mode=template&password="+p, "host=127.0.0.1 port=1 schema=pg_x&password="+p,
			"host=127.0.0.1 port=1 templates=both;password="+p, "host=127.0.0.1 port=1 sslmode=disable&password="+p,
			"host=127.0.0.1 port=1 connect_timeout=1&password="+p, "host=127.0.0.1 port=1 target_session_attrs=any&password="+p,
			"host=127.0.0.1 port=1 default_query_exec_mode=exec&password="+p, "host=127.0.0.1 port=1 statement_cache_capacity=9&password="+p,
			"host=127.0.0.1 port=1 sslrootcert=/nowhere&sslpassword="+p, "host=127.0.0.1 port=1 service=s&password="+p,
			"host=127.0.0.1 port=1 min_protocol_version=3.0&password="+p, "host=127.0.0.1 port=1 channel_binding=x&password="+p,
			"host=127.0.0.1 port=1 require_auth=md5&password="+p, "host=127.0.0.1 port=1 sslcertmode=x&password="+p,
			"host=127.0.0.1,h.invalid port=1,2,3 password="+p, "host=127.0.0.1 port=1 schema=x password="+p+" schema=y")
	}
	return dsns
}

func TestNoErrorShowsThePassword(t *testing.T) {
	t.Parallel()
	for _, dsn := range passwordDSNs() {
		db, err := sql.Open("pgdbm", dsn)
		checkNoSecret(t, "sql.Open of "+dsn, err)
		if err != nil {
			continue
		}
		config := parsed(t, dsn)
		if config.Host == "127.0.0.1" && config.Port == 1 {
			if err = db.PingContext(t.Context()); err == nil {
				t.Errorf("%s: connected", dsn)
			}
		} else { // without waiting for the name server, what it and pgconn.ConnectError would show
			err = fmt.Errorf("%s %s %s", config.User, config.Database, config.Host)
		}
		checkNoSecret(t, "connect to "+dsn, err)
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// If the server is there, its own errors are shown, but not what surrounds the wrong key.
func TestServerErrorsShowNoPassword(t *testing.T) {
	t.Parallel()
	dsn := asKeywords(t, server.Database(t))
	for _, extra := range []string{"no_such_key=S3cr3tPart", "sslpassword=S3cr3tPart no_such_key=1", "schema=app schema_mode=template role=nobody"} {
		db := openAs(t, "pgdbm", dsn+" "+extra)
		err := db.PingContext(t.Context())
		if err == nil {
			t.Errorf("%s: connected", extra)
		}
		checkNoSecret(t, extra, err)
	}
}

func TestStdlibRegisteredName(t *testing.T) {
	t.Parallel()
	name := stdlib.RegisterConnConfig(parsed(t, newTenants(t, "app", "other")))
	db := openDB(t, name)
	for _, schema := range []string{"app", "other", "app"} {
		wantOwner(driver.WithSchema(t.Context(), schema), t, db, schema)
	}
	wantOwner(t.Context(), t, db, "public")
	connector, err := driver.NewConnector(name, driver.DefaultSchema("other"))
	if err != nil {
		t.Fatal(err)
	}
	other := sql.OpenDB(connector)
	defer other.Close()
	wantOwner(t.Context(), t, other, "other")
	if _, err := driver.NewConnector(name, driver.WithStdlib()); err != nil {
		t.Errorf("no options: %v", err)
	}
	if _, err := driver.NewConnector(name, driver.WithStdlib(stdlib.OptionShouldPing(nil))); err == nil {
		t.Error("the options of stdlib would have no effect, and it is no error")
	}
	stdlib.UnregisterConnConfig(name)
	if err := openDB(t, name).PingContext(t.Context()); err == nil {
		t.Error("the name still works")
	}
}

func TestRegisteredName(t *testing.T) {
	t.Parallel()
	config := parsed(t, newTenants(t, "app", "other"))
	register := func(keys ...string) string {
		c := config.Copy()
		for i := 0; i < len(keys); i += 2 {
			c.RuntimeParams[keys[i]] = keys[i+1]
		}
		name := driver.RegisterConnConfig(c)
		t.Cleanup(func() { driver.UnregisterConnConfig(name) })
		return name
	}
	path := openDB(t, register("schema", "app"))
	if got := get[string](t.Context(), t, path, "SELECT owner FROM t"); got != "app" {
		t.Errorf("a bare name is in %q", got)
	}
	templates := openDB(t, register("schema", "app", "schema_mode", "template"))
	if got := get[string](t.Context(), t, templates, "SELECT owner FROM t"); got != "public" {
		t.Errorf("a bare name is in %q in template mode", got)
	}
	wantOwner(t.Context(), t, templates, "app")
	wantOwner(driver.WithSchema(t.Context(), "other"), t, templates, "other")
	if got := get[int](t.Context(), t, openDB(t, register("templates", "braces")), "SELECT 1 << 2"); got != 4 {
		t.Errorf("got %d", got)
	}
	_, err := sql.Open("pgdbm", register("schema_mode", "both"))
	wantDSNError(t, err, "schema_mode", "is not one of")
	_, err = sql.Open("pgdbm", register("schema", ""))
	wantDSNError(t, err, "schema", "empty")
}

func TestRegisteredConfigIsCopied(t *testing.T) {
	t.Parallel()
	config := parsed(t, newTenants(t, "app")+"&schema=app")
	name := driver.RegisterConnConfig(config)
	if got := config.RuntimeParams["schema"]; got != "app" {
		t.Errorf("the caller's config has the schema %q now", got)
	}
	before := openDB(t, name)
	config.RuntimeParams["schema"] = "changed"
	config.Database = "changed"
	for _, db := range []*sql.DB{before, openDB(t, name)} {
		wantOwner(t.Context(), t, db, "app")
	}
	driver.UnregisterConnConfig(name)
	_, err := sql.Open("pgdbm", name)
	wantDSNError(t, err, "", "no configuration is registered")
	before.SetMaxIdleConns(0) // each use connects
	wantOwner(t.Context(), t, before, "app")
}

func TestOpenDBReadsKeysAndLeavesTheConfig(t *testing.T) {
	t.Parallel()
	config := parsed(t, newTenants(t, "app", "other")+"&schema=app&schema_mode=template&templates=braces")
	db := driver.OpenDB(*config)
	defer db.Close()
	config.RuntimeParams["schema"] = "other"
	wantOwner(t.Context(), t, db, "app")
	for key, want := range map[string]string{"schema": "other", "schema_mode": "template", "templates": "braces"} {
		if got := config.RuntimeParams[key]; got != want {
			t.Errorf("the caller's %s is %q now", key, got)
		}
	}
	if _, set := config.RuntimeParams["search_path"]; set {
		t.Error("the caller's config has a search_path now")
	}
}

func TestOpenDBReportsBadKeysWhenUsed(t *testing.T) {
	t.Parallel()
	bad := parsed(t, server.Database(t)+"&schema=a&schema_mode=x")
	db := driver.OpenDB(*bad)
	defer db.Close()
	wantDSNError(t, db.PingContext(t.Context()), "schema_mode", "is not one of")
	_, err := db.ExecContext(t.Context(), "SELECT 1")
	wantDSNError(t, err, "schema_mode", "is not one of")
	_, err = db.BeginTx(t.Context(), nil)
	wantDSNError(t, err, "schema_mode", "is not one of")
	if got := db.Driver(); got == nil {
		t.Error("it has no driver")
	}
}

func TestDefaultSchema(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "app")
	tests := []struct {
		dsn  string
		opts []driver.Option
		ok   bool
	}{
		{dsn, []driver.Option{driver.DefaultSchema("app")}, true},
		{dsn, []driver.Option{driver.DefaultSchema("app"), driver.DefaultSchema("app")}, true},
		{dsn + "&schema=app", []driver.Option{driver.DefaultSchema("app")}, true},
		{dsn, []driver.Option{driver.DefaultSchema("app"), driver.DefaultSchema("other")}, false},
		{dsn + "&schema=other", []driver.Option{driver.DefaultSchema("app")}, false},
		{dsn, []driver.Option{driver.DefaultSchema("")}, false},
		{dsn, []driver.Option{driver.DefaultSchema("$user")}, false},
	}
	for _, test := range tests {
		connector, err := driver.NewConnector(test.dsn, test.opts...)
		if (err == nil) != test.ok {
			t.Errorf("NewConnector(%s): %v, want success: %v", test.dsn, err, test.ok)
		}
		db := driver.OpenDB(*parsed(t, test.dsn), test.opts...)
		if err := db.PingContext(t.Context()); (err == nil) != test.ok {
			t.Errorf("OpenDB(%s): %v, want success: %v", test.dsn, err, test.ok)
		}
		if test.ok {
			wantOwner(t.Context(), t, db, "app")
			other := sql.OpenDB(connector)
			wantOwner(t.Context(), t, other, "app")
			_ = other.Close()
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// DefaultSchema does not choose the mode, the DSN does.
func TestDefaultSchemaLeavesTheMode(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "app")
	for keys, want := range map[string]string{"": "public", "&schema_mode=search_path": "app"} {
		connector, err := driver.NewConnector(dsn+keys, driver.DefaultSchema("app"))
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
		if got := get[string](t.Context(), t, db, "SELECT owner FROM t"); got != want {
			t.Errorf("%q: a bare name is in %q, want %q", keys, got, want)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestStdlibOptionsAreCalled(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "app")
	for _, dsn := range []string{dsn, withSchema(t, dsn, "app")} {
		var calls []string
		note := func(call string) func(context.Context, *pgx.Conn) error {
			return func(context.Context, *pgx.Conn) error { calls = append(calls, call); return nil }
		}
		hooks := driver.WithStdlib(
			stdlib.OptionBeforeConnect(func(_ context.Context, config *pgx.ConnConfig) error {
				calls = append(calls, "before")
				config.RuntimeParams["application_name"] = "hooked"
				return nil
			}),
			stdlib.OptionAfterConnect(note("after")), stdlib.OptionResetSession(note("reset")),
			stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { calls = append(calls, "ping?"); return true }))
		connector, err := driver.NewConnector(dsn, hooks)
		if err != nil {
			t.Fatal(err)
		}
		for _, db := range []*sql.DB{sql.OpenDB(connector), driver.OpenDB(*parsed(t, dsn), hooks)} {
			calls = nil
			db.SetMaxOpenConns(1)
			for range 2 {
				if got := get[string](t.Context(), t, db, "SHOW application_name"); got != "hooked" {
					t.Errorf("the application is called %q", got)
				}
			}
			if got := strings.Join(calls, " "); got != "before after ping? reset" {
				t.Errorf("the calls were: %s", got)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestStdlibOptionsCanRefuse(t *testing.T) {
	t.Parallel()
	want := errors.New("refused")
	refuse := func(context.Context, *pgx.Conn) error { return want }
	db := driver.OpenDB(*parsed(t, server.Database(t)), driver.WithStdlib(stdlib.OptionAfterConnect(refuse)))
	defer db.Close()
	if err := db.PingContext(t.Context()); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}

// The same DSN goes to the connector and to the driver itself.
func TestDriverOpen(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	d := openDB(t, dsn).Driver()
	conn, err := d.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	_, err = d.Open(dsn + "&schema=")
	wantDSNError(t, err, "schema", "empty")
}

func TestAddSchemaRefuses(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "$user", "pg_toast", "information_schema", "a{{b", "a}}", "<<a", "a>>b", "a\x00b", "\xff",
		strings.Repeat("x", 64), strings.Repeat("ä", 32)} {
		var schemaErr *driver.SchemaError
		if got, err := driver.AddSchema("postgres://h/d", name); !errors.As(err, &schemaErr) || got != "" {
			t.Errorf("AddSchema(..., %q) = %q, %v, want a *SchemaError", name, got, err)
		}
	}
	for _, dsn := range []string{"registeredConnConfig0", "pgdbm-config-1"} {
		var dsnErr *driver.DSNError
		if got, err := driver.AddSchema(dsn, "app"); !errors.As(err, &dsnErr) || dsnErr.Key != "schema" || got != "" {
			t.Errorf("AddSchema(%q, ...) = %q, %v, want a *Error for the key schema", dsn, got, err)
		}
	}
}
