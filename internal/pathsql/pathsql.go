// Package pathsql has the SQL that sets the search_path of a statement in schema_mode=search_path, and checks it.
package pathsql

import (
	"strconv"
	"strings"

	"github.com/pgdbm/pgdbm/internal/template"
)

// Switch is the search_path of one statement in schema_mode=search_path, if it is not the session's. It is set until the end
// of the transaction, and sent in one Sync group with the statement: outside of a transaction, that is the transaction. So
// there is nothing to remember and nothing to undo, and a pooler cannot come between.
type Switch struct {
	Schema   string // "" for none
	Value    string // what the path is set to, as an expression of args
	Args     [][]byte
	Full     string // what that comes to if the schema can be used; "" if that is not known
	Creates  bool   // the statement may create the schema
	Utility  bool   // the statement must not come after a query: the path is set with SET LOCAL
	Prepared bool   // the switch is worth preparing
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

// CheckSQL is the check behind a statement: it fails if there is no schema, which undoes the statement. It may have waited for a lock on a table that
// somebody was about to drop with its schema; then PostgreSQL looks the name up again, and may find one in public.
//
// It is an empty statement with a parameter of type regnamespace. The server reads a parameter when it is bound, after the statement
// before it was executed, and fails if there is no such schema. Nothing is left to plan: a SELECT would be planned anew whenever the path
// is another one than at its last time, which costs a third of a query by primary key (benchmarks/tenants -onlypaths).
const CheckSQL = ""

// The OIDs of types.
const (
	text         = 25
	regnamespace = 4089
)

// The types of the parameters of SQL and CheckSQL.
var (
	Types      = []uint32{text, text}
	CheckTypes = []uint32{regnamespace}
)

// CheckText is the check without parameters: see [Switch.Text].
const CheckText = "SELECT $2::pg_catalog.regnamespace"

// SQL is the switch to the path of a schema that is to be used.
var SQL = SetSQL(valueToUse, true)

// SetSQL returns the statement that sets the path to the value of a switch.
func SetSQL(value string, local bool) string {
	return "SELECT pg_catalog.set_config('search_path', " + value + ", " + strconv.FormatBool(local) + ")"
}

// Checks reports whether the schema is looked for behind a statement, unless that creates or drops schemas itself.
func (w *Switch) Checks() bool { return w.Schema != "" && !w.Creates }

// New returns the switch to the path of a schema, or of none, in front of followers. Own is the DSN's schema, or "".
func New(schema, followers, own string) *Switch {
	switch {
	case schema != "":
		full := Full(schema, followers)
		return &Switch{Schema: schema, Value: valueToUse, Args: [][]byte{[]byte(full), []byte(template.QuoteIdent(schema))}, Full: full, Prepared: true}
	case followers == "" && own == "":
		return &Switch{Value: valueAtStart}
	case followers == "":
		followers = "public"
	}
	return &Switch{Value: valueWithout, Args: [][]byte{[]byte(followers)}}
}

// Text returns SQL of the switch without parameters.
func (w *Switch) Text(sql string) string {
	var parameters []string
	for i, arg := range w.Args {
		parameters = append(parameters, "$"+strconv.Itoa(i+1), "'"+strings.ReplaceAll(string(arg), "'", "''")+"'")
	}
	return strings.NewReplacer(parameters...).Replace(sql) // a schema may be called $1
}

// Command returns the switch as a command that is no query: it takes no snapshot and needs no plan.
func (w *Switch) Command() string {
	switch {
	case w.Full != "":
		return "SET LOCAL search_path = " + w.Full
	case len(w.Args) == 0:
		return "SET LOCAL search_path = DEFAULT"
	}
	return "SET LOCAL search_path = " + string(w.Args[0]) + ", pg_temp"
}

// Before returns the switch as it stands before the statements of a text.
func (w *Switch) Before() string {
	if w.Utility {
		return w.Command() + "; "
	}
	return w.Text(SetSQL(w.Value, true)) + "; "
}

// Full puts schema before the DSN's own search_path, or public if it has none. pg_temp comes last, so that a
// temporary table that somebody left shadows nothing: unless named, it would come first.
func Full(schema, followers string) string {
	if followers == "" {
		followers = "public"
	}
	return template.QuoteIdent(schema) + ", " + followers + ", pg_temp"
}

// OrNone returns a path in which nothing is written as such.
func OrNone(path string) string {
	if strings.TrimSpace(path) == "" {
		return `""` // nothing follows, not even public
	}
	return path
}

// ForCreate makes the switch one for a statement that may create the schema.
func (w *Switch) ForCreate() {
	w.Value, w.Creates, w.Prepared = valueToMake, true, false
}

// Configured asks for the search_path that was set for the role or the database (ALTER ROLE, ALTER DATABASE). The order is that of
// PostgreSQL's process_settings.
const Configured = `SELECT pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1)
FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) c
WHERE c LIKE 'search_path=%' AND s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user))
AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1`
