package migrations

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/internal/native"
)

// session is a connection that is borrowed from the pool. Everything on it goes by the simple protocol: it takes several
// statements in one message, keeps no portal open, and needs no prepared statement, so PgBouncer can carry it.
type session struct {
	conn      *sql.Conn
	spoiled   bool    // the next borrower must not get it
	unlimited bool    // its statement_timeout is 0; false if it is not known
	patient   bool    // its lock_timeout is 0; false if it is not known
	timed     bool    // its transaction_timeout, which PostgreSQL 17 has, is not 0
	pooled    bool    // a pooler lends the server's session for each transaction
	citus     bool    // see citus.go
	mark      string  // see sessionMark
	role      string  // "none" if it is the user's
	pool      *sql.DB // of a sibling, which nobody else uses; or nil
}

var errDriver = errors.New("pgdbm: migrations need a pool of the driver pgdbm or of pgx/v5/stdlib, and nothing that wraps " +
	"it, such as a tracer: open a small pool for them with schemadb.Open or sql.Open")

var errLiterals = errors.New("pgdbm: migrations need standard_conforming_strings=on, which is PostgreSQL's default: " +
	"otherwise literals end elsewhere")

var errClientEncoding = errors.New("pgdbm: migrations are sent as UTF-8, and the pool's connections have another client_encoding: add " +
	"client_encoding=UTF8 to the DSN")

// pgx calls fn with the connection.
func (s *session) pgx(fn func(*pgx.Conn) error) error {
	return s.conn.Raw(func(driverConn any) error {
		var conn *pgx.Conn
		switch dc := driverConn.(type) {
		case native.Connection:
			conn = dc.Native().Pgx()
		case interface{ Conn() *pgx.Conn }:
			conn = dc.Conn()
		default:
			return errDriver
		}
		if conn.PgConn().ParameterStatus("standard_conforming_strings") == "off" {
			return errLiterals
		}
		return fn(conn)
	})
}

// enter asks the driver pgdbm, if the connection is its, to make bare names those of the target's schema too, where the DSN wants
// that. It returns the search_path that the driver keeps for it, or "".
func (s *session) enter(ctx context.Context, t target) (path string, err error) {
	if t.name != "" {
		ctx = driver.WithSchema(ctx, t.name)
	}
	var moved bool
	err = s.conn.Raw(func(driverConn any) error {
		dc, ok := driverConn.(native.Connection)
		if !ok {
			return nil
		}
		if path, moved, err = dc.Native().Enter(ctx); err != nil {
			return err
		}
		_, err := dc.Native().Schema(ctx) // which may be refused
		return err
	})
	if err == nil && moved {
		err = s.learn(ctx)
	}
	return path, err
}

// learn asks whether the server still answers, and what the session's limits are, so that not every transaction has to set
// them.
func (s *session) learn(ctx context.Context) error {
	results, err := s.send(ctx, "SELECT pg_catalog.current_setting('statement_timeout'), pg_catalog.current_setting('lock_timeout'), "+
		sessionMark+", pg_catalog.current_setting('role'), COALESCE(pg_catalog.current_setting('transaction_timeout', true), '0') <> '0', pg_catalog.pg_backend_pid(), "+
		"EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'citus')")
	if err == nil {
		row := results[0].Rows[0]
		if encoding, err := s.encoding(); err == nil && !readsUTF8(encoding) {
			return errClientEncoding
		}
		s.unlimited, s.patient, s.mark, s.role, s.timed = string(row[0]) == "0", string(row[1]) == "0", string(row[2]), string(row[3]), isTrue(row[4])
		s.citus = isTrue(row[6])
		return s.pgconn(func(pg *pgconn.PgConn) error {
			s.pooled = string(row[5]) != strconv.FormatUint(uint64(pg.PID()), 10) // that of another process, as all poolers give one
			return nil
		})
	}
	return err
}

// briefly begins a transaction that reads and does not wait long for a lock. Somebody may have locked a history for long,
// and a wait in the server has no limit, is not logged, and keeps a snapshot that CREATE INDEX CONCURRENTLY waits for.
const briefly = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;\nSET LOCAL lock_timeout = '200ms';\n"

// read runs queries, and returns their results. If a lock is in the way, the error's code is lockNotAvailable.
func (s *session) read(ctx context.Context, queries string) ([]*pgconn.Result, error) {
	results, err := s.send(ctx, briefly+queries+";\nCOMMIT")
	if err != nil {
		s.rollback(ctx)
		return nil, err
	}
	return results[2 : len(results)-1], nil // without BEGIN, SET and COMMIT
}

// pgconn calls fn with the connection, without pgx.
func (s *session) pgconn(fn func(*pgconn.PgConn) error) error {
	return s.pgx(func(conn *pgx.Conn) error { return fn(conn.PgConn()) })
}

