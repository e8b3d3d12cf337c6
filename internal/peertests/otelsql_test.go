package peertests

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/XSAM/otelsql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

// seen is the SQL that otelsql has seen.
type seen struct {
	mu  sync.Mutex
	sql []string
}

func (s *seen) option() otelsql.Option {
	return otelsql.WithSpanNameFormatter(func(_ context.Context, method otelsql.Method, query string) string {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sql = append(s.sql, query)
		return string(method)
	})
}

func (s *seen) has(query string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.sql, query)
}

// traced are the ways to put otelsql around a driver. The DSN names the schema dsn where the driver can know it.
var traced = []struct {
	name  string
	pgdbm bool
	open  func(dsn string, opts ...otelsql.Option) (*sql.DB, error)
}{
	{"driver.NewConnector", true, func(dsn string, opts ...otelsql.Option) (*sql.DB, error) {
		connector, err := driver.NewConnector(withKeys(dsn, "schema=dsn", "schema_mode=template"))
		if err != nil {
			return nil, err
		}
		return otelsql.OpenDB(connector, opts...), nil
	}},
	{"the name pgdbm", true, func(dsn string, opts ...otelsql.Option) (*sql.DB, error) {
		return otelsql.Open(driver.Name, withKeys(dsn, "schema=dsn", "schema_mode=template"), opts...)
	}},
	{"stdlib.GetConnector", false, func(dsn string, opts ...otelsql.Option) (*sql.DB, error) {
		config, err := pgx.ParseConfig(dsn)
		if err != nil {
			return nil, err
		}
		return otelsql.OpenDB(stdlib.GetConnector(*config), opts...), nil
	}},
}

// onTraced runs a test on pools that otelsql has opened. Unbound is the schema of a statement that nothing binds but the
// DSN.
func onTraced(t *testing.T, test func(t *testing.T, pool *sql.DB, sql *seen, pgdbm bool, unbound string)) {
	t.Helper()
	for _, way := range traced {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			var sql seen
			pool, err := way.open(newUsers(t, "a", "b", "dsn"), sql.option())
			wantNil(t, err)
			closeIdle(t, pool)
			unbound := "public"
			if way.pgdbm {
				unbound = "dsn"
			}
			test(t, pool, &sql, way.pgdbm, unbound)
		})
	}
}

const firstEmail = "SELECT email FROM {{tables.users}} WHERE id = $1"

// emailWays are the ways to read, all of which go through database/sql here.
var emailWays = map[string]func(ctx context.Context, q schemadb.Querier) (string, error){
	"Query": func(ctx context.Context, q schemadb.Querier) (string, error) {
		all, err := scanEmails(q.QueryContext(ctx, firstEmail, 1))
		return slices.Concat(all, []string{""})[0], err
	},
	"QueryRowx": func(ctx context.Context, q schemadb.Querier) (email string, err error) {
		err = q.QueryRowxContext(ctx, firstEmail, 1).Scan(&email)
		return email, err
	},
	"Get": func(ctx context.Context, q schemadb.Querier) (email string, err error) {
		err = q.GetContext(ctx, &email, firstEmail, 1)
		return email, err
	},
	"Select": func(ctx context.Context, q schemadb.Querier) (string, error) {
		var all []user
		err := q.SelectContext(ctx, &all, "SELECT * FROM {{tables.users}} WHERE id = $1", 1)
		return append(all, user{})[0].Email, err
	},
	"NamedQuery": func(ctx context.Context, q schemadb.Querier) (string, error) {
		u, err := scanned(q.NamedQueryContext(ctx, "SELECT * FROM {{tables.users}} WHERE id = :id", user{ID: 1}))
		return u.Email, err
	},
	"One": func(ctx context.Context, q schemadb.Querier) (string, error) {
		u, err := schemadb.One[*user](ctx, q, "SELECT * FROM {{tables.users}} WHERE id = $1", 1)
		if err != nil {
			return "", err
		}
		return u.Email, nil
	},
	"Value": func(ctx context.Context, q schemadb.Querier) (string, error) {
		return schemadb.Value[string](ctx, q, firstEmail, 1)
	},
	"Each": func(ctx context.Context, q schemadb.Querier) (string, error) {
		for email, err := range schemadb.Each[string](ctx, q, firstEmail, 1) {
			return email, err
		}
		return "", sql.ErrNoRows
	},
	"Preparex": func(ctx context.Context, q schemadb.Querier) (email string, err error) {
		stmt, err := q.PreparexContext(ctx, firstEmail)
		if err != nil {
			return "", err
		}
		defer stmt.Close()
		if err := stmt.QueryRowContext(ctx, 1).Scan(&email); err != nil {
			return "", err
		}
		var again string
		err = stmt.GetContext(ctx, &again, 1)
		return again, errors.Join(err, wantSame(again, email))
	},
}

