package sqlc

import (
	"context"
	"database/sql"

	"github.com/pgdbm/pgdbm/examples/orms/sqlc/template"
)

// Register adds a user with a first post, both or none. It knows nothing of tenants: the context says whose they are.
//
// Queries are the program's, for all tenants. They may come from template.New, or from template.Prepare, whose statements are
// prepared once, without a tenant: a prepared statement runs in the schema of the context that it is executed under.
func Register(
	ctx context.Context, db *sql.DB, queries *template.Queries, email, name, title string,
) (user, post int64, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0, 0, err
	}
	defer tx.Rollback()
	queries = queries.WithTx(tx)
	if user, err = queries.AddUser(ctx, email, name); err != nil {
		return 0, 0, err
	}
	if post, err = queries.AddPost(ctx, user, title); err != nil {
		return 0, 0, err
	}
	return user, post, tx.Commit()
}
