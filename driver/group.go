package driver

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/simplequery"
)

// group is a Sync group: the server executes it as one transaction, or in the one that there is, and a pooler keeps it together.
type group struct {
	pipeline *pgconn.Pipeline
	conn     *conn
	path     *pathSwitch // what it begins with, or nil
	ahead    int         // how many results come before that of the switch
}

// newGroup begins a group that sets the path.
func (c *conn) newGroup(ctx context.Context, path *pathSwitch) *group {
	g := &group{pipeline: c.pg().StartPipeline(ctx), conn: c, path: path}
	s := c.session
	for _, name := range s.unwanted {
		g.pipeline.SendDeallocate(name)
		g.ahead++
	}
	s.unwanted = nil
	switch {
	case path == nil:
		return g
	case path.utility:
		g.pipeline.SendQueryParams(path.command(), nil, nil, nil, nil)
	case path.prepared && s.cache != nil:
		g.sendSwitch(s)
	default:
		g.pipeline.SendQueryParams(setPathSQL(path.value, true), path.args, nil, nil, nil)
	}
	if tx := c.transaction(); tx != nil {
		tx.last = path
	}
	return g
}

// sendSwitch sends the switch as a prepared statement, and prepares it and the check if they are not.
func (g *group) sendSwitch(s *session) {
	if s.toPath == nil {
		s.toPath = &pgconn.StatementDescription{Name: s.name(switchSQL, "", switchTypes), Fields: oneColumn(text)}
		s.check = &pgconn.StatementDescription{Name: s.name(checkSQL, "", checkTypes), Fields: oneColumn(text)}
		for _, sd := range []*pgconn.StatementDescription{s.toPath, s.check} {
			g.pipeline.SendDeallocate(sd.Name) // no error if there is none
		}
		g.pipeline.SendPrepare(s.toPath.Name, switchSQL, switchTypes)
		g.pipeline.SendPrepare(s.check.Name, checkSQL, checkTypes)
		g.ahead += 4
	}
	g.pipeline.SendQueryStatement(s.toPath, g.path.args, nil, nil)
}

// sendCheck sends the check behind a statement.
func (g *group) sendCheck() {
	s := g.conn.session
	if s.check != nil && g.path.prepared {
		g.pipeline.SendQueryStatement(s.check, g.path.args[1:], nil, nil)
		return
	}
	g.pipeline.SendQueryParams(checkSQL, g.path.args[1:], checkTypes, nil, nil)
}

// begin reads the results up to that of the switch.
func (g *group) begin() (alone bool, err error) {
	for range g.ahead {
		if _, err := g.pipeline.GetResults(); err != nil {
			g.conn.session.forgetSwitch()
			return false, err
		}
	}
	if g.path == nil {
		return false, nil
	}
	result, err := g.pipeline.GetResults()
	if err != nil {
		g.conn.session.forgetSwitch()
		return false, g.path.missing(err)
	}
	reader, _ := result.(*pgconn.ResultReader)
	return g.path.look(reader)
}

// sendGroup sends the statement with what has to go with it: the switch of its path and the check behind it, and its preparation.
func (e *execution) sendGroup(p *plan, formats []int16) error {
	st, s := &e.statement, e.conn.session
	g := e.conn.newGroup(e.ctx, st.path)
	e.group = g.pipeline
	b := &s.builder
	switch {
	case p.prepare != "":
		g.pipeline.SendDeallocate(p.prepare) // what was forgotten may still be there
		g.pipeline.SendPrepare(p.prepare, s.text(st), p.types.ParamOIDs)
		g.pipeline.SendQueryPrepared(p.prepare, b.ParamValues, b.ParamFormats, formats)
	case p.types != nil && p.types.Name != "":
		g.pipeline.SendQueryStatement(p.types, b.ParamValues, b.ParamFormats, formats)
	default:
		var types []uint32
		if p.types != nil {
			types = p.types.ParamOIDs
		}
		g.pipeline.SendQueryParams(st.sql, b.ParamValues, types, b.ParamFormats, formats)
	}
	if st.path != nil && st.path.checks() {
		g.sendCheck()
	}
	if err := g.pipeline.Sync(); err != nil {
		return err
	}
	return e.receive(g, p)
}

