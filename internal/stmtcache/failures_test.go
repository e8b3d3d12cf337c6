package stmtcache_test

import (
	"testing"
	"time"

	"github.com/pgdbm/pgdbm/internal/stmtcache"
)

func TestFailures(t *testing.T) {
	t.Parallel()
	var f stmtcache.Failures
	before := time.Now()
	f.Add(1)
	after := time.Now().Add(time.Nanosecond)
	if !f.Since(1, before) || f.Since(1, after) || f.Since(2, before) || f.Count() != 1 {
		t.Error("not what was recorded")
	}
	for i := range uint64(200_000) {
		f.Add(10 + i)
	}
	if !f.Since(1, before) {
		t.Error("a failure that was forgotten does not count")
	}
	if f.Since(1, time.Now().Add(time.Nanosecond)) {
		t.Error("what was learned now does not count")
	}
}
