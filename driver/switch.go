package driver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/guard"
	"github.com/pgdbm/pgdbm/internal/template"
)

// pathSwitch is the search_path of one statement in schema_mode=search_path, if it is not the session's. It is set until the end
// of the transaction, and sent in one Sync group with the statement: outside of a transaction, that is the transaction. So
// there is nothing to remember and nothing to undo, and a pooler cannot come between.
//
// If the schema cannot be used, the path is nothing but it, so that nothing is found, in public above all.
type pathSwitch struct {
	schema string // "" for none
	value  string // what the path is set to, as an expression of the args
	args   [][]byte
	full   string // what that comes to if the schema can be used; "" if that is not known
}

// The values of a path. PostgreSQL leaves a schema out of the path if it does not exist or the role has no USAGE privilege.
const (
	valueOfSchema = "CASE WHEN pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace($2::text), 'USAGE') THEN $1::text ELSE $2 END"
	valueGiven    = "$1::text"
	valueAtStart  = "(SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'search_path')"
)

// The check behind a statement fails if there is no schema, which undoes the statement. It may have waited for a lock on a table that
// somebody was about to drop with its schema; then PostgreSQL looks the name up again, and may find one in public.
//
// It is an empty statement with a parameter of type regnamespace. The server reads a parameter when it is bound, after the statement
// before it was executed, and fails if there is no such schema. Nothing is left to plan: a SELECT would be planned anew whenever the path
// is another one than at its last time, which costs a third of a query by primary key (benchmarks/tenants -onlypaths).
const checkSQL = ""

// regnamespace is the OID of the type.
const regnamespace = 4089

var checkTypes = []uint32{regnamespace}

// checkText is the check without parameters: see pathSwitch.text.
const checkText = "SELECT $2::pg_catalog.regnamespace"

// checks reports whether the schema is looked for behind a statement, unless that creates or drops schemas itself.
func (w *pathSwitch) checks(o *order) bool { return w.value == valueOfSchema && !o.info.SchemaDDL }

func setPathSQL(value string, local bool) string {
	return "SELECT pg_catalog.set_config('search_path', " + value + ", " + strconv.FormatBool(local) + ")"
}

var switchSQL = setPathSQL(valueOfSchema, true)

// switchTo returns how to get to the path of a schema, or nil if the session has it.
func (c *conn) switchTo(schema string, info *template.Info) *pathSwitch {
	own := c.connector.settings.schema
	if !c.connector.settings.searchPath || info.TransactionControl {
		return nil
	}
	c.settle()
	if schema == own && !c.displaced && !c.switched || !guard.Path {
		return nil
	}
	if c.txStatus() != 'I' {
		c.switched = true
	}
	if c.lastSwitch == nil || c.lastSwitch.schema != schema {
		c.lastSwitch = newSwitch(schema, c.followers, own)
	}
	return c.lastSwitch
}

func newSwitch(schema, followers, own string) *pathSwitch {
	switch {
	case schema != "":
		quoted := template.QuoteIdent(schema)
		full := fullPath(schema, followers)
		if !guard.Missing {
			return &pathSwitch{schema: schema, value: valueGiven, args: [][]byte{[]byte(full)}, full: full}
		}
		return &pathSwitch{schema: schema, value: valueOfSchema, args: [][]byte{[]byte(full), []byte(quoted)}, full: full}
	case followers == "" && own == "":
		return &pathSwitch{value: valueAtStart}
	default:
		return &pathSwitch{value: valueGiven, args: [][]byte{[]byte(pathWithout(followers))}}
	}
}

// text returns SQL of the switch without parameters.
func (w *pathSwitch) text(sql string) string {
	var parameters []string
	for i, arg := range w.args {
		parameters = append(parameters, "$"+strconv.Itoa(i+1), "'"+strings.ReplaceAll(string(arg), "'", "''")+"'")
	}
	return strings.NewReplacer(parameters...).Replace(sql) // a schema may be called $1
}

// look reads the result of the switch.
func (c *conn) look(w *pathSwitch, result *pgconn.ResultReader) {
	if result.NextRow() && w.full != "" && string(result.Values()[0]) != w.full {
		c.lost = w.schema
	}
	_, _ = result.Close() // its error is the group's too
}

