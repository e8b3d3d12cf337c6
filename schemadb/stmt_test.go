package schemadb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jmoiron/sqlx"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

// preparex prepares a statement until the test ends.
func preparex(t testing.TB, q schemadb.Querier, query string) *schemadb.Stmt {
	t.Helper()
	stmt, err := q.PreparexContext(context.WithoutCancel(t.Context()), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	t.Cleanup(func() { _ = stmt.Close() })
	return stmt
}

// A statement of an unbound facade follows the context that it is executed under, on every kind of facade, back and
// forth, whatever it was prepared under.
func TestStmtFollowsContext(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		tenants(t, pool, "public", "a", odd)
		contexts := []struct {
			want string
			ctx  context.Context
		}{
			{"a", naming("a")(t.Context())},
			{odd, naming(odd)(t.Context())},
			{"public", driver.WithoutSchema(t.Context())},
			{odd, naming(odd)(t.Context())},
			{"a", naming("a")(t.Context())},
		}
		for _, facade := range facades {
			err := facade.use(naming("a")(t.Context()), schemadb.New(pool, ""), func(q surface) {
				for _, prepare := range contexts {
					stmt, err := q.PreparexContext(prepare.ctx, touch)
					if err != nil {
						t.Fatal(err)
					}
					namedStmt, err := q.PrepareNamedContext(prepare.ctx, touchNamed)
					if err != nil {
						t.Fatal(err)
					}
					for _, execute := range contexts {
						for _, way := range stmtWays {
							if way.ctx {
								got, err := way.run(execute.ctx, stmt, execute.want)
								wantOwner(t, facade.name+": Stmt."+way.name, got, err, execute.want)
							}
						}
						for _, way := range namedStmtWays {
							if way.ctx {
								got, err := way.run(execute.ctx, namedStmt, execute.want)
								wantOwner(t, facade.name+": NamedStmt."+way.name, got, err, execute.want)
							}
						}
					}
					if err := errors.Join(stmt.Close(), namedStmt.Close()); err != nil {
						t.Error(err)
					}
				}
			})
			if err != nil {
				t.Errorf("%s: %v", facade.name, err)
			}
		}
	})
}

// A statement can be prepared in one schema for a query that works in another only.
func TestStmtOfOneSchemaInAnother(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		o := tenants(t, pool, "a", odd)[1]
		exec(t, o, "ALTER TABLE {{tables.t}} ADD extra text DEFAULT 'more'")
		db := schemadb.New(pool, "")
		inA, inOdd := naming("a")(t.Context()), naming(odd)(t.Context())
		const query = "SELECT extra FROM {{tables.t}}"
		if _, err := db.PreparexContext(inA, query); err == nil {
			t.Error("a column that does not exist is found at the execution only")
		}
		stmt, err := db.PreparexContext(inOdd, query)
		if err != nil {
			t.Fatal(err)
		}
		defer stmt.Close()
		for range 2 {
			for _, way := range []func(context.Context) (string, error){
				func(ctx context.Context) (s string, err error) { err = stmt.GetContext(ctx, &s); return s, err },
				func(ctx context.Context) (string, error) { return scanned(stmt.QueryRowContext(ctx)) },
				func(ctx context.Context) (string, error) { return first(stmt.QueryxContext(ctx)) },
			} {
				if _, err := way(inA); !hasPgCode(err, "42703") {
					t.Errorf("in a: %v", err)
				}
				if got, err := way(inOdd); err != nil || got != "more" {
					t.Errorf("in %s: %q, %v", odd, got, err)
				}
			}
		}
	})
}

func hasPgCode(err error, code string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == code
}

