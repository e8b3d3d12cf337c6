package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/driver"
)

// endings are the ways in which a transaction ends, each with whether its connection may be used again.
var endings = []struct {
	name string
	end  func(t *testing.T, tx *sql.Tx, cancel context.CancelFunc)
	kept bool
}{
	{"commit", func(t *testing.T, tx *sql.Tx, _ context.CancelFunc) {
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	}, true},
	{"rollback", func(t *testing.T, tx *sql.Tx, _ context.CancelFunc) {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}, true},
	{"failed statement and rollback", func(t *testing.T, tx *sql.Tx, _ context.CancelFunc) {
		if _, err := tx.Exec("SELECT 1/0"); err == nil {
			t.Error("a division by zero works")
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}, true},
	{"failed statement and commit", func(t *testing.T, tx *sql.Tx, _ context.CancelFunc) {
		if _, err := tx.Exec("SELECT 1/0"); err == nil {
			t.Error("a division by zero works")
		}
		if err := tx.Commit(); !errors.Is(err, pgx.ErrTxCommitRollback) {
			t.Errorf("commit: %v", err)
		}
	}, true},
	{"failed commit", func(t *testing.T, tx *sql.Tx, _ context.CancelFunc) {
		if _, err := tx.Exec("INSERT INTO public.deferred VALUES (1), (1)"); err != nil {
			t.Error(err)
		}
		var pgErr *pgconn.PgError
		if err := tx.Commit(); !errors.As(err, &pgErr) || pgErr.Code != "23505" {
			t.Errorf("commit: %v", err)
		}
	}, true},
	{"cancelled context", func(t *testing.T, tx *sql.Tx, cancel context.CancelFunc) {
		cancel()
		eventually(t, "the transaction is over", func() bool { return errors.Is(tx.Commit(), sql.ErrTxDone) })
	}, false},
	{"its own COMMIT", func(t *testing.T, tx *sql.Tx, _ context.CancelFunc) {
		if _, err := tx.Exec("COMMIT"); err != nil {
			t.Error(err)
		}
		_ = tx.Rollback()
	}, true},
}

func TestNothingRemainsOfTransaction(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a", odd)
	admin(t, dsn, "CREATE TABLE deferred (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
	for _, ending := range endings {
		for _, schema := range []string{"a", ""} {
			t.Run(fmt.Sprintf("%s/DSN %q", ending.name, schema), func(t *testing.T) {
				t.Parallel()
				dsn, want := dsn, "public"
				if schema != "" {
					dsn, want = withSchema(t, dsn, schema)+"&schema_mode=template", schema
				}
				db := openOne(t, dsn)
				ctx, cancel := context.WithCancel(driver.WithSchema(t.Context(), odd))
				defer cancel()
				tx := begin(ctx, t, db)
				wantOwner(t.Context(), t, tx, odd)
				pid := backend(t.Context(), t, tx)
				ending.end(t, tx, cancel)
				wantOwner(t.Context(), t, db, want)
				if kept := backend(t.Context(), t, db) == pid; kept != ending.kept {
					t.Errorf("connection kept: %t, want %t", kept, ending.kept)
				}
				wantOwner(t.Context(), t, begin(t.Context(), t, db), want)
			})
		}
	}
}

// TestManyCancelledTransactions makes each borrower wait for a connection that its last one's end has closed.
func TestManyCancelledTransactions(t *testing.T) {
	t.Parallel()
	db := openOne(t, newTenants(t, "a"))
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 5 {
				ctx, cancel := context.WithCancel(driver.WithSchema(t.Context(), "a"))
				tx, err := db.BeginTx(ctx, nil)
				cancel()
				if err != nil {
					t.Error(err)
					return
				}
				eventually(t, "the transaction is over", func() bool { return errors.Is(tx.Rollback(), sql.ErrTxDone) })
			}
		})
	}
	group.Wait()
	wantIdle(t, db)
}

func TestTransactionsWithoutContext(t *testing.T) {
	t.Parallel()
	db := openOne(t, withSchema(t, newTenants(t, "a", odd), "a")+"&schema_mode=template")
	for range 2 {
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		wantEverywhere(t.Context(), t, tx, "a")
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		tx = begin(driver.WithSchema(t.Context(), odd), t, db)
		wantEverywhere(t.Context(), t, tx, odd) // the connection is the same
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

func TestTransactionOfConn(t *testing.T) {
	t.Parallel()
	db := openOne(t, withSchema(t, newTenants(t, "a", "b", odd), "a")+"&schema_mode=template")
	conn := holdConn(driver.WithSchema(t.Context(), "b"), t, db)
	wantOwner(t.Context(), t, conn, "a") // the context of Conn is not a statement's
	for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
		tx := begin(driver.WithSchema(t.Context(), odd), t, conn)
		wantEverywhere(t.Context(), t, tx, odd)
		wantEverywhere(driver.WithSchema(t.Context(), "b"), t, tx, "b")
		wantEverywhere(driver.WithoutSchema(t.Context()), t, tx, "public")
		if err := end(tx); err != nil {
			t.Error(err)
		}
		wantEverywhere(t.Context(), t, conn, "a")
		wantEverywhere(driver.WithSchema(t.Context(), "b"), t, conn, "b")
	}
}

// TestSecondTransactionOfConn begins a transaction in another, whose statements could not be told apart.
func TestSecondTransactionOfConn(t *testing.T) {
	t.Parallel()
	db := openDB(t, newTenants(t, "a", "b"))
	for _, test := range []struct {
		first, second func(context.Context) context.Context
	}{
		{in("a"), same}, {same, in("a")}, {in("a"), in("b")},
	} {
		conn := holdConn(t.Context(), t, db)
		tx := begin(test.first(t.Context()), t, conn)
		want := get[string](t.Context(), t, tx, ownerQuery)
		if _, err := conn.BeginTx(test.second(t.Context()), nil); err == nil {
			t.Errorf("a second transaction began in that of %q", want)
		}
		wantOwner(t.Context(), t, tx, want)
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		wantOwner(t.Context(), t, begin(driver.WithSchema(t.Context(), "b"), t, conn), "b")
	}
}

func TestTransactionOptions(t *testing.T) {
	t.Parallel()
	db := openDB(t, newTenants(t, "a"))
	ctx := driver.WithSchema(t.Context(), "a")
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if level := get[string](ctx, t, tx, "SHOW transaction_isolation"); level != "serializable" {
		t.Errorf("isolation %s", level)
	}
	var pgErr *pgconn.PgError
	if _, err := tx.Exec("DELETE FROM {{tables.t}}"); !errors.As(err, &pgErr) || pgErr.Code != "25006" {
		t.Errorf("a read-only transaction writes: %v", err)
	}
}
