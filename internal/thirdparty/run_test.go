package thirdparty_test

import (
	"fmt"
	"maps"
	"strings"
)

// run executes a unit on a connection of ours, on its twin and on the fresh one, and compares them after each statement. It ends with
// the first difference, which the rest would follow from.
func (w *world) run(u *unit) {
	ours, twin := w.ours.players[u.player], w.twin.players[u.player]
	before := maps.Clone(w.contents)
	if u.tx && !w.begin(u, ours, twin) {
		return
	}
	for i := range u.steps {
		s := &u.steps[i]
		if s.change != nil {
			w.apply(newChange(w.random, s.change, ""))
			before[s.change] = w.contents[s.change]
		}
		got := w.execute(u, s, ours, before)
		a, b := w.others(s, twin)
		w.note("%s in %s: %.200s", w.describe(s), s.tenant.name, got)
		if got != a || got != b {
			w.differ(u, i, before, got, a, b)
			return
		}
	}
	w.finish(u, before)
}

func (w *world) describe(s *step) string {
	if s.control != "" {
		return s.control
	}
	return s.statement.String()
}

func (w *world) begin(u *unit, ours, twin *player) bool {
	errs := []error{ours.begin(w.ctx, u.tenant), twin.begin(w.ctx, u.tenant), w.fresh.begin(w.ctx, u.tenant)}
	for _, err := range errs {
		if err == nil {
			continue
		}
		w.endAll(u, false)
		if !w.killed {
			w.fail(u, -1, fmt.Sprintf("BEGIN: %v", errs))
		}
		return false
	}
	return true
}

// endAll ends the transaction of all three.
func (w *world) endAll(u *unit, commit bool) (ours, twin, fresh string) {
	return w.ours.players[u.player].end(commit, u.tenant), w.twin.players[u.player].end(commit, u.tenant), w.fresh.end(commit, u.tenant)
}

// execute executes a statement of ours. If something is to happen in flight, it happens now, at the latest afterwards.
func (w *world) execute(u *unit, s *step, ours *player, before map[*tenant]string) string {
	w.steps++
	if s.control != "" {
		return controlOutcome(w, ours, s)
	}
	w.witnesses[len(w.witnesses)-1].note(w.ctx, s)
	happened := false
	var hold func()
	switch {
	case u.kills:
		hold = func() { happened = true; w.kill() }
	case u.inFlight:
		hold = func() { happened = true; w.changeInFlight(s.tenant, before) }
	}
	w.tap.arm(hold, loseNothing, 0)
	got := ours.do(w.ctx, s)
	executed, described := w.tap.disarm()
	w.count(u, s, ours, happened && !u.kills, executed, described)
	return got
}

// changeInFlight makes a change while a message of ours is held. The witnesses get the same data before.
func (w *world) changeInFlight(t *tenant, before map[*tenant]string) {
	w.write(inWitness, t, before[t])
	w.apply(newChange(w.random, t, ""))
	before[t] = w.read(inWitness, t)
}

func controlOutcome(w *world, p *player, s *step) string {
	if _, err := p.on().ExecContext(w.ctx, s.control); err != nil {
		return errorOutcome(err, s.tenant)
	}
	return "done"
}

// others returns the outcomes of the twin and the fresh connection.
func (w *world) others(s *step, twin *player) (a, b string) {
	if s.control != "" {
		return controlOutcome(w, twin, s), controlOutcome(w, w.fresh, s)
	}
	return twin.do(w.ctx, s), w.fresh.doAfresh(w.ctx, s)
}

// finish ends a unit in which all outcomes were the same.
func (w *world) finish(u *unit, before map[*tenant]string) {
	if u.tx {
		got, a, b := w.endAll(u, u.commit)
		if got != a || got != b {
			if !w.killed || !strings.Contains(got+a+b, lostConnection) {
				w.fail(u, -1, "COMMIT or ROLLBACK", got, a, b)
			}
			return
		}
	}
	if !u.writes() || w.sameContents(u) {
		return
	}
	for i, s := range u.steps {
		if s.silently && w.witnessed(u, i, true, before, "") {
			w.equalize(u)
			return
		}
	}
	w.failContents(u, before)
}

// sameContents reports whether our tables are those of the twin, or of the fresh connection, and makes all the same.
func (w *world) sameContents(u *unit) bool {
	asTwin, asFresh := true, true
	for _, t := range u.tenants() {
		ours := w.read(inOurs, t)
		asTwin, asFresh = asTwin && ours == w.read(inTwin, t), asFresh && ours == w.read(inFresh, t)
	}
	if !asTwin && !asFresh {
		return false
	}
	w.equalize(u)
	return true
}

// equalize gives the others what our tables contain.
func (w *world) equalize(u *unit) {
	for _, t := range u.tenants() {
		ours := w.read(inOurs, t)
		w.contents[t] = ours
		for _, database := range []int{inTwin, inFresh} {
			if w.read(database, t) != ours {
				w.write(database, t, ours)
			}
		}
	}
}

func (w *world) failContents(u *unit, before map[*tenant]string) {
	var all []string
	for _, t := range u.tenants() {
		all = append(all, fmt.Sprintf("tables of %s\nbefore: %s\nours:   %s\ntwin:   %s\nfresh:  %s", t.name, before[t],
			w.read(inOurs, t), w.read(inTwin, t), w.read(inFresh, t)))
	}
	w.fail(u, len(u.steps)-1, "A THIRD VALUE IN THE TABLES: the outcomes agree, but what was written is neither the twin's nor the fresh connection's", all...)
}
