package schemadb_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

// bareConnector wraps a connector as drivers were wrapped before contexts: its connections have the methods of
// driver.Conn and no others, so nothing can carry a schema.
type bareConnector struct{ sqldriver.Connector }

func (c bareConnector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return bareConn{conn}, err
}

func (bareConnector) Driver() sqldriver.Driver { return nil }

type bareConn struct{ sqldriver.Conn }

func TestWrapperWithoutContexts(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	tenants(t, openAs(t, driver.Name, dsn), "a", "b")
	connector, err := driver.NewConnector(dsn + "&schema=b&schema_mode=template")
	if err != nil {
		t.Fatal(err)
	}
	pool := sql.OpenDB(bareConnector{connector})
	t.Cleanup(func() { _ = pool.Close() })
	db := schemadb.New(pool, "a")
	for range 2 { // what it has found out is remembered
		var owner string
		wantError(t, "Get", db.Get(&owner, ownerQuery), "wraps the driver")
		_, err = db.Begin()
		wantError(t, "Begin", err, "wraps the driver")
	}
}

// beginlessConn hands contexts on, but loses that of BeginTx.
type beginlessConn struct {
	bareConn
	sqldriver.QueryerContext
	sqldriver.ExecerContext
	sqldriver.ConnPrepareContext
	sqldriver.SessionResetter
}

func (c beginlessConn) BeginTx(_ context.Context, opts sqldriver.TxOptions) (sqldriver.Tx, error) {
	return c.bareConn.Conn.(sqldriver.ConnBeginTx).BeginTx(context.Background(), opts)
}

type beginlessConnector struct{ bareConnector }

func (c beginlessConnector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return beginlessConn{bareConn{conn}, conn.(sqldriver.QueryerContext), conn.(sqldriver.ExecerContext),
		conn.(sqldriver.ConnPrepareContext), conn.(sqldriver.SessionResetter)}, nil
}

func TestWrapperLosesContextOfBeginTx(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	tenants(t, openAs(t, driver.Name, dsn), "a", "b")
	connector, err := driver.NewConnector(dsn + "&schema=b&schema_mode=template")
	if err != nil {
		t.Fatal(err)
	}
	pool := sql.OpenDB(beginlessConnector{bareConnector{connector}})
	t.Cleanup(func() { _ = pool.Close() })
	_, err = schemadb.New(pool, "a").Begin()
	var refused *schemadb.RefusedError
	if !errors.As(err, &refused) {
		t.Errorf("Begin returned %v", err)
	}
	wantIdle(t, pool)
}

// panics is a Scanner and a Valuer that panics.
type panics struct{ V string }

func (*panics) Scan(any) error { panic("scan") }

func (panics) Value() (sqldriver.Value, error) { panic("value") }

func TestPanicInScannerAndValuer(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		for name, use := range map[string]func(*schemadb.Tx) error{
			"Get": func(tx *schemadb.Tx) error { return tx.Get(new(panics), "SELECT 'x'") },
			"Each": func(tx *schemadb.Tx) error {
				for _, err := range schemadb.Each[panics](t.Context(), tx, "SELECT 'x'") {
					return err
				}
				return nil
			},
			"ExecMany": func(tx *schemadb.Tx) error {
				_, err := tx.ExecMany(t.Context(), "INSERT INTO {{tables.t}} (owner) VALUES ($1)", [][]any{{"x"}, {panics{}}})
				return err
			},
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s swallows the panic", name)
					}
				}()
				_ = db.InTx(t.Context(), func(tx *schemadb.Tx) error {
					exec(t, tx, insertQuery, "gone")
					return use(tx)
				})
			}()
			wantIdle(t, pool)
			wantCount(t, name, db, 1)
		}
	})
}

// A Conn that is closed while its rows are open must not poison the pool.
func TestConnCloseEndsItsRows(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		pool.SetMaxOpenConns(1)
		db := tenants(t, pool, "a")[0]
		conn := connx(t, db)
		next, stop := iter.Pull2(schemadb.Each[int](t.Context(), conn, "SELECT generate_series(1, 100000)"))
		defer stop()
		if _, err, _ := next(); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		if got := value[string](t, db, ownerQuery); got != "a" {
			t.Errorf("the next borrower read %q", got)
		}
		if _, err, _ := next(); !errors.Is(err, sql.ErrConnDone) {
			t.Errorf("the loop goes on with %v", err)
		}
	})
}

func TestCloseOfATransactionsStatement(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		stmt, err := db.Preparex("SELECT owner FROM {{tables.t}} WHERE id = $1")
		if err != nil {
			t.Fatal(err)
		}
		var owner string
		err = db.InTx(t.Context(), func(tx *schemadb.Tx) error {
			inTx := tx.Stmtx(stmt)
			if err := inTx.Close(); err != nil {
				t.Error(err)
			}
			wantError(t, "the closed one", inTx.Get(&owner, 1), "closed")
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		wantOwner(t, "the pool's statement", owner, stmt.Get(&owner, 1), "a")
		if err := stmt.Close(); err != nil {
			t.Error(err)
		}
		wantError(t, "the pool's statement, closed", stmt.Get(&owner, 1), "closed")
	})
}

