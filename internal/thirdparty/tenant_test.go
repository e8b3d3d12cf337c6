package thirdparty_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// column is a column of the tenants' tables, whose type differs from tenant to tenant and changes.
type column struct {
	name   string
	types  []string // a leading @ stands for the schema
	values []any
	using  func(to string) string // what the value becomes in another type
}

var (
	berlin  = time.FixedZone("", 2*60*60)
	instant = time.Date(2024, 2, 29, 23, 59, 58, 123456000, berlin)
)

const someUUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"

// labels are those of the enum, in any order; changes add some and rename some, but never ok.
var labels = []string{"sad", "ok", "happy"}

var columns = []column{
	{"id", []string{"int4", "int8", "numeric"}, []any{1, 2, int64(3), 4, 5, 6}, func(to string) string { return "id::" + to }},
	{"n", []string{"int4", "int8", "numeric", "float4", "float8"},
		[]any{1, 2, 3, 7, -5, 0, int64(1) << 40, int64(1)<<60 + 1, 2.5, float32(1.5), "12", "2.5", uint8(3), nil}, numberAs},
	{"s", []string{"text", "varchar(20)", "uuid", "@tp_mood"}, []any{"sad", "ok", "x", someUUID, "", []byte("ok"), nil, 7}, wordAs("s")},
	{"d", []string{"timestamp", "timestamptz", "date"},
		[]any{instant, instant.UTC(), "2024-02-29 01:02:03", "2024-02-29 01:02:03+05", "2024-03-01", nil},
		func(to string) string { return "d::" + to }},
	{"j", []string{"json", "jsonb", "text"}, []any{`{"b": 1,  "a":2}`, map[string]any{"a": 1}, []byte(`[1]`), "null", "{", nil},
		func(to string) string {
			if to == "text" {
				return "left(j::text, 20)"
			}
			return "to_json(length(j::text))::" + to
		}},
	{"b", []string{"bytea", "text"}, []any{[]byte{0, 1, 255}, []byte("x"), "\\x41", "y", nil}, func(to string) string {
		if to == "bytea" {
			return "convert_to(left(b::text, 8), 'UTF8')"
		}
		return "left(b::text, 8)"
	}},
	{"a", []string{"int4[]", "int8[]", "text[]", "float8[]"}, []any{[]int32{1, 2}, []string{"1", "2"}, "{1,2}", []float64{1.5}, nil},
		func(to string) string { return "'{1,2}'::" + to }},
	{"m", []string{"@tp_mood", "text", "varchar(20)"}, []any{"sad", "ok", "happy", "none", nil}, wordAs("m")},
	{"p", []string{"@tp_pair", "text"}, []any{"(1,x)", "(2,)", "x", nil}, func(to string) string { return "'(1,x)'::" + to }},
	{"o", []string{"@tp_dom", "int4", "text"}, []any{5, "7", 200, "x", nil}, func(to string) string { return "'5'::" + to }},
}

func columnNamed(name string) column {
	return columns[slices.IndexFunc(columns, func(c column) bool { return c.name == name })]
}

func numberAs(to string) string {
	return "CASE WHEN n::numeric BETWEEN -30000 AND 30000 THEN n::numeric::" + to + " ELSE 1 END"
}

func wordAs(name string) func(to string) string {
	return func(to string) string {
		switch to {
		case "uuid":
			return "md5(" + name + "::text)::uuid"
		case "text", "varchar(20)":
			return "left(" + name + "::text, 20)::" + to
		}
		return "'ok'::" + to
	}
}

// tables are the tenants' tables, with their columns. tp_log is for what must not happen twice.
var tables = []struct {
	name    string
	columns []string
}{
	{"tp_item", []string{"id", "n", "s", "d", "j", "b", "a", "m", "p", "o"}},
	{"tp_acct", []string{"id", "n", "d"}},
}

// tenant is a schema as it is at the moment in all four databases.
type tenant struct {
	name    string
	number  int
	missing bool
	extra   bool              // tp_item has an extra column
	types   map[string]string // by table.column
	argType string            // of the function's parameter
	words   []string          // of the enum
	domain  string            // what the domain is made of
	version int               // counts the changes
}

func (t *tenant) quoted() string { return `"` + t.name + `"` }

