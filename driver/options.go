package driver

import (
	"fmt"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/internal/dsn"
	"github.com/pgdbm/pgdbm/internal/template"
)

// Option configures a [Connector]. An option that is wrong, or that contradicts the DSN, is an error of NewConnector;
// of a *sql.DB from OpenDB or OpenDBFromPool it is the error of every connect.
type Option func(*options) error

type options struct {
	schema     string
	stdlib     []stdlib.OptionOpenDB
	schemaArgs bool
}

// DefaultSchema names the schema of statements whose context and transaction name none, like the DSN's key schema. It
// does not change the schema mode: that is template, unless the DSN says otherwise.
func DefaultSchema(name string) Option {
	return func(o *options) error {
		if err := template.CheckSchema(name); err != nil {
			return err
		}
		if o.schema != "" && o.schema != name {
			return fmt.Errorf("pgdbm: DefaultSchema is given twice, with %q and %q", o.schema, name)
		}
		o.schema = name
		return nil
	}
}

// WithStdlib passes options on to pgx/v5/stdlib: OptionBeforeConnect, OptionAfterConnect, OptionResetSession,
// OptionShouldPing. They mean what they mean there. Those that connect are not called for a pool.
func WithStdlib(opts ...stdlib.OptionOpenDB) Option {
	return func(o *options) error {
		o.stdlib = append(o.stdlib, opts...)
		return nil
	}
}

// WithSchemaArgs replaces arguments that are templates, for libraries that put the name of a table or a schema into arguments to look
// it up in the catalogs, as GORM's migrator does:
//
//	{{schema}}         the effective schema's name, or public: table_schema = $1
//	{{tables.users}}   users where the server expects type name: table_name = $1; elsewhere "myapp"."users": to_regclass($1)
//	{{tables, users}}  two arguments, into which a library cuts {{tables.users}} at its dot: as {{schema}} and users
//
// <<...>> means the same, and so does {{tables.audit.events}}, in its own schema. Names are taken as written, as if they were quoted.
// Only strings that are nothing else are replaced, in Exec, Query and those of prepared statements, not in schemadb's ExecMany and
// CopyFrom, whose rows are data. In the modes exec and simple_protocol {{tables.users}} is the qualified name always. Leave it off
// where users' data may be such a string: it would be stored as the name.
func WithSchemaArgs() Option {
	return func(o *options) error {
		o.schemaArgs = true
		return nil
	}
}

func (o *options) apply(opts []Option) error {
	for _, opt := range opts {
		if err := opt(o); err != nil {
			return err
		}
	}
	return nil
}

// merge adds the DefaultSchema to what the DSN says.
func (o *options) merge(s dsn.Settings) (dsn.Settings, error) {
	if o.schema == "" {
		return s, nil
	}
	if s.Schema != "" && s.Schema != o.schema {
		return s, fmt.Errorf("pgdbm: DefaultSchema(%q) contradicts the DSN's schema %q", o.schema, s.Schema)
	}
	s.Schema = o.schema
	return s, nil
}
