package dsn

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pgdbm/pgdbm/internal/dsnform"

	"github.com/pgdbm/pgdbm/internal/template"
)

// bothForms returns a DSN with the given keys as a URL and as a list of keywords. Nothing in them needs escaping.
func bothForms(keys ...string) map[string]string {
	return map[string]string{
		"url":      "postgres://h/d?" + strings.Join(keys, "&"),
		"keywords": "host=h dbname=d " + strings.Join(keys, " "),
	}
}

func TestDSNKeysAreRead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		keys []string
		want Settings
	}{
		{nil, Settings{}},
		{[]string{"schema=app"}, Settings{Schema: "app", SearchPath: true}},
		{[]string{"schema=app", "schema_mode=template"}, Settings{Schema: "app"}},
		{[]string{"schema=app", "schema_mode=search_path"}, Settings{Schema: "app", SearchPath: true}},
		{[]string{"schema_mode=template"}, Settings{}},
		{[]string{"schema_mode=search_path"}, Settings{SearchPath: true}},
		{[]string{"schema_required=false"}, Settings{}},
		{[]string{"schema_required=true"}, Settings{Required: RequireSchema}},
		{[]string{"schema_required=context"}, Settings{Required: RequireContext}},
		{[]string{"templates=both"}, Settings{Syntax: template.Both}},
		{[]string{"templates=braces"}, Settings{Syntax: template.Braces}},
		{[]string{"templates=braces", "schema=app", "schema_required=true", "schema_mode=template"},
			Settings{Schema: "app", Required: RequireSchema, Syntax: template.Braces}},
	}
	for _, test := range tests {
		for form, dsn := range bothForms(test.keys...) {
			config, got, err := Parse(dsn)
			if err != nil || got != test.want {
				t.Errorf("%s %s: got %+v, %v, want %+v", form, dsn, got, err, test.want)
				continue
			}
			if len(config.RuntimeParams) != 0 {
				t.Errorf("%s %s: the server would get %v", form, dsn, config.RuntimeParams)
			}
		}
	}
}

// The keys with which the text of a DSN is checked must be those that pgx finds in it.
func TestKeysAreThoseOfPgx(t *testing.T) {
	t.Parallel()
	tests := []struct{ dsn, want string }{
		{"postgres://h/d?%73chema=x", "x"},
		{"postgres://h/d? schema = x ", "x"},
		{"postgres://h/d?%20schema=x", ""},
		{"postgres://h/d?Schema=x", ""},
		{"host=h schema = x", "x"},
		{"host=h\tschema\n=\v'x'", "x"},
		{"password='a schema=b' schema=x", "x"},
		{`password=a\ schema=b schema=x`, "x"},
		{"password= schema=x", ""},
		{"password='a'schema=x", "x"},
	}
	for _, test := range tests {
		config, err := pgx.ParseConfig(test.dsn)
		if err != nil || config.RuntimeParams["schema"] != test.want {
			t.Fatalf("%s: pgx finds %q, %v, want %q", test.dsn, config.RuntimeParams["schema"], err, test.want)
		}
		changed := Add(test.dsn, "y")
		if n := len(keyValues(changed)["schema"]); n != 1 {
			t.Errorf("%s: Add wrote %s, with %d keys schema", test.dsn, changed, n)
		}
		checkOnlySchemaChanged(t, test.dsn, changed, "y")
	}
}

// keyValues counts the keys of a DSN as checkKeys does.
func keyValues(dsn string) map[string][]string {
	found := make(map[string][]string)
	if dsnform.IsURL(dsn) {
		_, query := dsnform.SplitURL(dsn)
		for param := range strings.SplitSeq(query, "&") {
			found[dsnform.ParamKey(param)] = append(found[dsnform.ParamKey(param)], param)
		}
		return found
	}
	for _, k := range dsnform.Keywords(dsn) {
		found[k.Key] = append(found[k.Key], dsn[k.Start:k.End])
	}
	return found
}

