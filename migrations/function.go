package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/pgdbm/pgdbm/schemadb"
)

// callFunction runs a migration that is written in Go, in a transaction of the facade. It begins and ends like all others.
func (r *run) callFunction(ctx context.Context, st *state, j job) error {
	r.session.close() // its connection is for the function
	tx, err := r.db.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return r.failed(j, err)
	}
	defer tx.Rollback()
	m := r.newMessage()
	m.session = &session{} // of which nothing is known
	m.begin(j, newGuard(r.target, st))
	if err := execAll(ctx, tx, m.statements()[1:]); err != nil { // without BEGIN
		if isBusy(err) {
			return &busyError{err}
		}
		return r.failed(j, err)
	}
	if err := j.function()(ctx, tx); err != nil {
		return r.failed(j, err)
	}
	took, err := r.endFunction(ctx, tx, m)
	if err != nil {
		return r.failed(j, err)
	}
	r.done(ctx, st, j, took)
	return nil
}

var errEnded = errors.New("the function has ended the transaction, so the migration is not in the history: remove Commit and Rollback")

// endFunction notes the duration and commits.
func (r *run) endFunction(ctx context.Context, tx *schemadb.Tx, m *message) (took time.Duration, err error) {
	if len(m.timed) > 0 {
		var file string
		var ms sql.NullInt64
		end := "pg_catalog.clock_timestamp()::pg_catalog.timestamp"
		err = tx.QueryRowContext(ctx, r.target.durations(m.timed, end)).Scan(&file, &ms)
		took = time.Duration(ms.Int64) * time.Millisecond
	}
	if err == nil {
		err = tx.Commit()
	}
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() == nil {
		err = fmt.Errorf("%w (%w)", errEnded, err)
	}
	return took, err
}

// statements returns the statements of the message.
func (m *message) statements() []string {
	text := m.text.String()
	statements := make([]string, len(m.marks))
	for i, mark := range m.marks {
		statements[i] = text[mark.start:mark.end]
	}
	return statements
}

func execAll(ctx context.Context, tx *schemadb.Tx, statements []string) error {
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
