package driver

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/schemactx"
	"github.com/pgdbm/pgdbm/internal/template"
)

// Raw calls fn with the pgx connection behind a *sql.DB, or behind the one a *sql.Conn holds: for COPY, LISTEN,
// batches, large objects. It works on databases of this driver and of pgx/v5/stdlib. The connection is fn's until it
// returns. It returns fn's error as it is. Templates are not expanded in what fn sends; [Expand] does it. If ctx names a
// schema, the connection is closed afterwards instead of being used again, because fn may have changed its session.
func Raw[DB *sql.DB | *sql.Conn](ctx context.Context, db DB, fn func(*pgx.Conn) error) error {
	if b := schemactx.Of(ctx); b != nil && b.Err != nil {
		return b.Err
	}
	held, ok := any(db).(*sql.Conn)
	if !ok {
		var err error
		if held, err = any(db).(*sql.DB).Conn(ctx); err != nil {
			return err
		}
		defer held.Close() // it fails only if it is closed already
	}
	return held.Raw(func(driverConn any) error {
		switch c := driverConn.(type) {
		case *conn:
			schema, bound, err := c.effective(ctx)
			if err != nil {
				return err
			}
			c.borrower = bound || ok && c.borrower
			c.transaction()
			if path := c.switchTo(schema, &template.Info{}); path != nil {
				if err := c.setPath(ctx, path); err != nil {
					return err
				}
			}
			return fn(c.Conn())
		case interface{ Conn() *pgx.Conn }:
			return fn(c.Conn())
		}
		return fmt.Errorf("pgdbm: Raw: the database is not one of pgx: its connections are %T", driverConn)
	})
}

// Expand returns sql as it is sent for a statement whose effective schema is schema, or for one without a schema if
// schema is "". It is what to log, to explain, or to hand to pgx. Both forms of templates count, as with the DSN's
// templates=both. The errors are *[TemplateError] and *[SchemaError].
func Expand(sql, schema string) (string, error) {
	if schema != "" {
		if err := template.CheckSchema(schema); err != nil {
			return "", err
		}
	}
	stmt, err := template.Parse(sql, template.Both)
	if err != nil {
		return "", err
	}
	return stmt.Expand(schema)
}