// sql replaces @ by the schema.
func (t *tenant) sql(text string) string { return strings.ReplaceAll(text, "@", t.quoted()+".") }

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// createTypes returns the SQL of the tenant's types, new ones.
func (t *tenant) createTypes(r *rand.Rand) []string {
	return []string{t.createMood(r), t.createDomain(r), t.createPair(r), t.createFunction(r)}
}

func (t *tenant) createMood(r *rand.Rand) string {
	t.words = slices.Clone(labels)
	r.Shuffle(len(t.words), func(i, j int) { t.words[i], t.words[j] = t.words[j], t.words[i] })
	return t.sql("CREATE TYPE @tp_mood AS ENUM ('" + strings.Join(t.words, "', '") + "')")
}

func (t *tenant) createDomain(r *rand.Rand) string {
	t.domain = pick(r, []string{"int4 CHECK (VALUE < 100)", "int8", "text", "numeric"})
	return t.sql("CREATE DOMAIN @tp_dom AS " + t.domain)
}

func (t *tenant) createPair(r *rand.Rand) string {
	return t.sql("CREATE TYPE @tp_pair AS (" + pick(r, []string{"a int4, b text", "a int8, b varchar(5)", "a text, b text"}) + ")")
}

func (t *tenant) createFunction(r *rand.Rand) string {
	t.argType = pick(r, []string{"int4", "int8", "numeric", "float8", "text"})
	return t.sql("CREATE FUNCTION @tp_f(x " + t.argType + ") RETURNS " + t.argType + " LANGUAGE sql AS 'SELECT x'")
}

// createTable returns the SQL of a table, with new types, in a new order, with six rows.
func (t *tenant) createTable(r *rand.Rand, table int) string {
	name, names := tables[table].name, slices.Clone(tables[table].columns)
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var defs, values []string
	for _, c := range names {
		typ := pick(r, columnNamed(c).types)
		t.types[name+"."+c] = typ
		def := c + " " + typ
		if c == "id" {
			def += " PRIMARY KEY"
		}
		defs, values = append(defs, def), append(values, t.seed(c, typ))
	}
	if name == "tp_item" {
		t.extra = false
	}
	return t.sql(fmt.Sprintf("CREATE TABLE @%s (%s); INSERT INTO @%[1]s SELECT %[3]s FROM generate_series(1, 6) g",
		name, strings.Join(defs, ", "), strings.Join(values, ", ")))
}

// seed returns the value of a column in the row g, which tells the tenants apart.
func (t *tenant) seed(name, typ string) string {
	word := fmt.Sprintf("('t%d-' || g)", t.number)
	switch name {
	case "id":
		return "g"
	case "n":
		return fmt.Sprintf("g * 3 + %d", t.number)
	case "s", "m":
		switch typ {
		case "uuid":
			return "md5(" + word + ")::uuid"
		case "@tp_mood":
			return "'ok'::@tp_mood"
		}
		return word
	case "d":
		return fmt.Sprintf("'2024-02-%02d 01:02:03'::%s", 1+t.number, typ)
	case "j":
		return fmt.Sprintf(`'{"t":  %d}'::%s`, t.number, typ)
	case "b":
		return "convert_to(" + word + ", 'UTF8')" + map[bool]string{true: "::text", false: ""}[typ == "text"]
	case "a":
		return fmt.Sprintf("'{%d,2}'::%s", t.number, typ)
	case "p":
		return fmt.Sprintf("'(%d,x)'::%s", t.number, typ)
	}
	return "'5'::" + typ
}

// create returns the SQL that makes the whole schema, in a random order, as a restored dump does.
func (t *tenant) create(r *rand.Rand) string {
	t.missing, t.types = false, make(map[string]string)
	parts := []string{t.createTable(r, 0), t.createTable(r, 1), t.sql("CREATE TABLE @tp_log (token text)")}
	r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	types := t.createTypes(r)
	if t.name == "public" { // where another tp_f would make calls in the tenants ambiguous
		types = types[:3]
	}
	r.Shuffle(len(types), func(i, j int) { types[i], types[j] = types[j], types[i] })
	return strings.Join(slices.Concat([]string{"CREATE SCHEMA IF NOT EXISTS " + t.quoted()}, types, parts), "; ")
}
