package stmtcache

import "math/bits"

// sketch estimates how often each text was used lately, in a fixed amount of memory: a count-min sketch whose counters
// are halved now and then, as in TinyLFU. It never says less than the truth, unless a counter is full, and seldom more.
type sketch struct {
	counters []uint8 // of all rows together; their number is a power of two
	mask     uint64
	added    int // since the counters were halved last
	window   int // the number of uses after which they are halved
}

const (
	sketchRows     = 4
	sketchRoom     = 64 // counters per text that may be prepared: 32 KB for pgx's default of 512
	sketchWindow   = 20 // uses per text that may be prepared
	sketchSmallest = 1024
)

// newSketch returns a sketch that can tell apart the most frequent of about capacity texts.
func newSketch(capacity int) *sketch {
	size := 1 << bits.Len(uint(max(capacity*sketchRoom, sketchSmallest)-1))
	return &sketch{counters: make([]uint8, size), mask: uint64(size - 1), window: max(capacity*sketchWindow, sketchSmallest/4)}
}

// add counts a use of the text with this hash, and returns how often it was used before.
func (s *sketch) add(hash uint64) uint8 {
	before := s.estimate(hash)
	if before < 255 {
		for row := range uint64(sketchRows) {
			// Only the smallest are raised: the others count somebody else as well, and are right for that one.
			if c := &s.counters[s.at(hash, row)]; *c == before {
				*c++
			}
		}
	}
	if s.added++; s.added >= s.window {
		s.age()
	}
	return before
}

// estimate returns how often the text with this hash was used.
func (s *sketch) estimate(hash uint64) uint8 {
	least := uint8(255)
	for row := range uint64(sketchRows) {
		least = min(least, s.counters[s.at(hash, row)])
	}
	return least
}

// at returns the counter of a hash in a row.
func (s *sketch) at(hash, row uint64) uint64 { return (hash + row*(hash>>32|1)) & s.mask }

// age forgets half of what was counted, so that what was frequent long ago does not stay so.
func (s *sketch) age() {
	for i := range s.counters {
		s.counters[i] /= 2
	}
	s.added = 0
}
