package thirdparty_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// world is one configuration with its databases and connections. One goroutine uses it.
type world struct {
	setup
	class  class
	t      *testing.T
	ctx    context.Context
	random *rand.Rand

	party *party
	dsns  [databases]string
	admin [databases]*pgx.Conn
	tap   *tap

	tenants []*tenant
	decoy   *tenant // public, where nothing may be found
	deck    []card

	ours, twin *cast
	fresh      *player
	witnessDB  *sql.DB
	witnesses  []*witness
	blockers   []*blocker

	epoch     int                // counts the changes
	contents  map[*tenant]string // of the tables, in ours, twin and fresh
	failed    map[string]failure // the last one by text and tenant
	used      map[string]use     // statements by text and tenant
	seen      map[string]bool    // the same by connection
	lastSQL   map[*tenant]string // the last change
	changedAt map[*tenant]int    // its epoch
	killed    bool               // sessions were, so a connection may be lost
	counts    tallies
	start     time.Time
	units     int
	steps     int
	kills     int
	history   []string
	problem   string // what is wrong
}

// use is when a statement was executed last in a tenant.
type use struct{ version, epoch int }

// note adds to the history.
func (w *world) note(format string, args ...any) {
	w.history = append(w.history, fmt.Sprintf("%d: ", w.units)+fmt.Sprintf(format, args...))
	if len(w.history) > 80 {
		w.history = slices.Delete(w.history, 0, 40)
	}
}

// must ends the test for a reason that is not the driver's.
func (w *world) must(err error) {
	if err != nil {
		w.t.Fatalf("the test itself failed: %v\n%s", err, strings.Join(w.history, "\n"))
	}
}

// everywhere lets the third party do something in all databases, which must be possible.
func (w *world) everywhere(sql string) {
	errs, err := w.party.do(sql, w.dsns[:]...)
	w.must(err)
	for _, e := range errs {
		if e != "" {
			w.must(fmt.Errorf("the third party: %s: %q", sql, errs))
		}
	}
}

// apply makes a change.
func (w *world) apply(c change) {
	w.note("the third party: %s: %s", c.name, c.sql)
	w.everywhere(c.sql)
	w.lastSQL[c.tenant] = c.sql
	w.contents[c.tenant] = w.read(inOurs, c.tenant)
	w.changed()
	w.changedAt[c.tenant] = w.epoch
}

// changed starts an epoch.
func (w *world) changed() {
	w.epoch++
	w.dismiss()
	x, err := newWitness(w.ctx, w.witnessDB, w.epoch)
	w.must(err)
	w.witnesses = append(w.witnesses, x)
}

// dismiss closes the witnesses that are older than any connection of ours.
func (w *world) dismiss() {
	oldest := w.epoch
	for _, p := range w.ours.players {
		oldest = min(oldest, p.opened)
	}
	w.witnesses = slices.DeleteFunc(w.witnesses, func(x *witness) bool {
		if x.opened < oldest {
			x.close()
		}
		return x.opened < oldest
	})
}

// most is how many witnesses there may be: each one is a session of the server.
const most = 20

// renew opens new connections for one player of ours and its twin, or for all.
func (w *world) renew(which int) {
	w.note("renew connection %d", which)
	w.must(w.ours.renew(w.ctx, which, w.epoch))
	w.must(w.twin.renew(w.ctx, which, w.epoch))
	w.dismiss()
	if which < 0 {
		w.must(w.fresh.renew(w.ctx, w.epoch))
		clear(w.seen)
	}
}

// read returns what a tenant's tables contain.
func (w *world) read(database int, t *tenant) string {
	if t.missing {
		return "missing"
	}
	var parts []string
	for _, table := range tables {
		parts = append(parts, t.sql(fmt.Sprintf(
			`'%s', (SELECT coalesce(json_agg(x ORDER BY x COLLATE "C"), '[]') FROM (SELECT t::text AS x FROM @%[1]s t) q)`, table.name)))
	}
	results, err := w.admin[database].PgConn().Exec(w.ctx, "SELECT json_build_object("+strings.Join(parts, ", ")+")").ReadAll()
	w.must(err)
	return string(results[0].Rows[0][0])
}

