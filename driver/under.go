package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/rowscan"
)

// Under another search_path than the session's, all statements are this driver's: pgx has no way to set the path in the same
// Sync group, and keeps prepared statements by their text, which is the same in all schemas.

// execUnder executes a statement under its path.
func (c *conn) execUnder(ctx context.Context, o *order, named []sqldriver.NamedValue) (sqldriver.Result, error) {
	written := o.sql
	_, args, err := c.options(ctx, o, values(named))
	if err != nil {
		return nil, err
	}
	var result sqldriver.Result
	idle := c.txStatus() == 'I'
	if !o.needsSession() {
		if len(args) == 0 {
			result, err = c.execText(ctx, o)
		} else {
			o.way = c.route(o)
			result, err = c.execHere(ctx, o, args)
		}
		if !idle || !refusesGroup(err) {
			return result, err
		}
	}
	err = c.apart(ctx, o, func() (err error) {
		result, err = c.stdlibConn.ExecContext(ctx, written, named)
		return err
	})
	return result, err
}

// queryUnder is execUnder for queries.
func (c *conn) queryUnder(ctx context.Context, o *order, named []sqldriver.NamedValue) (sqldriver.Rows, error) {
	written := o.sql
	formats, args, err := c.options(ctx, o, values(named))
	if err != nil {
		return nil, err
	}
	var rows sqldriver.Rows
	idle := c.txStatus() == 'I'
	if !o.needsSession() {
		o.way = c.route(o)
		if formats == nil {
			formats = rowscan.ResultFormats()
		}
		if rows, err = c.queryAs(ctx, o, args, formats); !idle || !refusesGroup(err) {
			return rows, err
		}
	}
	err = c.apart(ctx, o, func() (err error) {
		rows, err = c.stdlibConn.QueryContext(ctx, written, named)
		return err
	})
	return rows, err
}

// options takes pgx's first arguments off the others. A mode says how pgx would send the statement, so it does not matter here.
func (c *conn) options(ctx context.Context, o *order, args []any) (formats pgx.QueryResultFormatsByOID, rest []any, err error) {
	for len(args) > 0 {
		switch option := args[0].(type) {
		case pgx.QueryExecMode:
			args = args[1:]
		case pgx.QueryResultFormatsByOID:
			formats, args = option, args[1:]
		case pgx.QueryResultFormats:
			return nil, nil, errors.New("pgdbm: schema_mode=search_path: pgx.QueryResultFormats does not work in a context's schema; " +
				"use pgx.QueryResultFormatsByOID")
		case pgx.QueryRewriter:
			sql, rewritten, err := option.RewriteQuery(ctx, c.stdlibConn.Conn(), o.sql, args[1:])
			if err != nil {
				return nil, nil, fmt.Errorf("rewrite query failed: %w", err) // pgx's words
			}
			o.rewrite(sql)
			args = rewritten
			return formats, args, nil
		default:
			return formats, args, nil
		}
	}
	return formats, args, nil
}

// needsSession reports whether a statement may end the transaction that its path would be set for, and go on.
func (o *order) needsSession() bool { return o.info.Procedural || o.info.Commits }

// refusesGroup reports whether the server refuses to execute a statement, such as VACUUM, together with others. Nothing has
// happened then.
func refusesGroup(err error) bool {
	const activeTransaction = "25001"
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == activeTransaction
}

var errCommits = errors.New("pgdbm: schema_mode=search_path: the text ends its transaction and goes on, where it would lose its schema; " +
	"execute its statements one by one")

// apart sets the path in a trip of its own, and lets pgx send the statement.
func (c *conn) apart(ctx context.Context, o *order, send func() error) error {
	if o.info.Commits && c.txStatus() != 'I' {
		return errCommits
	}
	if err := c.setPath(ctx, o.path); err != nil {
		return err
	}
	return send()
}

// execText sends a text without arguments, which may be several statements, in one message with the switch. Without a BEGIN,
// the server executes a message in one transaction.
func (c *conn) execText(ctx context.Context, o *order) (sqldriver.Result, error) {
	if c.stdlibConn.Conn().IsClosed() {
		return nil, sqldriver.ErrBadConn
	}
	if err := c.checkLiterals(); err != nil {
		return nil, err
	}
	ctx = c.traceStart(ctx, o.sql, nil)
	before := o.path.text(setPathSQL(o.path.value, true)) + "; "
	tag, err := c.sendText(ctx, o, before)
	if tracer := c.link.tracer; tracer != nil {
		tracer.TraceQueryEnd(ctx, c.stdlibConn.Conn(), pgx.TraceQueryEndData{CommandTag: tag, Err: err})
	}
	if err != nil && pgconn.SafeToRetry(err) {
		return nil, sqldriver.ErrBadConn
	}
	return sqldriver.RowsAffected(tag.RowsAffected()), err
}

// gone explains an error that says that there is no such schema. It may come behind rows that were handed out.
func (w *pathSwitch) gone(err error) error {
	const invalidSchema = "3F000"
	var pgErr *pgconn.PgError
	if w.schema != "" && errors.As(err, &pgErr) && pgErr.Code == invalidSchema && strings.Contains(pgErr.Message, w.schema) {
		return &MissingSchemaError{Schema: w.schema, Err: err}
	}
	return err
}

func (c *conn) sendText(ctx context.Context, o *order, before string) (tag pgconn.CommandTag, err error) {
	text, checks := before+o.sql, o.path.checks(o)
	if checks {
		text += "\n;" + o.path.text(checkText) // the text may end in a comment
	}
	results := c.stdlibConn.Conn().PgConn().Exec(ctx, text)
	if results.NextResult() {
		c.look(o.path, results.ResultReader())
	}
	var tags []pgconn.CommandTag
	for err == nil && results.NextResult() {
		tag, err = results.ResultReader().Close()
		tags = append(tags, tag)
	}
	if closeErr := results.Close(); err == nil {
		err = o.path.gone(closeErr)
	}
	if checks && err == nil {
		tags = tags[:len(tags)-1]
	}
	tag = pgconn.CommandTag{}
	if len(tags) > 0 && err == nil {
		tag = tags[len(tags)-1]
	}
	var pgErr *pgconn.PgError
	if length := int32(utf8.RuneCountInString(before)); errors.As(err, &pgErr) && pgErr.Position > length { //nolint:gosec // some hundred
		pgErr.Position -= length // nobody else has it yet
	}
	return tag, err
}
