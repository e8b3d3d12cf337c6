package driver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/schemaargs"
	"github.com/pgdbm/pgdbm/internal/stmtcache"
	"github.com/pgdbm/pgdbm/internal/template"
)

// plan says how a statement is sent: by the name of what is prepared, or as a text with these types.
type plan struct {
	types   *pgconn.StatementDescription // with a Name if it is prepared; nil if pgx's mode wants none
	prepare string                       // the name under which it is to be prepared on the way, or ""
	known   *stmtcache.Prepared          // or nil
	changes uint64                       // how often this process had changed tables when it was made
}

var (
	errNoStatementCache   = errors.New("cannot use QueryExecModeCacheStatement with disabled statement cache") // pgx's words
	errNoDescriptionCache = errors.New("cannot use QueryExecModeCacheDescribe with disabled description cache")
)

// plan decides how to send a statement: prepared, which is faster for what comes again, or in one go. A connection keeps
// statement_cache_capacity statements prepared; with many schemas, whose texts are their own, most would be thrown away again
// before they come back, and are better not prepared.
//
// What is remembered about a prepared statement, or about a text, counts as long as nothing has happened that could have changed it.
func (e *execution) plan(fresh bool) (plan, error) {
	c, st := e.conn, &e.statement
	if err := checkMode(c.session, st); err != nil || st.mode == pgx.QueryExecModeExec {
		return plan{}, err
	}
	n, changes := &c.connector.counters, c.session.changes.Load()
	p, keep := c.choose(st)
	if p != nil && !fresh && !p.Suspect && p.Changes == changes {
		n.hits.Add(1)
		e.remembered = true
		return plan{types: p.Description, known: p}, nil
	}
	var types *pgconn.StatementDescription
	if !fresh && st.mode != pgx.QueryExecModeDescribeExec {
		types = c.remembered(st, changes, keep, e.rows)
	}
	if e.remembered = types != nil; types == nil && !keep && c.infers(st, e.rows) {
		n.oneShots.Add(1)
		return plan{types: &pgconn.StatementDescription{ParamOIDs: make([]uint32, len(st.args))}}, nil
	}
	if types == nil {
		var err error
		if types, err = c.describe(e.ctx, st); err != nil {
			return plan{}, &unsentError{err}
		}
	}
	if p != nil && stmtcache.SameTypes(p.Description, types) {
		p.Changes, p.Suspect = changes, false
		n.hits.Add(1)
		return plan{types: p.Description, known: p}, nil
	}
	if p != nil {
		c.session.drop(p)
	}
	if !keep || len(types.ParamOIDs) > math.MaxUint16 {
		n.oneShots.Add(1)
		return plan{types: types}, nil
	}
	return plan{types: types, prepare: c.session.name(st.sql, st.pathKey(), types.ParamOIDs), changes: changes}, nil
}

// checkMode refuses what pgx refuses.
func checkMode(s *session, st *statement) error {
	var err error
	switch {
	case st.pin != nil:
	case st.mode == pgx.QueryExecModeCacheStatement && s.capacity == 0:
		err = errNoStatementCache
	case st.mode == pgx.QueryExecModeCacheDescribe && s.described == 0:
		err = errNoDescriptionCache
	case st.mode < pgx.QueryExecModeCacheStatement || st.mode > pgx.QueryExecModeSimpleProtocol:
		err = fmt.Errorf("unknown QueryExecMode: %v", st.mode) // pgx's words
	}
	if err != nil {
		return &unsentError{err}
	}
	return nil
}

// choose returns what is prepared of a statement, or nil, and whether it is to be prepared.
//
// In a transaction that has changed settings nothing prepared before counts. On a pgxpool others may have made the session forget; where
// the error would end a transaction, only what was seen by this borrower counts.
func (c *conn) choose(st *statement) (p *stmtcache.Prepared, keep bool) {
	s := c.session
	if s.cache == nil || c.tx != nil && c.tx.private() || st.mode != pgx.QueryExecModeCacheStatement && st.pin == nil {
		return nil, false
	}
	p, before := s.cache.Use(st.key())
	switch {
	case p != nil && c.connector.pooled && c.tx != nil && p.Seen != s.borrows:
		return nil, false
	case p != nil:
		st.pin.add(p)
		return p, true
	case st.pin != nil:
		return nil, len(st.pin.prepared) < maxPinned
	}
	return nil, !st.many || s.cache.Admits(st.key(), before)
}

// remembered returns the types that a text is known to have, or nil. In a transaction, which an error would end, those of columns
// count only if one format fits all, so that a column more does no harm.
func (c *conn) remembered(st *statement, changes uint64, keep, rows bool) *pgconn.StatementDescription {
	if c.tx != nil && c.tx.descriptions != nil {
		if types := c.tx.descriptions.Get(st.hash, c.session.opened, changes); types != nil {
			return types
		}
	}
	if c.tx != nil && c.tx.private() {
		return nil
	}
	types := c.connector.descriptions.Get(st.hash, c.session.opened, changes)
	if types != nil && c.tx != nil && rows && len(st.formatsFor(types, keep, c.session.formats)) > 1 {
		return nil
	}
	return types
}