// receive reads the results of a group up to the statement's.
func (e *execution) receive(g *group, p *plan) (err error) {
	if e.alone, err = g.begin(); err != nil {
		return err
	}
	if p.prepare != "" {
		if err := e.receivePrepared(g, p); err != nil {
			return err
		}
	}
	result, err := g.pipeline.GetResults()
	if err != nil {
		return err
	}
	e.reader, _ = result.(*pgconn.ResultReader)
	if p.known != nil {
		p.known.Seen = e.conn.session.borrows
	}
	return nil
}

// receivePrepared reads the results of preparing a statement, and keeps it.
func (e *execution) receivePrepared(g *group, p *plan) error {
	if _, err := g.pipeline.GetResults(); err != nil { // of the Close before
		return err
	}
	result, err := g.pipeline.GetResults()
	if err != nil {
		return err
	}
	sd, ok := result.(*pgconn.StatementDescription)
	if !ok {
		return errors.New("pgdbm: the server did not describe the statement")
	}
	sd.Name, sd.SQL = p.prepare, e.sql
	var evicted int
	p.known, evicted = e.conn.session.keep(&e.statement, sd, p.changes)
	n := &e.conn.connector.counters
	n.prepares.Add(1)
	n.evictions.Add(uint64(evicted)) //nolint:gosec // not negative
	return nil
}

// sendText sends a text in one message of the simple protocol, with the switch before it and the check behind it. It may be several
// statements. Without a BEGIN, the server executes a message in one transaction.
func (e *execution) sendText() error {
	st, w := &e.statement, e.path
	sql := st.sql
	if len(st.args) > 0 || e.rows {
		err := simplequery.Check(e.conn.pg())
		if err == nil {
			sql, err = simplequery.Interpolate(e.conn.session.pgx.TypeMap(), sql, st.args)
		}
		if err != nil {
			return &unsentError{err}
		}
	}
	if w != nil {
		before := w.before()
		e.prefix = utf8.RuneCountInString(before)
		sql = before + sql
		if w.checks() {
			sql += "\n;" + w.text(checkText) // the text may end in a comment
		}
	}
	results := e.conn.pg().Exec(e.ctx, sql)
	e.group, e.sent = results, true
	if w != nil {
		if err := e.textSwitch(results); err != nil {
			return err
		}
	}
	if e.rows {
		return e.firstResult(results)
	}
	return e.allResults(results)
}

// textSwitch reads the result of the switch.
func (e *execution) textSwitch(results *pgconn.MultiResultReader) (err error) {
	if tx := e.conn.transaction(); tx != nil {
		tx.last = e.path
	}
	if !results.NextResult() {
		err = results.Close()
		e.group = nil
		return e.path.missing(err)
	}
	e.alone, err = e.path.look(results.ResultReader())
	return err
}

// firstResult hands out the first result of a text, as pgx does.
func (e *execution) firstResult(results *pgconn.MultiResultReader) error {
	if results.NextResult() {
		e.reader = results.ResultReader()
		return nil
	}
	e.group = nil
	return results.Close()
}

// allResults reads the results of a text, and keeps the tag of the last statement.
func (e *execution) allResults(results *pgconn.MultiResultReader) error {
	var tags []pgconn.CommandTag
	for results.NextResult() {
		tag, _ := results.ResultReader().Close() // its error is the group's
		tags = append(tags, tag)
	}
	if e.path != nil && e.path.checks() && len(tags) > 0 {
		tags = tags[:len(tags)-1]
	}
	err := results.Close()
	e.group = nil
	if err == nil && len(tags) > 0 {
		e.tag = tags[len(tags)-1]
	}
	if w := e.path; err != nil && w != nil {
		err = w.gone(err)
	}
	return err
}

// oneColumn are the columns of a result nobody looks at. With none, pgconn would ask for them each time.
func oneColumn(oid uint32) []pgconn.FieldDescription {
	return []pgconn.FieldDescription{{DataTypeOID: oid}}
}
