package stmtcache

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/pgdbm/pgdbm/internal/template"
)

func textHash(i int) uint64 { return template.Hash("text " + strconv.Itoa(i)) }

// The sketch never says less than the truth, and seldom more.
func TestSketchEstimates(t *testing.T) {
	t.Parallel()
	s := newSketch(512)
	truth := make(map[int]uint8)
	random := rand.New(rand.NewPCG(1, 2))
	for range s.window - 1 {
		i := random.IntN(4000)
		if got := s.add(textHash(i)); got < truth[i] {
			t.Fatalf("text %d was used %d times before, not %d", i, truth[i], got)
		}
		truth[i]++
	}
	wrong := 0
	for i, n := range truth {
		switch got := s.estimate(textHash(i)); {
		case got < n:
			t.Fatalf("text %d was used %d times, not %d", i, n, got)
		case got > n:
			wrong++
		}
	}
	if wrong > len(truth)/50 {
		t.Errorf("%d of %d texts are counted too often", wrong, len(truth))
	}
}

// What was frequent long ago does not stay so.
func TestSketchForgets(t *testing.T) {
	t.Parallel()
	s := newSketch(16)
	for range 100 {
		s.add(textHash(0))
	}
	before := s.estimate(textHash(0))
	for i := range s.window {
		s.add(textHash(1 + i%8))
	}
	if now := s.estimate(textHash(0)); now > before/2 {
		t.Errorf("after a window without a use the estimate is %d, and was %d", now, before)
	}
}

// A counter that is full stays full.
func TestSketchDoesNotOverflow(t *testing.T) {
	t.Parallel()
	s := newSketch(512)
	for range 1000 {
		s.add(textHash(0))
	}
	if got := s.estimate(textHash(0)); got != 255 {
		t.Errorf("a text used 1,000 times is counted %d times", got)
	}
}