// cancelLimit is how long the server has to obey when a statement is cancelled. Then the connection is closed.
const cancelLimit = 5 * time.Second

// interruptible calls fn with the connection. When ctx ends, it asks the server to cancel the statement and waits for the
// answer: so it is known what has been done. The cancellation may come late and hit what follows, so the connection is
// not used again.
func (s *session) interruptible(ctx context.Context, fn func(context.Context, *pgconn.PgConn) error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	return s.pgx(func(conn *pgx.Conn) error {
		pg := conn.PgConn()
		own, stop := context.WithCancel(context.WithoutCancel(ctx))
		defer stop()
		finished, cancelled := make(chan struct{}), make(chan struct{})
		unhook := context.AfterFunc(ctx, func() {
			defer close(cancelled)
			cancelStatement(own, pg)
			limit := time.NewTimer(cancelLimit)
			defer limit.Stop()
			select {
			case <-finished:
			case <-limit.C:
				stop()
			}
		})
		err := fn(own, pg)
		close(finished)
		if !unhook() {
			<-cancelled
			s.spoiled = true
		}
		if err != nil && pg.IsClosed() {
			s.spoiled = true
		}
		if err != nil && ctx.Err() != nil {
			return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
		}
		return err
	})
}

// cancelStatement asks the server to cancel what is running. If that fails, the caller's limit ends it.
func cancelStatement(ctx context.Context, pg *pgconn.PgConn) {
	ctx, done := context.WithTimeout(ctx, cancelLimit)
	defer done()
	_ = pg.CancelRequest(ctx)
}

// errEncoding says that a migration wants to be read in another encoding than it is sent in.
var errEncoding = errors.New("a statement before has changed client_encoding, and migrations are sent as UTF-8: remove the line, after " +
	"you have converted the file if it is not UTF-8")

// checkEncoding refuses to send more text to a server that would misread it, and lets it read UTF-8 again.
func (s *session) checkEncoding(ctx context.Context) error {
	encoding, err := s.encoding()
	if err != nil || readsUTF8(encoding) {
		return err
	}
	s.spoiled = true
	if _, err := s.send(ctx, "SET client_encoding = 'UTF8'"); err != nil {
		return err
	}
	return errEncoding
}

// encoding is the client_encoding of the session.
func (s *session) encoding() (encoding string, err error) {
	err = s.pgconn(func(pg *pgconn.PgConn) error {
		encoding = pg.ParameterStatus("client_encoding")
		return nil
	})
	return encoding, err
}

// readsUTF8 reports whether a server with this client_encoding takes UTF-8 for what it is. One in SQL_ASCII takes any bytes.
func readsUTF8(encoding string) bool {
	return encoding == "UTF8" || encoding == "SQL_ASCII" || encoding == ""
}

// rollback ends the transaction that a failed statement has left open.
func (s *session) rollback(ctx context.Context) { s.finish(ctx, "ROLLBACK") }

// finish runs statements that end the open transaction, or a part of it, also when ctx has ended. Without a transaction
// it does nothing.
func (s *session) finish(ctx context.Context, statements string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelLimit)
	defer cancel()
	err := s.pgx(func(conn *pgx.Conn) error {
		if conn.PgConn().TxStatus() == 'I' {
			return nil
		}
		_, err := conn.PgConn().Exec(ctx, statements).ReadAll()
		return err
	})
	if err != nil {
		s.spoiled = true
	}
}

// sibling opens a connection to the same server that does not count for the pool.
func (s *session) sibling(ctx context.Context) (*session, error) {
	var config *pgx.ConnConfig
	if err := s.pgx(func(conn *pgx.Conn) error {
		config = conn.Config()
		return nil
	}); err != nil {
		return nil, err
	}
	config.Tracer = nil
	pool := stdlib.OpenDB(*config)
	conn, err := pool.Conn(ctx)
	if err != nil {
		_ = pool.Close() // it is empty
		return nil, err
	}
	return &session{conn: conn, pool: pool}, nil
}

// close gives the connection back, or up if it is spoiled.
func (s *session) close() {
	if s.conn == nil {
		return
	}
	_ = s.conn.Raw(func(driverConn any) error { // it fails only if the connection is closed
		if dc, ok := driverConn.(native.Connection); ok {
			dc.Native().Altered()
		}
		return nil
	})
	if s.spoiled {
		_ = s.conn.Raw(func(any) error { return sqldriver.ErrBadConn }) // makes database/sql close it
	}
	_ = s.conn.Close() // an error means that it is closed already
	s.conn = nil
	if s.pool != nil {
		_ = s.pool.Close()
	}
}
