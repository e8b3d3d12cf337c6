package schemadb_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

func TestViewsOfOnePool(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		schemas := []string{"a", "public", odd, "A"}
		tenants(t, pool, schemas...)
		pool.SetMaxOpenConns(1)
		var db *schemadb.DB
		for i := range 20 { // each view is made from the one before
			schema := schemas[i%len(schemas)]
			if i < len(schemas) {
				db = schemadb.New(pool, schema)
			} else {
				db = db.ForSchema(schema)
			}
			if got := db.Schema(); got != schema {
				t.Errorf("Schema is %q, want %q", got, schema)
			}
			got, err := schemadb.Value[string](naming(schemas[0])(t.Context()), db, ownerQuery)
			wantOwner(t, "a view", got, err, schema)
			if err := db.Close(); err != nil {
				t.Errorf("Close of a view: %v", err)
			}
		}
		got, err := schemadb.Value[string](t.Context(), db, ownerQuery)
		wantOwner(t, "after Close", got, err, "A")
		unbound := db.ForSchema("")
		if got := unbound.Schema(); got != "" {
			t.Errorf("Schema of an unbound view is %q", got)
		}
		got, err = schemadb.Value[string](naming(odd)(t.Context()), unbound, ownerQuery)
		wantOwner(t, "unbound", got, err, odd)
		if db.Pool() != pool {
			t.Error("Pool is another one")
		}
		if n := db.Stats().OpenConnections; n != 1 {
			t.Errorf("%d connections are open, want 1", n)
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
		wantError(t, "after the pool's own Close", db.Ping(), "closed")
	})
}

// naming returns what [driver.WithSchema] does to a context.
func naming(schema string) func(context.Context) context.Context {
	return func(ctx context.Context) context.Context { return driver.WithSchema(ctx, schema) }
}

