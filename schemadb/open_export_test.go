package schemadb

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
)

// OpenPool is what Open gets its pool from.
func OpenPool(ctx context.Context, c Config) (*sql.DB, error) { return c.openPool(ctx) }

// StartSession runs the InitCommands of a Config on a new connection.
func StartSession(ctx context.Context, c Config, conn *pgx.Conn) error {
	r, err := c.resolve()
	if err != nil {
		return err
	}
	return r.startSession(ctx, conn)
}
