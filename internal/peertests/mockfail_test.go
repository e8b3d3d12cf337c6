package peertests

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/schemadb"
)

var (
	errFirst  = errors.New("first failure")
	errSecond = errors.New("second failure")
	errBad    = sqldriver.ErrBadConn
)

// failure is something that only a failing driver does.
type failure struct {
	name   string
	expect func(mock sqlmock.Sqlmock)
	run    func(ctx context.Context, db *schemadb.DB) error
	want   []error // all of them can be reached; none means success
}

// done is the result of statements that change no row.
var done = sqlmock.NewResult(0, 0)

const (
	sentDelete = `DELETE FROM "a".users WHERE id = $1`
	sentSelect = `SELECT id, email FROM "a".users WHERE id = $1`
	sentInsert = `INSERT INTO "a".users (email) VALUES ($1)`
)

func succeed(*schemadb.Tx) error { return nil }
func fail(*schemadb.Tx) error    { return errFirst }

// inTx runs fn in a transaction of the default kind.
func inTx(fn func(*schemadb.Tx) error) func(context.Context, *schemadb.DB) error {
	return func(ctx context.Context, db *schemadb.DB) error { return db.InTx(ctx, fn) }
}

// nested runs fn in a transaction within a transaction.
func nested(fn func(*schemadb.Tx) error) func(context.Context, *schemadb.DB) error {
	return inTx(func(tx *schemadb.Tx) error { return tx.InTx(context.Background(), fn) })
}

var txFailures = []failure{
	{"Begin", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin().WillReturnError(errFirst)
	}, inTx(succeed), []error{errFirst}},
	{"Commit", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin()
		mock.ExpectCommit().WillReturnError(errFirst)
	}, inTx(succeed), []error{errFirst}},
	{"the closure", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin()
		mock.ExpectRollback()
	}, inTx(fail), []error{errFirst}},
	{"the closure and Rollback", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin()
		mock.ExpectRollback().WillReturnError(errSecond)
	}, inTx(fail), []error{errFirst, errSecond}},
	{"Rollback, asked for", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin()
		mock.ExpectRollback().WillReturnError(errFirst)
	}, func(ctx context.Context, db *schemadb.DB) error {
		tx, err := db.BeginTxx(ctx, nil)
		return errors.Join(err, tx.Rollback())
	}, []error{errFirst}},
	{"SAVEPOINT", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin()
		mock.ExpectExec("SAVEPOINT pgdbm_1").WillReturnError(errFirst)
		mock.ExpectRollback()
	}, nested(succeed), []error{errFirst}},
	{"RELEASE", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin()
		mock.ExpectExec("SAVEPOINT pgdbm_1").WillReturnResult(done)
		mock.ExpectExec("RELEASE SAVEPOINT pgdbm_1").WillReturnError(errFirst)
		mock.ExpectRollback()
	}, nested(succeed), []error{errFirst}},
	{"the closure and ROLLBACK TO", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin()
		mock.ExpectExec("SAVEPOINT pgdbm_1").WillReturnResult(done)
		mock.ExpectExec("ROLLBACK TO SAVEPOINT pgdbm_1").WillReturnError(errSecond)
		mock.ExpectRollback()
	}, nested(fail), []error{errFirst, errSecond}},
	{"the closure, RELEASE and Rollback", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin()
		mock.ExpectExec("SAVEPOINT pgdbm_1").WillReturnResult(done)
		mock.ExpectExec("ROLLBACK TO SAVEPOINT pgdbm_1").WillReturnResult(done)
		mock.ExpectExec("RELEASE SAVEPOINT pgdbm_1").WillReturnError(errSecond)
		mock.ExpectRollback().WillReturnError(sql.ErrConnDone)
	}, nested(fail), []error{errFirst, errSecond}},
	{"the inner closure, which the outer forgives", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin()
		mock.ExpectExec("SAVEPOINT pgdbm_1").WillReturnResult(done)
		mock.ExpectExec("ROLLBACK TO SAVEPOINT pgdbm_1").WillReturnResult(done)
		mock.ExpectExec("RELEASE SAVEPOINT pgdbm_1").WillReturnResult(done)
		mock.ExpectCommit()
	}, inTx(func(tx *schemadb.Tx) error {
		if err := tx.InTx(context.Background(), fail); !errors.Is(err, errFirst) {
			return err
		}
		return nil
	}), nil},
	{"Commit, with a serialization failure", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin()
		mock.ExpectCommit().WillReturnError(&pgconn.PgError{Code: "40001"})
		mock.ExpectBegin()
		mock.ExpectCommit()
	}, func(ctx context.Context, db *schemadb.DB) error {
		return db.InTx(ctx, succeed, schemadb.WithRetry(2))
	}, nil},
	{"a statement, with a deadlock, twice", func(mock sqlmock.Sqlmock) {
		for range 2 {
			mock.ExpectBegin()
			mock.ExpectExec(sentDelete).WithArgs(7).WillReturnError(errDeadlock)
			mock.ExpectRollback()
		}
	}, func(ctx context.Context, db *schemadb.DB) error {
		return db.InTx(ctx, func(tx *schemadb.Tx) error {
			_, err := tx.ExecContext(ctx, deleteUser, 7)
			return err
		}, schemadb.WithRetry(2))
	}, []error{errDeadlock}},
	{"a deadlock without WithRetry", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin()
		mock.ExpectCommit().WillReturnError(errDeadlock)
	}, inTx(succeed), []error{errDeadlock}},
	{"the connection in a statement", func(mock sqlmock.Sqlmock) {
		// What came before it in the transaction is lost, so nothing may be tried again.
		mock.ExpectBegin()
		mock.ExpectExec(sentDelete).WithArgs(7).WillReturnError(errBad)
		mock.ExpectRollback().WillReturnError(errBad)
	}, inTx(func(tx *schemadb.Tx) error {
		_, err := tx.Exec(deleteUser, 7)
		return err
	}), []error{errBad}},
}

