package thirdparty_test

import (
	"fmt"
	"slices"
	"strings"
)

// differ decides whether a difference between our outcome, the twin's and the fresh connection's is legitimate.
func (w *world) differ(u *unit, i int, before map[*tenant]string, got, twin, fresh string) {
	s := &u.steps[i]
	if u.tx {
		w.endAll(u, false)
	}
	after := w.readAll(u)
	switch {
	case got == "error "+lostConnection && w.killed:
		if !w.unchanged(u, before, after) {
			w.fail(u, i, "A statement has run although its connection was lost before")
		}
	case w.tolerated(got):
	case u.tx && !w.unchanged(u, before, after):
		w.fail(u, i, "A transaction that was rolled back has left something")
	case !w.class.lenient && !w.legitimate(u, i, before, after, got, twin, fresh):
		w.fail(u, i, "A THIRD VALUE", "ours:  "+got, "twin:  "+twin, "fresh: "+fresh)
	case isError(got) && !isError(fresh) && (w.stand == theDriver || w.stand == repeating):
		if first := w.failedBefore(s); first > 0 {
			w.fail(u, i, fmt.Sprintf("FAILED TWICE FOR ONE CHANGE, first in unit %d", first), "ours:  "+got, "twin:  "+twin, "fresh: "+fresh)
		}
	}
	w.equalize(after)
}

// tolerated reports whether an error is an excuse in this run: that a statement is not prepared, or is already, or has other
// parameters.
func (w *world) tolerated(got string) bool {
	return !w.class.strict && slices.ContainsFunc([]string{"error 26000", "error 42P05", "error 08P01"},
		func(code string) bool { return strings.HasPrefix(got, code) })
}

// unchanged reports whether our tables are as before the unit.
func (w *world) unchanged(u *unit, before map[*tenant]string, after snapshot) bool {
	for t, contents := range after {
		if contents[inOurs] != before[t] && (!u.inFlight || u.kills) {
			return false
		}
	}
	return true
}

// legitimate reports whether our outcome, and what it has written, are plain pgx's of then or now.
func (w *world) legitimate(u *unit, i int, before map[*tenant]string, after snapshot, got, twin, fresh string) bool {
	if u.steps[i].tenant.missing && isError(got) && isError(fresh) {
		return true // under a path PostgreSQL may find public's table first, with other columns, and that error comes before the check's
	}
	if got == twin && (u.tx || after.agree(inTwin)) || got == fresh && (u.tx || after.agree(inFresh)) || w.witnessed(u, i, i, false, before, after, got) {
		return true
	}
	for j := range i { // the statement may show what an earlier one has written
		if u.steps[j].silently && w.witnessed(u, j, i, false, before, after, got) {
			return true
		}
	}
	return false
}

// witnessed asks the witnesses of the time since our connection was opened. Each one executes the unit on the data that was there
// before it, remembering one statement. With whole, outcomes were the same and what is in the tables decides.
func (w *world) witnessed(u *unit, known, i int, whole bool, before map[*tenant]string, after snapshot, got string) bool {
	opened := w.ours.players[u.player].opened
	for _, x := range w.witnesses {
		if x.opened < opened || !x.known[x.text(u.steps[known].text, u.steps[known].tenant)] {
			continue
		}
		for _, t := range u.tenants() {
			w.write(inWitness, t, before[t])
		}
		outcome := x.replay(w.ctx, u, known, i, whole)
		outdated := x.opened < w.changedAt[u.steps[known].tenant]
		if !whole && outcome != got && (!outdated || !bothErrors(outcome, got)) {
			w.note("a witness of epoch %d (now %d): %.200s", x.opened, w.epoch, outcome)
			continue
		}
		if u.tx && !whole {
			return true
		}
		same := true
		for _, t := range u.tenants() {
			same = same && w.read(inWitness, t) == after[t][inOurs]
		}
		if same {
			return true
		}
	}
	return false
}

// bothErrors reports whether two outcomes are errors of the server or of pgx. What is out of date may fail in more than one way: a type that is
// gone is not found by Bind, or by Parse.
func bothErrors(a, b string) bool {
	const lost = "error " + lostConnection
	return isError(a) && isError(b) && a != lost && b != lost
}

// failure is when a statement failed that plain pgx could execute.
type failure struct{ version, unit int }

// failedBefore returns the unit in which a statement has failed for the same change of its tenant, or 0.
func (w *world) failedBefore(s *step) int {
	key := fmt.Sprint(s.tenant.name, s.text)
	last := w.failed[key]
	w.failed[key] = failure{s.tenant.version, w.units}
	if last.version != s.tenant.version {
		return 0
	}
	return last.unit
}

// count notes which classes of faults a statement could have met.
func (w *world) count(u *unit, s *step, ours *player, changed bool, executed, described int) {
	key := fmt.Sprint(s.tenant.name, s.text)
	last, usedBefore := w.used[key]
	met := func(class string, earlier bool) {
		n := w.counts.of(class)
		n.met++
		switch {
		case changed && described > 0:
			n.inFlight++
		case changed && executed > 0 || earlier:
			n.earlier++
		}
	}
	stale := usedBefore && last.version < s.tenant.version
	if stale || changed {
		met("stale", stale)
	}
	if stale && ours.opened > last.epoch {
		met("renewed", true)
	}
	column := s.card.table + "." + s.card.column.name
	for _, other := range w.tenants {
		before, ok := w.used[fmt.Sprint(other.name, s.text)]
		if ok && other != s.tenant && (!usedBefore || stale) && before.version == other.version && other.types[column] != s.tenant.types[column] {
			met("lent", stale)
			break
		}
	}
	if w.route != direct {
		onThis := fmt.Sprint(u.player, key)
		if w.seen[onThis] {
			met("names", stale)
		}
		w.seen[onThis] = true
		if described > 0 {
			met("pooler", stale)
		}
	}
	w.used[key] = use{s.tenant.version, w.epoch}
}