func wantSame(a, b string) error {
	if a != b {
		return errors.New(a + " is not " + b)
	}
	return nil
}

func TestTracedBindings(t *testing.T) {
	t.Parallel()
	onTraced(t, func(t *testing.T, pool *sql.DB, seen *seen, pgdbm bool, unbound string) {
		for _, b := range []struct {
			name, schema string
			begin        func(context.Context) context.Context // of the transaction, the connection
			ctx          func(context.Context) context.Context // of the statement
			want, wantTx string
		}{
			{"bound", "a", nil, nil, "a", "a"},
			{"bound, context says another", "a", in("b"), in("b"), "a", "a"},
			{"bound, context says none", "a", nil, driver.WithoutSchema, "a", "a"},
			{"unbound", "", nil, nil, unbound, unbound},
			{"unbound, context says one", "", nil, in("b"), "b", "b"},
			{"unbound, context says none", "", in("b"), driver.WithoutSchema, "public", "public"},
			{"unbound, the transaction's says one", "", in("b"), nil, unbound, "b"},
			{"unbound, the transaction's says one, the statement's another", "", in("b"), in("a"), "a", "a"},
		} {
			db := schemadb.New(pool, b.schema)
			begin, ctx := t.Context(), t.Context()
			if b.begin != nil {
				begin = b.begin(begin)
			}
			if b.ctx != nil {
				ctx = b.ctx(ctx)
			}
			for name, read := range emailWays {
				check := func(q schemadb.Querier, want string) {
					t.Helper()
					if got, err := read(ctx, q); got != want || err != nil {
						t.Errorf("%s: %s on %T: got %q, %v; want %q", b.name, name, q, got, err, want)
					}
				}
				check(db, b.want)
				conn, err := db.Connx(begin)
				wantNil(t, err)
				check(conn, b.want)
				wantNil(t, conn.Close())
				wantNil(t, db.InTx(begin, func(tx *schemadb.Tx) error {
					check(tx, b.wantTx)
					return tx.InTx(t.Context(), func(tx *schemadb.Tx) error {
						check(tx, b.wantTx)
						return nil
					})
				}))
			}
		}
		// A trace has one text for all schemas where the driver expands it.
		if seen.has(firstEmail) != pgdbm || seen.has(`SELECT email FROM "a".users WHERE id = $1`) == pgdbm {
			t.Error("otelsql has not seen what the facade sends to the driver")
		}
	})
}

// Writes of transactions stay or go as a whole.
func TestTracedTransactions(t *testing.T) {
	t.Parallel()
	onTraced(t, func(t *testing.T, pool *sql.DB, _ *seen, _ bool, _ string) {
		ctx := driver.WithSchema(t.Context(), "b")
		db := schemadb.New(pool, "a")
		insert := func(tx *schemadb.Tx, email string) {
			t.Helper()
			_, err := tx.NamedExecContext(ctx, "INSERT INTO {{tables.users}} (email) VALUES (:email)", user{Email: email})
			wantNil(t, err)
		}
		err := db.InTx(ctx, func(tx *schemadb.Tx) error {
			insert(tx, "gone")
			return errFirst
		})
		wantAll(t, err, []error{errFirst})
		wantNil(t, db.InTx(ctx, func(tx *schemadb.Tx) error {
			insert(tx, "kept")
			wantAll(t, tx.InTx(ctx, func(tx *schemadb.Tx) error {
				insert(tx, "gone")
				return errFirst
			}), []error{errFirst})
			wantNil(t, tx.InTx(ctx, func(tx *schemadb.Tx) error {
				insert(tx, "too")
				return nil
			}))
			for _, err := range schemadb.Each[user](ctx, tx, "SELECT * FROM {{tables.users}}") {
				wantNil(t, err)
				break // the next statement needs the connection
			}
			wantEmails(t, tx, "a kept too")
			return nil
		}))
		tx, err := db.BeginTxx(ctx, nil)
		wantNil(t, err)
		for _, err := range schemadb.Each[user](ctx, tx, "SELECT * FROM {{tables.users}}") {
			if err != nil {
				wantAll(t, err, []error{sql.ErrTxDone})
				continue
			}
			wantNil(t, tx.Commit()) // closes the rows
		}
		wantEmails(t, db, "a kept too")
		wantEmails(t, schemadb.New(pool, "b"), "b")
	})
}