var errDeadlock = &pgconn.PgError{Code: "40P01"}

var prepareFailures = []failure{
	{"Prepare", func(mock sqlmock.Sqlmock) {
		mock.ExpectPrepare(sentSelect).WillReturnError(errFirst)
	}, func(ctx context.Context, db *schemadb.DB) error {
		_, err := db.PreparexContext(ctx, selectUser)
		return err
	}, []error{errFirst}},
	{"Prepare of a named statement", func(mock sqlmock.Sqlmock) {
		mock.ExpectPrepare(sentSelect).WillReturnError(errFirst)
	}, func(ctx context.Context, db *schemadb.DB) error {
		_, err := db.PrepareNamedContext(ctx, selectNamed)
		return err
	}, []error{errFirst}},
	{"Close of a statement", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin()
		mock.ExpectPrepare(sentSelect).WillReturnCloseError(errFirst)
		mock.ExpectRollback()
	}, inTx(func(tx *schemadb.Tx) error {
		stmt, err := tx.Preparex(selectUser)
		return errors.Join(err, stmt.Close())
	}), []error{errFirst}},
	{"ExecMany, Begin", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin().WillReturnError(errFirst)
	}, execMany([][]any{{"a"}}), []error{errFirst}},
	{"ExecMany, Prepare", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin()
		mock.ExpectPrepare(sentInsert).WillReturnError(errFirst)
		mock.ExpectRollback()
	}, execMany([][]any{{"a"}}), []error{errFirst}},
	{"ExecMany, RowsAffected", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin()
		mock.ExpectPrepare(sentInsert).WillBeClosed()
		mock.ExpectExec(sentInsert).WithArgs("a").WillReturnResult(sqlmock.NewErrorResult(errFirst))
		mock.ExpectRollback()
	}, execMany([][]any{{"a"}}), []error{errFirst}},
	{"ExecMany, Commit", func(mock sqlmock.Sqlmock) {
		mock.ExpectBegin()
		mock.ExpectPrepare(sentInsert).WillBeClosed()
		mock.ExpectExec(sentInsert).WithArgs("a").WillReturnResult(done)
		mock.ExpectCommit().WillReturnError(errFirst)
	}, execMany([][]any{{"a"}}), []error{errFirst}},
}

