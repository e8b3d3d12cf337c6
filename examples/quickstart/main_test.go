package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/needs"
	"github.com/pgdbm/pgdbm/internal/pgserver"
)

var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

// output is what the documentation promises.
//
//go:embed testdata/output.txt
var output string

func TestOutput(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	if err := run(t.Context(), &got, server.Database(t)); err != nil {
		t.Fatal(err)
	}
	if got.String() != output {
		t.Errorf("the output is not that of testdata/output.txt:\n%s", got.String())
	}
}

// TestOutputFromDocker is for machines without PostgreSQL. It is not parallel, for Setenv.
func TestOutputFromDocker(t *testing.T) {
	t.Setenv("PGDBM_TEST_SERVER", "docker")
	var got bytes.Buffer
	err := withDatabase(t.Context(), func(dsn string) error { return run(t.Context(), &got, dsn) })
	if errors.As(err, new(*pgserver.NoServerError)) {
		needs.Missing(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != output {
		t.Errorf("the output is not that of testdata/output.txt:\n%s", got.String())
	}
}

// TestInterrupted presses Ctrl-C when the first step has been shown.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := run(ctx, writer(func(p []byte) (int, error) { cancel(); return len(p), nil }), dsn)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted run returned %v", err)
	}
}

func TestBrokenPipe(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken pipe")
	err := run(t.Context(), writer(func([]byte) (int, error) { return 0, broken }), server.Database(t))
	if !errors.Is(err, broken) {
		t.Errorf("a run that cannot write returned %v", err)
	}
}

// TestNothingIsLeft looks for the database after the program has been interrupted in it, and has failed in it.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	failure := errors.New("failure")
	var used string
	err := withDatabase(ctx, func(dsn string) error {
		used = dsn
		conn, err := pgx.Connect(ctx, dsn) // and is never closed
		if err != nil {
			return err
		}
		cancel()
		return errors.Join(failure, conn.Ping(t.Context()))
	})
	if !errors.Is(err, failure) || err.Error() != failure.Error() {
		t.Errorf("withDatabase returned %v", err)
	}
	if conn, err := pgx.Connect(t.Context(), used); err == nil {
		conn.Close(t.Context())
		t.Error("the database is still there")
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
