//go:build pgdbm_unguarded

package soak_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pgdbm/pgdbm/internal/guard"
)

// guards are what keeps tenants apart, and where. Where a guard is not listed, another one does the same.
var guards = []struct {
	name   string
	on     *bool
	setups []setup
}{
	{"Session", &guard.Session, []setup{{}, {path: true}}},
	{"Statement", &guard.Statement, []setup{{}}},
	{"Path", &guard.Path, []setup{{path: true}, {path: true, pooled: true}}},
	{"Missing", &guard.Missing, []setup{{path: true}, {path: true, pooled: true}}},
}

// TestSoakFindsLeaks switches off one guard after the other. Each time the soak test must find a row, or a temporary table, of somebody else within seconds.
func TestSoakFindsLeaks(t *testing.T) {
	for _, g := range guards {
		for _, s := range g.setups {
			t.Run(g.name+", "+s.String(), func(t *testing.T) {
				*g.on = false
				defer func() { *g.on = true }()
				w := newWorld(t, s)
				started := time.Now()
				wrong := w.run(t, time.Second)
				found := strings.Join(wrong, "\n")
				if !strings.Contains(found, "LEAK") && !strings.Contains(found, "42P07") { // a table of somebody else is there already
					t.Errorf("without the guard nothing was found but %q", wrong)
				}
				t.Logf("after %s: %q", time.Since(started).Round(time.Millisecond), wrong)
			})
		}
	}
}