// A module whose database was not opened gets an error that says so, not a panic far from the cause.
func TestNilPool(t *testing.T) {
	t.Parallel()
	check := func(t testing.TB, how string, err error) {
		if !strings.HasSuffix(how, ".DropSchema") || err == nil { // of an unbound facade it never drops anything
			wantError(t, how, err, "schemadb.New", "nil")
		}
	}
	for _, schema := range []string{"a", ""} {
		db := schemadb.New(nil, schema)
		callAll(t.Context(), t, db, check)
		callAll(t.Context(), t, db.ForSchema("b").Unsafe(), check)
		db.MapperFunc(strings.ToUpper)
		db.SetMaxOpenConns(1)
		db.SetMaxIdleConns(1)
		db.SetConnMaxIdleTime(time.Second)
		db.SetConnMaxLifetime(time.Second)
		if db.Pool() != nil || db.Driver() != nil || db.Stats() != (sql.DBStats{}) || db.Schema() != schema {
			t.Error("there is a pool")
		}
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// rawTxWays are what code that knows nothing of us does with a *sql.Tx. None of them may leave its schema.
var rawTxWays = map[string]func(ctx context.Context, tx *sql.Tx, pool *sql.DB) (string, error){
	"QueryRow": func(_ context.Context, tx *sql.Tx, _ *sql.DB) (string, error) {
		return scanned(tx.QueryRow(ownerQuery))
	},
	"QueryRowContext": func(ctx context.Context, tx *sql.Tx, _ *sql.DB) (string, error) {
		return scanned(tx.QueryRowContext(ctx, ownerQuery))
	},
	"QueryContext": func(ctx context.Context, tx *sql.Tx, _ *sql.DB) (string, error) {
		return first(tx.QueryContext(ctx, ownerQuery))
	},
	"ExecContext": func(ctx context.Context, tx *sql.Tx, _ *sql.DB) (owner string, err error) {
		if _, err = tx.ExecContext(ctx, "UPDATE {{tables.t}} SET owner = owner || '!'"); err != nil {
			return "", err
		}
		if err = tx.QueryRowContext(ctx, ownerQuery).Scan(&owner); err != nil {
			return "", err
		}
		_, err = tx.ExecContext(ctx, "UPDATE {{tables.t}} SET owner = trim(TRAILING '!' FROM owner)")
		return strings.TrimSuffix(owner, "!"), err
	},
	"Prepare": func(ctx context.Context, tx *sql.Tx, _ *sql.DB) (string, error) {
		return execute(ctx)(tx.Prepare(ownerQuery))
	},
	"PrepareContext": func(ctx context.Context, tx *sql.Tx, _ *sql.DB) (string, error) {
		return execute(ctx)(tx.PrepareContext(ctx, ownerQuery))
	},
	"StmtContext": func(ctx context.Context, tx *sql.Tx, pool *sql.DB) (string, error) {
		stmt, err := pool.PrepareContext(context.Background(), ownerQuery) // on another connection
		if err != nil {
			return "", err
		}
		defer stmt.Close()
		return execute(ctx)(tx.StmtContext(ctx, stmt), nil)
	},
	"Stmt of Prepare": func(ctx context.Context, tx *sql.Tx, _ *sql.DB) (string, error) {
		stmt, err := tx.Prepare(ownerQuery)
		if err != nil {
			return "", err
		}
		defer stmt.Close()
		return execute(ctx)(tx.Stmt(stmt), nil)
	},
}

// execute executes ownerQuery and closes it.
func execute(ctx context.Context) func(*sql.Stmt, error) (string, error) {
	return func(stmt *sql.Stmt, err error) (string, error) {
		if err != nil {
			return "", err
		}
		defer stmt.Close()
		return scanned(stmt.QueryRowContext(ctx))
	}
}

func TestRawTx(t *testing.T) {
	t.Parallel()
	pool := openAs(t, driver.Name, server.Database(t))
	other := openAs(t, driver.Name, server.Database(t)) // of a pool that the transaction does not hold
	dbs := tenants(t, pool, "a", odd)
	tenants(t, other, "public")
	pool.SetMaxOpenConns(1) // each borrower gets what the last one left
	a, o := dbs[0], dbs[1]
	begins := map[string]func(context.Context, *schemadb.DB) (*sql.Tx, func() error, error){
		"Begin": func(_ context.Context, db *schemadb.DB) (*sql.Tx, func() error, error) {
			tx, err := db.Begin()
			return tx, func() error { return nil }, err
		},
		"BeginTx": func(ctx context.Context, db *schemadb.DB) (*sql.Tx, func() error, error) {
			tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
			return tx, func() error { return nil }, err
		},
		"Conn.BeginTx": func(ctx context.Context, db *schemadb.DB) (*sql.Tx, func() error, error) {
			conn, err := db.Connx(ctx)
			if err != nil {
				return nil, nil, err
			}
			tx, err := conn.BeginTx(ctx, nil)
			return tx, conn.Close, err
		},
	}
	ends := map[string]func(*sql.Tx) error{"Commit": (*sql.Tx).Commit, "Rollback": (*sql.Tx).Rollback}
	for how, begin := range begins {
		for endsWith, end := range ends {
			tx, release, err := begin(naming(odd)(t.Context()), a)
			if err != nil {
				t.Fatal(err)
			}
			for _, ctx := range []context.Context{t.Context(), naming(odd)(t.Context()), driver.WithoutSchema(t.Context())} {
				for name, way := range rawTxWays {
					if name == "StmtContext" {
						continue // its pool has one connection; see TestRawStmtOfPoolInRawTx
					}
					got, err := way(ctx, tx, pool)
					wantOwner(t, how+": "+name, got, err, "a")
				}
			}
			if err := errors.Join(end(tx), release()); err != nil {
				t.Error(err)
			}
			got, err := schemadb.Value[string](t.Context(), o, ownerQuery)
			wantOwner(t, "another view after "+endsWith, got, err, odd)
			got, err = scanned(pool.QueryRowContext(naming(odd)(t.Context()), ownerQuery))
			wantOwner(t, "the pool after "+endsWith, got, err, odd)
			var tables sql.NullString
			if err := pool.QueryRow("SELECT to_regclass('t')").Scan(&tables); err != nil || tables.Valid {
				t.Errorf("the path was changed: %v, %v", tables, err)
			}
		}
	}
	if n := pool.Stats().MaxLifetimeClosed + pool.Stats().MaxIdleClosed; n != 0 {
		t.Errorf("%d connections were closed, so nothing was tested", n)
	}
}

// A *sql.Stmt of the pool itself follows the context; in a facade's transaction it must not.
func TestRawStmtOfPoolInRawTx(t *testing.T) {
	t.Parallel()
	pool := openAs(t, driver.Name, server.Database(t))
	dbs := tenants(t, pool, "public", "a", odd)
	tx, err := dbs[1].BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for range 3 {
		got, err := rawTxWays["StmtContext"](naming(odd)(t.Context()), tx, pool)
		wantOwner(t, "tx.StmtContext", got, err, "a")
	}
}

// A *sql.Tx that database/sql rolls back because its context ended leaves nothing behind either.
func TestCancelledRawTx(t *testing.T) {
	t.Parallel()
	pool := openAs(t, driver.Name, server.Database(t))
	dbs := tenants(t, pool, "a", odd)
	pool.SetMaxOpenConns(1)
	ctx, cancel := context.WithCancel(t.Context())
	tx, err := dbs[0].BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	got, err := schemadb.Value[string](t.Context(), dbs[1], ownerQuery)
	wantOwner(t, "another view", got, err, odd)
	if _, err := tx.Exec("SELECT 1"); !errors.Is(err, sql.ErrTxDone) {
		t.Errorf("the transaction goes on: %v", err)
	}
}

// The *sql.Tx of an unbound facade is that of package driver.
func TestRawTxOfUnbound(t *testing.T) {
	t.Parallel()
	pool := openAs(t, driver.Name, server.Database(t))
	tenants(t, pool, "public", "a", odd)
	tx, err := schemadb.New(pool, "").BeginTx(naming("a")(t.Context()), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for want, ctx := range map[string]context.Context{
		"a": t.Context(), odd: naming(odd)(t.Context()), "public": driver.WithoutSchema(t.Context()),
	} {
		got, err := scanned(tx.QueryRowContext(ctx, ownerQuery))
		wantOwner(t, "QueryRow", got, err, want)
	}
}

// wantRefused fails the test unless err is a *RefusedError that names the methods to use instead.
func wantRefused(t testing.TB, what string, err error, method, instead string) {
	t.Helper()
	var refused *schemadb.RefusedError
	if !errors.As(err, &refused) || refused.Method != method || refused.Instead != instead {
		t.Errorf("%s: error %v, want a *RefusedError of %s that names %s", what, err, method, instead)
		return
	}
	wantError(t, what, err, method, instead)
}

// Where nothing of ours stands between database/sql and the server, we hand out nothing that could leave its schema.
func TestRefusedOnPgx(t *testing.T) {
	t.Parallel()
	pool := openAs(t, "pgx", server.Database(t))
	a := tenants(t, pool, "a")[0]
	const begin = "BeginTxx or InTx"
	for _, db := range []*schemadb.DB{a, schemadb.New(pool, "")} {
		_, err := db.Begin()
		wantRefused(t, "Begin", err, "BeginTx", begin)
		_, err = db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
		wantRefused(t, "BeginTx", err, "BeginTx", begin)
		conn, err := db.Connx(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.BeginTx(t.Context(), nil)
		wantRefused(t, "Conn.BeginTx", err, "BeginTx", begin)
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	ctx := naming("a")(t.Context())
	for _, facade := range facades {
		err := facade.use(ctx, schemadb.New(pool, ""), func(q surface) {
			_, err := q.Prepare(ownerQuery)
			wantRefused(t, facade.name+": Prepare", err, "PrepareContext", "PreparexContext")
			_, err = q.PrepareContext(ctx, ownerQuery)
			wantRefused(t, facade.name+": PrepareContext", err, "PrepareContext", "PreparexContext")
			stmt, err := q.PreparexContext(ctx, ownerQuery)
			if err != nil {
				t.Error(err)
				return
			}
			defer stmt.Close()
			got, err := scanned(stmt.QueryRowContext(ctx))
			wantOwner(t, "the method to use", got, err, "a")
		})
		if err != nil {
			t.Errorf("%s: %v", facade.name, err)
		}
	}
}

// A *sql.Stmt stays in its schema on every connection that database/sql prepares it on, and under every context.
func TestRawStmt(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		a := tenants(t, pool, "a", odd)[0]
		stmt, err := a.PrepareContext(naming(odd)(t.Context()), ownerQuery)
		if err != nil {
			t.Fatal(err)
		}
		defer stmt.Close()
		contexts := []context.Context{t.Context(), naming(odd)(t.Context()), driver.WithoutSchema(t.Context())}
		pids := map[int]bool{}
		for i := range 6 {
			for _, ctx := range contexts {
				got, err := scanned(stmt.QueryRowContext(ctx))
				wantOwner(t, "QueryRowContext", got, err, "a")
			}
			conn, err := pool.Conn(contexts[i%3]) // so the next round goes to another connection
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			var pid int
			if err := conn.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
				t.Fatal(err)
			}
			pids[pid] = true
		}
		if len(pids) != 6 {
			t.Errorf("there were %d connections, want 6", len(pids))
		}
		for _, schema := range []string{"a", odd} {
			tx := a.ForSchema(schema).MustBegin()
			got, err := scanned(tx.Stmtx(stmt).QueryRowContext(contexts[1]))
			wantOwner(t, "in a transaction of "+schema, got, err, "a")
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
		}
	})
}

// With schema_required the driver would refuse the text of a *sql.Stmt, which has its schema in it and none in its
// context. That has to be said when it is prepared.
func TestRawStmtWithSchemaRequired(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	tenants(t, openAs(t, "pgx", dsn), "a", odd)
	for _, test := range []struct {
		keys    map[string]string
		refused bool
	}{
		{map[string]string{"schema_required": "true"}, true},
		{map[string]string{"schema_required": "context"}, true},
		{map[string]string{"schema_required": "context", "schema": odd, "schema_mode": "template"}, true},
		{map[string]string{"schema_required": "true", "schema": odd, "schema_mode": "template"}, false},
	} {
		t.Run(fmt.Sprint(test.keys), func(t *testing.T) {
			t.Parallel()
			a := schemadb.New(openWith(t, dsn, test.keys), "a")
			for _, facade := range facades {
				err := facade.use(t.Context(), a, func(q surface) {
					got, err := execute(naming(odd)(t.Context()))(q.Prepare(ownerQuery))
					if test.refused {
						wantRefused(t, facade.name+": Prepare", err, "PrepareContext", "PreparexContext")
						if !errors.Is(err, driver.ErrSchemaRequired) {
							t.Errorf("the reason is not there: %v", err)
						}
					} else {
						wantOwner(t, facade.name+": Prepare", got, err, "a")
					}
					stmt, err := q.Preparex(ownerQuery)
					if err != nil {
						t.Errorf("%s: Preparex: %v", facade.name, err)
						return
					}
					defer stmt.Close()
					got, err = scanned(stmt.QueryRowContext(driver.WithoutSchema(t.Context())))
					wantOwner(t, facade.name+": Preparex", got, err, "a")
				})
				if err != nil {
					t.Errorf("%s: %v", facade.name, err)
				}
			}
		})
	}
}

// openWith opens dsn with keys of package driver.
func openWith(t *testing.T, dsn string, keys map[string]string) *sql.DB {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range keys {
		config.RuntimeParams[key] = value
	}
	pool := driver.OpenDB(*config)
	t.Cleanup(func() {
		wantIdle(t, pool)
		pool.Close()
	})
	return pool
}

// wrapped is a connector of a tracer: like those of otelsql, it hides all but the interfaces of database/sql.
type wrapped struct{ inner sqldriver.Connector }

func (w wrapped) Connect(ctx context.Context) (sqldriver.Conn, error) {
	conn, err := w.inner.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return wrappedConn{conn.(inner)}, nil
}

func (w wrapped) Driver() sqldriver.Driver { return wrappedDriver{w.inner.Driver()} }

type wrappedDriver struct{ inner sqldriver.Driver }

func (w wrappedDriver) Open(name string) (sqldriver.Conn, error) { return w.inner.Open(name) }

// inner is what both drivers' connections have, plain pgx's without IsValid.
type inner interface {
	sqldriver.Conn
	sqldriver.Pinger
	sqldriver.ExecerContext
	sqldriver.QueryerContext
	sqldriver.ConnPrepareContext
	sqldriver.ConnBeginTx
	sqldriver.SessionResetter
	sqldriver.NamedValueChecker
}

type wrappedConn struct{ inner inner }

func (w wrappedConn) Prepare(query string) (sqldriver.Stmt, error) { return w.inner.Prepare(query) }
func (w wrappedConn) Close() error                                 { return w.inner.Close() }
func (w wrappedConn) Begin() (sqldriver.Tx, error)                 { panic("database/sql calls BeginTx") }
func (w wrappedConn) Ping(ctx context.Context) error               { return w.inner.Ping(ctx) }
func (w wrappedConn) ResetSession(ctx context.Context) error       { return w.inner.ResetSession(ctx) }
func (w wrappedConn) CheckNamedValue(v *sqldriver.NamedValue) error {
	return w.inner.CheckNamedValue(v)
}

func (w wrappedConn) ExecContext(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	return w.inner.ExecContext(ctx, query, args)
}

func (w wrappedConn) QueryContext(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	return w.inner.QueryContext(ctx, query, args)
}

func (w wrappedConn) PrepareContext(ctx context.Context, query string) (sqldriver.Stmt, error) {
	return w.inner.PrepareContext(ctx, query)
}

func (w wrappedConn) BeginTx(ctx context.Context, opts sqldriver.TxOptions) (sqldriver.Tx, error) {
	return w.inner.BeginTx(ctx, opts)
}

func (w wrappedConn) IsValid() bool {
	v, ok := w.inner.(sqldriver.Validator)
	return !ok || v.IsValid()
}

// openWrapped opens a pool of a driver behind a wrapper, until the test ends.
func openWrapped(t *testing.T, connector sqldriver.Connector) *sql.DB {
	t.Helper()
	pool := sql.OpenDB(wrapped{connector})
	t.Cleanup(func() {
		wantIdle(t, pool)
		pool.Close()
	})
	return pool
}

// wrappedPools returns a pool of each driver behind a wrapper, on one database with the schemas public, a and odd.
func wrappedPools(t *testing.T) (pools map[string]*sql.DB, dsn string) {
	t.Helper()
	dsn = server.Database(t)
	tenants(t, openAs(t, driver.Name, dsn), "public", "a", odd)
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	connector, err := driver.NewConnector(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*sql.DB{
		driver.Name: openWrapped(t, connector),
		"pgx":       openWrapped(t, stdlib.GetConnector(*config)),
	}, dsn
}

// Everything but the way to pgx works behind a wrapper.
func TestWrappedDriver(t *testing.T) {
	t.Parallel()
	pools, _ := wrappedPools(t)
	for name, pool := range pools {
		for _, bound := range []string{"a", odd, ""} {
			db := schemadb.New(pool, bound)
			for _, facade := range facades {
				err := facade.use(naming("a")(t.Context()), db, func(q surface) {
					for _, way := range ways {
						raw := way.raw && (bound == "" && name == "pgx" || bound != "" && name == driver.Name)
						want := bound
						switch {
						case bound == "" && way.ctx:
							want = odd
						case bound == "" && facade.ctx:
							want = "a"
						case bound == "":
							want = "public"
						}
						got, err := way.run(naming(odd)(t.Context()), q, want)
						if raw {
							wantRefused(t, name+": "+way.name, err, "PrepareContext", "PreparexContext")
						} else {
							wantOwner(t, name+": "+facade.name+": "+way.name, got, err, want)
						}
					}
				})
				if err != nil {
					t.Errorf("%s: %s: %v", name, facade.name, err)
				}
			}
		}
	}
}

func TestWrappedRawTx(t *testing.T) {
	t.Parallel()
	pools, _ := wrappedPools(t)
	_, err := schemadb.New(pools["pgx"], "a").BeginTx(t.Context(), nil)
	wantRefused(t, "BeginTx on wrapped pgx", err, "BeginTx", "BeginTxx or InTx")
	tx, err := schemadb.New(pools[driver.Name], "a").BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for name, way := range rawTxWays {
		got, err := way(naming(odd)(t.Context()), tx, pools[driver.Name])
		wantOwner(t, name, got, err, "a")
	}
}

// Only the driver knows the DSN's schema; the facade must not expand the templates before it does.
func TestWrappedDriverKnowsTheDSN(t *testing.T) {
	t.Parallel()
	_, dsn := wrappedPools(t)
	connector, err := driver.NewConnector(dsn, driver.DefaultSchema(odd))
	if err != nil {
		t.Fatal(err)
	}
	for bound, want := range map[string]string{"": odd, "a": "a"} {
		db := schemadb.New(openWrapped(t, connector), bound)
		for _, facade := range facades {
			err := facade.use(t.Context(), db, func(q surface) {
				for _, way := range ways {
					if way.raw && bound != "" {
						continue // it is refused; see TestWrappedDriver
					}
					got, err := way.run(t.Context(), q, want)
					wantOwner(t, facade.name+": "+way.name, got, err, want)
				}
			})
			if err != nil {
				t.Errorf("%s: %v", facade.name, err)
			}
		}
	}
}

// Where the pool has no connection free, database/sql opens one in the background, with a context of its own, and hands
// it out without a reset. That must not make the driver look like one that knows nothing of schemas.
func TestWrappedDriverOnFullPool(t *testing.T) {
	t.Parallel()
	_, dsn := wrappedPools(t)
	connector, err := driver.NewConnector(dsn, driver.DefaultSchema(odd))
	if err != nil {
		t.Fatal(err)
	}
	pool := openWrapped(t, connector)
	pool.SetMaxOpenConns(1)
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	db := schemadb.New(pool, "")
	var group sync.WaitGroup
	group.Go(func() {
		got, err := schemadb.Value[string](t.Context(), db, ownerQuery)
		wantOwner(t, "the one that waited", got, err, odd)
	})
	eventually(t, "it waits", func() bool { return pool.Stats().WaitCount == 1 })
	_ = conn.Raw(func(any) error { return sqldriver.ErrBadConn }) // so this one is closed
	group.Wait()
	got, err := schemadb.Value[string](t.Context(), db, ownerQuery)
	wantOwner(t, "afterwards", got, err, odd)
}

// Behind a wrapper rows come through database/sql. Values and errors are the same as through pgx.
func TestWrappedReading(t *testing.T) {
	t.Parallel()
	pools, dsn := wrappedPools(t)
	type row struct {
		B bool
		I int32
		F float64
		S string
		Y []byte
		N *string
		T time.Time
		U sql.NullInt64
		J string
	}
	const all = `SELECT id % 2 = 0 AS b, id::int AS i, id / 8.0::float8 AS f, owner AS s, owner::bytea AS y,
		NULLIF(id, 2)::text AS n, timestamptz '2026-01-02 03:04:05+00' AS t, NULLIF(id, 1) AS u, jsonb '{"k":1}' AS j
		FROM {{tables.t}} ORDER BY id`
	native := schemadb.New(openAs(t, driver.Name, dsn), "a")
	exec(t, native, "INSERT INTO {{tables.t}} (owner) SELECT 'x' || i FROM generate_series(1, 50) i")
	type result struct {
		one, each      []row
		selected, rows []row
		maps           []map[string]any
	}
	read := func(q schemadb.Querier) (r result, err error) {
		ctx := t.Context()
		for one, err := range schemadb.Each[*row](ctx, q, all) {
			if err != nil {
				return r, err
			}
			r.each = append(r.each, *one)
		}
		one, err1 := schemadb.One[row](ctx, q, all+" LIMIT 1")
		r.one = append(r.one, one)
		err2 := q.SelectContext(ctx, &r.selected, all)
		rows, err3 := schemadb.Collect[row](ctx, q, all)
		maps, err4 := schemadb.Collect[map[string]any](ctx, q, "SELECT owner, id > 2 AS late FROM {{tables.t}} ORDER BY id")
		r.rows, r.maps = rows, maps
		return r, errors.Join(err1, err2, err3, err4)
	}
	want, err := read(native)
	if err != nil || len(want.rows) != 51 {
		t.Fatal(len(want.rows), err)
	}
	for name, pool := range pools {
		db := schemadb.New(pool, "a")
		err := db.InTx(t.Context(), func(tx *schemadb.Tx) error {
			for _, q := range []schemadb.Querier{db, tx} {
				got, err := read(q)
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %T: read\n%v, %v, want\n%v", name, q, got, err, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := db.Get(new(row), all+" LIMIT 0"); !errors.Is(err, sql.ErrNoRows) {
			t.Errorf("%s: Get without a row: %v", name, err)
		}
		if _, err := schemadb.One[row](t.Context(), db, all); !errors.Is(err, schemadb.ErrTooManyRows) {
			t.Errorf("%s: One of many: %v", name, err)
		}
		wantError(t, name+": a column without a field", db.Get(&struct{ I int }{}, all), "b")
		var s string
		wantError(t, name+": NULL", db.Get(&s, "SELECT NULL::text"), "NULL")
	}
}

// Goroutines of several tenants share a few connections, and each only ever sees its own rows.
func TestRandomOperations(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		schemas := []string{"a", "b", odd}
		dbs := tenants(t, pool, append(schemas, "public")...) // what is prepared without a context needs a table too
		unbound := schemadb.New(pool, "")
		pool.SetMaxOpenConns(3)
		seed := rand.Uint64()
		t.Logf("the seed is %d", seed)
		var group sync.WaitGroup
		for worker := range 8 {
			r := rand.New(rand.NewPCG(seed, uint64(worker)))
			group.Go(func() {
				for range 60 {
					own, other := schemas[r.IntN(3)], schemas[r.IntN(3)]
					db, begin, ctx := dbs[0].ForSchema(own), naming(other)(t.Context()), naming(other)(t.Context())
					facade := facades[r.IntN(len(facades))]
					useContext := r.IntN(3) == 0
					if useContext { // an unbound facade, whose own schema is that of the context
						db, begin, ctx = unbound, naming(own)(t.Context()), naming(own)(t.Context())
					}
					err := facade.use(begin, db, func(q surface) {
						for range 3 {
							way := ways[r.IntN(len(ways))]
							if useContext && (way.raw || !way.ctx && !facade.ctx) {
								continue
							}
							got, err := way.run(ctx, q, own)
							wantOwner(t, facade.name+": "+way.name, got, err, own)
						}
					})
					if err != nil {
						t.Errorf("%s: %v", facade.name, err)
					}
				}
			})
		}
		group.Wait()
	})
}

// sessionWays leave something in the session of their connection.
var sessionWays = map[string]func(ctx context.Context, db *schemadb.DB) error{
	"Exec": func(_ context.Context, db *schemadb.DB) error { return second(db.Exec("SET pgdbm.rest = 'x'")) },
	"Get": func(_ context.Context, db *schemadb.DB) error {
		return db.Get(new(string), "SELECT set_config('pgdbm.rest', 'x', false)")
	},
	"Collect": func(ctx context.Context, db *schemadb.DB) error {
		return second(schemadb.Collect[string](ctx, db, "SELECT set_config('pgdbm.rest', 'x', false)"))
	},
	"Each": func(ctx context.Context, db *schemadb.DB) (err error) {
		for _, err = range schemadb.Each[string](ctx, db, "SELECT set_config('pgdbm.rest', 'x', false)") {
			break
		}
		return err
	},
	"Preparex": func(_ context.Context, db *schemadb.DB) error {
		stmt, err := db.Preparex("SET pgdbm.rest = 'x'")
		if err != nil {
			return err
		}
		return errors.Join(second(stmt.Exec()), stmt.Close())
	},
	"Prepare": func(ctx context.Context, db *schemadb.DB) error {
		stmt, err := db.Prepare("SET pgdbm.rest = 'x'")
		if err != nil {
			return err
		}
		return errors.Join(second(stmt.ExecContext(naming(odd)(ctx))), stmt.Close())
	},
	"ExecMany": func(ctx context.Context, db *schemadb.DB) error {
		const query = "INSERT INTO {{tables.t}} (owner) VALUES (set_config('pgdbm.rest', $1, false))"
		return second(db.ExecMany(ctx, query, [][]any{{"x"}}))
	},
	"InTx": func(ctx context.Context, db *schemadb.DB) error {
		return db.InTx(ctx, func(tx *schemadb.Tx) error { return second(tx.Exec("CREATE TEMP TABLE left_over (i int)")) })
	},
	"BeginTx": func(ctx context.Context, db *schemadb.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		return errors.Join(second(tx.Exec("CREATE TEMP TABLE left_over (i int)")), tx.Commit())
	},
	"Conn": func(ctx context.Context, db *schemadb.DB) error {
		return onConn(ctx, db, func(c *schemadb.Conn) error {
			return second(c.ExecContext(ctx, "CREATE TEMP TABLE left_over (i int)"))
		})
	},
	"Conn.Raw": func(ctx context.Context, db *schemadb.DB) error {
		return onConn(ctx, db, func(c *schemadb.Conn) error {
			return c.Raw(ctx, func(conn *pgx.Conn) error { return second(conn.Exec(ctx, "LISTEN left_over")) })
		})
	},
}

// What a statement leaves in its session does not reach another view, though there is only one connection.
func TestSessionStateStays(t *testing.T) {
	t.Parallel()
	const left = `SELECT coalesce(current_setting('pgdbm.rest', true), '') <> '' OR to_regclass('pg_temp.left_over') IS NOT NULL
		OR EXISTS (SELECT FROM pg_listening_channels())`
	pool := openAs(t, driver.Name, server.Database(t))
	dbs := tenants(t, pool, "a", odd)
	pool.SetMaxOpenConns(1)
	for name, leave := range sessionWays {
		if err := leave(t.Context(), dbs[0]); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, db := range []*schemadb.DB{dbs[1], dbs[0].ForSchema("")} {
			if value[bool](t, db, left) {
				t.Errorf("%s: its session state reaches the view %q", name, db.Schema())
			}
		}
	}
	conn, err := dbs[0].Connx(t.Context()) // where it may be seen, the query sees it
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exec(t, conn, "SET pgdbm.rest = 'x'")
	if !value[bool](t, conn, left) {
		t.Error("the query that looks for session state does not find any")
	}
}