// infers reports whether the server may infer the types in the very execution: if all values are sent as text whatever the types are,
// and all columns can be asked for as text, as far as is known from other schemas. Otherwise they are asked for.
func (c *conn) infers(st *statement, rows bool) bool {
	if len(st.args) != st.info.Params || !onlyStrings(st.args) || st.formats != nil || st.ownFormatOf || st.mode == pgx.QueryExecModeDescribeExec {
		return false
	}
	if !rows {
		return true
	}
	known := c.connector.templates.Last(template.Hash(st.query))
	return known != nil && onlyText(known)
}

// describe asks the server for the types of a statement, and remembers them. What is described in a transaction counts only there.
func (c *conn) describe(ctx context.Context, st *statement) (*pgconn.StatementDescription, error) {
	c.connector.counters.describes.Add(1)
	asked, changes := time.Now(), c.session.changes.Load()
	sd, err := c.prepare(ctx, st)
	if err != nil {
		return nil, err
	}
	memory := c.connector.descriptions
	if tx := c.transaction(); tx != nil {
		memory = tx.known()
	}
	if st.many {
		c.connector.templates.Put(template.Hash(st.query), asked, changes, sd)
	}
	return memory.Put(st.hash, asked, changes, sd), nil
}

// prepare prepares a statement under its path, without a name.
func (c *conn) prepare(ctx context.Context, st *statement) (sd *pgconn.StatementDescription, err error) {
	if tracer, ok := c.session.tracer.(pgx.PrepareTracer); ok {
		ctx = tracer.TracePrepareStart(ctx, c.session.pgx, pgx.TracePrepareStartData{SQL: st.sql})
		defer func() { tracer.TracePrepareEnd(ctx, c.session.pgx, pgx.TracePrepareEndData{Err: err}) }()
	}
	if st.path == nil {
		return c.pg().Prepare(ctx, "", st.sql, nil)
	}
	g := c.newGroup(ctx, st.path)
	g.pipeline.SendPrepare("", st.sql, nil)
	if err = g.pipeline.Sync(); err == nil {
		_, err = g.begin()
	}
	if err == nil {
		var result any
		result, err = g.pipeline.GetResults()
		sd, _ = result.(*pgconn.StatementDescription)
	}
	if closeErr := g.pipeline.Close(); err == nil {
		err = closeErr
	}
	return sd, err
}

// formatsFor returns the formats to ask for: one for all columns if it is the same for all, because then a column more or less does no
// harm. They are appended to scratch.
func (st *statement) formatsFor(types *pgconn.StatementDescription, named bool, scratch []int16) []int16 {
	if st.formats != nil {
		return st.formats
	}
	formats := scratch[:0]
	for i := range types.Fields {
		oid, format := types.Fields[i].DataTypeOID, int16(pgx.TextFormatCode)
		if named || st.ownFormatOf || needsBinary(oid) {
			format = st.formatOf[oid]
		}
		formats = append(formats, format)
	}
	if len(formats) > 1 && !slices.Contains(formats[1:], 1-formats[0]) {
		return formats[:1]
	}
	return formats
}

// sendPlan encodes the arguments and sends the statement.
func (e *execution) sendPlan(p *plan) error {
	c, types := e.conn, p.types
	s, st := c.session, &e.statement
	args := st.args
	if types != nil {
		if c.connector.schemaArgs {
			args = schemaargs.Encode(args, types.ParamOIDs)
		}
		if err := parameterCount(types, args); e.rows && err != nil {
			return &unsentError{err}
		}
	}
	b, m := &s.builder, s.pgx.TypeMap()
	defer b.Build(m, nil, nil) //nolint:errcheck // it frees the memory of large arguments, and cannot fail
	if err := b.Build(m, types, args); err != nil {
		return &unsentError{err}
	}
	var formats []int16
	if e.rows && types != nil {
		formats = st.formatsFor(types, types.Name != "" || p.prepare != "", s.formats)
		s.formats = formats
	}
	e.sent = true
	switch {
	case len(args) > math.MaxUint16:
		return errTooManyArgs
	case st.path != nil || p.prepare != "":
		return e.sendGroup(p, formats)
	case types == nil:
		e.reader = c.pg().ExecParams(e.ctx, st.sql, b.ParamValues, nil, b.ParamFormats, formats)
	case types.Name != "":
		e.reader = c.pg().ExecStatement(e.ctx, types, b.ParamValues, b.ParamFormats, formats)
		p.known.Seen = s.borrows
	default:
		e.reader = c.pg().ExecParams(e.ctx, st.sql, b.ParamValues, types.ParamOIDs, b.ParamFormats, formats)
	}
	return nil
}
