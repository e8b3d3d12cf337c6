package migrations

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/schemactx"
	"github.com/pgdbm/pgdbm/schemadb"
)

// callFunction runs a migration that is written in Go, in a transaction of the facade. It begins and ends like all others.
func (r *run) callFunction(ctx context.Context, st *state, j job) error {
	r.session.close() // its connection is for the function
	conn, err := r.functionConn(ctx)
	if err != nil {
		return r.failed(j, withCause(ctx, err))
	}
	defer giveUp(ctx, conn)
	tx, err := conn.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return r.failed(j, withCause(ctx, err))
	}
	defer tx.Rollback()
	begun := time.Now()
	if err := execAll(ctx, tx, r.functionGuard(st)); err != nil {
		if isBusy(err) {
			return &busyError{err}
		}
		return r.failed(j, withCause(ctx, err))
	}
	if err := j.function()(schemactx.Unlimited(ctx), tx); err != nil {
		return r.jobFailed(j, -1, -1, withCause(ctx, err))
	}
	took := time.Since(begun).Truncate(time.Millisecond)
	if err := r.endFunction(ctx, tx, st, j, took); err != nil {
		return err
	}
	r.done(ctx, st, j, took)
	return nil
}

// functionConn borrows a connection of the facade's.
func (r *run) functionConn(ctx context.Context) (*schemadb.Conn, error) {
	conn, err := within(ctx, r.db.Pool(), r.waitLimit, r.db.Connx)
	if errors.Is(err, errImpatient) {
		const need = 2 // with the hold
		err = &PoolError{Need: need, Max: r.db.Stats().MaxOpenConnections, Waited: r.waitLimit}
	}
	return conn, err
}

// giveUp closes a connection for good: a function may have left anything in its session, such as a temporary table.
func giveUp(ctx context.Context, conn *schemadb.Conn) {
	_ = conn.Raw(context.WithoutCancel(ctx), func(*pgx.Conn) error { return sqldriver.ErrBadConn }) // makes database/sql close it
	_ = conn.Close()                                                                                // it is closed already
}

// functionGuard is what begins the transaction of a function, without BEGIN. The history is written at the end, so that a
// function which commits by itself is not recorded.
func (r *run) functionGuard(st *state) []string {
	m := r.newMessage()
	m.session = &session{} // of which nothing is known
	g := newGuard(r.target, st)
	m.open(job{kind: recordJob}, g)
	m.check(g)
	m.add(guards, saving(nil))
	if !r.target.citus {
		m.add(guards, "SELECT "+noting(r.target.regclass()))
	}
	m.limit()
	return append(m.statements()[1:], "SELECT "+keepAlive)
}

// withCause adds to an error why ctx has ended, which database/sql does not say.
func withCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

var errEnded = errors.New("the function has ended the transaction, so the migration is not in the history: remove Commit and Rollback")

// endFunction writes the history and commits.
func (r *run) endFunction(ctx context.Context, tx *schemadb.Tx, st *state, j job, took time.Duration) error {
	err := execAll(ctx, tx, []string{r.stillHeld()})
	if (errors.Is(err, sql.ErrTxDone) || hasCode(err, divisionByZero)) && ctx.Err() == nil {
		return r.failed(j, fmt.Errorf("%w (%w)", errEnded, err))
	}
	if err == nil {
		err = execAll(ctx, tx, []string{restoreRole, restoreSettings})
	}
	if err == nil && !r.target.citus {
		if err = execAll(ctx, tx, []string{r.target.intactColumns(!st.table && r.target.shared == "")}); hasCode(err, divisionByZero, undefinedTable, invalidSchema) {
			return r.touched(j, -1, err)
		}
	}
	statements := []string{r.target.finished(j, took)}
	if r.progress && j.endsProgress() {
		statements = append(statements, r.target.forgetProgress(j.m.File))
	}
	if err == nil {
		err = execAll(ctx, tx, statements)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return r.jobFailed(j, -1, -1, withCause(ctx, err))
	}
	return nil
}

// stillHeld fails if the transaction of the guard has ended, also by a COMMIT or ROLLBACK that was sent as a statement: its
// lock went with it.
func (r *run) stillHeld() string {
	return "SELECT " + zero([]string{"EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = pg_catalog.pg_backend_pid() AND l.granted AND " +
		advisory(strconv.FormatInt(r.target.key(), 10)) + ")"})
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
	ctx = schemactx.Qualified(ctx) // the schema may not exist yet
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

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
