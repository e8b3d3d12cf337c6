package thirdparty_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

func TestThirdParty(t *testing.T) {
	t.Parallel()
	seed := seed()
	i := slices.IndexFunc(classes, func(c class) bool { return c.name == *onlyFlag })
	if i < 0 {
		t.Fatalf("-thirdparty.only %q: no such class", *onlyFlag)
	}
	c := classes[i]
	t.Logf("-thirdparty.seed %d", seed)
	for _, s := range setups(c) {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, s, c, seed, stream(s))
			w.live(*runTime)
			w.log()
			if w.problem != "" {
				t.Fatalf("-thirdparty.seed %d -thirdparty.only %q -run 'TestThirdParty/%s'\n%s", seed, c.name, s, w.problem)
			}
			if list := w.counts.empty(c, s); len(list) > 0 {
				t.Errorf("no statement has met these: %q", list)
			}
		})
	}
}

// seed returns where the random numbers start.
func seed() uint64 {
	if *runSeed != 0 {
		return *runSeed
	}
	return rand.Uint64()
}

// setups returns the configurations in which a class of faults can be met.
func setups(c class) []setup {
	var list []setup
	for _, path := range []bool{false, true} {
		for _, route := range c.routes {
			if route == tracked && os.Getenv(trackingVariable) == "" { // what is installed may not be able to
				continue
			}
			for _, cold := range []bool{false, true} {
				if cold || !c.coldOnly {
					list = append(list, setup{path: path, route: route, cold: cold})
				}
			}
		}
	}
	return list
}

// stream tells the random numbers of the configurations apart, so that one can be run alone.
func stream(s setup) uint64 {
	n := uint64(slices.Index([]string{direct, untracked, tracked}, s.route))
	if s.path {
		n += 10
	}
	if s.cold {
		n += 20
	}
	return n
}
