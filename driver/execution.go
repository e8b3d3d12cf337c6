package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// execution is a statement that this driver sends itself, in one round trip. One that is prepared is executed by its name. Else
// it is Parse, Bind, Describe, Execute and Sync of the unnamed statement, and nothing stays on the server; the types of the
// parameters are given, as the server has described them for this text before. Values are encoded as pgx encodes them.
type execution struct {
	conn    *conn
	ctx     context.Context //nolint:containedctx // the tracer's, for as long as the rows are open
	formats pgx.QueryResultFormatsByOID
	reader  *pgconn.ResultReader
	fields  []pgconn.FieldDescription
	group   *pgconn.MultiResultReader // what reader is a part of, if the statement has a switch of the path before it, or nil
	path    *pathSwitch               // that switch
	hot     *order                    // the statement, if it is prepared, or nil
	repairs *repaired                 // the rows, if they had to be read before they could be handed out

	more     bool // the first row is there and was not asked for yet
	finished bool
	tag      pgconn.CommandTag
	err      error
}

// execHere sends a statement whose rows nobody wants.
func (c *conn) execHere(ctx context.Context, o *order, args []any) (sqldriver.Result, error) {
	if c.stdlibConn.Conn().IsClosed() {
		return nil, sqldriver.ErrBadConn
	}
	s := execution{conn: c, ctx: c.traceStart(ctx, o.sql, args)}
	_, err := s.send(o, args, false)
	s.finish(err)
	if s.err != nil && pgconn.SafeToRetry(s.err) {
		return nil, sqldriver.ErrBadConn
	}
	return sqldriver.RowsAffected(s.tag.RowsAffected()), s.err
}

// query sends a statement whose rows are to be read in formats, or as pgx's type map has them if there are none. S is empty.
// If there is an error, s is finished.
func (s *execution) query(ctx context.Context, c *conn, o *order, args []any, formats pgx.QueryResultFormatsByOID) error {
	s.conn, s.formats = c, formats
	s.ctx = ctx
	if c.link.tracer != nil {
		traced := args
		if formats != nil {
			traced = append([]any{formats}, args...) // as pgx shows them
		}
		s.ctx = c.traceStart(ctx, o.sql, traced)
	}
	types, err := s.send(o, args, true)
	if err == nil && !s.finished {
		s.fields = s.reader.FieldDescriptions()
		if !sameColumns(s.fields, types.Fields) {
			err = s.changed(o)
		}
	}
	switch {
	case err != nil:
		s.finish(err)
		s.err = sent(err) // even if the rows had come to their end before
	case !s.more && s.repairs == nil:
		s.finish(nil)
	}
	return s.err
}

func (c *conn) traceStart(ctx context.Context, sql string, args []any) context.Context {
	if c.link.tracer == nil {
		return ctx
	}
	return c.link.tracer.TraceQueryStart(ctx, c.stdlibConn.Conn(), pgx.TraceQueryStartData{SQL: sql, Args: args})
}

// send sends the statement and waits for its first row, or for its end.
func (s *execution) send(o *order, args []any, rows bool) (*pgconn.StatementDescription, error) {
	if o.way == wayPrepared {
		return s.sendPrepared(o, args, rows)
	}
	return s.sendOnce(o, args, rows)
}

// sendPrepared executes the prepared statement, which it prepares if need be. If that does not fit its table any more, it
// prepares it again.
func (s *execution) sendPrepared(o *order, args []any, rows bool) (sd *pgconn.StatementDescription, err error) {
	s.hot = o
	for retried := false; ; retried = true {
		if sd, err = s.conn.prepared(s.ctx, o); err != nil {
			return nil, &unsentError{err}
		}
		if err = s.try(o, sd, args, rows); err == nil || retried || !s.conn.outdated(err, o) {
			return sd, err
		}
		s.conn.unprepare(o)
	}
}

// sendOnce sends the statement in one go. If it fails for a reason that may lie in types that are out of date, it asks for
// them, and, if they are, sends it again.
func (s *execution) sendOnce(o *order, args []any, rows bool) (*pgconn.StatementDescription, error) {
	c := s.conn
	c.connector.counters.oneShots.Add(1)
	memory := c.descriptions()
	types := memory.get(o.hash, o.generation)
	if types == nil {
		types = c.lent(o, memory, args)
	}
	remembered := types != nil
	var err error
	if !remembered {
		if types, err = s.describe(o, memory); err != nil {
			return nil, err
		}
	}
	err = s.try(o, types, args, rows)
	if err == nil || !remembered || !c.mayBeStale(err, o) {
		return types, err
	}
	now, describeErr := s.describe(o, memory)
	if describeErr != nil || sameTypes(now, types) {
		return types, err
	}
	c.connector.counters.retries.Add(1)
	c.connector.shared.differ(o)
	return now, s.try(o, now, args, rows)
}

// describe asks the server for the types of a statement, and remembers them.
func (s *execution) describe(o *order, memory *descriptions) (*pgconn.StatementDescription, error) {
	s.conn.connector.counters.describes.Add(1)
	sd, err := s.conn.prepare(s.ctx, o, "")
	if err != nil {
		return nil, &unsentError{err}
	}
	types := memory.put(o.hash, o.generation, sd)
	if memory == s.conn.connector.descriptions {
		s.conn.connector.shared.learn(o, types)
	}
	return types, nil
}

// unsentError is an error that came before the statement was sent.
type unsentError struct{ err error }

func (e *unsentError) Error() string { return e.err.Error() }
func (e *unsentError) Unwrap() error { return e.err }

