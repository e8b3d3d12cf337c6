package onetx

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// mark is the name of our savepoint. There is at most one.
const mark = "pgdbm_isolated"

// enter makes the savepoint that stands for a transaction, the implicit one of a statement included.
func (s *session) enter() error {
	if s.within {
		return nil
	}
	if err := s.server.exec("SAVEPOINT " + mark); err != nil {
		return err
	}
	s.within = true
	return nil
}

// endGroup ends the implicit transaction of what has just been executed.
func (s *session) endGroup() error {
	if s.inTx || !s.within {
		return nil
	}
	if s.server.status == 'E' {
		return s.undo()
	}
	err := s.keep()
	if !isPgError(err) {
		return err
	}
	s.send(errorOf(err))
	return s.undo()
}

// undo is ROLLBACK. What was SET since is set back by it too.
func (s *session) undo() error {
	s.within, s.declared = false, false
	s.server.looked = s.server.looked && !s.server.changed
	s.tables = nil
	clear(s.restore)
	const rollback = "ROLLBACK TO SAVEPOINT " + mark + "; RELEASE SAVEPOINT " + mark
	err := s.server.exec(rollback)
	if isPgError(err) { // a cancellation came late
		err = s.server.exec(rollback)
	}
	return err
}

// keep is COMMIT. A *pgconn.PgError is one of a deferred constraint, after which undo has to follow.
func (s *session) keep() error {
	if err := s.server.lookForDeferred(); err != nil {
		return err
	}
	end := "SET CONSTRAINTS ALL IMMEDIATE; " + s.server.deferred
	if s.declared {
		end += "CLOSE ALL; "
	}
	for _, table := range s.tables {
		end += "DROP TABLE IF EXISTS pg_temp." + table + " CASCADE; "
	}
	if len(s.restore) > 0 {
		end += "SELECT " + strings.Join(s.setBack(), ", ") + "; "
	}
	if err := s.server.exec(end + "RELEASE SAVEPOINT " + mark); err != nil {
		return err
	}
	s.within, s.declared = false, false
	s.tables = nil
	clear(s.restore)
	return nil
}

func (s *session) setBack() []string {
	var calls []string
	for name, value := range s.restore {
		calls = append(calls, "pg_catalog.set_config("+literal(name)+", "+literal(value)+", false)")
	}
	return calls
}

// follow notes what a text leaves behind that the end of its transaction takes away.
func (s *session) follow(found traces) error {
	s.declared = s.declared || found.cursors
	s.keeps = s.keeps || found.session
	s.tables = append(s.tables, found.tables...)
	if found.deferred {
		s.server.looked, s.server.changed = false, true
	}
	for _, name := range found.locals {
		if _, known := s.restore[name]; known || s.server.status == 'E' {
			continue
		}
		value, err := s.server.ask("SELECT pg_catalog.current_setting(" + literal(name) + ", true)")
		if err != nil {
			return err
		}
		s.restore[name] = string(value)
	}
	return nil
}

// lookForDeferred asks which constraints are deferred from the beginning of each transaction. It is the others that are named: naming one
// to defer it is an error if another table has one of that name that cannot be, or if the schema is hidden from the role.
func (c *Conn) lookForDeferred() error {
	if c.looked {
		return nil
	}
	const query = "SELECT CASE WHEN pg_catalog.bool_or(c.condeferred) THEN pg_catalog.concat('SET CONSTRAINTS ALL DEFERRED; ', " +
		"'SET CONSTRAINTS ' || pg_catalog.string_agg(pg_catalog.format('%I.%I', n.nspname, c.conname), ', ') FILTER (WHERE NOT c.condeferred) || " +
		"' IMMEDIATE; ') END FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace WHERE c.condeferrable"
	deferred, err := c.ask(query)
	if err != nil {
		return err
	}
	c.looked, c.deferred = true, string(deferred)
	return nil
}

// literal quotes a value as SQL.
func literal(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }

func isPgError(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Severity != "FATAL" && pgErr.Severity != "PANIC"
}

func errorOf(err error) *pgproto3.ErrorResponse { return errorResponse("ERROR", err) }