// plain returns what pgx read from a DSN, without the functions and TLS configurations, which cannot be compared.
func plain(config *pgx.ConnConfig) map[string]any {
	values := make(map[string]any)
	v := reflect.ValueOf(config.Config)
	for i := range v.NumField() {
		field := v.Type().Field(i)
		switch {
		case !field.IsExported(), field.Type.Kind() == reflect.Func, field.Name == "TLSConfig", field.Name == "Fallbacks":
		default:
			values[field.Name] = v.Field(i).Interface()
		}
	}
	hosts := []string{fmt.Sprint(config.Host, config.Port, config.TLSConfig != nil)}
	for _, f := range config.Fallbacks {
		hosts = append(hosts, fmt.Sprint(f.Host, f.Port, f.TLSConfig != nil))
	}
	values["hosts"] = hosts
	values["modes"] = fmt.Sprint(config.DefaultQueryExecMode, config.StatementCacheCapacity, config.DescriptionCacheCapacity,
		config.ValidateConnect != nil)
	return values
}

// checkOnlySchemaChanged fails the test unless pgx reads from after what it reads from before, but with that schema.
func checkOnlySchemaChanged(t *testing.T, before, after, schema string) {
	t.Helper()
	want, err := pgx.ParseConfig(before)
	if err != nil {
		t.Fatalf("%q: %v", before, err)
	}
	got, err := pgx.ParseConfig(after)
	if err != nil {
		t.Fatalf("%q became %q, which pgx does not take: %v", before, after, err)
	}
	want.RuntimeParams["schema"] = schema
	g := plain(got)
	for key, w := range plain(want) {
		if !reflect.DeepEqual(g[key], w) {
			t.Fatalf("%q became %q: %s is %q instead of %q", before, after, key, g[key], w)
		}
	}
}

var addDSNs = []string{
	"", " ", "host=h", "host=h ", "dbname=d schema=old host=h", "schema=old", "schema='o\\'ld' schema=older host=h",
	"dbname='a b' schema = 'old' password = 'x y'", `user=a\ b schema=a\ b password=c\ d`, "password=", "user=u password= ",
	"password= schema=mine", "password='a'schema='old'host=h", `dbname=d\`, `password=x\ `, `password=x\	`,
	"password=x\u00a0", "dbname='&schema=x'", "host=a,b,c port=1,2,3 sslmode=disable", "host=/tmp dbname=d search_path='a, b'",
	"postgres://", "postgres:///", "postgres://h", "postgresql://h", "postgres://h?", "postgres://h/", "postgres://h/d",
	"postgres://h/d?", "postgres://h/d?schema=old", "postgres://h/d?schema=old&sslmode=disable", "postgres://h/d?sslmode=disable",
	"postgres://h/d?sslmode=disable&schema=old&", "postgres://h/d?schema=a&schema=b", "postgres://h?dbname=d",
	"postgres://u:p@a:1,b:2,c/d?target_session_attrs=read-write", "postgres://a,b", "postgres://u@[::1]:5433/d", "postgres://[::1],[fe80::1]:2",
	"postgres://u%40x:p%2Fw%3F%26@h/d", "postgres://u:a&b@h/d", "postgres://u:a?b@h/d", "postgres://u:a?schema=x@h/d?sslmode=disable",
	"postgres://u:p#w@h/d", "postgres:///d?host=/tmp&port=5433", "postgres://%2Ftmp/d", "postgres://h/d?ssl=true&sslmode=disable",
	"postgres://h/d?%73chema=old", "postgres://h/d?options=-c%20geqo%3Doff", "postgres://h/d?x%20y=1&%20schema=keep",
}

var addNames = []string{
	"a", "app", "Tenant_42", "a b", " a ", `a"b`, "a.b", "a'b", `a\b`, `a\`, `\'`, "a%b", "a%41", "a&b=c", "a+b", "a=b", "a?b", "a#b",
	"a/b", "a@b", "a:b", "ä€😀", "a\tb\nc", "public", strings.Repeat("x", 63), strings.Repeat("ä", 31), "{a}", "a<b>c", "$1", "\u00a0x\u00a0",
}

func TestAddChangesNothingElse(t *testing.T) {
	t.Parallel()
	for _, dsn := range addDSNs {
		for _, name := range addNames {
			got := Add(dsn, name)
			checkOnlySchemaChanged(t, dsn, got, name)
			if again := Add(got, name); again != got {
				t.Errorf("Add(%q, %q) is %q the second time", got, name, again)
			}
		}
	}
}

// What Add writes, this driver reads.
func TestAddIsReadBack(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"postgres://h/d", "host=h dbname=d schema=old"} {
		for _, name := range addNames {
			added := Add(dsn, name)
			if _, s, err := Parse(added); err != nil || s.Schema != name {
				t.Errorf("%q: got schema %q, %v, want %q", added, s.Schema, err, name)
			}
		}
	}
}

