package pgserver

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// databaseLimit bounds the creating and the dropping of a database.
const databaseLimit = 30 * time.Second

// CreateDatabase creates an empty database with a unique name. It returns the
// database's connection string, of the form that [Server.DSN] returns, and a
// function that drops it and cuts the connections to it. Dropping again, or
// after [Server.Stop], is no error. ctx bounds the waiting for the server; once
// it creates the database, CreateDatabase waits for the result, because a
// database whose creation was given up could come into being after all.
func (s *Server) CreateDatabase(ctx context.Context) (dsn string, drop func(context.Context) error, err error) {
	l, err := s.ready(ctx)
	if err != nil {
		return "", nil, err
	}
	name := "pgdbm_test_" + strings.ToLower(rand.Text())
	if dsn, err = DatabaseDSN(l.dsn, name); err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), databaseLimit)
	defer cancel()
	if err := l.createDatabase(ctx, name); err != nil {
		return "", nil, fmt.Errorf("pgserver: create database %s: %w", name, err)
	}
	return dsn, func(ctx context.Context) error { return s.drop(ctx, l, name) }, nil
}

func (l *launch) createDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, l.dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))

	// Nobody can be connected to template0, which would make this fail.
	create := "CREATE DATABASE " + name + " TEMPLATE template0"
	var version int
	const show = "SELECT current_setting('server_version_num')::int"
	if err := conn.QueryRow(ctx, show).Scan(&version); err != nil {
		return err
	}
	if l.own && version >= 150000 {
		// Faster where the checkpoints that it does cost nothing.
		create += " STRATEGY file_copy"
	}
	_, err = conn.Exec(ctx, create)
	return err
}

func (s *Server) drop(ctx context.Context, l *launch, name string) error {
	s.mu.Lock()
	stopped := s.stopped
	s.mu.Unlock()
	if stopped {
		return nil // gone with its server
	}
	conn, err := pgx.Connect(ctx, l.dsn)
	if err != nil {
		return fmt.Errorf("pgserver: drop database %s: %w", name, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("pgserver: drop database %s: %w", name, err)
	}
	return nil
}

// TB is the part of testing.TB that [Server.Database] uses; it keeps package
// testing out of programs.
type TB interface {
	Helper()
	Cleanup(func())
	Context() context.Context
	Fatalf(format string, args ...any)
}

// Database is [Server.CreateDatabase] for a test: it returns the connection
// string of a new database that is dropped when the test ends, and fails the
// test if there is an error.
func (s *Server) Database(tb TB) string {
	tb.Helper()
	dsn, drop, err := s.CreateDatabase(tb.Context())
	if err != nil {
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), databaseLimit)
		defer cancel()
		if err := drop(ctx); err != nil {
			tb.Fatalf("%v", err)
		}
	})
	return dsn
}
