package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/pgerr"
)

// execution is a statement on its way, and then its rows. It is sent in one round trip: by its name if it is prepared, otherwise as the
// unnamed statement, with its switch of the path before it. If its types have to be asked for before, that takes another one.
type execution struct {
	statement
	conn *conn
	rows bool            // somebody wants them
	ctx  context.Context //nolint:containedctx // the tracer's, for as long as the rows are open

	how    plan
	reader *pgconn.ResultReader
	group  interface{ Close() error } // what reader is a part of, or nil
	fields []pgconn.FieldDescription

	remembered bool // the types were those of an earlier description
	sent       bool // the statement itself may have reached the server
	alone      bool // its schema did not exist
	prefix     int  // how many characters were sent before the text
	more       bool // the first row is there and was not asked for yet
	finished   bool
	tag        pgconn.CommandTag
	err        error
}

// run sends the statement, and waits for its first row if rows are wanted, or for its end. If there is an error, e is finished. It is
// the one way to the server for all statements.
func (e *execution) run(ctx context.Context) error {
	c := e.conn
	if c.session.pgx.IsClosed() {
		return sqldriver.ErrBadConn
	}
	if e.leaves() {
		c.leave(e.bound)
	}
	if e.ctx = ctx; c.session.tracer != nil {
		e.ctx = c.session.tracer.TraceQueryStart(ctx, c.session.pgx, pgx.TraceQueryStartData{SQL: e.sql, Args: e.traced})
	}
	inTx := c.inTx()
	err := e.send(false)
	switch {
	case err == nil:
	case !inTx && e.path != nil && pgerr.RefusesGroup(err):
		if err = e.apart(); err == nil {
			err = e.send(false)
		}
	case e.outOfDate(err, inTx):
		c.connector.counters.retries.Add(1)
		err = e.send(true)
	}
	if err != nil || !e.more {
		e.finish(err)
	}
	return e.err
}

// send sends the statement once. Fresh says that what is remembered about it does not count.
func (e *execution) send(fresh bool) error {
	if e.path != nil && (e.info.Procedural || e.info.Commits) { // it may end the transaction that its path would be set for
		if err := e.apart(); err != nil {
			return err
		}
	}
	err := e.dispatch(fresh)
	if err == nil && e.rows && e.reader != nil {
		if e.more, e.fields = e.reader.NextRow(), e.reader.FieldDescriptions(); e.how.verify {
			e.fields = e.how.types.Fields // those of the reader come from an earlier description
		} else if e.path != nil {
			e.fields = slices.Clone(e.fields) // what comes behind takes their memory
		}
	}
	if e.more || e.reader == nil && e.group == nil {
		return err
	}
	if tag, closeErr := e.close(); err == nil {
		e.tag, err = tag, closeErr
	}
	return err
}

// dispatch sends the statement in the way of its mode, up to where its result begins.
func (e *execution) dispatch(fresh bool) error {
	if e.mode == pgx.QueryExecModeSimpleProtocol {
		return e.sendText()
	}
	var err error
	if e.how, err = e.plan(fresh); err != nil {
		return err
	}
	return e.sendPlan(&e.how)
}

var errCommits = errors.New("pgdbm: schema_mode=search_path: the text ends its transaction and goes on, where it would lose its schema; " +
	"execute its statements one by one")

// apart sets the path in a trip of its own.
func (e *execution) apart() error {
	w := e.path
	if e.info.Commits && e.conn.inTx() {
		return &unsentError{errCommits}
	}
	if err := e.conn.setPath(e.ctx, w); err != nil {
		return &unsentError{err}
	}
	e.path = nil
	return nil
}