func execMany(rows any) func(context.Context, *schemadb.DB) error {
	return func(ctx context.Context, db *schemadb.DB) error {
		n, err := db.ExecMany(ctx, insertUser, rows)
		if n != 0 {
			return errors.New("rows that were rolled back are counted")
		}
		return err
	}
}

func TestMockFailures(t *testing.T) {
	t.Parallel()
	for _, f := range slices.Concat(txFailures, prepareFailures) {
		t.Run(f.name, func(t *testing.T) {
			pool, mock := newMock(t)
			f.expect(mock)
			wantAll(t, f.run(t.Context(), schemadb.New(pool, "a")), f.want)
		})
	}
}

// wantAll fails the test unless errors.Is finds all of want in err.
func wantAll(t *testing.T, err error, want []error) {
	t.Helper()
	if len(want) == 0 && err != nil {
		t.Errorf("error %v, want none", err)
	}
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("error %v, want %v in it", err, w)
		}
	}
}

// A panic and a Goexit end the transaction, and go on.
func TestMockPanic(t *testing.T) {
	t.Parallel()
	for _, outerOnly := range []bool{true, false} {
		for name, leave := range map[string]func(){"panic": func() { panic(errFirst) }, "Goexit": runtime.Goexit} {
			t.Run(fmt.Sprint(name, outerOnly), func(t *testing.T) {
				pool, mock := newMock(t)
				mock.ExpectBegin()
				if !outerOnly {
					mock.ExpectExec("SAVEPOINT pgdbm_1").WillReturnResult(done)
					mock.ExpectExec("ROLLBACK TO SAVEPOINT pgdbm_1").WillReturnResult(done)
					mock.ExpectExec("RELEASE SAVEPOINT pgdbm_1").WillReturnResult(done)
				}
				mock.ExpectRollback()
				run := nested
				if outerOnly {
					run = inTx
				}
				left := leaves(func() {
					_ = run(func(*schemadb.Tx) error { leave(); return nil })(t.Context(), schemadb.New(pool, "a"))
				})
				if left != name {
					t.Errorf("the closure was left by %s, InTx by %s", name, left)
				}
			})
		}
	}
}

// leaves says how fn is left.
func leaves(fn func()) (how string) {
	done := make(chan string, 1)
	go func() {
		how := "Goexit"
		defer func() {
			if recover() != nil {
				how = "panic"
			}
			done <- how
		}()
		fn()
		how = "return"
	}()
	return <-done
}

// reads are the ways to read several rows, and what they do with the rows before an error.
var reads = []struct {
	name string
	all  bool // it reads all rows; else the first is enough
	run  func(ctx context.Context, db *schemadb.DB, query string) error
}{
	{"Get", false, func(ctx context.Context, db *schemadb.DB, query string) error {
		u := user{ID: -1}
		err := db.GetContext(ctx, &u, query, 7)
		if err != nil && u.ID != -1 {
			return errors.New("Get has changed its destination")
		}
		return err
	}},
	{"Select", true, func(ctx context.Context, db *schemadb.DB, query string) error {
		all := []user{{ID: -1}}
		err := db.SelectContext(ctx, &all, query, 7)
		if err != nil && len(all) != 1 {
			return errors.New("Select has changed its destination")
		}
		return err
	}},
	{"One", true, func(ctx context.Context, db *schemadb.DB, query string) error {
		u, err := schemadb.One[user](ctx, db, query, 7)
		if err != nil && u != (user{}) {
			return errors.New("One has returned a value with an error")
		}
		return err
	}},
	{"Collect", true, func(ctx context.Context, db *schemadb.DB, query string) error {
		all, err := schemadb.Collect[user](ctx, db, query, 7)
		if err != nil && all != nil {
			return errors.New("Collect has returned rows with an error")
		}
		return err
	}},
	{"Each", true, func(ctx context.Context, db *schemadb.DB, query string) error {
		rows := 0
		for u, err := range schemadb.Each[user](ctx, db, query, 7) {
			if err == nil {
				rows++
				continue
			}
			if rows != 1 || u != (user{}) {
				return errors.New("Each has not returned the row before the error, or a value with it")
			}
			return err
		}
		return nil
	}},
	{"Queryx", true, func(ctx context.Context, db *schemadb.DB, query string) error {
		_, err := scanned(db.QueryxContext(ctx, query, 7))
		return err
	}},
}

