package thirdparty_test

import (
	"fmt"
	"slices"
	"strings"
)

// step is a statement of a unit, or transaction control.
type step struct {
	statement
	tenant   *tenant
	prepared bool   // through an sql.Stmt
	bound    bool   // the transaction's context names the tenant, the statement's does not
	control  string // SAVEPOINT and the like, instead of a statement
	card     card
	change   *tenant // is changed before the step
}

// unit is what is executed on one connection before the databases are compared: a statement, or a transaction.
type unit struct {
	player   int
	tx       bool
	commit   bool
	tenant   *tenant // of the transaction's context
	steps    []step
	inFlight bool // the third party acts between the describe and the execute
	kills    bool // by killing the session, not by a change
}

// canFollowChange reports whether a change of the tenant may come before the step inside of a transaction. A session there notices it when
// it locks a table; what it knows of schemas and types until then may be old, and what plain pgx makes of that depends on luck.
func (s *step) canFollowChange() bool {
	return !s.tenant.missing && (strings.Contains(s.text, "@tp_item") || strings.Contains(s.text, "@tp_acct"))
}

func (u *unit) writes() bool {
	return slices.ContainsFunc(u.steps, func(s step) bool { return s.control == "" && s.writes })
}

// tenants returns those that the statements touch.
func (u *unit) tenants() []*tenant {
	var list []*tenant
	for _, s := range u.steps {
		if s.control == "" && !slices.Contains(list, s.tenant) {
			list = append(list, s.tenant)
		}
	}
	return list
}

func (u *unit) String() string {
	return fmt.Sprintf("connection %d, transaction %t, commit %t, in flight %t", u.player, u.tx, u.commit, u.inFlight)
}

// newUnit returns a random one.
func (w *world) newUnit() *unit {
	r := w.random
	u := &unit{player: r.IntN(held + 1), tenant: pick(r, w.tenants)}
	if r.IntN(4) > 0 {
		u.steps = []step{w.newStep(u.tenant)}
		u.inFlight = w.class.inFlight > 0 && r.IntN(w.class.inFlight) == 0
		u.kills = u.inFlight && w.class.kills && r.IntN(6) == 0
		return u
	}
	u.tx, u.commit = true, r.IntN(3) > 0
	silent, savepoint := false, false
	for range 2 + r.IntN(4) {
		if r.IntN(4) == 0 {
			u.steps = append(u.steps, step{tenant: u.tenant, control: control(r.IntN(2) == 0, &savepoint)})
			continue
		}
		t := u.tenant
		if r.IntN(4) == 0 {
			t = pick(r, w.tenants)
		}
		s := w.newStep(t)
		s.bound = t == u.tenant && r.IntN(2) == 0
		if s.silently && silent { // two of them could not be told apart: see world.witnessed
			continue
		}
		silent = silent || s.silently
		if w.class.changes && s.canFollowChange() && !slices.Contains(u.tenants(), t) && r.IntN(w.class.every/2) == 0 {
			s.change = t // nobody has a lock on its tables
		}
		u.steps = append(u.steps, s)
	}
	return u
}

func control(end bool, savepoint *bool) string {
	switch {
	case !*savepoint:
		*savepoint = true
		return "SAVEPOINT s"
	case end:
		*savepoint = false
		return "RELEASE SAVEPOINT s"
	}
	return "ROLLBACK TO SAVEPOINT s"
}

func (w *world) newStep(t *tenant) step {
	c := pick(w.random, w.deck)
	return step{statement: c.statement(w.random), tenant: t, card: c, prepared: w.random.IntN(10) == 0}
}