// What the facade cannot do behind a wrapper.
func TestTracedLimits(t *testing.T) {
	t.Parallel()
	onTraced(t, func(t *testing.T, pool *sql.DB, _ *seen, pgdbm bool, _ string) {
		ctx := t.Context()
		a, free := schemadb.New(pool, "a"), schemadb.New(pool, "")

		n, err := a.ExecMany(ctx, insertUser, [][]any{{"x"}, {"y"}})
		if n != 2 || err != nil {
			t.Errorf("ExecMany: got %d, %v", n, err)
		}
		_, err = a.ExecMany(ctx, "INSERT INTO {{tables.users}} (id) VALUES ($1)", [][]any{{50}, {1}})
		var row *schemadb.RowError
		if !errors.As(err, &row) || row.Row != 1 || !schemadb.IsUniqueViolation(err) {
			t.Errorf("ExecMany: error %v, want one of row 1", err)
		}
		wantEmails(t, a, "a x y")
		_, err = a.CopyFrom(ctx, "users", []string{"email"}, [][]any{{"x"}})
		wantError(t, err, "CopyFrom", "wraps", "ExecMany")

		// A *sql.Tx can be kept in its schema only by our driver, a *sql.Stmt only by its text or by our driver itself.
		tx, err := a.BeginTx(ctx, nil)
		if pgdbm {
			wantNil(t, err)
			var email string
			wantNil(t, tx.QueryRowContext(driver.WithSchema(ctx, "b"), firstEmail, 1).Scan(&email))
			if email != "a" {
				t.Errorf("the *sql.Tx reads the schema of %q", email)
			}
			wantNil(t, tx.Rollback())
		} else {
			wantError(t, err, "BeginTxx or InTx")
		}
		_, err = a.PrepareContext(ctx, firstEmail)
		if pgdbm {
			wantError(t, err, "PreparexContext", "wraps")
		} else {
			wantNil(t, err)
		}

		// Whether the DSN names a schema, only our driver can say.
		if pgdbm {
			_, err = free.TableExists(ctx, "users")
			wantError(t, err, "DSN", "ForSchema")
			_, err = free.Expand(firstEmail)
			wantError(t, err, "wraps")
			wantError(t, free.EnsureSchema(ctx), "DSN", "ForSchema")
		}
		if ok, err := a.TableExists(ctx, "users"); !ok || err != nil {
			t.Errorf("TableExists: %v, %v", ok, err)
		}
	})
}

// The first statement of a facade may get a connection that database/sql has opened in the background, for somebody who
// waited. The wrapped driver must be recognized even so: else the DSN's schema would not count.
func TestTracedFirstConnection(t *testing.T) {
	t.Parallel()
	onTraced(t, func(t *testing.T, pool *sql.DB, _ *seen, _ bool, unbound string) {
		pool.SetMaxOpenConns(1)
		held, err := pool.Conn(t.Context())
		wantNil(t, err)
		db := schemadb.New(pool, "")
		got := make(chan error, 1)
		go func() {
			email, err := schemadb.Value[string](t.Context(), db, firstEmail, 1)
			got <- errors.Join(err, wantSame(email, unbound))
		}()
		eventually(t, "the facade waits for a connection", func() bool { return pool.Stats().WaitCount == 1 })
		// A broken connection makes database/sql open another one for the facade.
		err = held.Raw(func(any) error { return sqldriver.ErrBadConn })
		wantAll(t, err, []error{sqldriver.ErrBadConn})
		if err := <-got; err != nil {
			t.Error(err)
		}
		wantEmails(t, db, unbound)
	})
}