// The driver fails in the middle of rows, or when they are closed.
func TestMockRowsFail(t *testing.T) {
	t.Parallel()
	for _, read := range reads {
		t.Run(read.name, func(t *testing.T) {
			pool, mock := newMock(t)
			db := schemadb.New(pool, "a")
			expect := func(rows *sqlmock.Rows) {
				mock.ExpectQuery(sentSelect).WithArgs(7).WillReturnRows(rows).RowsWillBeClosed()
			}
			rows := func(n int) *sqlmock.Rows {
				rows := sqlmock.NewRows([]string{"id", "email"})
				for i := range n {
					rows.AddRow(int64(i), "x")
				}
				return rows
			}

			var want []error
			if read.all {
				want = []error{errFirst}
			}
			expect(rows(2).RowError(1, errFirst))
			wantAll(t, read.run(t.Context(), db, selectUser), want)

			expect(rows(1).CloseError(errFirst))
			wantAll(t, read.run(t.Context(), db, selectUser), []error{errFirst})

			mock.ExpectQuery(sentSelect).WithArgs(7).WillReturnError(errFirst)
			if read.name != "Each" { // which insists on a row before the error here
				wantAll(t, read.run(t.Context(), db, selectUser), []error{errFirst})
			} else {
				for _, err := range schemadb.Each[user](t.Context(), db, selectUser, 7) {
					wantAll(t, err, []error{errFirst})
				}
			}
		})
	}
}

// Value takes the first row, and One wants no other.
func TestMockRowCounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		rows int
		run  func(ctx context.Context, db *schemadb.DB) error
		want []error
	}{
		{"One of none", 0, func(ctx context.Context, db *schemadb.DB) error {
			_, err := schemadb.One[int64](ctx, db, selectUser, 7)
			return err
		}, []error{sql.ErrNoRows}},
		{"One of two", 2, func(ctx context.Context, db *schemadb.DB) error {
			_, err := schemadb.One[int64](ctx, db, selectUser, 7)
			return err
		}, []error{schemadb.ErrTooManyRows}},
		{"Value of none", 0, func(ctx context.Context, db *schemadb.DB) error {
			_, err := schemadb.Value[int64](ctx, db, selectUser, 7)
			return err
		}, []error{sql.ErrNoRows}},
		{"Value of two", 2, func(ctx context.Context, db *schemadb.DB) error {
			v, err := schemadb.Value[int64](ctx, db, selectUser, 7)
			if v != 0 {
				return errors.New("not the first")
			}
			return err
		}, nil},
		{"Get of none", 0, func(ctx context.Context, db *schemadb.DB) error {
			var v int64
			return db.GetContext(ctx, &v, selectUser, 7)
		}, []error{sql.ErrNoRows}},
		{"Collect of none", 0, func(ctx context.Context, db *schemadb.DB) error {
			all, err := schemadb.Collect[int64](ctx, db, selectUser, 7)
			if all == nil {
				return errors.New("the slice is nil")
			}
			return err
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool, mock := newMock(t)
			rows := sqlmock.NewRows([]string{"id"})
			for i := range tt.rows {
				rows.AddRow(int64(i))
			}
			mock.ExpectQuery(sentSelect).WithArgs(7).WillReturnRows(rows).RowsWillBeClosed()
			wantAll(t, tt.run(t.Context(), schemadb.New(pool, "a")), tt.want)
		})
	}
}

