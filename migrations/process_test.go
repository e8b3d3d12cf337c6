package migrations_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// everyFile is a file of each kind.
func everyFile() []string {
	names, _ := allKinds()
	return names
}

func TestTwentyProcesses(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.exec(l.admin, marks)
	schemas := schemaNames(50)
	var children []*child
	for range 20 {
		children = append(children, l.child("twenty", schemas))
	}
	for _, c := range children {
		c.begin.Close()
	}
	for _, c := range children {
		c.ends(t)
	}
	l.checkMarks(schemas, "1 2 3 5 R go")
	for _, schema := range schemas {
		if n := l.count(schema + ".schema_migrations"); n != 6 {
			t.Errorf("the history of %s has %d rows", schema, n)
		}
	}
}

// steps are the statements of a migration without a transaction. Most fail if they run twice.
var steps = []string{
	mark("n1"),
	"CREATE TABLE {{tables.c}} (x int);\n",
	mark("n2"),
	"CREATE INDEX CONCURRENTLY a_x ON {{tables.a}} (x);\n",
	mark("n3"),
	"CREATE TYPE {{schema}}.color AS ENUM ('red');\n",
	"ALTER TYPE {{schema}}.color ADD VALUE 'green';\n",
	mark("n4"),
	"ALTER TABLE {{tables.c}} ADD y {{schema}}.color DEFAULT 'green';\n",
	mark("n5"),
	"DROP INDEX CONCURRENTLY {{schema}}.a_y;\n",
}

// mixed is what the children migrate that are killed.
func mixed() []string {
	return []string{
		"001_a.sql", "CREATE TABLE {{tables.a}} (x int, y int); CREATE INDEX a_y ON {{tables.a}} (y);" + mark("t1") + mark("t1"),
		"002_b.sql", mark("t2") + "CREATE TABLE {{tables.b}} (x int);" + mark("t2"),
		"003_c.sql", "-- pgdbm:no-transaction\n" + strings.Join(steps, ""),
		"004_d.sql", mark("t4") + "ALTER TABLE {{tables.b}} ADD y int;" + mark("t4"),
	}
}

// kills is how often all lanes together kill a process.
const kills, lanes, killsOfASet = 100, 2, 10

func TestKilledProcesses(t *testing.T) {
	t.Parallel()
	for i := range lanes {
		t.Run(fmt.Sprint("lane ", i), func(t *testing.T) {
			t.Parallel()
			l := &killLab{lab: newLab(t)}
			l.exec(l.admin, marks)
			l.newSet()
			l.took = l.measure()
			for n := 0; n < kills/lanes; {
				l.newSet()
				for l.killed < killsOfASet && n < kills/lanes && l.killOne() {
					n++
				}
				l.measure() // the next run completes
				l.checkEnd()
			}
		})
	}
}

// killLab is where processes are killed.
type killLab struct {
	*lab
	sets    int
	schemas []string // of the set that is being migrated
	killed  int      // how many processes on this set
	took    time.Duration
}

func (l *killLab) newSet() {
	l.sets++
	l.killed, l.schemas = 0, nil
	for i := range 3 {
		l.schemas = append(l.schemas, fmt.Sprintf("set%d_%d", l.sets, i))
	}
}

// measure runs a process to its end, and returns how long that takes.
func (l *killLab) measure() time.Duration {
	l.Helper()
	c := l.child("mixed", l.schemas)
	begun := time.Now()
	c.begin.Close()
	c.ends(l.T)
	return time.Since(begun)
}

// killOne starts a process and kills it at some moment. It returns false if that was too late.
func (l *killLab) killOne() bool {
	l.Helper()
	c := l.child("mixed", l.schemas)
	c.begin.Close()
	time.Sleep(rand.N(l.took)) // the random moment is what is tested
	c.kill()
	if c.ProcessState.Success() {
		return false
	}
	if c.ProcessState.Exited() { // it was not killed, but has failed
		l.Fatalf("a child has failed: %s", c.stderr.String())
	}
	l.killed++
	for _, schema := range l.schemas {
		l.check(schema)
	}
	return true
}

