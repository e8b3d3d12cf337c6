package schemadb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/internal/native"
	"github.com/pgdbm/pgdbm/internal/schemactx"
	"github.com/pgdbm/pgdbm/internal/template"
)

// Expand returns query as it is sent for a statement without a context. See [DB.ExpandContext].
func (q *queries) Expand(query string) (string, error) {
	return q.ExpandContext(context.Background(), query)
}

// ExpandContext returns query as it is sent under ctx, with the templates expanded: to log, to explain, or to hand to
// pgx. It asks nobody, unless the facade follows the context and only the driver knows the schema, from the DSN: then it
// borrows a connection. Errors are *driver.TemplateError and *driver.SchemaError.
func (q *queries) ExpandContext(ctx context.Context, query string) (text string, err error) {
	k, err := q.enter(ctx)
	if err != nil {
		return "", err
	}
	if k != kindPgdbm || q.scope.binding(ctx) != nil {
		return q.scope.expand(ctx, query)
	}
	err = q.native(ctx, func(c native.Conn) error {
		schema, err := c.Schema(ctx)
		if err != nil {
			return err
		}
		e, err := q.scope.pool.texts.Get(query, schema)
		text = e.SQL
		return err
	})
	return text, err
}

// effective returns the schema of a statement under ctx, or "" for none.
func (q *queries) effective(ctx context.Context) (schema string, err error) {
	k, err := q.enter(ctx)
	if err != nil {
		return "", err
	}
	if k != kindPgdbm || q.scope.binding(ctx) != nil {
		return q.scope.schema(ctx)
	}
	err = q.native(ctx, func(c native.Conn) error {
		schema, err = c.Schema(ctx)
		return err
	})
	if errors.Is(err, errNotNative) {
		return "", fmt.Errorf("pgdbm: the DSN's schema is not known: %w; name it with ForSchema", err)
	}
	return schema, err
}

// TableExists reports whether there is a table, a view, a materialized view, a partitioned or a foreign table of that
// name in the facade's schema, or in the one before the dot of "other.table". Without a schema it is looked up in the
// search_path. Like a table in SQL, the name folds to lower case, unless it is in double quotes.
func (q *queries) TableExists(ctx context.Context, table string) (bool, error) {
	schema, name, err := splitName(table)
	if err != nil {
		return false, err
	}
	if schema == "" {
		if schema, err = q.effective(ctx); err != nil {
			return false, err
		}
	}
	const visible = `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
		AND CASE WHEN $2 = '' THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = $2 END)`
	if schema != "" {
		ctx = schemactx.Qualified(ctx)
	}
	return value[bool](ctx, q, visible, name, schema)
}

func value[T any](ctx context.Context, q *queries, query string, args ...any) (v T, err error) {
	err = q.get(ctx, &v, query, args)
	return v, err
}

var errNoSchema = errors.New("pgdbm: the facade has no schema; use ForSchema, or a context with driver.WithSchema")

// EnsureSchema creates the facade's schema if it does not exist. Many processes may do so at once. It needs the
// privilege CREATE on the database only if the schema does not exist.
func (q *queries) EnsureSchema(ctx context.Context) error {
	return q.ensureSchema(ctx, func(ctx context.Context, query string) error {
		_, err := q.ExecContext(ctx, query)
		return err
	})
}

// EnsureSchema is [DB.EnsureSchema] in the transaction. If another transaction creates the same schema, it waits for
// that one's end.
func (tx *Tx) EnsureSchema(ctx context.Context) error {
	return tx.ensureSchema(ctx, func(ctx context.Context, query string) error {
		return tx.InTx(ctx, func(tx *Tx) error { // an error must not end the whole transaction
			_, err := tx.ExecContext(ctx, query)
			return err
		})
	})
}

func (q *queries) ensureSchema(ctx context.Context, exec func(context.Context, string) error) error {
	schema, err := q.effective(ctx)
	if err != nil {
		return err
	}
	if schema == "" {
		return fmt.Errorf("pgdbm: EnsureSchema: %w", errNoSchema)
	}
	const exists = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)"
	if there, err := value[bool](schemactx.Qualified(ctx), q, exists, schema); there || err != nil {
		return err
	}
	err = exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+template.QuoteIdent(schema))
	// IF NOT EXISTS does not see what another session creates at the same time, but the catalog's unique index does.
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && (pgErr.Code == "42P06" || pgErr.Code == "23505" && pgErr.SchemaName == "pg_catalog") {
		return nil
	}
	return err
}

// DropSchema drops the facade's schema and everything in it, if it exists. A facade that is bound to no schema drops
// none, whatever the context says.
func (q *queries) DropSchema(ctx context.Context) error {
	if q.scope.bound == nil {
		return errors.New("pgdbm: DropSchema: the facade is not bound to a schema; say which one with ForSchema")
	}
	if q.scope.bound.Err != nil {
		return q.scope.bound.Err
	}
	_, err := q.ExecContext(ctx, "DROP SCHEMA IF EXISTS "+template.QuoteIdent(q.scope.bound.Schema)+" CASCADE")
	return err
}

// Schemas returns the names of the database's schemas in alphabetical order, without PostgreSQL's own.
func (q *queries) Schemas(ctx context.Context) ([]string, error) {
	const all = `SELECT nspname FROM pg_catalog.pg_namespace
		WHERE nspname <> 'information_schema' AND nspname !~ '^pg_' ORDER BY nspname`
	schemas := []string{}
	err := q.selectAll(schemactx.Qualified(ctx), &schemas, all, nil)
	return schemas, err
}

// splitName reads a table's name: users, other.users, "Users" or "other"."Users". As in a template, the schema is taken
// as it is written, and the table folds to lower case.
func splitName(name string) (schema, table string, err error) {
	first, rest, err := namePart(name)
	if err == nil && rest == "" {
		return "", fold(name, first), nil
	}
	if err == nil && strings.HasPrefix(rest, ".") {
		if table, end, err := namePart(rest[1:]); err == nil && end == "" {
			return first, fold(rest[1:], table), nil
		}
	}
	return "", "", fmt.Errorf("pgdbm: %q is no table's name; write users, other.users or \"other\".\"Users\"", name)
}

var errName = errors.New("no name")

// namePart reads a name up to a dot.
func namePart(s string) (name, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		if i := strings.IndexByte(s, '.'); i >= 0 {
			name, rest = s[:i], s[i:]
		} else {
			name = s
		}
		if name == "" || strings.ContainsAny(name, "\"{}<>\x00") {
			err = errName
		}
		return name, rest, err
	}
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] != '"':
			name += s[i : i+1]
		case i+1 < len(s) && s[i+1] == '"':
			name += `"`
			i++
		case name == "":
			return "", "", errName
		default:
			return name, s[i+1:], nil
		}
	}
	return "", "", errName
}

// fold returns a name as PostgreSQL folds it, unless it is quoted in the source.
func fold(source, name string) string {
	if strings.HasPrefix(source, `"`) {
		return name
	}
	b := []byte(name)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' { // no others, with the encoding UTF8
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