// A loop that is left by a panic gives its connection back; one that is never begun sends nothing.
func TestMockEachLeft(t *testing.T) {
	t.Parallel()
	pool, mock := newMock(t)
	db := schemadb.New(pool, "a")
	all := schemadb.Each[user](t.Context(), db, selectUser, 7)
	for name, leave := range map[string]func(){"panic": func() { panic(errFirst) }, "Goexit": runtime.Goexit} {
		query(mock, sentSelect)
		how := leaves(func() {
			for range all {
				leave()
			}
		})
		if how != name {
			t.Errorf("%s came out as %s", name, how)
		}
		wantIdle(t, pool)
	}
	next, stop := iter.Pull2(all)
	query(mock, sentSelect)
	if u, err, ok := next(); u != ann || err != nil || !ok {
		t.Errorf("Pull2 got %v, %v, %v", u, err, ok)
	}
	stop()
}

// TestMockBadConn breaks connections before anything is sent: the statement is tried again on others, but not for ever.
func TestMockBadConn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		idle  int                                   // how many connections are open
		fails func(mock sqlmock.Sqlmock, err error) // the statement on a broken connection
		works func(mock sqlmock.Sqlmock)
		run   func(ctx context.Context, db *schemadb.DB) error
	}{
		{"Exec", 1, func(mock sqlmock.Sqlmock, err error) {
			mock.ExpectExec(sentDelete).WithArgs(7).WillReturnError(err)
		}, func(mock sqlmock.Sqlmock) { exec(mock, sentDelete) }, runWay("ExecContext")},
		{"Query", 1, failQuery, func(mock sqlmock.Sqlmock) { query(mock, sentSelect) }, runWay("QueryContext")},
		{"Get", 1, failQuery, func(mock sqlmock.Sqlmock) { query(mock, sentSelect) }, runWay("GetContext")},
		{"Select", 1, failQuery, func(mock sqlmock.Sqlmock) { query(mock, sentSelect) }, runWay("SelectContext")},
		{"Each", 1, failQuery, func(mock sqlmock.Sqlmock) { query(mock, sentSelect) }, runWay("Each")},
		{"Prepare", 1, func(mock sqlmock.Sqlmock, err error) {
			mock.ExpectPrepare(sentDelete).WillReturnError(err)
		}, func(mock sqlmock.Sqlmock) { prepared(exec)(mock, sentDelete) }, runWay("Stmt.ExecContext")},
		{"Begin", 1, failBegin, func(mock sqlmock.Sqlmock) {
			mock.ExpectBegin()
			mock.ExpectCommit()
		}, inTx(succeed)},
		{"Begin, all of the pool are broken", 5, failBegin, func(mock sqlmock.Sqlmock) {
			mock.ExpectBegin()
			mock.ExpectCommit()
		}, inTx(succeed)},
		{"ExecMany", 1, failBegin, func(mock sqlmock.Sqlmock) {
			mock.ExpectBegin()
			mock.ExpectPrepare(sentInsert).WillBeClosed()
			mock.ExpectExec(sentInsert).WithArgs("a").WillReturnResult(done)
			mock.ExpectCommit()
		}, func(ctx context.Context, db *schemadb.DB) error {
			_, err := db.ExecMany(ctx, insertUser, [][]any{{"a"}})
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool, mock := newMock(t)
			openIdle(t, pool, tt.idle)
			db := schemadb.New(pool, "a")
			for range tt.idle {
				tt.fails(mock, errBad)
			}
			tt.works(mock)
			wantNil(t, tt.run(t.Context(), db))
			wantIdle(t, pool)
			wantNil(t, mock.ExpectationsWereMet())
			if n := pool.Stats().OpenConnections; n != 1 {
				t.Errorf("%d connections are open, want the one that works", n)
			}

			// For ever: the mock has more failures than anybody should try.
			openIdle(t, pool, 3)
			for range 30 {
				tt.fails(mock, errBad)
			}
			wantAll(t, tt.run(t.Context(), db), []error{errBad})
			if err := mock.ExpectationsWereMet(); err == nil {
				t.Error("it was tried 30 times")
			}
			for range 30 { // so that nothing is left of the failures
				if mock.ExpectationsWereMet() != nil && tt.run(t.Context(), db) == nil {
					t.Error("no error")
				}
			}
		})
	}
}

func failQuery(mock sqlmock.Sqlmock, err error) {
	mock.ExpectQuery(sentSelect).WithArgs(7).WillReturnError(err)
}

