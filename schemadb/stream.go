package schemadb

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx"

	"github.com/pgdbm/pgdbm/internal/native"
	"github.com/pgdbm/pgdbm/internal/rowscan"
)

// stream is rows that are being read one by one. The caller's code runs in between, so nothing may be locked then.
type stream struct {
	q    *queries
	conn *sql.Conn // that the rows come from
	own  bool      // conn is to be closed
	rows pgx.Rows  // only used in conn.Raw, because database/sql may roll back or close meanwhile
	row  *rowscan.Row
	more bool // the first row is there

	sqlRows *sqlx.Rows // instead, on other drivers
	scan    func() error
	value   reflect.Value

	mu     sync.Mutex // the end of the transaction closes the rows
	err    error
	closed bool
}

// open executes a query whose rows fill what dst points to.
func (q *queries) open(ctx context.Context, dst any, query string, args []any) (*stream, error) {
	k, err := q.enter(ctx)
	if err != nil {
		return nil, err
	}
	s := &stream{q: q}
	if k != kindOther {
		err = cancelled(ctx, s.openNative(q.scope.context(ctx), dst, query, args))
	}
	if k == kindOther || err == errNotNative { //nolint:errorlint // it is ours, and never wrapped
		err = s.openSQL(ctx, dst, query, args)
	}
	if err != nil {
		return nil, err
	}
	q.reading.set(s)
	return s, nil
}

func (s *stream) openNative(ctx context.Context, dst any, query string, args []any) error {
	start := func(conn *sql.Conn, own bool) error {
		return s.q.raw(conn, own, func(c native.Conn) error {
			rows, err := startNative(ctx, c, query, args)
			if err != nil {
				return err
			}
			s.more = rows.Next()
			if err = rows.Err(); err == nil {
				s.row, err = rowscan.New(dst, s.q.options(), c.Pgx().TypeMap(), rows.FieldDescriptions())
			}
			if err != nil {
				rows.Close()
				return unsent(err)
			}
			s.rows, s.conn = rows, conn
			return nil
		})
	}
	if s.q.held != nil {
		return start(s.q.held, false)
	}
	return s.q.scope.pool.retry(func() error {
		conn, err := s.q.scope.pool.db.Conn(ctx)
		if err != nil {
			return err
		}
		if err := start(conn, true); err != nil {
			_ = conn.Close() // database/sql has closed a broken one already
			return err
		}
		s.own = true
		return nil
	})
}

func (s *stream) openSQL(ctx context.Context, dst any, query string, args []any) (err error) {
	if s.sqlRows, err = s.q.QueryxContext(ctx, query, args...); err != nil {
		return err
	}
	s.value = reflect.ValueOf(dst).Elem()
	if s.scan, err = sqlScan(s.sqlRows, s.value); err != nil {
		_ = s.sqlRows.Close() // what went wrong before counts
	}
	return err
}

// next fills the value with the next row. It returns false after the last one, and if close has an error.
func (s *stream) next() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed || s.err != nil:
		return false
	case s.sqlRows != nil:
		return s.nextSQL()
	}
	found := false
	err := s.locked(func() error {
		if !s.more && !s.rows.Next() {
			return nil
		}
		s.more = false
		found = true
		return s.row.Scan(s.rows.RawValues())
	})
	if err != nil {
		s.err = err
	}
	return found && s.err == nil
}

func (s *stream) nextSQL() bool {
	if !s.sqlRows.Next() {
		return false
	}
	s.value.SetZero()
	s.err = s.scan()
	return s.err == nil
}

// locked calls fn while nobody else uses the connection.
func (s *stream) locked(fn func() error) error {
	err := rawConn(s.conn, func(any) error { return fn() })
	if errors.Is(err, sql.ErrConnDone) && s.q.tx != nil {
		return sql.ErrTxDone
	}
	return err
}

// close ends the query and returns its error. It may be called more than once.
func (s *stream) close() error { return s.end(nil) }

// end is close for a reason why there are no more rows, or nil.
func (s *stream) end(reason error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.err
	}
	if s.err == nil {
		s.err = reason
	}
	s.closed = true
	s.q.reading.set(nil)
	var err error
	if s.sqlRows != nil {
		err = errors.Join(s.sqlRows.Err(), s.sqlRows.Close())
	} else {
		err = s.locked(func() error {
			s.rows.Close()
			return s.rows.Err()
		})
	}
	if err != nil && s.q.tx.check() != nil { // the rows were cut off with the transaction
		err = s.q.tx.check()
	}
	if s.err == nil {
		s.err = err
	}
	if s.own {
		_ = s.conn.Close() // it fails only if it is closed already
	}
	return s.err
}

// openRows are the rows that are being read on a held connection, so that its end can close them. Nil is for none.
type openRows struct {
	mu sync.Mutex
	s  *stream
}

func (o *openRows) set(s *stream) {
	if o != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.s = s
	}
}

// close ends what is being read. The loop gets reason, because it has not seen all rows.
func (o *openRows) close(reason error) {
	o.mu.Lock()
	s := o.s
	o.mu.Unlock()
	if s != nil {
		_ = s.end(reason)
	}
}