// What [schemadb.Tx.Stmtx] takes, with the schema that it then runs in: that of the transaction if we know the text.
func TestStmtx(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		dbs := tenants(t, pool, "public", "a", odd)
		a, o := dbs[1], dbs[2]
		expanded, err := driver.Expand(touch, "a")
		if err != nil {
			t.Fatal(err)
		}
		raw, err := a.Prepare(touch)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		x, err := sqlx.NewDb(pool, "pgx").Preparex(expanded)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		ours := preparex(t, a, touch)
		unbound, err := schemadb.New(pool, "").PreparexContext(naming("a")(t.Context()), touch)
		if err != nil {
			t.Fatal(err)
		}
		defer unbound.Close()
		sources := []struct {
			name string
			stmt any
			in   map[string]string // where it runs in a transaction of a, and in one of odd
		}{
			{"*schemadb.Stmt", ours, map[string]string{"a": "a", odd: odd}},
			{"*schemadb.Stmt, Unsafe", ours.Unsafe(), map[string]string{"a": "a", odd: odd}},
			{"*schemadb.Stmt, unbound", unbound, map[string]string{"a": "a", odd: odd}},
			{"*sql.Stmt", raw, map[string]string{"a": "a", odd: "a"}},
			{"*sqlx.Stmt", x, map[string]string{"a": "a", odd: "a"}},
		}
		for _, db := range []*schemadb.DB{a, o} {
			for _, source := range sources {
				want := source.in[db.Schema()]
				ctx := naming("public")(t.Context())
				err := db.InTx(ctx, func(tx *schemadb.Tx) error {
					again := tx.Stmtx(source.stmt)
					for how, stmt := range map[string]*schemadb.Stmt{
						"Stmtx": again, "StmtxContext": tx.StmtxContext(ctx, source.stmt), "Stmtx of Stmtx": tx.Stmtx(again),
						"of Unsafe": tx.Unsafe().Stmtx(source.stmt),
					} {
						for _, way := range stmtWays {
							got, err := way.run(ctx, stmt, want)
							wantOwner(t, how+" of "+source.name+": "+way.name, got, err, want)
						}
					}
					exec(t, tx, "UPDATE {{tables.t}} SET owner = 'mine'")
					if source.in[odd] == odd || db == a { // it sees what the transaction has done, so it is in it
						if _, err := scanned(again.QueryRow(want)); !errors.Is(err, sql.ErrNoRows) {
							t.Errorf("%s is outside of the transaction: %v", source.name, err)
						}
					}
					return errRollback
				})
				if err != errRollback {
					t.Error(err)
				}
			}
		}
	})
}

var errRollback = errors.New("roll back")

// A statement of the pool itself follows the context on pgdbm; in a transaction it is the transaction's schema, and the
// context's is not even looked at.
func TestStmtxOfPoolStatement(t *testing.T) {
	t.Parallel()
	pool := openAs(t, driver.Name, server.Database(t))
	a := tenants(t, pool, "public", "a")[1]
	tx := a.MustBegin()
	defer tx.Rollback()
	stmt, err := pool.Prepare(touch) // on another connection, so the transaction's has to prepare it too
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	for _, ctx := range []context.Context{naming("nowhere")(t.Context()), naming("public")(t.Context()), t.Context()} {
		for _, way := range stmtWays {
			got, err := way.run(ctx, tx.StmtxContext(ctx, stmt), "a")
			wantOwner(t, way.name, got, err, "a")
		}
	}
}

func TestNamedStmtOfTx(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		dbs := tenants(t, pool, "a", odd)
		stmt, err := dbs[0].PrepareNamed(touchNamed)
		if err != nil {
			t.Fatal(err)
		}
		defer stmt.Close()
		for _, db := range dbs {
			tx := db.MustBegin()
			ctx := naming("a")(t.Context())
			for how, inTx := range map[string]*schemadb.NamedStmt{
				"NamedStmt": tx.NamedStmt(stmt), "NamedStmtContext": tx.NamedStmtContext(ctx, stmt.Unsafe()),
			} {
				for _, way := range namedStmtWays {
					got, err := way.run(ctx, inTx, db.Schema())
					wantOwner(t, how+": "+way.name, got, err, db.Schema())
				}
			}
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
		}
	})
}

// What is no statement is an error of every use, and no panic, since Stmtx returns none. The transaction goes on.
func TestStmtxOfGarbage(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		a := tenants(t, pool, "a")[0]
		tx := a.MustBegin()
		defer tx.Rollback()
		for _, garbage := range []any{
			nil, 7, touch, sql.Stmt{}, a, (*schemadb.Stmt)(nil), (*sql.Stmt)(nil), (*sqlx.Stmt)(nil), &sqlx.Stmt{},
		} {
			stmt := tx.Stmtx(garbage)
			for _, stmt := range []*schemadb.Stmt{stmt, stmt.Unsafe(), tx.StmtxContext(t.Context(), stmt)} {
				callAll(t.Context(), t, stmt, func(t testing.TB, how string, err error) {
					t.Helper()
					wantError(t, fmt.Sprintf("%s of %T", how, garbage), err, "Stmtx", "no statement")
				})
			}
			if err := stmt.Close(); err != nil {
				t.Errorf("Close of %T: %v", garbage, err)
			}
		}
		got, err := schemadb.Value[string](t.Context(), tx, ownerQuery)
		wantOwner(t, "the transaction", got, err, "a")
	})
}