func failBegin(mock sqlmock.Sqlmock, err error) { mock.ExpectBegin().WillReturnError(err) }

// runWay runs one of the ways.
func runWay(name string) func(context.Context, *schemadb.DB) error {
	i := slices.IndexFunc(ways, func(w way) bool { return w.name == name })
	return func(ctx context.Context, db *schemadb.DB) error {
		got, err := ways[i].run(ctx, db, ways[i].query)
		if err == nil && got != ann {
			return errors.New("it read something else")
		}
		return err
	}
}

// openIdle opens connections, which then are idle in the pool.
func openIdle(t *testing.T, pool *sql.DB, n int) {
	t.Helper()
	pool.SetMaxIdleConns(n)
	for range n {
		conn, err := pool.Conn(t.Context())
		wantNil(t, err)
		defer conn.Close()
	}
}

// On a connection of its own a statement is not tried again: somebody may rely on the session.
func TestMockBadConnOfConn(t *testing.T) {
	t.Parallel()
	pool, mock := newMock(t)
	conn, err := schemadb.New(pool, "a").Connx(t.Context())
	wantNil(t, err)
	mock.ExpectExec(sentDelete).WithArgs(7).WillReturnError(errBad)
	_, err = conn.Exec(deleteUser, 7)
	wantAll(t, err, []error{errBad})
	_, err = conn.Exec(deleteUser, 7)
	wantAll(t, err, []error{sql.ErrConnDone})
	wantAll(t, conn.Close(), []error{sql.ErrConnDone})
	if n := pool.Stats().OpenConnections; n != 0 {
		t.Errorf("%d connections are open", n)
	}
}

// ExecMany without pgx executes a prepared statement for each row, and says which one failed.
func TestMockExecMany(t *testing.T) {
	t.Parallel()
	const named = "INSERT INTO {{tables.users}} (email) VALUES (:email)"
	for _, tt := range []struct {
		name  string
		query string
		rows  any
		fails int // the row, -1 for none
	}{
		{"all", insertUser, [][]any{{"r0"}, {"r1"}, {"r2"}}, -1},
		{"first", insertUser, [][]any{{"r0"}, {"r1"}}, 0},
		{"last", insertUser, slices.Values([][]any{{"r0"}, {"r1"}, {"r2"}}), 2},
		{"structs", named, []user{{Email: "r0"}, {Email: "r1"}}, 1},
		{"maps", named, []map[string]any{{"email": "r0"}, {"email": "r1"}}, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool, mock := newMock(t)
			mock.ExpectBegin()
			mock.ExpectPrepare(sentInsert).WillBeClosed()
			for i, email := range []string{"r0", "r1", "r2"}[:rowCount(tt.rows)] {
				expected := mock.ExpectExec(sentInsert).WithArgs(email)
				if i == tt.fails {
					expected.WillReturnError(errFirst)
					break
				}
				expected.WillReturnResult(sqlmock.NewResult(0, 2))
			}
			if tt.fails < 0 {
				mock.ExpectCommit()
			} else {
				mock.ExpectRollback()
			}
			n, err := schemadb.New(pool, "a").ExecMany(t.Context(), tt.query, tt.rows)
			if tt.fails < 0 {
				if want := int64(2 * rowCount(tt.rows)); n != want || err != nil {
					t.Errorf("got %d, %v; want %d", n, err, want)
				}
				return
			}
			var row *schemadb.RowError
			if n != 0 || !errors.As(err, &row) || row.Row != tt.fails || !errors.Is(err, errFirst) {
				t.Errorf("got %d, %v; want a failure in row %d", n, err, tt.fails)
			}
		})
	}
}

func rowCount(rows any) int {
	switch rows := rows.(type) {
	case [][]any:
		return len(rows)
	case []user:
		return len(rows)
	case []map[string]any:
		return len(rows)
	case iter.Seq[[]any]:
		return len(slices.Collect(rows))
	}
	panic("unknown rows")
}

