package schemadb

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/native"
)

// closeLimit bounds the farewell to a connection that is given up.
const closeLimit = 5 * time.Second

// beforeConnect calls BeforeConnect, if there is one.
func (c Config) beforeConnect(ctx context.Context, config *pgx.ConnConfig) error {
	if c.BeforeConnect == nil {
		return nil
	}
	if err := c.BeforeConnect(ctx, config); err != nil {
		return &ConfigError{Field: "BeforeConnect", Err: err}
	}
	return nil
}

// startSession prepares a new connection for its use, or closes it: stdlib forgets one for which this fails.
func (r resolved) startSession(ctx context.Context, conn *pgx.Conn) error {
	err := r.runInit(ctx, conn)
	if err == nil {
		err = r.prepareAll(ctx, conn)
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
		defer cancel()
		_ = conn.Close(ctx) // what matters is err
	}
	return err
}

func (r resolved) runInit(ctx context.Context, conn *pgx.Conn) error {
	for i, sql := range r.init {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return &ConfigError{Field: indexed("InitCommands", i), Reason: fmt.Sprintf("%q failed", sql), Err: err}
		}
		if conn.PgConn().TxStatus() != 'I' {
			return &ConfigError{Field: indexed("InitCommands", i), Reason: fmt.Sprintf("%q leaves a transaction open", sql)}
		}
	}
	return nil
}

// prepareAll prepares statements under their own text, by which pgx finds them when that text is executed. The driver finds
// them too.
func (r resolved) prepareAll(ctx context.Context, conn *pgx.Conn) error {
	statements := make(map[string]*pgconn.StatementDescription)
	for i, sql := range r.prepare {
		sd, err := conn.Prepare(ctx, sql, sql)
		switch {
		case err == nil:
			statements[sql] = sd
		case !isMissingObject(err):
			return &ConfigError{Field: indexed("Prepare", i), Reason: fmt.Sprintf("%q cannot be prepared", sql), Err: err}
		}
	}
	native.SetPrepared(conn, statements)
	return nil
}

// isMissingObject reports whether a statement needs what a migration may yet create: undefined_table,
// invalid_schema_name, undefined_function, undefined_object (a type).
func isMissingObject(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && slices.Contains([]string{"42P01", "3F000", "42883", "42704"}, server.Code)
}

// recycler closes connections that have been borrowed often.
type recycler struct {
	max    int                  // borrows; 0 for no limit
	waited func() time.Duration // how long all callers together have waited for connections so far
}

// usesKey is where a connection keeps its *connUses.
const usesKey = "pgdbm.uses"

// connUses is only used by the borrower of its connection.
type connUses struct {
	n      int           // borrows so far
	waited time.Duration // what recycler.waited was at the last of them
}

// start is called with a new connection, whose first borrow is not reported.
func (r recycler) start(conn *pgx.Conn) {
	if r.max > 0 {
		conn.PgConn().CustomData()[usesKey] = &connUses{n: 1, waited: r.waited()}
	}
}

// borrow is called when a connection is borrowed again, and refuses it when it has been borrowed often enough.
//
// Database/sql lets a caller come across three refused connections only: two that lay idle, and a last one that is new
// or, if the pool is exhausted, handed over by another caller. That last one must not be refused, or the caller would
// get the error. One that was handed over is known by the time that somebody has waited since it was borrowed last.
func (r recycler) borrow(conn *pgx.Conn) error {
	uses, ok := conn.PgConn().CustomData()[usesKey].(*connUses)
	if !ok {
		return nil // there is no limit
	}
	if uses.n < r.max-1 {
		uses.n++
		return nil
	}
	waited := r.waited()
	if uses.n >= r.max && uses.waited == waited {
		return sqldriver.ErrBadConn
	}
	uses.n, uses.waited = uses.n+1, waited
	return nil
}