// A statement of another database is an error of every use.
func TestStmtxOfOtherDatabase(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		a := tenants(t, pool, "a")[0]
		other := tenants(t, openAs(t, "pgx", server.Database(t)), "a")[0]
		stmt := preparex(t, other, touch)
		raw, err := other.Prepare(touch)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		tx := a.MustBegin()
		defer tx.Rollback()
		for _, way := range stmtWays {
			got, err := way.run(t.Context(), tx.Stmtx(raw), "a")
			wantError(t, "*sql.Stmt: "+way.name+" read the row of "+got, err, "different database")
		}
		// Ours is known by its text, and so runs where the transaction is, or says what is wrong.
		if got, err := scanned(tx.Stmtx(stmt).QueryRow("a")); err == nil && got != "a" {
			t.Errorf("*schemadb.Stmt read the row of %q", got)
		}
	})
}

// After Close every use fails, of its views too, and so does that of a statement of a transaction that is over.
func TestClosedStmt(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		a := tenants(t, pool, "a", odd)[0]
		for _, facade := range facades {
			var outlived []*schemadb.Stmt
			err := facade.use(t.Context(), a, func(q surface) {
				stmt, err := q.Preparex(touch)
				if err != nil {
					t.Error(err)
					return
				}
				view := stmt.Unsafe()
				namedStmt, err := q.PrepareNamed(touchNamed)
				if err != nil {
					t.Error(err)
					return
				}
				for range 2 { // closing again is no error, as with *sql.Stmt
					if err := errors.Join(stmt.Close(), namedStmt.Close()); err != nil {
						t.Errorf("%s: Close: %v", facade.name, err)
					}
				}
				for _, s := range []any{stmt, view, namedStmt} {
					callWays(t, facade.name, s, func(err error) bool { return err != nil && strings.Contains(err.Error(), "closed") })
				}
				if left, err := q.Preparex(touch); err == nil {
					outlived = append(outlived, left)
				}
			})
			if err != nil {
				t.Errorf("%s: %v", facade.name, err)
			}
			for _, stmt := range outlived {
				switch {
				case strings.HasPrefix(facade.name, "DB"):
				case strings.HasPrefix(facade.name, "Connx"):
					callWays(t, facade.name, stmt, func(err error) bool { return errors.Is(err, sql.ErrConnDone) })
				default:
					callWays(t, facade.name, stmt, func(err error) bool { return errors.Is(err, sql.ErrTxDone) })
				}
				_ = stmt.Close()
			}
		}
		tx := a.MustBegin()
		defer tx.Rollback()
		stmt := preparex(t, a, touch)
		inTx := tx.Stmtx(stmt)
		if err := stmt.Close(); err != nil {
			t.Error(err)
		}
		callWays(t, "Stmtx of a closed one", inTx, func(err error) bool { return err != nil })
		callWays(t, "Stmtx of a closed one", tx.Stmtx(stmt), func(err error) bool { return err != nil })
		got, err := schemadb.Value[string](t.Context(), tx, ownerQuery)
		wantOwner(t, "the transaction", got, err, "a")
	})
}

// callWays executes a statement in every way and fails the test unless each error is right.
func callWays(t *testing.T, name string, stmt any, right func(error) bool) {
	t.Helper()
	check := func(way, got string, err error) {
		t.Helper()
		if !right(err) {
			t.Errorf("%s: %T.%s: read the row of %q, %v", name, stmt, way, got, err)
		}
	}
	switch s := stmt.(type) {
	case *schemadb.Stmt:
		for _, way := range stmtWays {
			got, err := way.run(t.Context(), s, "a")
			check(way.name, got, err)
		}
	case *schemadb.NamedStmt:
		for _, way := range namedStmtWays {
			got, err := way.run(t.Context(), s, "a")
			check(way.name, got, err)
		}
	}
}

// The table of a prepared statement changes while it is in use, as during a deployment. One that names its columns goes
// on. PostgreSQL refuses one with a star, for as long as it is prepared, as with sqlx on pgx, where it has to be prepared
// again; this driver does that by itself. It never reads the columns of the old table into the fields of the new one.
func TestStmtSurvivesChangedTable(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		a := tenants(t, pool, "a")[0]
		pool.SetMaxOpenConns(1) // the connection that has it prepared is used again
		stmt := preparex(t, a, "SELECT id, owner FROM {{tables.t}} WHERE owner = $1")
		star := preparex(t, a, "SELECT * FROM {{tables.t}} WHERE owner = $1")
		type row struct {
			ID    int64
			Owner string
			Added string
		}
		read := map[string]func(*schemadb.Stmt, *row) error{
			"Get":       func(s *schemadb.Stmt, r *row) error { return s.Get(r, "a") },
			"QueryRowx": func(s *schemadb.Stmt, r *row) error { return s.QueryRowx("a").StructScan(r) },
		}
		exec(t, a, "ALTER TABLE {{tables.t}} ADD added text DEFAULT 'x'")
		for name, read := range read {
			var got row
			err := read(star, &got)
			if strings.HasSuffix(t.Name(), "pgdbm") {
				wantOwner(t, name+" of a star", got.Owner, err, "a")
			} else if !hasPgCode(err, "0A000") {
				t.Errorf("%s of a star: %v, %v", name, got, err)
			}
			err = read(stmt, &got)
			wantOwner(t, name+" of named columns", got.Owner, err, "a")
		}
		if err := errors.Join(star.Close(), stmt.Close()); err != nil {
			t.Error(err)
		}
		star = preparex(t, a, "SELECT * FROM {{tables.t}} WHERE owner = $1")
		for name, read := range read {
			var got row
			err := read(star, &got)
			wantOwner(t, name+" of what is prepared again", got.Owner, err, "a")
		}
		exec(t, a, "DROP TABLE {{tables.t}}")
		if err := star.Get(new(row), "a"); !schemadb.IsUndefinedTable(err) {
			t.Errorf("without the table: %v", err)
		}
	})
}

