package main

import (
	"strings"
	"testing"
	"time"
)

// TestRun is a short run, so that the program cannot rot.
func TestRun(t *testing.T) {
	var out strings.Builder
	svg := t.TempDir() + "/curve.svg"
	c := config{rounds: 1, requests: 10, tenants: numbers{1, 20}, zipf: numbers{20}, delay: 100 * time.Microsecond, svg: svg,
		paths: numbers{3}, pathDelay: 100 * time.Microsecond}
	if err := run(t.Context(), &out, c); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"20 tenants x 4 queries, Zipf 1.1", "20 tenants x 4 queries, 100µs each way", "| pgx, SET + query ", "query by primary key, 3 tenants, 100µs each way",
		"| pgdbm, changing "} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("there is no %q in\n%s", part, out.String())
		}
	}
}
