package soak_test

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/driver"
)

// sessions are what outlives a statement in the session, and is left behind.
var sessions = []action{
	{name: "temporary table", run: temporaryTable},
	{name: "SET search_path", run: setPath},
	{name: "bare name", run: bareName, unless: func(w *world) bool { return w.path || w.pooled }},
	{name: "PREPARE", run: prepare, unless: sessionless},
	{name: "cursor WITH HOLD", run: heldCursor, unless: sessionless},
	{name: "Raw with SET", run: rawSet, unless: sessionless},
}

// temporaryTable makes one that shadows the tenants' own, unless the driver sees to it, and leaves it behind. Where PgBouncer hands
// out the sessions of others it must be dropped, as PgBouncer's manual says: all of them look into pg_temp, if at last.
func temporaryTable(ctx context.Context, a *actor) error {
	if !a.named {
		return nil // what the DSN's tenant leaves, its other connections may see, as with pgx
	}
	work := func(ctx context.Context, q execer, drop string) error {
		create := "CREATE TEMPORARY TABLE accounts " + drop + " AS SELECT id, 'a temporary table' AS tenant FROM generate_series(1, 10) id"
		if _, err := q.ExecContext(ctx, create); err != nil {
			return err
		}
		return wantRows(1)(a.read(ctx, "beside a temporary table", q, a.sql(accountByID), a.account()))
	}
	if a.pooled {
		return a.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error { return work(ctx, tx, "ON COMMIT DROP") })
	}
	return a.inSession(ctx, func(conn *sql.Conn) error { return work(ctx, conn, "") })
}

type execer interface {
	queryer
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// setPath sets the session's path to another tenant's.
func setPath(ctx context.Context, a *actor) error {
	if !a.named {
		return nil
	}
	other := pgx.Identifier{a.tenants[a.random.IntN(schemas)]}.Sanitize()
	if _, err := a.db.ExecContext(ctx, "SET search_path TO "+other); err != nil {
		return err
	}
	return a.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "SET LOCAL search_path TO "+other); err != nil {
			return err
		}
		return wantRows(1)(a.read(ctx, "after SET LOCAL", tx, accountByID, a.account()))
	})
}

// bareName reads a name without a template in template mode: it is that of public, because that is the session's path.
func bareName(ctx context.Context, a *actor) error {
	a.tenant = "public"
	return wantRows(1)(a.read(ctx, "a bare name", a.db, "SELECT tenant FROM accounts WHERE id = $1", a.account()))
}

// prepare leaves a statement behind, and executes what it finds under the name.
func prepare(ctx context.Context, a *actor) error {
	if !a.named {
		return nil
	}
	return a.inSession(ctx, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, a.sql("PREPARE soak AS SELECT tenant FROM {{tables.accounts}}"))
		if err != nil && !isCode(err, "42P05") {
			return err
		}
		if a.bare {
			return nil // the names of what is prepared are those of its session's path
		}
		return wantRows(accounts)(a.read(ctx, "EXECUTE", conn, "EXECUTE soak"))
	})
}

// heldCursor leaves a cursor behind, and reads what it finds under the name.
func heldCursor(ctx context.Context, a *actor) error {
	if !a.named {
		return nil
	}
	return a.inSession(ctx, func(conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, a.sql("DECLARE soak CURSOR WITH HOLD FOR SELECT tenant FROM {{tables.accounts}}"))
		if err != nil && !isCode(err, "42P03") {
			return err
		}
		_, err = a.read(ctx, "FETCH", conn, "FETCH 1 FROM soak")
		return err
	})
}

// rawSet changes the session behind the driver's back.
func rawSet(ctx context.Context, a *actor) error {
	if !a.named {
		return nil
	}
	return driver.Raw(ctx, a.db, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "SET search_path TO "+pgx.Identifier{a.tenant}.Sanitize())
		return err
	})
}

func isCode(err error, code string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == code
}
