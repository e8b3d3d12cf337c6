// Package river shows River's job queue on pgdbm, with its driver for database/sql: a job is inserted in the transaction
// that needs it, and worked off on the same pool.
//
// The tenants share one queue, whose tables are in a schema of their own: river.Config and rivermigrate.Config have the
// option Schema, which River writes into its SQL itself. So the tenant of the context makes no difference to it, in both
// modes, and the worker's own statements follow the tenant that the job names. A job says it in its arguments, because a
// context cannot be stored.
//
// A tenant can have a queue of its own instead, with schema_mode=search_path: leave Schema empty, and give the migrator,
// Start and Insert the tenant's context. River takes simple names for its option Schema; the context may have any.
package river

import (
	"context"
	"database/sql"
	"errors"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"

	"github.com/pgdbm/pgdbm/driver"
)

// Welcome is the job that writes a new user's first post.
type Welcome struct {
	Tenant string `json:"tenant"` // the schema
	UserID int64  `json:"user_id"`
}

// Kind is how River calls the job.
func (Welcome) Kind() string { return "welcome" }

// Register adds a user to the context's tenant, and the job that welcomes him, both or none.
func Register(ctx context.Context, db *sql.DB, jobs *river.Client[*sql.Tx], email, name string) (id int64, err error) {
	tenant, ok := driver.SchemaFromContext(ctx)
	if !ok {
		return 0, errors.New("a user needs a tenant")
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	insert := "INSERT INTO {{tables.users}} (email, name) VALUES ($1, $2) RETURNING id"
	if err := tx.QueryRowContext(ctx, insert, email, name).Scan(&id); err != nil {
		return 0, err
	}
	if _, err := jobs.InsertTx(ctx, tx, Welcome{Tenant: tenant, UserID: id}, nil); err != nil {
		return 0, err
	}
	return id, tx.Commit()
}

// Welcomer works the jobs off. Posts says where they go: {{tables.posts}}, or posts with schema_mode=search_path.
type Welcomer struct {
	river.WorkerDefaults[Welcome]

	DB    *sql.DB
	Posts string
}

// Work writes the post and completes the job in one transaction, so that it is not written twice.
func (w *Welcomer) Work(ctx context.Context, job *river.Job[Welcome]) error {
	ctx = driver.WithSchema(ctx, job.Args.Tenant)
	tx, err := w.DB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	insert := "INSERT INTO " + w.Posts + " (user_id, title) VALUES ($1, 'Welcome')"
	if _, err := tx.ExecContext(ctx, insert, job.Args.UserID); err != nil {
		return err
	}
	if _, err := river.JobCompleteTx[*riverdatabasesql.Driver](ctx, tx, job); err != nil {
		return err
	}
	return tx.Commit()
}
