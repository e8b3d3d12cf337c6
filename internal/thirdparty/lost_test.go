package thirdparty_test

import (
	"fmt"
	"time"
)

// ways are the ways to send a statement, for answers that are lost.
var ways = []string{"exec", "text", "query", "row", "stmt", "transaction", "text in a transaction"}

// loseAnswer sends a statement whose request or answer is lost on the way. It must not run twice, and if there is no error it
// must have run.
func (w *world) loseAnswer() {
	t := pick(w.random, w.tenants)
	if t.missing {
		return
	}
	way, f, player := pick(w.random, ways), fate(1+w.random.IntN(3)), w.random.IntN(held+1)
	token := fmt.Sprintf("token %d", w.units)
	p, s := w.ours.players[player], &step{statement: statement{text: "INSERT INTO @tp_log (token) VALUES ($1)", args: []any{token}}, tenant: t}
	s.prepared = way == "stmt"
	switch way {
	case "text", "text in a transaction":
		s.text, s.args = "INSERT INTO @tp_log (token) VALUES ('"+token+"')", nil
	case "query", "row":
		s.text, s.form = s.text+" RETURNING token", map[string]form{"query": asQuery, "row": asRow}[way]
	}
	if w.random.IntN(2) == 0 { // it is known already
		warm := *s
		if len(warm.args) > 0 {
			warm.args = []any{"warm"}
			p.do(w.ctx, &warm)
		}
	}
	if way == "transaction" || way == "text in a transaction" {
		w.must(p.begin(w.ctx, t))
	}
	hold := func() {}
	if w.class.changes && p.tx == nil {
		hold = func() { w.changeLog(t) }
	}
	lost := w.tap.lost
	w.tap.arm(hold, f, w.random.IntN(120))
	got := p.do(w.ctx, s)
	w.tap.disarm()
	if w.tap.lost > lost {
		w.counts.of("lost").met++
	}
	if end := p.end(true, t); end != "" && !isError(got) {
		got = end
	}
	w.note("lost (%d) %s as %s in %s: %.100s", f, s.text, way, t.name, got)
	w.checkOnce(s, way, f, token, got)
	w.renew(-1)
}

// changeLog changes the table in which statements are counted.
func (w *world) changeLog(t *tenant) {
	typ := pick(w.random, []string{"text", "varchar(100)"})
	w.everywhere(t.sql("ALTER TABLE @tp_log ALTER COLUMN token TYPE " + typ))
	w.counts.of("lost").earlier++
}

// checkOnce counts how often a statement has run.
func (w *world) checkOnce(s *step, way string, f fate, token, got string) {
	var n int
	for end := time.Now().Add(time.Second); ; time.Sleep(time.Millisecond) { // a session may still be in its COMMIT
		w.must(w.admin[inOurs].QueryRow(w.ctx, s.tenant.sql("SELECT count(*) FROM @tp_log WHERE token = $1"), token).Scan(&n))
		if n > 0 || isError(got) || time.Now().After(end) {
			break
		}
	}
	if n > 1 || n == 0 && !isError(got) {
		u := &unit{steps: []step{*s}, tenant: s.tenant}
		w.fail(u, 0, fmt.Sprintf("RAN %d TIMES (%s; what was lost: %d of request, answer, half an answer)", n, way, f), "ours:  "+got)
	}
}
