package migrations

import (
	"fmt"
	"strings"
)

// guard is what a transaction has to find, and what it adds to that first.
type guard struct {
	rows         int  // of the target, in its history; negative if that was checked before, in the same message
	held         bool // the target's key is held by a connection of the run's own
	createSchema bool
	createTable  bool
	forgetOld    bool // the shared history has rows of a schema that was dropped
}

// newGuard returns the guard of the first transaction after a look at the state.
func newGuard(t target, st *state) guard {
	return guard{rows: st.rows, createSchema: !st.schema, createTable: !st.table && t.shared == "", forgetOld: st.stale}
}

// next returns the guard of the transactions that follow in the same message.
func (g guard) next() guard { return guard{rows: -1, held: g.held} }

// free is the condition that nobody else has the target's key, which it takes.
func (g guard) free(t target) []string {
	if g.held {
		return nil
	}
	return []string{t.lock()}
}

// same is the condition that the history is as it was when the run looked.
func (g guard) same(t target) []string {
	if g.rows < 0 || g.createTable || g.forgetOld {
		return nil
	}
	return []string{count(t.history(), t.rows(), g.rows)}
}

func count(table, which string, want int) string {
	return fmt.Sprintf("(SELECT pg_catalog.count(*) FROM %s WHERE %s) = %d", table, which, want)
}

// zero is an expression that is 0 if all conditions are true. Otherwise it fails with division_by_zero.
func zero(conditions []string) string {
	if len(conditions) == 0 {
		return "0"
	}
	return "0/(" + strings.Join(conditions, " AND ") + ")::pg_catalog.int4"
}
