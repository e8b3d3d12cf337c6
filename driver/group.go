package driver

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/pathsql"
	"github.com/pgdbm/pgdbm/internal/simplequery"
	"github.com/pgdbm/pgdbm/internal/stmtcache"
)

// group is a Sync group: the server executes it as one transaction, or in the one that there is, and a pooler keeps it together.
type group struct {
	pipeline *pgconn.Pipeline
	ctx      context.Context //nolint:containedctx // of the pipeline
	conn     *conn
	path     *pathsql.Switch // what it begins with, or nil
	ahead    int             // how many results come before that of the switch
	alone    bool            // the path is the schema alone, which does not exist
	begun    bool            // the results up to that of the switch were read
	synced   bool            // its end was sent
}

// newGroup begins a group that sets the path.
func (c *conn) newGroup(ctx context.Context, path *pathsql.Switch) *group {
	g := &group{pipeline: c.pg().StartPipeline(ctx), ctx: ctx, conn: c, path: path}
	s := c.session
	for _, name := range s.unwanted {
		g.pipeline.SendDeallocate(name)
		g.ahead++
	}
	s.unwanted = nil
	switch {
	case path == nil:
		return g
	case path.Utility:
		g.pipeline.SendQueryParams(path.Command(), nil, nil, nil, nil)
	case path.Prepared && s.cache != nil:
		g.sendSwitch(s)
	default:
		g.pipeline.SendQueryParams(pathsql.SetSQL(path.Value, true), path.Args, nil, nil, nil)
	}
	if tx := c.transaction(); tx != nil {
		tx.last = path
	}
	return g
}

// sendSwitch sends the switch as a prepared statement, and prepares it and the check if they are not.
func (g *group) sendSwitch(s *session) {
	if s.toPath == nil {
		one := make([]pgconn.FieldDescription, 1) // with none, pgconn would ask for the columns each time
		s.toPath = &pgconn.StatementDescription{Name: s.identity.Name(namePrefix, pathsql.SQL, "", pathsql.Types), Fields: one}
		s.check = &pgconn.StatementDescription{Name: s.identity.Name(namePrefix, pathsql.CheckSQL, "", pathsql.CheckTypes), Fields: one}
		for _, sd := range []*pgconn.StatementDescription{s.toPath, s.check} {
			g.pipeline.SendDeallocate(sd.Name) // no error if there is none
		}
		g.pipeline.SendPrepare(s.toPath.Name, pathsql.SQL, pathsql.Types)
		g.pipeline.SendPrepare(s.check.Name, pathsql.CheckSQL, pathsql.CheckTypes)
		g.ahead += 4
	}
	g.pipeline.SendQueryStatement(s.toPath, g.path.Args, nil, nil)
}

// sendCheck sends the check behind a statement.
func (g *group) sendCheck() {
	if s := g.conn.session; s.check != nil && g.path.Prepared {
		g.pipeline.SendQueryStatement(s.check, g.path.Args[1:], nil, nil)
		return
	}
	g.pipeline.SendQueryParams(pathsql.CheckSQL, g.path.Args[1:], pathsql.CheckTypes, nil, nil)
}

// Close ends the group and reads what is left of it.
func (g *group) Close() error {
	if !g.begun {
		g.conn.session.forgetSwitch() // nobody reads whether it was prepared
	}
	err := g.sync()
	if closeErr := g.pipeline.Close(); err == nil {
		err = closeErr
	}
	return err
}

// sync sends what is left to be sent, and the end of the group.
func (g *group) sync() error {
	if g.synced {
		return nil
	}
	g.synced = true
	err := g.pipeline.Sync()
	if err != nil {
		g.conn.session.forgetSwitch() // nobody knows whether it has arrived
	}
	return err
}

