package migrations

import (
	"fmt"
	"strconv"
	"strings"
)

// guard is what a transaction has to find, and what it adds to that first.
type guard struct {
	rows         int  // of the target, in its history; negative if that was checked before, in the same message
	ownRows      int  // of the target, in the schema's own table, if they are to move
	held         bool // the target's key is held by a connection of the run's own
	createSchema bool
	createTable  bool
	forgetOld    bool // the shared history has rows of a schema that was dropped
	move         bool // rows of the schema's own table to the shared one
	dropOwn      bool // that table is empty then
	moveProgress bool // and rows of the progress table beside it
	dropProgress bool // that table is empty then
}

// newGuard returns the guard of the first transaction after a look at the state.
func newGuard(t target, st *state) guard {
	return guard{
		rows:         st.rows,
		ownRows:      st.ownRows,
		createSchema: !st.schema,
		createTable:  !st.table && t.shared == "",
		forgetOld:    st.stale,
		move:         st.own,
		dropOwn:      st.own && st.ownOnly,
		moveProgress: st.ownProgress,
		dropProgress: st.own && st.ownProgressOnly,
	}
}

// next returns the guard of the transactions that follow in the same message.
func (g guard) next() guard { return guard{rows: -1, held: g.held} }

// free is the condition that nobody else has the target's key, which it takes.
func (g guard) free(t target) []string {
	if g.held {
		return nil
	}
	return []string{"pg_catalog.pg_try_advisory_xact_lock(" + strconv.FormatInt(t.key(), 10) + ")"}
}

// same are the conditions that the history is as it was when the run looked.
func (g guard) same(t target) (conditions []string) {
	if g.rows >= 0 && !g.createTable && !g.forgetOld {
		conditions = append(conditions, count(t.history(), t.rows(), g.rows))
	}
	if g.move {
		which := t.ownRows()
		if g.dropOwn {
			which = "true"
		}
		conditions = append(conditions, count(t.ownHistory(), which, g.ownRows))
	}
	return conditions
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
