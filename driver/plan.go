package driver

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/infer"
	"github.com/pgdbm/pgdbm/internal/schemaargs"
	"github.com/pgdbm/pgdbm/internal/stmtcache"
	"github.com/pgdbm/pgdbm/internal/template"
)

// plan says how a statement is sent.
type plan struct {
	types    *pgconn.StatementDescription // of its parameters, with a Name if it is prepared; nil if the server is to infer them
	known    *stmtcache.Prepared          // what is prepared, or nil
	describe bool                         // the types are to be asked for first
	keep     bool                         // it is to be prepared on the way
	name     string                       // under this name, once it is known
	verify   bool                         // pgx may refuse the values for what the server infers
	asked    time.Time                    // when it was made
	changes  uint64                       // how often this process had changed tables then
}

var (
	errNoStatementCache   = errors.New("cannot use QueryExecModeCacheStatement with disabled statement cache") // pgx's words
	errNoDescriptionCache = errors.New("cannot use QueryExecModeCacheDescribe with disabled description cache")
)

// plan decides how to send a statement: prepared, which is faster for what comes again, or in one go. A connection keeps
// statement_cache_capacity statements prepared; with many schemas, whose texts are their own, most would be thrown away again
// before they come back, and are better not prepared.
//
// In one round trip goes what gives the result that it has on a connection of plain pgx: one opened when ours was, which has prepared it
// since, or one opened now. That is what is prepared here; what has parameters whose types the server infers in this very execution;
// and, with remembered types, what returns nothing. If it returned something, the server would refuse pgx's prepared statement as soon
// as that changes, and could not tell here. The rest is described first, which takes another round trip.
func (e *execution) plan(fresh bool) (plan, error) {
	c, st := e.conn, &e.statement
	if err := checkMode(c.session, st); err != nil || st.mode == pgx.QueryExecModeExec {
		return plan{}, err
	}
	n, changes := &c.connector.counters, c.session.Changes.Load()
	p, keep := c.choose(st)
	switch {
	case p != nil && !fresh && c.session.trusts(p, changes):
		n.hits.Add(1)
		e.remembered = true
		return plan{types: p.Description, known: p}, nil
	case keep || fresh || st.mode == pgx.QueryExecModeDescribeExec:
		return plan{describe: true, known: p, keep: keep, asked: time.Now(), changes: changes}, nil
	}
	n.oneShots.Add(1)
	if c.infers(st, e.rows) {
		return plan{}, nil
	}
	types, certain := c.remembered(st, changes)
	switch {
	case types == nil:
	case len(types.Fields) == 0:
		e.remembered = true
		return plan{types: types}, nil
	case st.info.Reads && certain && c.infersKnown(st, types):
		return plan{types: types, verify: true}, nil
	}
	return plan{describe: true, asked: time.Now(), changes: changes}, nil
}