// sent returns err as pgx has it.
func sent(err error) error {
	if err == nil {
		return nil
	}
	var unsent *unsentError
	if errors.As(err, &unsent) {
		return unsent.err
	}
	return err
}

// try sends the statement with these types. With rows, the reader stands on the first one if there is one.
func (s *execution) try(o *order, types *pgconn.StatementDescription, args []any, rows bool) error {
	l, pgxConn := s.conn.link, s.conn.stdlibConn.Conn()
	if rows && len(types.ParamOIDs) != len(args) {
		return &unsentError{fmt.Errorf("expected %d arguments, got %d", len(types.ParamOIDs), len(args))} // pgx's words
	}
	b := &l.builder
	m := pgxConn.TypeMap()
	defer b.Build(m, nil, nil) //nolint:errcheck // it frees the memory of large arguments, and cannot fail
	if err := b.Build(m, types, s.conn.encoded(args, types.ParamOIDs)); err != nil {
		return &unsentError{err}
	}
	var formats []int16
	if rows {
		formats = s.resultFormats(m, types, b.ResultFormats)
	}
	if err := s.start(o, types, formats); err != nil {
		return &unsentError{err}
	}
	s.more = rows && s.reader != nil && s.reader.NextRow()
	if s.more {
		return nil
	}
	if s.reader != nil {
		s.fields = s.reader.FieldDescriptions()
	}
	var err error
	s.tag, err = s.close()
	return err
}

// start sends what the builder has built.
func (s *execution) start(o *order, types *pgconn.StatementDescription, formats []int16) error {
	b, pg := &s.conn.link.builder, s.conn.stdlibConn.Conn().PgConn()
	s.group, s.reader, s.path = nil, nil, o.path
	switch {
	case o.path != nil:
		if err := s.conn.prepareSwitch(s.ctx, o.path); err != nil {
			return err
		}
		s.group, s.reader = s.conn.group(s.ctx, o, func(batch *pgconn.Batch) {
			if types.Name != "" {
				batch.ExecStatement(types, b.ParamValues, b.ParamFormats, formats)
			} else {
				batch.ExecParams(o.sql, b.ParamValues, types.ParamOIDs, b.ParamFormats, formats)
			}
		})
	case types.Name != "":
		s.reader = pg.ExecStatement(s.ctx, types, b.ParamValues, b.ParamFormats, formats)
	default:
		s.reader = pg.ExecParams(s.ctx, o.sql, b.ParamValues, types.ParamOIDs, b.ParamFormats, formats)
	}
	return nil
}

// close reads the statement's result to its end.
func (s *execution) close() (tag pgconn.CommandTag, err error) {
	if s.reader != nil {
		tag, err = s.reader.Close()
	}
	if s.group != nil {
		if groupErr := s.group.Close(); err == nil {
			err = s.path.gone(groupErr)
		}
	}
	return tag, err
}

// resultFormats returns the formats to ask for: one for all columns if it is the same for all, because then a column
// more or less does no harm.
func (s *execution) resultFormats(m *pgtype.Map, types *pgconn.StatementDescription, formats []int16) []int16 {
	for i := range formats {
		formats[i] = s.format(m, types.Fields[i].DataTypeOID)
	}
	if len(formats) > 1 && !slices.Contains(formats[1:], 1-formats[0]) {
		return formats[:1]
	}
	return formats
}

// format returns the format in which pgx would ask for a column of this type.
func (s *execution) format(m *pgtype.Map, oid uint32) int16 {
	if s.formats != nil {
		return s.formats[oid]
	}
	return m.FormatCodeForOID(oid)
}

// mayBeStale reports whether an error can come from types that are out of date, while nothing has happened: a value does
// not fit the type that its parameter had, or the server refuses the types or the number of columns.
func (c *conn) mayBeStale(err error, o *order) bool {
	var unsent *unsentError
	if errors.As(err, &unsent) {
		return c.txStatus() != 'E'
	}
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && slices.Contains(staleCodes, pgErr.Code) && !o.info.Procedural && c.txStatus() == 'I'
}

// staleCodes are the errors of parameters of the wrong type, and of too few or too many result formats.
var staleCodes = []string{"08P01", "22P02", "22P03", "22003", "22007", "42804", "42846", "42883", "42P08", "42P18"}

// next reports whether there is another row, and closes the rows if there is none.
func (s *execution) next() bool {
	switch {
	case s.repairs != nil:
		return s.repairs.next()
	case s.finished:
		return false
	case s.more:
		s.more = false
		return true
	case s.reader.NextRow():
		return true
	}
	s.finish(nil)
	return false
}

// row returns the current row.
func (s *execution) row() [][]byte {
	if s.repairs != nil {
		return s.repairs.row
	}
	return s.reader.Values()
}

// finish closes the rows and tells the tracer. An error that is given counts more than the one of the rows.
func (s *execution) finish(err error) {
	if s.finished {
		return
	}
	s.finished = true
	err = sent(err)
	if s.reader != nil || s.group != nil {
		tag, closeErr := s.close()
		s.tag = tag
		if err == nil {
			err = closeErr
		}
	}
	s.err = err
	if err != nil && s.hot != nil {
		s.conn.unprepare(s.hot) // as pgx does: it may not fit its table any more
	}
	if tracer := s.conn.link.tracer; tracer != nil {
		tracer.TraceQueryEnd(s.ctx, s.conn.stdlibConn.Conn(), pgx.TraceQueryEndData{CommandTag: s.tag, Err: s.err})
	}
}