// Errors of the text come when it is prepared, also where the driver could wait for the first execution.
func TestPreparexErrors(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		a := tenants(t, pool, "a")[0]
		for query, right := range map[string]func(error) bool{
			"SELEC 1":                        func(err error) bool { return hasPgCode(err, "42601") },
			"SELECT * FROM {{tables.nope}}":  schemadb.IsUndefinedTable,
			"SELECT nope FROM {{tables.t}}":  func(err error) bool { return hasPgCode(err, "42703") },
			"SELECT * FROM {{table.t}}":      isTemplateError,
			"SELECT * FROM {{tables.t}} {{x": isTemplateError,
		} {
			// One each, because an error ends a transaction.
			for _, facade := range facades {
				for name, prepare := range map[string]func(q surface) error{
					"Prepare":      func(q surface) error { return second(q.Prepare(query)) },
					"Preparex":     func(q surface) error { return second(q.Preparex(query)) },
					"PrepareNamed": func(q surface) error { return second(q.PrepareNamed(query)) },
				} {
					_ = facade.use(t.Context(), a, func(q surface) { // its commit may fail
						err := prepare(q)
						var refused *schemadb.RefusedError
						if !right(err) || errors.As(err, &refused) {
							t.Errorf("%s: %s(%s): %v", facade.name, name, query, err)
						}
					})
				}
			}
		}
		if _, err := a.PrepareNamed("SELECT :a, $1"); err == nil {
			t.Error("two kinds of parameters in one text are no error")
		}
	})
}

func isTemplateError(err error) bool {
	var templateErr *driver.TemplateError
	return errors.As(err, &templateErr)
}

// One statement serves many goroutines, and contexts.
func TestStmtFromManyGoroutines(t *testing.T) {
	t.Parallel()
	onDrivers(t, func(t *testing.T, pool *sql.DB) {
		schemas := []string{"a", "b", odd}
		tenants(t, pool, schemas...)
		pool.SetMaxOpenConns(3)
		stmt, err := schemadb.New(pool, "").PreparexContext(naming("a")(t.Context()), touch)
		if err != nil {
			t.Fatal(err)
		}
		defer stmt.Close()
		var group sync.WaitGroup
		for worker := range 6 {
			group.Go(func() {
				for i := range 3 * len(stmtWays) {
					way := stmtWays[i%len(stmtWays)]
					if want := schemas[(worker+i)%3]; way.ctx {
						got, err := way.run(naming(want)(t.Context()), stmt, want)
						wantOwner(t, way.name, got, err, want)
					}
				}
			})
		}
		group.Wait()
	})
}

// Without an error nothing of a statement stays on the server after Close.
func TestStmtCloseFreesTheServer(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	for _, name := range drivers {
		pool := openAs(t, name, dsn+"&default_query_exec_mode=exec") // pgx prepares nothing of its own
		if name == driver.Name {
			tenants(t, pool, "a", odd)
		}
		err := onConn(t.Context(), schemadb.New(pool, ""), func(c *schemadb.Conn) error {
			const count = "SELECT count(*) FROM pg_prepared_statements"
			stmt, err := c.PreparexContext(naming("a")(t.Context()), touch)
			if err != nil {
				return err
			}
			for _, schema := range []string{odd, "a"} {
				for _, way := range stmtWays {
					if way.ctx {
						got, err := way.run(naming(schema)(t.Context()), stmt, schema)
						wantOwner(t, way.name, got, err, schema)
					}
				}
			}
			if n := value[int](t, c, count); n == 0 {
				t.Errorf("%s: nothing is prepared, so nothing is tested", name)
			}
			if err := stmt.Close(); err != nil {
				return err
			}
			if n := value[int](t, c, count); n != 0 {
				t.Errorf("%s: %d statements are prepared after Close", name, n)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
