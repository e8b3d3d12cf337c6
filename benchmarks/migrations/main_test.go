package main

import (
	"context"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/pgserver"
)

var server pgserver.Server

func TestMain(m *testing.M) {
	if isMemoryChild() { // the experiment about memory starts this program again
		exit(runMemoryChild(context.Background()))
	}
	os.Exit(server.Run(m))
}

// TestRun does everything once, with three schemas.
func TestRun(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := run(t.Context(), &out, config{rounds: 1, schemas: 3, workers: numbers{1, 2}, many: 3, memory: 3})
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(out.String(), "## ")[1:]
	if len(sections) != 4 {
		t.Fatalf("%d tables, want 4:\n%s", len(sections), &out)
	}
	for i, want := range [][]contender{contenders, contenders, manyContenders, memoryContenders} {
		for _, c := range want {
			if !strings.Contains(sections[i], "\n| "+c.name+" ") {
				t.Errorf("table %d has no line for %s:\n%s", i+1, c.name, sections[i])
			}
		}
	}
}

func TestCheckSchemasFindsWhatIsMissing(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	texts, err := expandedSet("complete")
	if err != nil {
		t.Fatal(err)
	}
	all := createSchema("complete") + ";" + strings.Join(texts, "") + createSchema("empty")
	if _, err := conn.Exec(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if err := checkSchemas(t.Context(), dsn, []string{"complete"}); err != nil {
		t.Error(err)
	}
	for _, schema := range []string{"empty", "missing"} {
		if err := checkSchemas(t.Context(), dsn, []string{"complete", schema}); err == nil {
			t.Errorf("%s: no error", schema)
		}
	}
}

func TestServerCPU(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" || os.Getenv("PGDBM_TEST_DSN") != "" {
		t.Skip("the server's time is known on Linux only, for a server of this machine")
	}
	conn, err := pgx.Connect(t.Context(), server.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	cpu, err := findServerCPU(t.Context(), conn)
	if err != nil || !cpu.known() {
		t.Fatalf("the server was not found: %v", err)
	}
	pid := int(conn.PgConn().PID())
	if backend, ok := cpu.children()[pid]; !ok || backend.command != "postgres" {
		t.Errorf("process %d is not among the server's: %+v", pid, backend)
	}
	others := cpu.children()
	delete(others, pid)
	before, err := cpu.used()
	if err != nil {
		t.Fatal(err)
	}
	// Much more than the 10 ms in which the time is counted.
	if _, err := conn.Exec(t.Context(), "SELECT sum(i) FROM generate_series(1, 2000000) i"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := cpu.waitForEnd(t.Context(), others); err != nil {
		t.Fatal(err)
	}
	after, err := cpu.used()
	if err != nil {
		t.Fatal(err)
	}
	if after <= before {
		t.Errorf("the server has used %v before the work and %v after it", before, after)
	}
}

func TestReadProcess(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("no /proc")
	}
	self, err := readProcess(os.Getpid())
	if err != nil || self.parent != os.Getppid() || self.command == "" {
		t.Errorf("readProcess = %+v, %v; want the parent %d", self, err, os.Getppid())
	}
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	type run = time.Duration
	value := func(r run) time.Duration { return r }
	for _, test := range []struct {
		name, got, want string
	}{
		{"median of three", medianOf([]run{3 * time.Second, 9 * time.Second, time.Second}, value), "3.00 s"},
		{"median of four", medianOf([]run{40e6, 10e6, 20e6, 30e6}, value), "25.0 ms"},
		// The ratios of the rounds are 2, 10 and 3; the ratio of the medians would be 20/2.
		{"ratio", ratio([]run{4e6, 20e6, 30e6}, []run{2e6, 2e6, 10e6}, value), "3.00"},
		{"ratio to nothing", ratio([]run{1}, []run{0}, value), "-"},
		{"milliseconds", show(123456 * time.Microsecond), "123 ms"},
		{"not measured", show(0), "-"},
		{"turns", strings.Join(turns([]string{"a", "b", "c"}, 4), ""), "bca"},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, test.got, test.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	n := numbers{7}
	if err := n.Set("1,8"); err != nil || n.String() != "1,8" {
		t.Errorf("1,8 is %s, %v", n.String(), err)
	}
	for _, bad := range []string{"", "0", "1,,2", "-1", "x"} {
		if err := n.Set(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