// strangeIPv6 matches the one thing that pgx parses otherwise: it takes any text in brackets for an address.
var strangeIPv6 = regexp.MustCompile(`\[[^\]]*\?`)

func FuzzAdd(f *testing.F) {
	for i, dsn := range addDSNs {
		f.Add(dsn, addNames[i%len(addNames)])
	}
	f.Fuzz(func(t *testing.T, dsn, name string) {
		if template.CheckSchema(name) != nil {
			return
		}
		added := Add(dsn, name)
		if _, err := pgx.ParseConfig(dsn); err != nil || strangeIPv6.MatchString(dsn) {
			return
		}
		checkOnlySchemaChanged(t, dsn, added, name)
	})
}

const secret = "S3cr3tPart"

// dsnsAround returns DSNs with a password, written as it is and as it should be written. Exact says that the text of the
// password does not end the password early.
func dsnsAround(password string) []struct {
	dsn   string
	exact bool
} {
	escaped := strings.ReplaceAll(url.QueryEscape(password), "+", "%20")
	quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password)
	noQuery := !strings.Contains(password, "?")
	oneWord := !strings.ContainsAny(password, dsnform.Space) && !strings.HasPrefix(password, "'")
	return []struct {
		dsn   string
		exact bool
	}{
		{"postgres://u:" + password + "@h.invalid:5432/d?sslmode=disable", noQuery},
		{"POSTGRES://u:" + password + "@h.invalid:5432/d?sslmode=disable", true},
		{"postgres://u:" + escaped + "@h.invalid/d", true},
		{"postgres://h.invalid/d?password=" + escaped, true},
		{"postgres://h.invalid/d?password=" + password, !strings.Contains(password, "&")},
		{"postgres://h.invalid/d?sslpassword=" + password + "&schema=x", !strings.Contains(password, "&")},
		{"host=h.invalid password=" + password + " dbname=d", oneWord},
		{"host=h.invalid password = " + password, oneWord},
		{"host=h.invalid sslpassword=" + password, oneWord},
		{"host=h.invalid password='" + password + "' dbname=d", !strings.ContainsAny(password, `'\`)},
		{"host=h.invalid password='" + quoted + "' schema=x", true},
	}
}

// checkHidden fails the test if an error of opening or connecting shows the secret.
func checkHidden(t *testing.T, dsn string) {
	t.Helper()
	config, _, err := Parse(dsn)
	if err != nil {
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, secret) || errors.Unwrap(err) != nil {
			t.Errorf("%q: the error shows the password: %s", dsn, text)
		}
		return
	}
	shown := config.User + " " + config.Database + " " + config.Host // in a pgconn.ConnectError
	for _, f := range config.Fallbacks {
		shown += " " + f.Host
	}
	if strings.Contains(shown, secret) {
		t.Errorf("%q: the error of a connect would show the password: %s", dsn, shown)
	}
}

func FuzzDSN(f *testing.F) {
	for _, around := range []string{"", "/", "?", "#", "@", ":", "%", "&", "=", " ", "'", `"`, `\`, "%2", "12/", "@b/", "x y=", "&schema=a",
		"?password=", "://"} {
		f.Add(around, "")
		f.Add("", around)
		f.Add("a"+around, around+"b")
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, d := range dsnsAround(before + secret + after) {
			if d.exact {
				checkHidden(t, d.dsn)
			} else {
				_, _, _ = Parse(d.dsn) // it does not panic; what follows is no part of the password
			}
		}
	})
}

// Errors of pgx's parser hold its cause, and sometimes a value.
func TestRedactKeepsOnlyTheReason(t *testing.T) {
	t.Parallel()
	cause := errors.New("because of " + secret)
	tests := []error{
		cause,
		pgconn.NewParseConfigError("password="+secret, "unknown x value: "+secret, nil),
		pgconn.NewParseConfigError("password="+secret, "failed to parse as URL", cause),
		pgconn.NewParseConfigError("password="+secret, "failed to configure TLS", fmt.Errorf("wrapped: %w", cause)),
	}
	for _, err := range tests {
		got := redact(err, "postgres://"+secret)
		var dsnErr *Error
		if strings.Contains(fmt.Sprintf("%+v", got), secret) || !errors.As(got, &dsnErr) || dsnErr.Reason == "" {
			t.Errorf("%v became %v", err, got)
		}
	}
}
