package thirdparty_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// run executes a unit on a connection of ours, on its twin and on the fresh one, and compares them after each statement. It ends with
// the first difference, which the rest would follow from.
func (w *world) run(u *unit) {
	before := maps.Clone(w.contents)
	if u.tx && !w.begin(u) {
		return
	}
	for i := range u.steps {
		s := &u.steps[i]
		if s.change != nil {
			w.apply(newChange(w.random, s.change, w.class.kind))
			before[s.change] = w.contents[s.change]
		}
		got, a, b := w.executeAll(u, s, before)
		w.note("connection %d: %s in %s: %.200s", u.player, w.describe(s), s.tenant.name, got)
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
	return s.String()
}

func (w *world) begin(u *unit) bool {
	ours, twin := w.ours.players[u.player], w.twin.players[u.player]
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

// executeAll returns the outcomes of a statement: ours, the twin's and the fresh connection's. They have nothing in common, so they
// run at the same time, unless something is to happen while ours runs.
func (w *world) executeAll(u *unit, s *step, before map[*tenant]string) (got, a, b string) {
	w.steps++
	ours, twin := w.ours.players[u.player], w.twin.players[u.player]
	if s.control != "" {
		return w.control(ours, s), w.control(twin, s), w.control(w.fresh, s)
	}
	last := w.witnesses[len(w.witnesses)-1]
	if u.inFlight {
		last.note(w.ctx, s)
		got = w.execute(u, s, ours, before)
	}
	var all sync.WaitGroup
	all.Go(func() { a = twin.do(w.ctx, s) })
	all.Go(func() { b = w.fresh.doAfresh(w.ctx, s) })
	if !u.inFlight {
		all.Go(func() { last.note(w.ctx, s) })
		got = w.execute(u, s, ours, before)
	}
	all.Wait()
	return got, a, b
}

// execute executes a statement of ours, and lets the third party act in the middle of it.
func (w *world) execute(u *unit, s *step, ours *player, before map[*tenant]string) string {
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
	w.apply(newChange(w.random, t, w.class.kind))
	before[t] = w.read(inWitness, t)
}

func (w *world) control(p *player, s *step) string {
	if _, err := p.on().ExecContext(w.ctx, s.control); err != nil {
		return errorOutcome(err, s.tenant)
	}
	return "done"
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
	if !u.writes() {
		return
	}
	after := w.readAll(u)
	if after.agree(inTwin) || after.agree(inFresh) || w.class.lenient {
		w.equalize(after)
		return
	}
	for i, s := range u.steps {
		if s.silently && w.witnessed(u, i, i, true, before, after, "") {
			w.equalize(after)
			return
		}
	}
	w.failContents(u, before, after)
}

// snapshot is what a unit's tables contain in each database.
type snapshot map[*tenant]*[databases]string

// readAll reads the tables of a unit. The databases have nothing in common, so it reads them at the same time.
func (w *world) readAll(u *unit) snapshot {
	s := make(snapshot)
	var all sync.WaitGroup
	for _, t := range u.tenants() {
		s[t] = &[databases]string{}
	}
	for _, database := range []int{inOurs, inTwin, inFresh} {
		all.Go(func() {
			for t, contents := range s {
				contents[database] = w.read(database, t)
			}
		})
	}
	all.Wait()
	return s
}

// agree reports whether our tables are those of another database.
func (s snapshot) agree(database int) bool {
	for _, contents := range s {
		if contents[inOurs] != contents[database] {
			return false
		}
	}
	return true
}

// equalize gives the others what our tables contain.
func (w *world) equalize(s snapshot) {
	for t, contents := range s {
		w.contents[t] = contents[inOurs]
		for _, database := range []int{inTwin, inFresh} {
			if contents[database] != contents[inOurs] {
				w.write(database, t, contents[inOurs])
			}
		}
	}
}

func (w *world) failContents(u *unit, before map[*tenant]string, after snapshot) {
	var all []string
	for t, contents := range after {
		other := []string{before[t], contents[inOurs], contents[inTwin], contents[inFresh]}
		for i, name := range []string{"before", "ours", "twin", "fresh"} {
			all = append(all, fmt.Sprintf("%s: %s has %s", name, t.name, special(other[i], other)))
		}
	}
	w.fail(u, len(u.steps)-1, "A THIRD VALUE IN THE TABLES: the outcomes agree, but what was written is neither the twin's nor the fresh connection's", all...)
}

// special returns the rows of some contents that not all of the others have.
func special(contents string, all []string) []string {
	var parsed map[string][]string
	if json.Unmarshal([]byte(contents), &parsed) != nil {
		return []string{contents} // the schema is missing
	}
	var rows []string
	for _, table := range tables {
		for _, row := range parsed[table.name] {
			quoted, _ := json.Marshal(row)
			if slices.ContainsFunc(all, func(other string) bool { return !strings.Contains(other, string(quoted)) }) {
				rows = append(rows, table.name+row)
			}
		}
	}
	return rows
}