// write makes a tenant's tables contain that.
func (w *world) write(database int, t *tenant, contents string) {
	if t.missing {
		return
	}
	literal := "'" + strings.ReplaceAll(contents, "'", "''") + "'::json"
	var b strings.Builder
	for _, table := range tables {
		b.WriteString(t.sql(fmt.Sprintf("DELETE FROM @%[1]s; INSERT INTO @%[1]s SELECT (x::@%[1]s).* FROM json_array_elements_text(%[2]s->'%[1]s') x; ",
			table.name, literal)))
	}
	_, err := w.admin[database].PgConn().Exec(w.ctx, b.String()).ReadAll()
	w.must(err)
}

// kill ends all sessions of ours and of the twin, and waits until they are gone.
func (w *world) kill() {
	const others = "FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> '" +
		partyName + "'"
	w.note("the third party: kill all sessions")
	errs, err := w.party.do("SELECT pg_terminate_backend(pid) "+others, w.dsns[inOurs], w.dsns[inTwin])
	w.must(err)
	if errs[0] != "" || errs[1] != "" {
		w.must(fmt.Errorf("the third party: kill: %q", errs))
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		var n int
		w.must(w.admin[inOurs].QueryRow(w.ctx, "SELECT count(*) "+others).Scan(&n))
		if n == 0 {
			break
		}
	}
	w.killed = true
	w.kills++
}

// live runs units until the time is over, and every class has been met, or something is wrong.
func (w *world) live(limit time.Duration) {
	w.start = time.Now()
	const slack = 30 * time.Second // for a slow machine
	for w.problem == "" {
		late := time.Since(w.start) - limit
		if late > slack || late > 0 && len(w.counts.empty(w.class, w.setup)) == 0 {
			break
		}
		w.units++
		w.between()
		if w.class.loses > 0 && w.random.IntN(w.class.loses) == 0 && !w.killed {
			w.loseAnswer()
			continue
		}
		w.run(w.newUnit())
		if w.killed {
			w.renew(-1)
			w.killed = false
		}
	}
	if now := w.read(inOurs, w.decoy); w.problem == "" && now != w.contents[w.decoy] {
		w.problem = fmt.Sprintf("SOMETHING WAS WRITTEN INTO public\nbefore: %s\nnow:    %s", w.contents[w.decoy], now)
	}
}

// log tells what was done.
func (w *world) log() {
	w.t.Helper()
	rate := float64(w.steps) / time.Since(w.start).Seconds()
	w.t.Logf("%d units, %d statements, %.0f a second; %d changes, sessions killed %d times", w.units, w.steps, rate, w.epoch-1, w.kills)
	w.counts.log(w.t)
}

// between does what may happen between two units.
func (w *world) between() {
	r, c := w.random, w.class
	if w.units%c.deal == 0 {
		fresh := newCard(r, c)
		fresh.serial = w.units
		w.deck[r.IntN(len(w.deck))] = fresh
	}
	for _, b := range w.blockers {
		if r.IntN(8) == 0 {
			w.must(b.flip(w.ctx))
		}
	}
	if c.changes && r.IntN(c.every) == 0 {
		w.apply(newChange(r, pick(r, w.tenants), c.kind))
		if c.renewal {
			w.renew(-1)
		}
	}
	if len(w.witnesses) > most {
		w.renew(-1)
	}
	if c.renews > 0 && r.IntN(c.renews) == 0 {
		w.renew(r.IntN(held+2) - 1)
	}
	if c.kills && r.IntN(400) == 0 {
		w.kill()
	}
}

// fail records what is wrong.
func (w *world) fail(u *unit, i int, what string, outcomes ...string) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nconfiguration: %s; unit %d, %s\n", what, w.setup, w.units, u)
	for j, s := range u.steps {
		mark := map[bool]string{true: "-> ", false: "   "}[i == j]
		text := s.String()
		if s.control != "" {
			text = s.control
		}
		types, _ := json.Marshal(s.tenant.types)
		fmt.Fprintf(&b, "%s%s in %q (sql.Stmt %t)\n", mark, text, s.tenant.name, s.prepared)
		if i == j {
			fmt.Fprintf(&b, "   types %s, last change: %s\n", types, w.lastSQL[s.tenant])
		}
	}
	for _, o := range outcomes {
		fmt.Fprintln(&b, o)
	}
	fmt.Fprintf(&b, "history:\n%s", strings.Join(w.history, "\n"))
	w.problem = b.String()
}
