package driver_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/driver"
)

// loser makes connections that lose an answer of the server: they wait for it, and then end as if the network had cut them.
type loser struct {
	in    atomic.Int64 // which answer is lost, counted from now; 0 for none
	cause error        // io.EOF for a FIN, ECONNRESET for an RST
}

type losingConn struct {
	net.Conn
	loser *loser
	asked atomic.Bool // something was sent since the last answer
}

func (c *losingConn) Write(b []byte) (int, error) {
	c.asked.Store(true)
	return c.Conn.Write(b)
}

func (c *losingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b) // the answer comes behind the commit
	if err == nil && c.asked.Swap(false) && c.loser.in.Load() > 0 && c.loser.in.Add(-1) == 0 {
		_ = c.Close()
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: c.loser.cause}
	}
	return n, err
}

// open opens dsn on such connections.
func (l *loser) open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &losingConn{Conn: conn, loser: l}, err
	}
	db := driver.OpenDB(*config)
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db
}

// writers insert a row with a token in the ways in which a statement can be sent. The comment makes the text a new one.
var writers = []struct {
	name string
	run  func(ctx context.Context, db *sql.DB, stmt *sql.Stmt, insert, token string) error
}{
	{"exec", func(ctx context.Context, db *sql.DB, _ *sql.Stmt, insert, token string) error {
		return second(db.ExecContext(ctx, insert+" VALUES ($1)", token))
	}},
	{"exec with an integer", func(ctx context.Context, db *sql.DB, _ *sql.Stmt, insert, token string) error {
		return second(db.ExecContext(ctx, insert+" SELECT $1 WHERE $2 = 1", token, 1))
	}},
	{"text", func(ctx context.Context, db *sql.DB, _ *sql.Stmt, insert, token string) error {
		return second(db.ExecContext(ctx, insert+" VALUES ('"+token+"')"))
	}},
	{"two in a text", func(ctx context.Context, db *sql.DB, _ *sql.Stmt, insert, token string) error {
		return second(db.ExecContext(ctx, "SELECT 1; "+insert+" VALUES ('"+token+"')"))
	}},
	{"query", func(ctx context.Context, db *sql.DB, _ *sql.Stmt, insert, token string) error {
		return readAll(ctx, db, insert+" VALUES ($1) RETURNING token", token)
	}},
	{"query without arguments", func(ctx context.Context, db *sql.DB, _ *sql.Stmt, insert, token string) error {
		return readAll(ctx, db, insert+" VALUES ('"+token+"') RETURNING token")
	}},
	{"query by names", func(ctx context.Context, db *sql.DB, _ *sql.Stmt, insert, token string) error {
		return readAll(ctx, db, insert+" VALUES (@token) RETURNING token", pgx.NamedArgs{"token": token})
	}},
	{"exec mode", func(ctx context.Context, db *sql.DB, _ *sql.Stmt, insert, token string) error {
		return second(db.ExecContext(ctx, insert+" VALUES ($1)", pgx.QueryExecModeExec, token))
	}},
	{"simple protocol", func(ctx context.Context, db *sql.DB, _ *sql.Stmt, insert, token string) error {
		return readAll(ctx, db, insert+" VALUES ($1) RETURNING token", pgx.QueryExecModeSimpleProtocol, token)
	}},
	{"stmt exec", func(ctx context.Context, _ *sql.DB, stmt *sql.Stmt, _, token string) error {
		return second(stmt.ExecContext(ctx, token))
	}},
	{"stmt query", func(ctx context.Context, _ *sql.DB, stmt *sql.Stmt, _, token string) error {
		rows, err := stmt.QueryContext(ctx, token)
		if err != nil {
			return err
		}
		for rows.Next() {
			continue // only the end matters
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return rows.Close()
	}},
}

// A statement whose answer is lost has run once at most, and its caller hears of it. What got lost before it was sent may be sent again.
func TestLostAnswerRunsOnce(t *testing.T) {
	t.Parallel()
	for option, settings := range differently {
		for _, way := range schemaWays {
			for name, cause := range map[string]error{"FIN": io.EOF, "RST": syscall.ECONNRESET} {
				t.Run(option+"/"+way.name+"/"+name, func(t *testing.T) {
					t.Parallel()
					dsn := server.Database(t)
					admin(t, dsn, "CREATE SCHEMA a; CREATE TABLE a.t (id bigserial, token text)")
					l, ctx, options := &loser{cause: cause}, driver.WithSchema(t.Context(), "a"), settings+way.options
					if way.ownDB {
						ctx, options = t.Context(), options+"&schema=a"
					}
					db := l.open(t, dsn+options)
					insert := way.sql("INSERT INTO TABLE_T (token)")
					for _, writer := range writers {
						for lost := range 4 {
							l.check(ctx, t, db, dsn, fmt.Sprintf("/* %d */ %s", lost, insert), lost, writer.name, writer.run)
						}
					}
				})
			}
		}
	}
}

// writeFunc inserts a row with a token.
type writeFunc = func(ctx context.Context, db *sql.DB, stmt *sql.Stmt, insert, token string) error

// check loses an answer to a writer: the one with that number on the first use of a text or, for 0, the first when it is warm.
func (l *loser) check(ctx context.Context, t *testing.T, db *sql.DB, dsn, text string, lost int, name string, write writeFunc) {
	t.Helper()
	stmt := prepare(ctx, t, db, text+" VALUES ($1)")
	if lost == 0 {
		for range 20 { // see fill
			get[int](t.Context(), t, db, "SELECT 1 WHERE 1 = $1", 1)
		}
		for range 3 {
			if err := write(ctx, db, stmt, text, "warm"); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.in.Store(int64(max(lost, 1)))
	token := strings.ReplaceAll(fmt.Sprint(name, lost), " ", "_")
	err := write(ctx, db, stmt, text, token)
	undelivered := l.in.Swap(0) > 0
	n := countTokens(t, dsn, token)
	what := fmt.Sprintf("%s, answer %d", name, lost)
	switch {
	case n > 1:
		t.Errorf("%s: it ran %d times, and the error is %v", what, n, err)
	case err == nil && n != 1:
		t.Errorf("%s: it ran %d times, without an error", what, n)
	case lost == 0 && err == nil:
		t.Errorf("%s: no error", what)
	case undelivered && err != nil:
		t.Errorf("%s: nothing was lost, but %v", what, err)
	}
}

func countTokens(t *testing.T, dsn, token string) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM a.t WHERE token = $1", token).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A text whose last statement meets a change has committed what stands before it, so it is not sent again.
func TestTextThatCommitsRunsOnce(t *testing.T) {
	t.Parallel()
	dsn := newTenants(t, "a")
	admin(t, dsn, "CREATE TABLE a.log (n int)")
	conn := holdConn(t.Context(), t, openOne(t, dsn))
	exec(t.Context(), t, conn, "PREPARE changed AS SELECT * FROM a.t")
	exec(t.Context(), t, conn, "EXECUTE changed")
	admin(t, dsn, "ALTER TABLE a.t ADD COLUMN extra int")
	if _, err := conn.ExecContext(t.Context(), "INSERT INTO a.log VALUES (1); COMMIT; EXECUTE changed"); !hasCode(err, "0A000") {
		t.Errorf("EXECUTE of what has changed: %v", err)
	}
	if n := get[int](t.Context(), t, conn, "SELECT count(*) FROM a.log"); n != 1 {
		t.Errorf("the text has run %d times", n)
	}
}
