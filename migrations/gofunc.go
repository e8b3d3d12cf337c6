package migrations

import (
	"context"

	"github.com/pgdbm/pgdbm/schemadb"
)

// Func is a migration, or its undo, written in Go. It runs in the migration's transaction, together with the history's
// row: when it returns an error, nothing of it stays. It neither commits nor rolls back tx, and does not keep it. Tx has
// the schema that is migrated; a Func runs once in each schema, for several schemas at once with ApplyAll, so it must
// be safe for concurrent use if it touches anything but tx. The pool may have no other connection free. What the function
// leaves in its session (SET, temporary tables) ends with the connection, which is closed.
type Func func(ctx context.Context, tx *schemadb.Tx) error

// goMigration is a migration that the program registers. Down may be nil.
type goMigration struct {
	version  int64
	name     string
	up, down Func
}