// The number of the row counts from the beginning, not from that of the batch.
func TestMockExecManyBatches(t *testing.T) {
	t.Parallel()
	const sent, fails = 1200, 1150
	pool, mock := newMock(t)
	mock.ExpectBegin()
	mock.ExpectPrepare(sentInsert).WillBeClosed()
	var rows [][]any
	for i := range sent {
		rows = append(rows, []any{int64(i)})
		switch {
		case i == 1000:
			mock.ExpectPrepare(sentInsert).WillBeClosed()
			fallthrough
		case i < fails:
			mock.ExpectExec(sentInsert).WithArgs(i).WillReturnResult(done)
		case i == fails:
			mock.ExpectExec(sentInsert).WithArgs(i).WillReturnError(errFirst)
		}
	}
	mock.ExpectRollback()
	_, err := schemadb.New(pool, "a").ExecMany(t.Context(), insertUser, rows)
	var row *schemadb.RowError
	if !errors.As(err, &row) || row.Row != fails {
		t.Errorf("got %v; want a failure in row %d", err, fails)
	}
}

// What only pgx or only pgdbm's driver can do is refused before anything is sent, and the error names the way out.
func TestMockRefused(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	onConn := func(fn func(*schemadb.Conn) error) func(*schemadb.DB) error {
		return func(db *schemadb.DB) error {
			conn, err := db.Connx(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			return fn(conn)
		}
	}
	copied := func(q schemadb.Querier) error {
		n, err := q.CopyFrom(ctx, "users", []string{"id"}, [][]any{{1}})
		if n != 0 {
			return errors.New("rows are counted")
		}
		return err
	}
	for _, tt := range []struct {
		name   string
		schema string
		run    func(db *schemadb.DB) error
		method string // of the *RefusedError, "" if it is another error
		words  []string
	}{
		{"CopyFrom", "a", func(db *schemadb.DB) error { return copied(db) }, "", []string{"CopyFrom", "use ExecMany"}},
		{"CopyFrom on a Conn", "a", onConn(func(c *schemadb.Conn) error { return copied(c) }), "", []string{"use ExecMany"}},
		{"Raw", "a", onConn(func(c *schemadb.Conn) error {
			return c.Raw(ctx, func(*pgx.Conn) error { return errors.New("fn is called") })
		}), "", []string{"Raw", "not one of pgx"}},
		{"Begin", "a", func(db *schemadb.DB) error { _, err := db.Begin(); return err }, "BeginTx", []string{"BeginTxx or InTx"}},
		{"BeginTx", "a", func(db *schemadb.DB) error { _, err := db.BeginTx(ctx, nil); return err }, "BeginTx", []string{"BeginTxx or InTx"}},
		{"BeginTx, unbound", "", func(db *schemadb.DB) error { _, err := db.BeginTx(ctx, nil); return err }, "BeginTx", nil},
		{"BeginTx on a Conn", "a", onConn(func(c *schemadb.Conn) error { _, err := c.BeginTx(ctx, nil); return err }), "BeginTx", nil},
		{"Prepare, unbound", "", func(db *schemadb.DB) error { _, err := db.Prepare(selectUser); return err }, "PrepareContext", []string{"PreparexContext"}},
		{"Prepare on a Conn, unbound", "", onConn(func(c *schemadb.Conn) error { _, err := c.Prepare(selectUser); return err }), "PrepareContext", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool, _ := newMock(t)
			err := tt.run(schemadb.New(pool, tt.schema))
			wantError(t, err, append(tt.words, "pgdbm: ")...)
			var refused *schemadb.RefusedError
			if errors.As(err, &refused); tt.method != "" && (refused == nil || refused.Method != tt.method) {
				t.Errorf("error %v, want a *RefusedError of %s", err, tt.method)
			}
		})
	}
}

// A *sql.Stmt of a facade that is bound can be had on any driver: its text says the schema.
func TestMockPrepareBound(t *testing.T) {
	t.Parallel()
	pool, mock := newMock(t)
	prepared(exec)(mock, sentDelete)
	stmt, err := schemadb.New(pool, "a").Prepare(deleteUser)
	wantNil(t, err)
	_, err = stmt.ExecContext(driver.WithSchema(t.Context(), "b"), 7)
	wantNil(t, err)
	wantNil(t, stmt.Close())
}