// prepareSwitch prepares the switch and the check once on a physical connection, if the DSN allows that.
func (c *conn) prepareSwitch(ctx context.Context, w *pathSwitch) error {
	l := c.link
	if l.hot == nil || l.path != nil || w.value != valueOfSchema || c.txStatus() == 'E' {
		return nil
	}
	pg := c.stdlibConn.Conn().PgConn()
	path, err := pg.Prepare(ctx, l.newName(), switchSQL, nil)
	if err != nil {
		return err
	}
	if l.check, err = pg.Prepare(ctx, l.newName(), checkSQL, checkTypes); err != nil {
		return err
	}
	l.check.Fields = make([]pgconn.FieldDescription, 1) // or pgconn would ask for them each time
	l.path = path
	return nil
}

// addTo adds the switch to a group.
func (w *pathSwitch) addTo(batch *pgconn.Batch, l *link) {
	if w.value == valueOfSchema && l.path != nil {
		batch.ExecStatement(l.path, w.args, nil, nil)
		return
	}
	batch.ExecParams(setPathSQL(w.value, true), w.args, nil, nil, nil)
}

// addCheckTo adds the check to a group.
func (w *pathSwitch) addCheckTo(batch *pgconn.Batch, l *link) {
	if l.check != nil {
		batch.ExecStatement(l.check, w.args[1:], nil, nil)
		return
	}
	batch.ExecParams(checkSQL, w.args[1:], checkTypes, nil, nil)
}

// group sends the switch and a statement, and returns the statement's result, or nil if there is none.
func (c *conn) group(ctx context.Context, o *order, add func(*pgconn.Batch)) (*pgconn.MultiResultReader, *pgconn.ResultReader) {
	batch, w := &pgconn.Batch{}, o.path
	w.addTo(batch, c.link)
	add(batch)
	if w.checks(o) {
		w.addCheckTo(batch, c.link)
	}
	results := c.stdlibConn.Conn().PgConn().ExecBatch(ctx, batch)
	if !results.NextResult() {
		return results, nil
	}
	c.look(w, results.ResultReader())
	if !results.NextResult() {
		return results, nil
	}
	return results, results.ResultReader()
}

// prepareUnder prepares a statement under a path, in one round trip.
func (c *conn) prepareUnder(ctx context.Context, w *pathSwitch, name, sql string) (*pgconn.StatementDescription, error) {
	if err := c.prepareSwitch(ctx, w); err != nil {
		return nil, err
	}
	p := c.stdlibConn.Conn().PgConn().StartPipeline(ctx)
	if w.value == valueOfSchema && c.link.path != nil {
		p.SendQueryStatement(c.link.path, w.args, nil, nil)
	} else {
		p.SendQueryParams(setPathSQL(w.value, true), w.args, nil, nil, nil)
	}
	p.SendPrepare(name, sql, nil)
	err := p.Sync()
	var sd *pgconn.StatementDescription
	for err == nil {
		var result any
		if result, err = p.GetResults(); err != nil {
			break
		}
		switch result := result.(type) {
		case *pgconn.ResultReader:
			c.look(w, result)
			continue
		case *pgconn.StatementDescription:
			sd = result
			sd.Name, sd.SQL = name, sql
			continue
		}
		break // the end of the group
	}
	if closeErr := p.Close(); err == nil {
		err = closeErr
	}
	if err == nil && sd == nil {
		err = errors.New("pgdbm: the server did not describe the statement")
	}
	return sd, err
}

// setPath sets the path in a trip of its own: until the end of the transaction, or, outside of one, for the rest of the session,
// which nobody else gets then. Behind a pooler that would be somebody else's session.
func (c *conn) setPath(ctx context.Context, w *pathSwitch) error {
	pg := c.stdlibConn.Conn().PgConn()
	if c.txStatus() != 'I' {
		result := pg.ExecParams(ctx, setPathSQL(w.value, true), w.args, nil, nil, nil)
		c.look(w, result)
		_, err := result.Close()
		return err
	}
	c.displaced = true
	c.leave(true)
	sql := fmt.Sprintf("SELECT CASE WHEN pg_catalog.pg_backend_pid() = %d THEN (%s) END", pg.PID(), setPathSQL(w.value, false))
	result := pg.ExecParams(ctx, sql, w.args, nil, nil, nil).Read()
	switch {
	case result.Err != nil:
		return result.Err
	case result.Rows[0][0] == nil:
		return ErrSchemaSwitch
	case w.full != "" && string(result.Rows[0][0]) != w.full:
		c.lost = w.schema
	}
	return nil
}
