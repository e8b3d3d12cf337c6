// Package needs says what happens to a test when something that it needs is not on the machine: a newcomer's run skips the
// test, CI's fails it.
package needs

import (
	"os"
	"testing"
)

// Everything is the environment variable with which CI says that all that tests need has to be there. Any value but ""
// counts.
const Everything = "PGDBM_TEST_ALL"

// Missing ends the test, for the reason that err gives: it skips it, or fails it if [Everything] is set. Like Fatal it has
// to be called from the test's goroutine.
func Missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv(Everything) == "" {
		t.Skip(err)
	}
	t.Fatalf("%v (and %s is set)", err, Everything)
}
