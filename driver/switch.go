package driver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/template"
)

// pathSwitch is the search_path of one statement in schema_mode=search_path, if it is not the session's. It is set until the end
// of the transaction, and sent in one Sync group with the statement: outside of a transaction, that is the transaction. So
// there is nothing to remember and nothing to undo, and a pooler cannot come between.
type pathSwitch struct {
	schema   string // "" for none
	value    string // what the path is set to, as an expression of args
	args     [][]byte
	full     string // what that comes to if the schema can be used; "" if that is not known
	creates  bool   // the statement may create the schema
	utility  bool   // the statement must not come after a query: the path is set with SET LOCAL
	prepared bool   // the switch is worth preparing
}

// The values of a path. PostgreSQL leaves a schema out of the path if it does not exist or the role has no USAGE privilege, and goes
// on to public. So then the switch fails, and with it the group. For a statement that creates the schema the path is nothing but it.
//
// What a path without a schema has may be unusable too, and then CREATE TABLE would land in pg_temp. Left out of the path, pg_temp is
// searched first: so if the session has one, the switch fails.
const (
	usable       = "pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace($2::text), 'USAGE')"
	refused      = "coalesce(('no USAGE privilege on ' || pg_catalog.to_regnamespace($2)::text)::int4::text, $2::pg_catalog.regnamespace::text)"
	valueToUse   = "CASE WHEN " + usable + " THEN $1::text ELSE " + refused + " END"
	valueToMake  = "CASE WHEN " + usable + " THEN $1::text ELSE $2 END"
	valueWithout = "CASE WHEN pg_catalog.set_config('search_path', $1::text, true) IS NULL THEN NULL" +
		" WHEN pg_catalog.cardinality(pg_catalog.current_schemas(false)) > 0 THEN $1 || ', pg_temp'" +
		" WHEN pg_catalog.pg_my_temp_schema() = 0 THEN $1" +
		" ELSE ('no schema can be used of ' || pg_catalog.current_setting('search_path'))::int4::text END" // no constant, or it would fail when planned
	valueAtStart = "(SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'search_path')"
)

// The check behind a statement fails if there is no schema, which undoes the statement. It may have waited for a lock on a table that
// somebody was about to drop with its schema; then PostgreSQL looks the name up again, and may find one in public.
//
// It is an empty statement with a parameter of type regnamespace. The server reads a parameter when it is bound, after the statement
// before it was executed, and fails if there is no such schema. Nothing is left to plan: a SELECT would be planned anew whenever the path
// is another one than at its last time, which costs a third of a query by primary key (benchmarks/tenants -onlypaths).
const checkSQL = ""

// regnamespace and text are the OIDs of the types.
const (
	text         = 25
	regnamespace = 4089
)

var (
	switchTypes = []uint32{text, text}
	checkTypes  = []uint32{regnamespace}
)

// checkText is the check without parameters: see pathSwitch.text.
const checkText = "SELECT $2::pg_catalog.regnamespace"

var switchSQL = setPathSQL(valueToUse, true)

func setPathSQL(value string, local bool) string {
	return "SELECT pg_catalog.set_config('search_path', " + value + ", " + strconv.FormatBool(local) + ")"
}

// checks reports whether the schema is looked for behind a statement, unless that creates or drops schemas itself.
func (w *pathSwitch) checks() bool { return w.schema != "" && !w.creates }

// switchTo returns how to get to the path of a schema, or nil if the session has it or the statement needs none.
func (c *conn) switchTo(schema string, info *template.Info) *pathSwitch {
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
	if w == nil || w.schema != schema || w.creates != info.SchemaDDL || w.utility != (info.NoSnapshot && tx != nil) {
		w = newSwitch(schema, p.followers, c.connector.settings.Schema)
		w.utility = info.NoSnapshot && tx != nil
		if w.creates = info.SchemaDDL && schema != ""; w.creates {
			w.value = valueToMake
		}
		w.prepared = w.value == valueToUse
		p.last = w
	}
	return w
}

func newSwitch(schema, followers, own string) *pathSwitch {
	switch {
	case schema != "":
		full := fullPath(schema, followers)
		return &pathSwitch{schema: schema, value: valueToUse, args: [][]byte{[]byte(full), []byte(template.QuoteIdent(schema))}, full: full}
	case followers == "" && own == "":
		return &pathSwitch{value: valueAtStart}
	case followers == "":
		followers = "public"
	}
	return &pathSwitch{value: valueWithout, args: [][]byte{[]byte(followers)}}
}

// text returns SQL of the switch without parameters.
func (w *pathSwitch) text(sql string) string {
	var parameters []string
	for i, arg := range w.args {
		parameters = append(parameters, "$"+strconv.Itoa(i+1), "'"+strings.ReplaceAll(string(arg), "'", "''")+"'")
	}
	return strings.NewReplacer(parameters...).Replace(sql) // a schema may be called $1
}

// command returns the switch as a command that is no query: it takes no snapshot and needs no plan.
func (w *pathSwitch) command() string {
	switch {
	case w.full != "":
		return "SET LOCAL search_path = " + w.full
	case len(w.args) == 0:
		return "SET LOCAL search_path = DEFAULT"
	}
	return "SET LOCAL search_path = " + string(w.args[0]) + ", pg_temp"
}

// before returns the switch as it stands before the statements of a text.
func (w *pathSwitch) before() string {
	if w.utility {
		return w.command() + "; "
	}
	return w.text(setPathSQL(w.value, true)) + "; "
}

// missing explains an error of the switch.
func (w *pathSwitch) missing(err error) error {
	var pgErr *pgconn.PgError
	if w.schema != "" && errors.As(err, &pgErr) && (pgErr.Code == invalidSchema || pgErr.Code == invalidText) {
		return &MissingSchemaError{Schema: w.schema, Err: err}
	}
	return err
}

// gone explains an error that says that there is no such schema. It may come behind rows that were handed out.
func (w *pathSwitch) gone(err error) error {
	var pgErr *pgconn.PgError
	if w.schema != "" && errors.As(err, &pgErr) && pgErr.Code == invalidSchema && strings.Contains(pgErr.Message, w.schema) {
		return &MissingSchemaError{Schema: w.schema, Err: err}
	}
	return err
}

const (
	invalidSchema = "3F000"
	invalidText   = "22P02"
)

// look reads the result of the switch, and reports whether the path is the schema alone.
func (w *pathSwitch) look(result *pgconn.ResultReader) (alone bool, err error) {
	for result.NextRow() {
		alone = w.full != "" && string(result.Values()[0]) != w.full
	}
	_, err = result.Close()
	return alone, w.missing(err)
}

// setPath sets the path in a trip of its own: until the end of the transaction, or, outside of one, for the rest of the session,
// which nobody else gets then. Behind a pooler that would be somebody else's session.
func (c *conn) setPath(ctx context.Context, w *pathSwitch) error {
	pg := c.pg()
	if tx := c.transaction(); tx != nil {
		tx.last = w
		_, err := w.look(pg.ExecParams(ctx, setPathSQL(w.value, true), w.args, nil, nil, nil))
		return err
	}
	c.path.displaced = true
	c.leave(true)
	sql := fmt.Sprintf("SELECT CASE WHEN pg_catalog.pg_backend_pid() = %d THEN (%s) END", pg.PID(), setPathSQL(w.value, false))
	result := pg.ExecParams(ctx, sql, w.args, nil, nil, nil).Read()
	switch {
	case result.Err != nil:
		return w.missing(result.Err)
	case result.Rows[0][0] == nil:
		return ErrSchemaSwitch
	}
	return nil
}
