package peertests

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

// newMock returns a pool whose driver does what the test tells it to. When the test ends, all of that must have
// happened, and no connection may be in use.
func newMock(t *testing.T) (*sql.DB, sqlmock.Sqlmock) {
	t.Helper()
	return newMockMatching(t, sqlmock.QueryMatcherEqual)
}

func newMockMatching(t *testing.T, matcher sqlmock.QueryMatcher) (*sql.DB, sqlmock.Sqlmock) {
	t.Helper()
	pool, mock, err := sqlmock.NewWithDSN(t.Name(), sqlmock.QueryMatcherOption(matcher))
	wantNil(t, err)
	// sqlmock opens no more connections once all are closed, as they are after driver.ErrBadConn.
	_, err = pool.Driver().Open(t.Name())
	wantNil(t, err)
	t.Cleanup(func() {
		wantIdle(t, pool)
		if err := mock.ExpectationsWereMet(); err != nil {
			t.Error(err)
		}
		for range pool.Stats().Idle {
			mock.ExpectClose()
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return pool, mock
}

// way is a method that runs a statement.
type way struct {
	name   string
	query  string // as the caller writes it
	sent   string // as the driver gets it, before its templates are expanded
	expect func(mock sqlmock.Sqlmock, sent string)
	run    func(ctx context.Context, q schemadb.Querier, query string) (user, error)
}

func exec(mock sqlmock.Sqlmock, sent string) {
	mock.ExpectExec(sent).WithArgs(7).WillReturnResult(sqlmock.NewResult(0, 1))
}

func query(mock sqlmock.Sqlmock, sent string) {
	rows := sqlmock.NewRows([]string{"id", "email"}).AddRow(int64(7), "ann")
	mock.ExpectQuery(sent).WithArgs(7).WillReturnRows(rows).RowsWillBeClosed()
}

func queryID(mock sqlmock.Sqlmock, sent string) {
	rows := sqlmock.NewRows([]string{"id"}).AddRow(int64(7))
	mock.ExpectQuery(sent).WithArgs(7).WillReturnRows(rows).RowsWillBeClosed()
}

func prepared(then func(sqlmock.Sqlmock, string)) func(sqlmock.Sqlmock, string) {
	return func(mock sqlmock.Sqlmock, sent string) {
		mock.ExpectPrepare(sent).WillBeClosed()
		then(mock, sent)
	}
}

const (
	selectUser   = "SELECT id, email FROM {{tables.users}} WHERE id = $1"
	selectNamed  = "SELECT id, email FROM {{tables.users}} WHERE id = :id"
	deleteUser   = "DELETE FROM {{tables.users}} WHERE id = $1"
	deleteNamed  = "DELETE FROM {{tables.users}} WHERE id = :id"
	insertUserID = "INSERT INTO {{tables.users}} (id) VALUES ($1)"
)

var ann = user{ID: 7, Email: "ann"}

// scanned reads the only row of rows and closes them.
func scanned(rows interface {
	Next() bool
	StructScan(any) error
	Close() error
	Err() error
}, err error,
) (u user, _ error) {
	if err != nil {
		return u, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.StructScan(&u); err != nil {
			return u, err
		}
	}
	return u, rows.Err()
}

func affected(result sql.Result, err error) (user, error) {
	if err != nil {
		return user{}, err
	}
	if n, err := result.RowsAffected(); n != 1 || err != nil {
		return user{}, errors.Join(errors.New("not one row"), err)
	}
	return ann, nil
}

func only(all []user, err error) (user, error) {
	if err != nil || len(all) != 1 {
		return user{}, errors.Join(errors.New("not one row"), err)
	}
	return all[0], nil
}

var ways = []way{
	{"ExecContext", deleteUser, deleteUser, exec, func(ctx context.Context, q schemadb.Querier, query string) (user, error) {
		return affected(q.ExecContext(ctx, query, 7))
	}},
	{"NamedExecContext", deleteNamed, deleteUser, exec, func(ctx context.Context, q schemadb.Querier, query string) (user, error) {
		return affected(q.NamedExecContext(ctx, query, ann))
	}},
	{"QueryContext", selectUser, selectUser, query, func(ctx context.Context, q schemadb.Querier, query string) (u user, _ error) {
		rows, err := q.QueryContext(ctx, query, 7)
		if err != nil {
			return u, err
		}
		defer rows.Close()
		for rows.Next() {
			if err := rows.Scan(&u.ID, &u.Email); err != nil {
				return u, err
			}
		}
		return u, rows.Err()
	}},
	{"QueryxContext", selectUser, selectUser, query, func(ctx context.Context, q schemadb.Querier, query string) (user, error) {
		return scanned(q.QueryxContext(ctx, query, 7))
	}},
	{"QueryRowxContext", selectUser, selectUser, query, func(ctx context.Context, q schemadb.Querier, query string) (u user, _ error) {
		return u, q.QueryRowxContext(ctx, query, 7).StructScan(&u)
	}},
	{"NamedQueryContext", selectNamed, selectUser, query, func(ctx context.Context, q schemadb.Querier, query string) (user, error) {
		return scanned(q.NamedQueryContext(ctx, query, map[string]any{"id": 7}))
	}},
	{"GetContext", selectUser, selectUser, query, func(ctx context.Context, q schemadb.Querier, query string) (u user, err error) {
		err = q.GetContext(ctx, &u, query, 7)
		return u, err
	}},
	{"SelectContext", selectUser, selectUser, query, func(ctx context.Context, q schemadb.Querier, query string) (user, error) {
		var all []user
		err := q.SelectContext(ctx, &all, query, 7)
		return only(all, err)
	}},
	{"One", selectUser, selectUser, query, func(ctx context.Context, q schemadb.Querier, query string) (user, error) {
		return schemadb.One[user](ctx, q, query, 7)
	}},
	{"One of a pointer", selectUser, selectUser, query, func(ctx context.Context, q schemadb.Querier, query string) (user, error) {
		u, err := schemadb.One[*user](ctx, q, query, 7)
		if err != nil {
			return user{}, err
		}
		return *u, nil
	}},
	{"Collect", selectUser, selectUser, query, func(ctx context.Context, q schemadb.Querier, query string) (user, error) {
		return only(schemadb.Collect[user](ctx, q, query, 7))
	}},
	{"Collect of maps", selectUser, selectUser, query, func(ctx context.Context, q schemadb.Querier, query string) (user, error) {
		all, err := schemadb.Collect[map[string]any](ctx, q, query, 7)
		if err != nil || len(all) != 1 {
			return user{}, errors.Join(errors.New("not one row"), err)
		}
		return user{ID: all[0]["id"].(int64), Email: all[0]["email"].(string)}, nil
	}},
	{"Each", selectUser, selectUser, query, func(ctx context.Context, q schemadb.Querier, query string) (user, error) {
		var all []user
		for u, err := range schemadb.Each[user](ctx, q, query, 7) {
			if err != nil {
				return user{}, err
			}
			all = append(all, u)
		}
		return only(all, nil)
	}},
	{"Each left early", selectUser, selectUser, query, func(ctx context.Context, q schemadb.Querier, query string) (user, error) {
		for u, err := range schemadb.Each[user](ctx, q, query, 7) {
			return u, err
		}
		return user{}, sql.ErrNoRows
	}},
	{"InsertID", insertUserID, insertUserID + " RETURNING id", queryID, func(ctx context.Context, q schemadb.Querier, query string) (user, error) {
		id, err := q.InsertID(ctx, query, 7)
		return user{ID: id, Email: "ann"}, err
	}},
	{"Stmt.ExecContext", deleteUser, deleteUser, prepared(exec), func(ctx context.Context, q schemadb.Querier, query string) (user, error) {
		stmt, err := q.PreparexContext(ctx, query)
		if err != nil {
			return user{}, err
		}
		defer stmt.Close()
		return affected(stmt.ExecContext(ctx, 7))
	}},
	{"NamedStmt.QueryxContext", selectNamed, selectUser, prepared(query), func(ctx context.Context, q schemadb.Querier, query string) (user, error) {
		stmt, err := q.PrepareNamedContext(ctx, query)
		if err != nil {
			return user{}, err
		}
		defer stmt.Close()
		return scanned(stmt.QueryxContext(ctx, ann))
	}},
}

// bindings are what decides about a statement's schema.
var bindings = []struct {
	name   string
	schema string // of the facade
	ctx    func(context.Context) context.Context
	want   string
	fails  bool // the statement must not be sent
}{
	{name: "nothing", want: ""},
	{name: "bound", schema: "a", want: "a"},
	{name: "bound to an odd name", schema: odd, want: odd},
	{name: "bound, context says another", schema: "a", ctx: in("b"), want: "a"},
	{name: "bound, context says none", schema: "a", ctx: driver.WithoutSchema, want: "a"},
	{name: "bound, context is poisoned", schema: "a", ctx: in(""), want: "a"},
	{name: "unbound, context says one", ctx: in("b"), want: "b"},
	{name: "unbound, context says none", ctx: driver.WithoutSchema, want: ""},
	{name: "unbound, context is poisoned", ctx: in(""), fails: true},
	{name: "bound to no schema's name", schema: "pg_catalog", fails: true},
	{name: "bound to no schema's name, context says one", schema: "pg_catalog", ctx: in("b"), fails: true},
}

func in(schema string) func(context.Context) context.Context {
	return func(ctx context.Context) context.Context { return driver.WithSchema(ctx, schema) }
}

// sqlmock's driver expands nothing, so the facade has to: in every method, on DB, Tx and Conn.
func TestMockBindings(t *testing.T) {
	t.Parallel()
	for _, b := range bindings {
		for _, w := range ways {
			t.Run(b.name+"/"+w.name, func(t *testing.T) {
				pool, mock := newMock(t)
				db := schemadb.New(pool, b.schema)
				ctx := t.Context()
				if b.ctx != nil {
					ctx = b.ctx(ctx)
				}
				check := func(q schemadb.Querier) {
					t.Helper()
					if !b.fails {
						sent, err := driver.Expand(w.sent, b.want)
						wantNil(t, err)
						w.expect(mock, sent)
					}
					got, err := w.run(ctx, q, w.query)
					var schemaErr *driver.SchemaError
					switch {
					case b.fails && !errors.As(err, &schemaErr):
						t.Errorf("%T: error %v, want a *driver.SchemaError", q, err)
					case !b.fails && err != nil:
						t.Errorf("%T: %v", q, err)
					case !b.fails && got != ann:
						t.Errorf("%T: got %v, want %v", q, got, ann)
					}
				}
				check(db)

				// A Tx and a Conn of a facade that is bound to nothing must follow the statement's context.
				begin := t.Context()
				if b.fails && b.schema != "" {
					if _, err := db.BeginTxx(begin, nil); err == nil {
						t.Error("a transaction could begin")
					}
					if _, err := db.Connx(begin); err == nil {
						t.Error("a connection could be borrowed")
					}
					return
				}
				conn, err := db.Connx(begin)
				wantNil(t, err)
				check(conn)
				wantNil(t, conn.Close())
				mock.ExpectBegin()
				tx, err := db.BeginTxx(begin, nil)
				wantNil(t, err)
				check(tx)
				mock.ExpectCommit()
				wantNil(t, tx.Commit())
			})
		}
	}
}

// A statement without a context runs in the schema of its transaction's context.
func TestMockTransactionContext(t *testing.T) {
	t.Parallel()
	pool, mock := newMock(t)
	mock.ExpectBegin()
	exec(mock, `DELETE FROM "b".users WHERE id = $1`)
	mock.ExpectExec("SAVEPOINT pgdbm_1").WillReturnResult(sqlmock.NewResult(0, 0))
	exec(mock, `DELETE FROM "b".users WHERE id = $1`)
	exec(mock, `DELETE FROM "c".users WHERE id = $1`)
	exec(mock, `DELETE FROM users WHERE id = $1`)
	mock.ExpectExec("RELEASE SAVEPOINT pgdbm_1").WillReturnResult(sqlmock.NewResult(0, 0))
	mock.ExpectCommit()
	wantNil(t, schemadb.New(pool, "").InTx(driver.WithSchema(t.Context(), "b"), func(tx *schemadb.Tx) error {
		tx.MustExec(deleteUser, 7)
		return tx.InTx(t.Context(), func(tx *schemadb.Tx) error {
			tx.MustExec(deleteUser, 7)
			tx.MustExecContext(driver.WithSchema(t.Context(), "c"), deleteUser, 7)
			tx.MustExecContext(driver.WithoutSchema(t.Context()), deleteUser, 7)
			return nil
		})
	}))
}
