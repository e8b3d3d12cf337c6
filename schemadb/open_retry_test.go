package schemadb_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgdbm/pgdbm/schemadb"
)

func TestOpenRetriesWhatMayPass(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	for _, state := range []string{"57P03", "53300", "57P01", "57P02", ""} {
		r := newRehearsal(t, dsn, state, state)
		var log logBuffer
		c := r.config()
		c.Logger = log.logger()
		pool := mustOpenPool(t, c)
		if got := queryText(t, pool, "SELECT 'here'"); got != "here" {
			t.Errorf("%q: got %q", state, got)
		}
		if n := r.connections(); n != 3 {
			t.Errorf("%q: %d connections, want 3", state, n)
		}
		if n := log.count("trying again"); n != 2 {
			t.Errorf("%q: %d warnings, want 2", state, n)
		}
		_ = pool.Close()
	}
}

func TestOpenGivesUpAfterRetryAttempts(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	for attempts, want := range map[int]int{0: 3, 5: 5, 1: 1, -1: 1} {
		r := newRehearsal(t, dsn, "57P03", "57P03", "57P03", "57P03", "57P03", "57P03")
		c := r.config()
		c.RetryAttempts, c.Logger = attempts, slog.New(slog.DiscardHandler)
		err := failOpenPool(t, c)
		wantOpenError(t, err, want, "57P03")
		var connect *pgconn.ConnectError
		if !errors.As(err, &connect) || !strings.Contains(err.Error(), "rehearsed") {
			t.Errorf("got %v, want a *pgconn.ConnectError", err)
		}
		if n := r.connections(); n != want {
			t.Errorf("%d connections, want %d", n, want)
		}
	}
}

func TestOpenDoesNotRetryWhatStays(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	for _, state := range []string{"28P01", "28000", "3D000", "42501", "08P01", "22023"} {
		r := newRehearsal(t, dsn, state)
		wantOpenError(t, failOpenPool(t, r.config()), 1, state)
		if n := r.connections(); n != 1 {
			t.Errorf("%s: %d connections, want 1", state, n)
		}
	}
	c := schemadb.Config{Host: pgxConfig(t, dsn).Host, User: "postgres", Database: "no such database"}
	wantOpenError(t, failOpenPool(t, c), 1, "3D000")
}

func TestOpenRetriesUnreachableServer(t *testing.T) {
	t.Parallel()
	c := schemadb.Config{Host: t.TempDir(), Logger: slog.New(slog.DiscardHandler)} // there is no socket
	err := failOpenPool(t, c)
	wantOpenError(t, err, 3, "")
	if !strings.Contains(err.Error(), "after 3 attempts") || !strings.Contains(err.Error(), c.Host) {
		t.Errorf("got %v", err)
	}
}

// cancelOnLog ends a context when something is logged.
type cancelOnLog struct {
	slog.Handler
	cancel context.CancelFunc
}

func (h cancelOnLog) Handle(context.Context, slog.Record) error {
	h.cancel()
	return nil
}

func TestOpenStopsWaitingWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := newRehearsal(t, server.Database(t), "57P03")
	c := r.config()
	c.RetryDelay, c.RetryMaxDelay = time.Hour, time.Hour
	c.Logger = slog.New(cancelOnLog{slog.NewTextHandler(&logBuffer{}, nil), cancel})
	_, err := schemadb.OpenPool(ctx, c)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	wantOpenError(t, err, 1, "57P03")
}

func TestOpenWithEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := newRehearsal(t, server.Database(t))
	_, err := schemadb.OpenPool(ctx, r.config())
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "before that") {
		t.Errorf("got %v, want the context's error", err)
	}
	wantOpenError(t, err, 1, "")
}