// check looks at a schema in the middle of it all: what a killed process has sent may still be running. So both queries
// see the same snapshot.
func (l *killLab) check(schema string) (what map[string]int, history []string) {
	l.Helper()
	tx, err := l.admin.BeginTx(l.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		l.Fatal(err)
	}
	defer tx.Rollback(l.Context())
	what = map[string]int{}
	for _, mark := range read[[]string](l.lab, "SELECT COALESCE(array_agg(what), '{}') FROM public.marks WHERE btrim(schema, '\"') = $1", schema) {
		what[mark]++
	}
	if read[bool](l.lab, "SELECT to_regclass($1) IS NOT NULL", schema+".schema_migrations") {
		history = read[[]string](l.lab, "SELECT COALESCE(array_agg(filename::text), '{}') FROM "+schema+".schema_migrations")
	}
	recorded := map[string]int{}
	for _, file := range history {
		recorded[file]++
	}
	for file, mark := range map[string]string{"001_a.sql": "t1", "002_b.sql": "t2", "004_d.sql": "t4"} {
		if recorded[file] > 1 || what[mark] != 2*recorded[file] {
			l.Errorf("%s: %s is %d times in the history, and has left %d of 2 marks", schema, file, recorded[file], what[mark])
		}
	}
	if recorded["090_go.go"] != what["go"] {
		l.Errorf("%s: the Go function is %d times in the history, and has left %d marks", schema, recorded["090_go.go"], what["go"])
	}
	again := 0
	for i := range 5 {
		n := what[fmt.Sprint("n", i+1)]
		again += max(n-1, 0)
		if n == 0 && what[fmt.Sprint("n", i+2)] > 0 {
			l.Errorf("%s: statement n%d was left out", schema, i+1)
		}
	}
	if again > l.killed {
		l.Errorf("%s: %d statements ran again after %d processes were killed: %v", schema, again, l.killed, what)
	}
	return what, history
}

// checkEnd looks at the schemas of the set when all is done.
func (l *killLab) checkEnd() {
	l.Helper()
	for _, schema := range l.schemas {
		what, history := l.check(schema)
		for _, mark := range []string{"t1", "t2", "t4", "n1", "n2", "n3", "n4", "n5", "go"} {
			if what[mark] == 0 {
				l.Errorf("%s: %s has not run", schema, mark)
			}
		}
		if len(history) != 5 {
			l.Errorf("%s: the history has %v", schema, history)
		}
		l.checkIndex(schema + ".a_x")
		if got := read[string](l.lab, "SELECT array_to_string(enum_range(NULL::"+schema+".color), ' ')"); got != "red green" {
			l.Errorf("%s: the type has %s", schema, got)
		}
	}
}

// orphans are statements that go on when their process has died, until the test lets them end.
var orphans = map[string]struct {
	file    string
	lock    string // what the test locks
	waiting string // the condition for the backend
}{
	"table": {
		file: "-- pgdbm:no-transaction\n" + mark("1") + "CREATE TABLE {{tables.copied}} AS SELECT * FROM public.door;\n" + mark("2"),
		lock: "LOCK TABLE public.door", waiting: "wait_event_type = 'Lock' AND query LIKE 'CREATE TABLE%'",
	},
	"index": {
		file: "-- pgdbm:no-transaction\n" + mark("1") + "CREATE INDEX CONCURRENTLY door_x ON public.door (x);\n" + mark("2"),
		lock: "LOCK TABLE public.door IN ROW EXCLUSIVE MODE", waiting: indexing,
	},
}

func TestOrphan(t *testing.T) {
	t.Parallel()
	for name, orphan := range orphans {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.exec(l.admin, marks)
			l.exec(l.admin, "CREATE TABLE public.door (x int)")
			door := l.connect()
			l.exec(door, "BEGIN; "+orphan.lock)
			c := l.child("orphan-"+name, []string{"s"})
			c.begin.Close()
			pid := l.activity(orphan.waiting)
			c.kill()

			j := newJournal()
			run := beginApply(t.Context(), l.migrator(l.pool("pgx", 0), "s", sqlFiles("001_a.sql", orphan.file), module, j.option()))
			l.awaitEvent(j, "waiting for a statement of a run that has died", fmt.Sprintf("pid %d ", pid))
			l.exec(door, "COMMIT")
			l.awaitEvent(j, "it was done: going on", "statement=2")
			l.succeeds("the next run", run)
			l.checkMarks([]string{"s"}, "1 2")
			if name == "index" {
				l.checkIndex("door_x")
			}
		})
	}
}
