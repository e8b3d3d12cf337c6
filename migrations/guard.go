package migrations

import (
	"fmt"
	"strconv"
	"strings"
)

// guard is what a transaction has to find, and what it adds to that first.
type guard struct {
	rows         int  // of the target, in its history; negative if that was checked before, in the same message
	held         bool // the target's key is held by a connection of the run's own
	createSchema bool
	createTable  bool
	forgetOld    bool // the shared history has rows of a schema that was dropped
	move         bool // rows of the schema's own table to the shared one
	dropOwn      bool // that table is empty then
}

// newGuard returns the guard of the first transaction after a look at the state.
func newGuard(t target, st *state) guard {
	return guard{
		rows:         st.rows,
		createSchema: !st.schema,
		createTable:  !st.table && t.shared == "",
		forgetOld:    !st.schema && t.shared != "",
		move:         st.own,
		dropOwn:      st.own && st.ownOnly,
	}
}

// next returns the guard of the transactions that follow in the same message.
func (g guard) next() guard { return guard{rows: -1, held: g.held} }

// zero is an expression that is 0 if the target's key is free, which it takes, and if the history is as it was when the
// run looked. Otherwise it fails with division_by_zero.
func (g guard) zero(t target) string {
	var conditions []string
	if !g.held {
		conditions = append(conditions, "pg_catalog.pg_try_advisory_xact_lock("+strconv.FormatInt(t.key(), 10)+")")
	}
	if g.rows >= 0 && !g.createTable && !g.forgetOld {
		conditions = append(conditions, fmt.Sprintf("(SELECT pg_catalog.count(*) FROM %s WHERE %s) = %d", t.history(), t.rows(), g.rows))
	}
	if len(conditions) == 0 {
		return "0"
	}
	return "0/(" + strings.Join(conditions, " AND ") + ")::pg_catalog.int4"
}
