package migrations

import (
	"context"
	"fmt"

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

// file returns what stands in the history in place of a file's name.
func (g goMigration) file() string { return fmt.Sprintf("%03d_%s.go", g.version, g.name) }

// check returns a *SourceError if the function cannot be a migration.
func (g goMigration) check() error {
	reason := checkFileName(g.file())
	switch {
	case g.version < 0:
		reason = "the version of a Go function is negative: versions begin at 0"
	case g.name == "":
		reason = "a Go function needs a name, such as fill_emails"
	case !isName(g.name):
		reason = "the name of a Go function cannot be part of a file's name: use letters, digits and _"
	case g.up == nil:
		reason = "the function is nil: pass the function that migrates; only the undo may be nil"
	}
	if reason != "" {
		return &SourceError{File: printable(g.file()), Reason: reason}
	}
	return nil
}

// migration returns the migration that runs the function.
func (g goMigration) migration() *migration {
	return &migration{
		Migration: Migration{
			Version: g.version, Name: g.name, File: g.file(), Go: true, Undoable: g.down != nil,
			Checksum: goChecksum(g.version, g.name),
		},
		upFunc: g.up, downFunc: g.down,
	}
}