// begin reads the results up to that of the switch.
func (g *group) begin() error {
	if g.begun {
		return nil
	}
	g.begun = true
	for range g.ahead {
		if _, err := g.pipeline.GetResults(); err != nil {
			g.conn.session.forgetSwitch()
			return err
		}
	}
	if g.path == nil {
		return nil
	}
	result, err := g.pipeline.GetResults()
	if err != nil {
		g.conn.session.forgetSwitch()
		return missing(g.path, err)
	}
	reader, _ := result.(*pgconn.ResultReader)
	g.alone, err = look(g.path, reader)
	return err
}

// describe asks for the types of a statement, as the unnamed one. On a session of our own that ends the group: the statement stays, and the
// server refuses to execute it if its columns change meanwhile. A pooler may go on with another session in the next group, so there
// the group goes on, in whose transaction nobody can change the tables.
func (g *group) describe(st *statement) (sd *pgconn.StatementDescription, err error) {
	c := g.conn
	c.connector.counters.describes.Add(1)
	if tracer, ok := c.session.tracer.(pgx.PrepareTracer); ok {
		ctx := tracer.TracePrepareStart(g.ctx, c.session.pgx, pgx.TracePrepareStartData{SQL: st.sql})
		defer func() { tracer.TracePrepareEnd(ctx, c.session.pgx, pgx.TracePrepareEndData{Err: err}) }()
	}
	asked, changes := time.Now(), c.session.Changes.Load()
	g.pipeline.SendPrepare("", st.sql, nil)
	if g.leavesUnnamed() {
		err = g.sync()
	} else {
		g.pipeline.SendFlushRequest()
		err = g.pipeline.Flush()
	}
	if err == nil {
		err = g.begin()
	}
	if err == nil {
		sd, err = g.prepared()
	}
	if g.synced {
		if closeErr := g.Close(); err == nil {
			err = closeErr
		}
	}
	if err == nil {
		c.learn(st, asked, changes, sd)
	}
	return sd, err
}

// leavesUnnamed reports whether the unnamed statement is still there in the next group: on a session of our own, if the switch is none.
func (g *group) leavesUnnamed() bool {
	s := g.conn.session
	return !s.pooled && (g.path == nil || g.path.Prepared && s.cache != nil)
}

// prepareAnew prepares a statement. What was forgotten may still be there.
func (g *group) prepareAnew(name, sql string, types []uint32) {
	g.pipeline.SendDeallocate(name)
	g.pipeline.SendPrepare(name, sql, types)
}

// prepared reads the result of preparing a statement.
func (g *group) prepared() (*pgconn.StatementDescription, error) {
	result, err := g.pipeline.GetResults()
	sd, ok := result.(*pgconn.StatementDescription)
	if err == nil && !ok {
		err = errors.New("pgdbm: the server did not describe the statement")
	}
	return sd, err
}

// sendGroup sends the statement with what has to go with it: the switch of its path and the check behind it, its description and its
// preparation.
func (e *execution) sendGroup(p *plan) error {
	g := e.conn.newGroup(e.ctx, e.path)
	e.group = g
	if p.describe {
		sd, err := g.describe(&e.statement)
		if e.alone = g.alone; err != nil {
			return &unsentError{err}
		}
		e.decide(p, sd)
		if g.synced {
			g = e.conn.newGroup(e.ctx, e.path)
			e.group = g
		}
	}
	formats, err := e.build(p)
	if err != nil {
		return err
	}
	e.sent = true
	e.add(g, p, formats)
	if e.path != nil && e.path.Checks() {
		g.sendCheck()
	}
	if err := g.sync(); err != nil {
		return err
	}
	return e.receive(g, p)
}

// decide settles how a statement is sent that was just described.
func (e *execution) decide(p *plan, sd *pgconn.StatementDescription) {
	s, n := e.conn.session, &e.conn.connector.counters
	switch {
	case p.known != nil && stmtcache.SameResult(p.known.Description, sd):
		p.known.Changes, p.known.Asked = p.changes, p.asked
		p.types = p.known.Description
		n.hits.Add(1)
		return
	case p.known != nil:
		s.drop(p.known)
		p.known = nil
	}
	p.types = sd
	if p.keep && len(sd.ParamOIDs) <= math.MaxUint16 {
		p.name = s.identity.Name(namePrefix, e.sql, e.pathKey(), sd.ParamOIDs)
	}
}

