package driver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/pathsql"
	"github.com/pgdbm/pgdbm/internal/pgerr"
	"github.com/pgdbm/pgdbm/internal/template"
)

// switchTo returns how to get to the path of a schema, or nil if the session has it or the statement needs none.
func (c *conn) switchTo(schema string, info *template.Info) *pathsql.Switch {
	p := c.path
	if p == nil || info.NoNames {
		return nil
	}
	tx := c.transaction()
	hidden := p.missing && c.left != leftNothing // a temporary table would be found instead
	if schema == c.connector.settings.Schema && !p.displaced && !hidden && (tx == nil || tx.last == nil) {
		return nil
	}
	w := p.last
	if w == nil || w.Schema != schema || w.Creates != (info.SchemaDDL && schema != "") || w.Utility != (info.NoSnapshot && tx != nil) {
		w = pathsql.New(schema, p.followers, c.connector.settings.Schema)
		w.Utility = info.NoSnapshot && tx != nil
		if info.SchemaDDL && schema != "" {
			w.ForCreate()
		}
		p.last = w
	}
	return w
}

// missing explains an error of the switch.
func missing(w *pathsql.Switch, err error) error {
	var pgErr *pgconn.PgError
	if w.Schema != "" && errors.As(err, &pgErr) && (pgErr.Code == pgerr.InvalidSchema || pgErr.Code == pgerr.InvalidText) {
		return &MissingSchemaError{Schema: w.Schema, Err: err}
	}
	return err
}

// gone explains an error that says that there is no such schema. It may come behind rows that were handed out.
func gone(w *pathsql.Switch, err error) error {
	var pgErr *pgconn.PgError
	if w.Schema != "" && errors.As(err, &pgErr) && pgErr.Code == pgerr.InvalidSchema && strings.Contains(pgErr.Message, w.Schema) {
		return &MissingSchemaError{Schema: w.Schema, Err: err}
	}
	return err
}

// look reads the result of the switch, and reports whether the path is the schema alone.
func look(w *pathsql.Switch, result *pgconn.ResultReader) (alone bool, err error) {
	for result.NextRow() {
		alone = w.Full != "" && string(result.Values()[0]) != w.Full
	}
	_, err = result.Close()
	return alone, missing(w, err)
}

// setPath sets the path in a trip of its own: until the end of the transaction, or, outside of one, for the rest of the session,
// which nobody else gets then. Behind a pooler that would be somebody else's session.
func (c *conn) setPath(ctx context.Context, w *pathsql.Switch) error {
	pg := c.pg()
	if tx := c.transaction(); tx != nil {
		tx.last = w
		_, err := look(w, pg.ExecParams(ctx, pathsql.SetSQL(w.Value, true), w.Args, nil, nil, nil))
		return err
	}
	c.path.displaced = true
	c.leave(true)
	sql := fmt.Sprintf("SELECT CASE WHEN pg_catalog.pg_backend_pid() = %d THEN (%s) END", pg.PID(), pathsql.SetSQL(w.Value, false))
	result := pg.ExecParams(ctx, sql, w.Args, nil, nil, nil).Read()
	switch {
	case result.Err != nil:
		return missing(w, result.Err)
	case result.Rows[0][0] == nil:
		return ErrSchemaSwitch
	}
	return nil
}
