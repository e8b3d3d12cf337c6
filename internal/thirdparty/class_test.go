package thirdparty_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// class is a class of faults: what is generated to find one.
type class struct {
	name     string
	routes   []string // where it can be found
	coldOnly bool     // where most statements are sent unprepared
	strict   bool     // an error that says that a statement is not prepared is no excuse
	lenient  bool     // only what fails twice counts

	shapes  func(shape) bool
	columns []string // that statements are about, or nil for all
	deck    int      // how many texts are in use
	deal    int      // in so many units one of them is replaced
	tenants int      // how many are in use

	changes  bool   // of tables and the like, between statements
	every    int    // in so many units
	kind     string // or "" for all
	inFlight int    // between a describe and its execute, in one of so many statements; 0: never
	renewal  bool   // all connections are renewed after a change
	renews   int    // connections, in one of so many units; 0: never
	kills    bool
	loses    int // answers, in one of so many units; 0: never
}

func anyShape(shape) bool { return true }

// divides are those that show in a value which type a number was sent with.
func divides(s shape) bool { return s.only == "n" || strings.HasPrefix(s.text, "DELETE") }

// byKey are those that a server takes for each other if it mistakes a name: they have one id for an argument.
func byKey(s shape) bool { return s.args == "i" }

// stores are those that write a value.
func stores(s shape) bool { return s.writes && strings.HasPrefix(s.args, "v") && s.only == "" }

const (
	direct    = "direct"
	untracked = "PgBouncer"
	tracked   = "tracking PgBouncer"
)

// classes are the faults that the issue which this test comes from numbers 1 to 6, and all of them. Of the third, what fails twice is by itself.
var classes = []class{
	{name: "", routes: []string{direct, untracked, tracked}, shapes: anyShape, deck: 40, deal: 50, tenants: 4, changes: true, every: 40, inFlight: 24,
		renews: 120, kills: true, loses: 150, strict: true},
	{name: "names", routes: []string{untracked, tracked}, shapes: byKey, deck: 10, deal: 50, tenants: 4},
	{name: "pooler", routes: []string{untracked}, shapes: anyShape, deck: 40, deal: 50, tenants: 4, renews: 60, strict: true},
	{name: "stale", routes: []string{direct}, shapes: anyShape, deck: 15, deal: 50, tenants: 4, changes: true, every: 20, inFlight: 16, strict: true},
	{name: "twice", routes: []string{direct}, shapes: anyShape, deck: 15, deal: 50, tenants: 4, changes: true, every: 20, inFlight: 16, strict: true,
		lenient: true},
	{name: "lent", routes: []string{direct}, coldOnly: true, shapes: divides, deck: 15, deal: 4, tenants: 4, renews: 60, strict: true},
	{name: "renewed", routes: []string{direct}, coldOnly: true, shapes: stores, columns: []string{"d"}, deck: 8, deal: 50, tenants: 2, changes: true,
		kind: "alter type of a column", every: 25, renewal: true, renews: 15, strict: true},
	{name: "lost", routes: []string{direct, untracked}, shapes: anyShape, deck: 40, deal: 50, tenants: 4, loses: 1, strict: true},
}

func classNamed(name string) class {
	return classes[slices.IndexFunc(classes, func(c class) bool { return c.name == name })]
}

// tally counts the statements of a class.
type tally struct {
	met      int // what the class is about
	inFlight int // and a change between their own describe and execute
	earlier  int // and a change between an earlier describe and this execute
}

type tallies map[string]*tally

func (t tallies) of(class string) *tally {
	if t[class] == nil {
		t[class] = &tally{}
	}
	return t[class]
}

// empty returns the classes of which nothing was met in a world, or no change between describe and execute where there are changes.
func (t tallies) empty(c class, s setup) []string {
	want := map[string]bool{
		"names": s.route != direct, "pooler": s.route == untracked, "stale": c.changes, "lent": c.name == "" || c.name == "lent",
		"renewed": c.changes && (c.renews > 0 || c.renewal), "lost": c.loses > 0,
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		n := t.of(name)
		if want[name] && (c.name == "" || c.name == name) && (n.met == 0 || c.changes && n.inFlight+n.earlier == 0) {
			list = append(list, name)
		}
	}
	return list
}

func (t tallies) log(tb testing.TB) {
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s %10s %28s %32s\n", "class", "statements", "change after own describe", "change after earlier describe")
	for _, name := range slices.Sorted(maps.Keys(t)) {
		fmt.Fprintf(&b, "%-8s %10d %28d %32d\n", name, t[name].met, t[name].inFlight, t[name].earlier)
	}
	tb.Log("\n" + b.String())
}