// A statement whose template is wrong is not sent, and neither is one with other names than the argument.
func TestMockNotSent(t *testing.T) {
	t.Parallel()
	pool, _ := newMock(t)
	db := schemadb.New(pool, "a")
	for _, w := range ways {
		_, err := w.run(t.Context(), db, "INSERT INTO {{table.users}} VALUES (:nobody)")
		wantError(t, err, "pgdbm: ")
	}
}

// Two processes create the same schema: the one that comes late must not fail.
func TestMockEnsureSchema(t *testing.T) {
	t.Parallel()
	onDB := func(ctx context.Context, db *schemadb.DB) error { return db.EnsureSchema(ctx) }
	onTx := inTx(func(tx *schemadb.Tx) error { return tx.EnsureSchema(context.Background()) })
	other := &pgconn.PgError{Code: "42501"}
	for _, tt := range []struct {
		name  string
		fails *pgconn.PgError
		want  []error
	}{
		{"IF NOT EXISTS has not seen it", &pgconn.PgError{Code: "23505", SchemaName: "pg_catalog"}, nil},
		{"it exists", &pgconn.PgError{Code: "42P06"}, nil},
		{"a unique violation of somebody's trigger", &pgconn.PgError{Code: "23505", SchemaName: "audit"}, []error{&pgconn.PgError{}}},
		{"another error", other, []error{other}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool, mock := newMockMatching(t, sqlmock.QueryMatcherRegexp)
			expect := func() {
				mock.ExpectQuery("pg_namespace").WithArgs("a").WillReturnRows(sqlmock.NewRows([]string{"exists"}).AddRow(false))
			}
			check := func(err error) {
				t.Helper()
				if (err != nil) != (tt.want != nil) || err != nil && !errors.Is(err, tt.fails) {
					t.Errorf("error %v, want %v", err, tt.want)
				}
			}
			db := schemadb.New(pool, "a")
			expect()
			mock.ExpectExec(`^CREATE SCHEMA IF NOT EXISTS "a"$`).WillReturnError(tt.fails)
			check(onDB(t.Context(), db))

			mock.ExpectBegin()
			expect()
			mock.ExpectExec("^SAVEPOINT pgdbm_1$").WillReturnResult(done)
			mock.ExpectExec(`^CREATE SCHEMA IF NOT EXISTS "a"$`).WillReturnError(tt.fails)
			mock.ExpectExec("^ROLLBACK TO SAVEPOINT pgdbm_1$").WillReturnResult(done)
			mock.ExpectExec("^RELEASE SAVEPOINT pgdbm_1$").WillReturnResult(done)
			if tt.want == nil {
				mock.ExpectCommit()
			} else {
				mock.ExpectRollback()
			}
			check(onTx(t.Context(), db))
		})
	}
}

// flaky is a connector that fails some times before it connects.
type flaky struct {
	fails  []error
	driver sqldriver.Driver
	dsn    string
}

// Connect takes the next failure.
func (f *flaky) Connect(context.Context) (sqldriver.Conn, error) {
	if len(f.fails) > 0 {
		err := f.fails[0]
		f.fails = f.fails[1:]
		return nil, err
	}
	return f.driver.Open(f.dsn)
}

func (f *flaky) Driver() sqldriver.Driver { return f.driver }

// The server does not answer: every way says so, and works later. What is known of the driver must not be made up from
// a connection that failed.
func TestMockConnectFails(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			pool, mock := newMock(t)
			again := sql.OpenDB(&flaky{fails: []error{errFirst, errFirst}, driver: pool.Driver(), dsn: t.Name()})
			defer again.Close()
			db := schemadb.New(again, "a")
			_, err := w.run(t.Context(), db, w.query)
			wantAll(t, err, []error{errFirst})
			wantAll(t, db.InTx(t.Context(), succeed), []error{errFirst})
			sent, err := driver.Expand(w.sent, "a")
			wantNil(t, err)
			w.expect(mock, sent)
			_, err = w.run(t.Context(), db, w.query)
			wantNil(t, err)
			wantIdle(t, again)
		})
	}
}