// add adds the statement to a group.
func (e *execution) add(g *group, p *plan, formats []int16) {
	b, to := &e.conn.session.builder, g.pipeline
	switch {
	case p.name != "": // it is executed as the unnamed statement, whose columns the server has watched since
		g.prepareAnew(p.name, e.sql, p.types.ParamOIDs)
		to.SendQueryPrepared("", b.ParamValues, b.ParamFormats, formats)
	case p.known != nil:
		to.SendQueryStatement(p.types, b.ParamValues, b.ParamFormats, formats)
	case p.describe: // as the unnamed statement, it is there
		to.SendQueryPrepared("", b.ParamValues, b.ParamFormats, formats)
	case p.verify:
		to.SendPrepare("", e.sql, nil)
		to.SendQueryStatement(p.types, b.ParamValues, b.ParamFormats, formats) // its columns come with the types
	case p.types != nil:
		to.SendQueryParams(e.sql, b.ParamValues, p.types.ParamOIDs, b.ParamFormats, formats)
	default:
		to.SendQueryParams(e.sql, b.ParamValues, nil, b.ParamFormats, formats)
	}
}

// receive reads the results of a group up to the statement's.
func (e *execution) receive(g *group, p *plan) (err error) {
	if err = g.begin(); err != nil {
		return err
	}
	e.alone = g.alone
	switch {
	case p.name != "":
		err = e.receivePrepared(g, p)
	case p.verify:
		err = e.receiveTypes(g, p)
	}
	if err != nil {
		return err
	}
	result, err := g.pipeline.GetResults()
	if err != nil {
		return err
	}
	if e.reader, _ = result.(*pgconn.ResultReader); p.known != nil {
		p.known.Seen = e.conn.session.borrows
	}
	return nil
}

// receivePrepared reads the results of preparing a statement, and keeps it.
func (e *execution) receivePrepared(g *group, p *plan) error {
	if _, err := g.pipeline.GetResults(); err != nil { // of the Close before
		return err
	}
	sd, err := g.prepared()
	if err != nil {
		return err
	}
	sd.Name, sd.SQL = p.name, e.sql
	var evicted int
	p.known, evicted = e.conn.session.keep(&e.statement, sd, p)
	e.conn.connector.counters.prepares.Add(1)
	e.conn.connector.counters.evictions.Add(uint64(evicted)) //nolint:gosec // not negative
	return nil
}

// receiveTypes reads which types the server has inferred, and which columns there are, and returns pgx's error if that refuses the values.
func (e *execution) receiveTypes(g *group, p *plan) error {
	sd, err := g.prepared()
	if err != nil {
		return err
	}
	if !slices.Equal(sd.ParamOIDs, p.types.ParamOIDs) { // for those it has taken the values
		err = e.conn.session.builder.Build(e.conn.session.pgx.TypeMap(), sd, e.args)
	}
	if p.types = sd; err != nil {
		e.conn.forget(&e.statement)
	}
	return err
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
		before := w.Before()
		e.prefix = utf8.RuneCountInString(before)
		sql = before + sql
		if w.Checks() {
			sql += "\n;" + w.Text(pathsql.CheckText) // the text may end in a comment
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
		return missing(e.path, err)
	}
	e.alone, err = look(e.path, results.ResultReader())
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
	if e.path != nil && e.path.Checks() && len(tags) > 0 {
		tags = tags[:len(tags)-1]
	}
	err := results.Close()
	e.group = nil
	if err == nil && len(tags) > 0 {
		e.tag = tags[len(tags)-1]
	}
	if w := e.path; err != nil && w != nil {
		err = gone(w, err)
	}
	return err
}
