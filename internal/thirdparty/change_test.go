package thirdparty_test

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// change is something that the third party does to a tenant.
type change struct {
	name   string
	tenant *tenant
	sql    string
}

// changes are the kinds. A kind returns its SQL, or "" where it is not possible.
var changes = []struct {
	name   string
	weight int
	sql    func(r *rand.Rand, t *tenant) string
}{
	{"alter type of a column", 8, alterColumn},
	{"add or drop a column", 2, extraColumn},
	{"re-create a table", 2, recreateTable},
	{"re-create the enum", 2, recreateMood},
	{"rename or add a label", 1, changeLabel},
	{"re-create the domain", 1, recreateDomain},
	{"re-create the composite type", 1, recreatePair},
	{"re-create the function", 1, recreateFunction},
	{"restore the schema", 1, restoreSchema},
	{"drop the schema", 1, dropSchema},
}

// newChange returns a change of a tenant. Its SQL is one message, and so one transaction. It is made when the change is: the
// tenant counts as changed from here.
func newChange(r *rand.Rand, t *tenant, kind string) change {
	t.version++
	if t.missing {
		return change{"re-create the schema", t, t.create(r)}
	}
	total := 0
	for _, c := range changes {
		total += c.weight
	}
	for {
		n := r.IntN(total)
		for _, c := range changes {
			if n -= c.weight; n >= 0 {
				continue
			}
			if kind != "" && c.name != kind {
				break
			}
			if sql := c.sql(r, t); sql != "" {
				return change{c.name, t, sql}
			}
			break
		}
	}
}

func alterColumn(r *rand.Rand, t *tenant) string {
	table := tables[r.IntN(len(tables))]
	c := columnNamed(pick(r, table.columns))
	if r.IntN(2) == 0 {
		c = columnNamed(pick(r, []string{"n", "d"})) // where a wrong type shows in the values
	}
	key := table.name + "." + c.name
	to := pick(r, c.types)
	if to == t.types[key] {
		return ""
	}
	t.types[key] = to
	return t.sql("ALTER TABLE @" + table.name + " ALTER COLUMN " + c.name + " TYPE " + to + " USING " + c.using(to))
}

func extraColumn(_ *rand.Rand, t *tenant) string {
	t.extra = !t.extra
	if t.extra {
		return t.sql("ALTER TABLE @tp_item ADD COLUMN extra int DEFAULT 1")
	}
	return t.sql("ALTER TABLE @tp_item DROP COLUMN extra")
}

func recreateTable(r *rand.Rand, t *tenant) string {
	i := r.IntN(len(tables))
	return t.sql("DROP TABLE @"+tables[i].name+"; ") + t.createTable(r, i)
}

// without wraps a change of a type: the columns that have it are text meanwhile.
func (t *tenant) without(typ, sql string) string {
	var before, after []string
	for _, key := range slices.Sorted(mapKeys(t.types)) {
		table, name, _ := strings.Cut(key, ".")
		if t.types[key] == typ {
			alter := "ALTER TABLE @" + table + " ALTER COLUMN " + name + " TYPE "
			before = append(before, alter+"text")
			after = append(after, alter+typ+" USING "+columnNamed(name).using(typ))
		}
	}
	return t.sql(strings.Join(slices.Concat(before, []string{sql}, after), "; "))
}

func mapKeys[V any](m map[string]V) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func recreateMood(r *rand.Rand, t *tenant) string {
	return t.without("@tp_mood", "DROP TYPE @tp_mood; "+t.createMood(r))
}

func recreateDomain(r *rand.Rand, t *tenant) string {
	return t.without("@tp_dom", "DROP DOMAIN @tp_dom; "+t.createDomain(r))
}

func recreatePair(r *rand.Rand, t *tenant) string {
	return t.without("@tp_pair", "DROP TYPE @tp_pair; "+t.createPair(r))
}

func changeLabel(r *rand.Rand, t *tenant) string {
	i := r.IntN(len(t.words))
	old := t.words[i]
	if old == "ok" || len(old) > 10 {
		return ""
	}
	t.words[i] = old + "x"
	return t.sql("ALTER TYPE @tp_mood RENAME VALUE '" + old + "' TO '" + t.words[i] + "'")
}

func recreateFunction(r *rand.Rand, t *tenant) string {
	return t.sql("DROP FUNCTION @tp_f; ") + t.createFunction(r)
}

func restoreSchema(r *rand.Rand, t *tenant) string {
	return "DROP SCHEMA " + t.quoted() + " CASCADE; " + t.create(r)
}

func dropSchema(_ *rand.Rand, t *tenant) string {
	t.missing = true
	return "DROP SCHEMA " + t.quoted() + " CASCADE"
}
