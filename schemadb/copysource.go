package schemadb

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// copySource is the caller's rows. Pgx reads them on a goroutine of its own, where a panic would end the program, and
// runtime.Goexit would leave the COPY waiting for ever. It remembers what goes wrong with them, because what pgx returns
// has been to the server and back.
type copySource struct {
	source   pgx.CopyFromSource
	cancel   context.CancelFunc // ends the COPY
	rows     int                // that have been begun
	err      error
	panicked any
	exited   bool
}

// Next goes to the next row.
func (s *copySource) Next() (more bool) {
	s.call(func() { more = s.source.Next() })
	if more {
		s.rows++
	}
	return more
}

// Values returns the row.
func (s *copySource) Values() (values []any, err error) {
	s.call(func() { values, err = s.source.Values() })
	if s.err == nil && err != nil {
		s.err = &RowError{Row: s.rows - 1, Err: err}
	}
	return values, s.err
}

// Err returns why there are no more rows, or nil.
func (s *copySource) Err() error {
	if s.err == nil {
		var err error
		s.call(func() { err = s.source.Err() })
		if s.err == nil && err != nil {
			s.err = &RowError{Row: s.rows, Err: err}
		}
	}
	return s.err
}

var errLeft = errors.New("pgdbm: CopyFrom: reading the rows did not return")

// call calls the caller's code.
func (s *copySource) call(fn func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		s.err = errLeft
		if s.panicked = recover(); s.panicked == nil {
			s.exited = true
			s.cancel()
		}
	}()
	fn()
	returned = true
}

// leave leaves the caller's goroutine as its rows have left pgx's.
func (s *copySource) leave() {
	switch {
	case s.exited:
		runtime.Goexit()
	case s.panicked != nil:
		panic(s.panicked)
	}
}

// explain returns the error of a row in place of PostgreSQL's, which says that COPY was given up, and may show a value.
func (s *copySource) explain(ctx context.Context, err error) error {
	cause := ctx.Err()
	switch {
	case err == nil:
		return nil
	case s.err != nil:
		return s.err
	case cause != nil && !errors.Is(err, cause):
		return fmt.Errorf("%w: %w", cause, err) // pgx may say that the connection is closed, which it did
	}
	const given, count = "COPY from stdin failed: ", "expected "
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "57014" || !strings.HasPrefix(pgErr.Message, given) { // query_canceled
		return explain(err, nil)
	}
	text := strings.TrimPrefix(pgErr.Message, given)
	if strings.HasPrefix(text, count) {
		return &RowError{Row: s.rows - 1, Err: errors.New(text)}
	}
	what := "its column's type"
	if name := encodedAs(text); name != "" {
		what = name
	}
	return &RowError{Row: s.rows - 1,
		Err: fmt.Errorf("a value cannot be sent as %s; pass another Go type, or use ExecMany", what)}
}