// trusts reports whether nothing has happened that could have changed what is prepared: no change of a table by this process, and no
// error of the statement on any connection.
func (s *session) trusts(p *stmtcache.Prepared, changes uint64) bool {
	if p.Changes != changes {
		return false
	}
	if n := s.Failures.Count(); p.Failures != n {
		if s.Failures.Since(p.Hash, p.Asked) {
			return false
		}
		p.Failures = n
	}
	return true
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

// remembered returns the types that a text is known to have, or nil. They are certain if an error that is due to other types would do no
// more harm than pgx's: outside of transactions, and in the one that they were described in, where nobody can have changed the tables.
func (c *conn) remembered(st *statement, changes uint64) (types *pgconn.StatementDescription, certain bool) {
	if c.tx != nil && c.tx.descriptions != nil {
		if types := c.tx.descriptions.Get(st.hash, c.session.opened, changes); types != nil {
			return types, true
		}
	}
	if c.tx != nil && c.tx.private() {
		return nil, false
	}
	return c.connector.descriptions.Get(st.hash, c.session.opened, changes), c.tx == nil
}

// infers reports whether all values are sent as text whatever the types are, as pgx sends strings and NULL, and all columns can be asked
// for as text, as far as is known from other schemas.
func (c *conn) infers(st *statement, rows bool) bool {
	if len(st.args) != st.info.Params || !infer.Strings(st.args) || st.formats != nil || st.ownFormatOf {
		return false
	}
	if !rows {
		return true
	}
	known := c.connector.templates.Last(template.Hash(st.query))
	return known != nil && c.readsText(known)
}

// infersKnown is infers for whole numbers too, if the types were such that the text of a number is what pgx means. If they are no
// longer, pgx may refuse what the server takes; then the result of a query, which has changed nothing, does not count.
func (c *conn) infersKnown(st *statement, types *pgconn.StatementDescription) bool {
	return len(st.args) == st.info.Params && infer.Integers(st.args, types.ParamOIDs) && st.formats == nil && !st.ownFormatOf &&
		c.readsText(types) && c.session.builder.Build(c.session.pgx.TypeMap(), types, st.args) == nil
}

// readsText reports whether all columns can be asked for as text.
func (c *conn) readsText(types *pgconn.StatementDescription) bool {
	return infer.Text(types.Fields, strings.HasPrefix(c.pg().ParameterStatus("DateStyle"), "ISO"))
}

// learn remembers what the server said about a statement. What is described in a transaction counts only there.
func (c *conn) learn(st *statement, asked time.Time, changes uint64, sd *pgconn.StatementDescription) {
	memory := c.connector.descriptions
	if tx := c.transaction(); tx != nil {
		memory = tx.known()
	}
	if st.many {
		c.connector.templates.Put(template.Hash(st.query), asked, changes, sd)
	}
	memory.Put(st.hash, asked, changes, sd)
}

// formatsFor returns the formats to ask for: one for all columns if it is the same for all, because then a column more or less does no
// harm. They are appended to formats.
func (st *statement) formatsFor(types *pgconn.StatementDescription, named bool, formats []int16) []int16 {
	if st.formats != nil {
		return st.formats
	}
	for i := range types.Fields {
		oid, format := types.Fields[i].DataTypeOID, int16(pgx.TextFormatCode)
		if named || st.ownFormatOf || infer.NeedsBinary(oid) {
			format = st.formatOf[oid]
		}
		formats = append(formats, format)
	}
	if len(formats) > 1 && !slices.Contains(formats[1:], 1-formats[0]) {
		return formats[:1]
	}
	return formats
}

// sendPlan sends the statement as planned.
func (e *execution) sendPlan(p *plan) error {
	c, st := e.conn, &e.statement
	if len(st.args) > math.MaxUint16 {
		return &unsentError{fmt.Errorf("extended protocol limited to %d parameters", math.MaxUint16)} // pgx's words
	}
	if p.describe || p.verify || st.path != nil {
		return e.sendGroup(p)
	}
	formats, err := e.build(p)
	if err != nil {
		return err
	}
	e.sent = true
	b := &c.session.builder
	switch {
	case p.types == nil:
		e.reader = c.pg().ExecParams(e.ctx, st.sql, b.ParamValues, nil, b.ParamFormats, formats)
	case p.known != nil:
		e.reader = c.pg().ExecStatement(e.ctx, p.types, b.ParamValues, b.ParamFormats, formats)
		p.known.Seen = c.session.borrows
	default:
		e.reader = c.pg().ExecParams(e.ctx, st.sql, b.ParamValues, p.types.ParamOIDs, b.ParamFormats, formats)
	}
	return nil
}

// build encodes the arguments, and returns the formats of the columns.
func (e *execution) build(p *plan) ([]int16, error) {
	s, types, args := e.conn.session, p.types, e.args
	if p.verify {
		types = nil
	}
	if types != nil {
		if e.conn.connector.schemaArgs {
			args = schemaargs.Encode(args, types.ParamOIDs)
		}
		if want := len(types.ParamOIDs); e.rows && want != len(args) {
			return nil, &unsentError{fmt.Errorf("expected %d arguments, got %d", want, len(args))} // pgx's words
		}
	}
	if err := s.builder.Build(s.pgx.TypeMap(), types, args); err != nil {
		return nil, &unsentError{err}
	}
	if !e.rows || types == nil {
		return nil, nil
	}
	s.formats = e.formatsFor(types, types.Name != "" || p.name != "", s.formats[:0])
	return s.formats, nil
}
