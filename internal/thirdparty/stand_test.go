package thirdparty_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// doWrong executes a statement as the player's stand does.
func (p *player) doWrong(ctx context.Context, s *step) string {
	p.calls++
	wrong := *s
	switch p.stand {
	case guessing:
		if len(s.args) > 0 && !s.prepared {
			wrong.args = append([]any{pgx.QueryExecModeExec}, s.args...)
		}
	case confusing:
		if p.calls%20 == 0 && p.tx == nil {
			other := *s.tenant
			other.name = "public"
			wrong.tenant = &other
		}
	case retrying:
		got := p.doRight(ctx, s)
		if got == "error "+lostConnection && p.tx == nil {
			return s.outcome(ctx, p.db, p.text(s.text, s.tenant), s.tenant)
		}
		return got
	}
	return p.doRight(ctx, &wrong)
}

// The test finds nothing wrong with plain pgx itself. Through PgBouncer that needs cache_describe, which is wrong itself after changes.
func TestPlainPgx(t *testing.T) {
	t.Parallel()
	for route, name := range map[string]string{direct: "", untracked: "pooler"} {
		s := setup{route: route, stand: plainPgx}
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			seed := seed()
			w := newWorld(t, s, classNamed(name), seed, 0)
			w.live(*runTime)
			w.log()
			if w.problem != "" {
				t.Errorf("seed %d: %s", seed, w.problem)
			}
		})
	}
}

// The test finds what it looks for in pgx that does it wrong.
func TestFindsFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		class string
		stand stand
		want  string
	}{
		{"names", confusing, "A THIRD VALUE"},
		{"stale", repeating, "FAILED TWICE"},
		{"lent", guessing, "A THIRD VALUE"},
		{"renewed", keeping, "A THIRD VALUE"},
		{"lost", retrying, "RAN 2 TIMES"},
	} {
		t.Run(string(test.stand), func(t *testing.T) {
			t.Parallel()
			c := classNamed(test.class)
			seed := seed()
			w := newWorld(t, setup{route: c.routes[0], stand: test.stand}, c, seed, 0)
			for end := time.Now().Add(time.Minute); w.problem == "" && time.Now().Before(end); {
				w.live(time.Second)
			}
			if !strings.HasPrefix(w.problem, test.want) {
				t.Errorf("seed %d, after %d statements: %q, want %s", seed, w.steps, w.problem, test.want)
			}
			t.Logf("found after %d statements", w.steps)
		})
	}
}
