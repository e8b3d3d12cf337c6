package stmtcache_test

import (
	"strconv"
	"testing"

	"github.com/pgdbm/pgdbm/internal/stmtcache"
)

// A name is another one if anything that decides about the meaning is, and the same if nothing is.
func TestNames(t *testing.T) {
	t.Parallel()
	names := make(map[string]string)
	add := func(what string, i stmtcache.Identity, sql, path string, types ...uint32) {
		name := i.Name("p_", sql, path, types)
		if other, ok := names[name]; ok {
			t.Errorf("%s has the name of %s", what, other)
		}
		names[name] = what
	}
	changed := func(statements ...string) stmtcache.Identity {
		i := stmtcache.NewIdentity("user", "db")
		for _, sql := range statements {
			i.Change(sql)
		}
		return i
	}
	add("plain", changed(), "SELECT 1", "")
	add("types", changed(), "SELECT 1", "", 23)
	add("path", changed(), "SELECT 1", "a")
	add("text", changed(), "SELECT 2", "")
	add("user", stmtcache.NewIdentity("userd", "b"), "SELECT 1", "")
	add("setting", changed("SET a"), "SELECT 1", "")
	add("settings", changed("SET a", "SET b"), "SELECT 1", "")
	add("order", changed("SET b", "SET a"), "SELECT 1", "")
	one, again := changed("SET a", "SET b"), changed("SET b", "SET a", "SET b")
	if one.Name("", "x", "", nil) != again.Name("", "x", "", nil) || one.Hash != again.Hash {
		t.Error("the same settings give another name")
	}
	var many []string
	for n := range 40 {
		many = append(many, "SET "+strconv.Itoa(n))
	}
	add("many settings", changed(many...), "SELECT 1", "")
	add("other settings", changed(many[1:]...), "SELECT 1", "")
}