// Get keeps what no column is read for, as in INSERT ... RETURNING id.
func TestGetKeepsOtherFields(t *testing.T) {
	t.Parallel()
	type part struct{ City string }
	type user struct {
		ID    int64
		Email string
		*part
	}
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		u := user{Email: "x@y", part: &part{"Rome"}}
		if err := db.Get(&u, "INSERT INTO {{tables.t}} (owner) VALUES ($1) RETURNING id", u.Email); err != nil {
			t.Fatal(err)
		}
		if u.ID != 2 || u.Email != "x@y" || u.City != "Rome" {
			t.Errorf("%+v", u)
		}
		if err := db.Get(&u, "SELECT 7 AS id, 1 AS nowhere"); err == nil || u.ID != 2 {
			t.Errorf("after an error: %+v, %v", u, err)
		}
	})
}

func TestTxExecManyIsAllOrNothing(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		tx, err := db.Beginx()
		if err != nil {
			t.Fatal(err)
		}
		_, err = tx.ExecMany(t.Context(), insertQuery, iter.Seq2[[]any, error](func(yield func([]any, error) bool) {
			for i := range 1500 {
				if !yield([]any{fmt.Sprint(i)}, nil) {
					return
				}
			}
			yield(nil, errBoom)
		}))
		if !errors.Is(err, errBoom) {
			t.Errorf("error %v", err)
		}
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		wantCount(t, "after a failure in the second batch", db, 1)
	})
}

// A rollback that comes while CopyFrom runs is done when that ends.
func TestRollbackDuringCopyFrom(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a")[0]
		started, goOn, done := make(chan bool), make(chan bool), make(chan error, 1)
		err := db.InTx(t.Context(), func(tx *schemadb.Tx) error {
			go func() {
				_, err := tx.CopyFrom(context.WithoutCancel(t.Context()), "t", []string{"owner"},
					iter.Seq[[]any](func(yield func([]any) bool) {
						close(started)
						<-goOn
						yield([]any{"late"})
					}))
				done <- err
			}()
			<-started
			return errBoom
		})
		if !errors.Is(err, errBoom) {
			t.Errorf("InTx returned %v", err)
		}
		close(goOn)
		if err := <-done; !errors.Is(err, sql.ErrTxDone) {
			t.Errorf("CopyFrom returned %v", err)
		}
		wantIdle(t, pool)
		wantCount(t, "after the rollback", db, 1)
	})
}

func TestCommandTimeout(t *testing.T) {
	t.Parallel()
	db, err := schemadb.Open(t.Context(), schemadb.Config{
		DSN: server.Database(t), MinConns: -1, CommandTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // later, so it does not count
	defer cancel()
	for _, ctx := range []context.Context{t.Context(), ctx} {
		if _, err := db.ExecContext(ctx, "SELECT pg_sleep(60)"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Exec returned %v", err)
		}
		if _, err := schemadb.Value[string](ctx, db, "SELECT pg_sleep(60)"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Value returned %v", err)
		}
	}
}

var errStatus = errors.New("no such status: secret")

// status is a Valuer that refuses.
type status struct{}

func (status) Value() (sqldriver.Value, error) { return nil, errStatus }

func TestErrorOfAValuer(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := schemadb.New(pool, "")
		var s string
		_, errExec := db.Exec("SELECT $1::text", status{})
		for how, err := range map[string]error{"Get": db.Get(&s, "SELECT $1::text", status{}), "Exec": errExec} {
			var argument *schemadb.ArgumentError
			if !errors.Is(err, errStatus) || !errors.As(err, &argument) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v", how, err)
			}
		}
	})
}

func TestConfigInJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(map[string]any{"db": &schemadb.Config{DSN: "postgres://u:secret@h/d", Password: "secret"}})
	if err != nil || strings.Contains(string(text), "secret") || !strings.Contains(string(text), "***") {
		t.Errorf("%s, %v", text, err)
	}
}

// Without a name, a view of a transaction stays in the schema that it was begun in, on each driver.
func TestTxForSchemaWithoutName(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		db := tenants(t, pool, "a", "public", "b")[0]
		tx, err := db.Beginx()
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		view := tx.ForSchema("")
		for want, ctx := range map[string]context.Context{"a": t.Context(), "b": driver.WithSchema(t.Context(), "b")} {
			got, err := schemadb.Value[string](ctx, view, ownerQuery)
			wantOwner(t, "ForSchema without a name", got, err, want)
		}
	})
}

func TestCancelledInTxSaysSo(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := schemadb.New(pool, "").InTx(ctx, func(tx *schemadb.Tx) error {
			cancel()
			eventually(t, "the transaction is rolled back", func() bool {
				_, err := tx.ExecContext(context.WithoutCancel(t.Context()), "SELECT 1")
				return errors.Is(err, sql.ErrTxDone)
			})
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("InTx returned %v", err)
		}
	})
}
