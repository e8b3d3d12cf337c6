package soak_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

// accidents are what goes wrong in programs.
var accidents = []action{
	{name: "cancelled query", run: cancelQuery},
	{name: "cancelled transaction", run: cancelTransaction},
	{name: "panic", run: panicInTx},
	{name: "panic in Raw", run: panicInRaw, unless: sessionless},
	{name: "killed backend", run: killBackend},
	{name: "missing schema", run: missingSchema},
	{name: "poisoned context", run: poisonedContext},
	{name: "rows left open", run: leaveRows},
}

// soon returns a context that is cancelled in the middle of what is done with it, as often as not.
func (a *actor) soon(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(a.random.IntN(3000))*time.Microsecond)
}

func cancelQuery(ctx context.Context, a *actor) error {
	ctx, cancel := a.soon(ctx)
	defer cancel()
	_, err := a.read(ctx, "a cancelled query", a.db, a.sql("SELECT tenant FROM {{tables.accounts}}, pg_sleep(0.001) WHERE id > $1"), a.account())
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

func cancelTransaction(ctx context.Context, a *actor) error {
	ctx, cancel := a.soon(ctx)
	defer cancel()
	tx, err := a.db.BeginTx(ctx, nil)
	if err == nil {
		defer tx.Rollback()
		_, err = tx.ExecContext(ctx, a.sql("INSERT INTO {{tables.notes}} (text) VALUES ($1)"), neverCommitted)
	}
	if err == nil {
		_, err = a.read(ctx, "a cancelled transaction", tx, a.sql("SELECT tenant FROM {{tables.notes}}, pg_sleep(0.001)"))
	}
	if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// accident is what panics.
type accident struct{}

func recovering(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ours := r.(accident); !ours {
				panic(r)
			}
		}
	}()
	return fn()
}

func panicInTx(ctx context.Context, a *actor) error {
	insert := a.sql("INSERT INTO {{tables.notes}} (text) VALUES ('" + neverCommitted + "')")
	err := recovering(func() error {
		return a.facade.ForSchema(a.tenant).InTx(ctx, func(tx *schemadb.Tx) error {
			if _, err := tx.ExecContext(ctx, insert); err != nil {
				return err
			}
			panic(accident{})
		})
	})
	if err != nil {
		return err
	}
	return recovering(func() error {
		return a.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, insert); err != nil {
				return err
			}
			panic(accident{})
		})
	})
}

func panicInRaw(ctx context.Context, a *actor) error {
	return recovering(func() error {
		return driver.Raw(ctx, a.db, func(conn *pgx.Conn) error {
			if _, err := conn.Exec(ctx, "SET search_path TO "+pgx.Identifier{a.tenant}.Sanitize()); err != nil {
				return err
			}
			panic(accident{})
		})
	})
}

// killBackend ends any session of the program, but not too often, or nothing else would be done.
func killBackend(ctx context.Context, a *actor) error {
	if a.random.IntN(20) > 0 {
		return nil
	}
	const kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name <> $1 " +
		"AND backend_type = 'client backend' ORDER BY random() LIMIT 1"
	_, err := a.admin.Exec(ctx, kill, adminName)
	return err
}

// missingSchema must fail, and above all not read what public has.
func missingSchema(ctx context.Context, a *actor) error {
	a.tenant = "nobody"
	ctx = driver.WithSchema(ctx, "nobody")
	query := a.sql(accountByID)
	_, err := a.read(ctx, "in a schema that does not exist", a.db, query, a.account())
	if isCode(err, "42P01") || isCode(err, "3F000") {
		return nil
	}
	if err == nil {
		return errors.New("a schema that does not exist was no error")
	}
	return err
}

// poisonedContext must fail, and above all not fall back to the DSN's schema.
func poisonedContext(ctx context.Context, a *actor) error {
	a.tenant = "nobody"
	_, err := a.read(driver.WithSchema(ctx, ""), "with no name", a.db, a.sql(accountByID), a.account())
	var schemaErr *driver.SchemaError
	if errors.As(err, &schemaErr) {
		return nil
	}
	return fmt.Errorf("want a *driver.SchemaError: %w", err)
}

// leaveRows stops in the middle of the rows.
func leaveRows(ctx context.Context, a *actor) error {
	n := 1000
	if a.pooled {
		n = 10 // if a backend is killed, PgBouncer puts an error into the middle of a row that the server has sent in two parts
	}
	rows, err := a.db.QueryContext(ctx, a.sql("SELECT tenant FROM {{tables.accounts}}, generate_series(1, $1::int)"), n)
	if err != nil {
		return err
	}
	for range a.random.IntN(3) {
		if rows.Next() {
			var tenant string
			if err := rows.Scan(&tenant); err != nil {
				return errors.Join(err, rows.Close())
			}
			a.saw("rows left open", tenant)
		}
	}
	return rows.Close()
}

// explained reports whether an error may come of what the actors do to each other: a session was killed, a lock led to a deadlock,
// or a table was changed in the middle of a transaction.
func explained(err error) bool {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return slices.Contains([]string{"57P01", "57P02", "40P01", "08P01", "08006", "25P02", "57014"}, pgErr.Code)
	}
	var network net.Error
	return errors.Is(err, sqldriver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) || errors.As(err, &network) || pgconn.SafeToRetry(err)
}