// outOfDate reports whether an error is due to what was remembered, and the server provably has not run anything, so that the
// statement can be sent again. In a transaction the error has ended that; what was remembered is forgotten there too.
func (e *execution) outOfDate(err error, inTx bool) bool {
	e.conn.forget(&e.statement)
	s := e.conn.session
	var pgErr *pgconn.PgError
	var unsent *unsentError
	isServers, isUnsent := errors.As(err, &pgErr), errors.As(err, &unsent)
	switch {
	case !isServers:
		return isUnsent && e.remembered && e.conn.pg().TxStatus() != 'E' && !s.pgx.IsClosed() // a value does not fit the type that was known
	case pgerr.IsGone(pgErr, namePrefix):
		s.forgetPrepared()
	case pgerr.HasChanged(pgErr):
	case isUnsent || !e.remembered || !pgerr.RefusedUnrun(pgErr):
		return false
	}
	// A text may have committed something before.
	return !inTx && e.mode != pgx.QueryExecModeSimpleProtocol && !e.info.Procedural && !s.pgx.IsClosed()
}

// unsentError is an error that came before the statement itself was sent.
type unsentError struct{ err error }

func (e *unsentError) Error() string { return e.err.Error() }
func (e *unsentError) Unwrap() error { return e.err }

// next reports whether there is another row, and finishes if there is none.
func (e *execution) next() bool {
	switch {
	case e.finished:
		return false
	case e.more:
		e.more = false
		return true
	case e.reader.NextRow():
		return true
	}
	e.finish(nil)
	return false
}

// row returns the current row.
func (e *execution) row() [][]byte { return e.reader.Values() }

// close reads the statement's result to its end, and what was sent behind it.
func (e *execution) close() (tag pgconn.CommandTag, err error) {
	if e.reader != nil {
		tag, err = e.reader.Close()
	}
	if e.group != nil {
		if groupErr := e.group.Close(); err == nil && groupErr != nil {
			err = groupErr
			if e.path != nil {
				err = gone(e.path, groupErr)
			}
		}
	}
	e.reader, e.group = nil, nil
	return tag, err
}

// finish closes the rows and tells the tracer. An error that is given counts more than the one of the rows.
func (e *execution) finish(err error) {
	if e.finished {
		return
	}
	e.finished = true
	if e.reader != nil || e.group != nil {
		tag, closeErr := e.close()
		if e.tag = tag; err == nil {
			err = closeErr
		}
	}
	if err != nil {
		err = e.asPgx(err)
	}
	e.err = e.conn.after(&e.statement, e.alone, err)
	if tracer := e.conn.session.tracer; tracer != nil {
		tracer.TraceQueryEnd(e.ctx, e.conn.session.pgx, pgx.TraceQueryEndData{CommandTag: e.tag, Err: e.err})
	}
}

// asPgx returns an error as pgx has it.
func (e *execution) asPgx(err error) error {
	var unsent *unsentError
	if errors.As(err, &unsent) {
		err = unsent.err
	}
	var pgErr *pgconn.PgError
	if e.prefix > 0 && errors.As(err, &pgErr) && int(pgErr.Position) > e.prefix {
		pgErr.Position -= int32(e.prefix) //nolint:gosec // some hundred; nobody else has the error yet
	}
	return err
}

// after notes what a statement has done, and explains its error if it is due to a missing schema.
func (c *conn) after(st *statement, alone bool, err error) error {
	info := &st.info
	if err != nil {
		c.forget(st)
	}
	tx := c.transaction()
	switch {
	case tx != nil:
		tx.note(st)
	case info.DDL:
		c.session.Changes.Add(1)
	}
	if tx == nil && info.SessionState && (info.Semantics || info.Temp) {
		c.session.identity.Change(st.settingText(err))
	}
	if info.Forgets && err == nil {
		c.session.forgetPrepared()
	}
	c.noteSchemas(st)
	c.afterTransaction()
	return c.explain(st, alone, err)
}

// forget makes the next use of a statement ask for its types, on all connections.
func (c *conn) forget(st *statement) {
	c.connector.descriptions.Forget(st.hash)
	if c.tx != nil && c.tx.descriptions != nil {
		c.tx.descriptions.Forget(st.hash)
	}
	c.session.Failures.Add(st.hash)
}
