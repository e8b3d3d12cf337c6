package main

import (
	"context"
	"database/sql"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/pgdbm/pgdbm/driver"
	"github.com/pgdbm/pgdbm/examples/legacy/internal/notestest"
	"github.com/pgdbm/pgdbm/internal/pgserver"
)

var server = pgserver.Server{Shared: true}

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

func TestConversation(t *testing.T) {
	t.Parallel()
	notestest.Check(t, open(t, server.Database(t), "notes").handler())
}

func TestTwoSchemasInOneDatabase(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	kitchen, office := open(t, dsn, "kitchen").handler(), open(t, dsn, "office").handler()

	notestest.Add(t, kitchen, "buy flour")
	notestest.Add(t, office, "buy paper")

	for _, team := range []struct {
		handler    http.Handler
		own, alien string
	}{
		{kitchen, "buy flour", "buy paper"},
		{office, "buy paper", "buy flour"},
	} {
		page := notestest.List(t, team.handler)
		if !strings.Contains(page, team.own) || strings.Contains(page, team.alien) {
			t.Errorf("the page should show %q and not %q:\n%s", team.own, team.alien, page)
		}
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	if !strings.Contains(dsn, "://") {
		t.Skip("the program wants DATABASE_URL to be a URL, and PGDBM_TEST_DSN is none")
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, dsn, listener) }()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req) // the listener queues it until the server is ready
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("GET / returned %s", answer.Status)
	}

	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the shutdown failed: %v", err)
	}
}

// open returns the notes of a schema, which it creates.
func open(t *testing.T, dsn, schema string) *store {
	t.Helper()
	dsn, err := driver.AddSchema(dsn, schema)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgdbm", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := &store{db}
	if err := s.migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}
