package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestConversation(t *testing.T) {
	t.Parallel()
	s := start(t)
	if body := s.want(t, "acme", http.MethodGet, "/notes", "", http.StatusOK); body != "[]\n" {
		t.Errorf("no notes are %s", body)
	}
	s.add(t, "acme", "ann", "acme")
	s.add(t, "acme", "bob", "acme")
	body := s.want(t, "acme", http.MethodPost, "/moves", `{"from": "ann", "to": "bob"}`, http.StatusOK)
	if body != `{"moved":1}`+"\n" {
		t.Errorf("moving a note returned %s", body)
	}
	notes := s.list(t, "acme")
	if len(notes) != 2 || notes[0].ID != 2 || notes[1].ID != 1 || notes[1].Author != "bob" || notes[1].Written.IsZero() {
		t.Errorf("the notes are %v", notes)
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, r := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodPost, "/notes", ``, http.StatusBadRequest},
		{http.MethodPost, "/notes", `{"author": "ann"`, http.StatusBadRequest},
		{http.MethodPost, "/notes", `{"author": 1, "text": "x"}`, http.StatusBadRequest},
		{http.MethodPost, "/notes", `{"author": "ann"}`, http.StatusBadRequest},
		{http.MethodPost, "/notes", `{"author": "ann", "text": " "}`, http.StatusBadRequest},
		{http.MethodPost, "/notes", `{"author": "ann", "text": "a\u0000"}`, http.StatusBadRequest},
		{http.MethodPost, "/notes", `{"author": "ann", "text": "x", "id": 7}`, http.StatusBadRequest},
		{http.MethodPost, "/notes", `{"text": "` + strings.Repeat("x", maxBody) + `"}`, http.StatusRequestEntityTooLarge},
		{http.MethodPost, "/moves", `{"from": "ann"}`, http.StatusBadRequest},
		{http.MethodDelete, "/notes/one", ``, http.StatusNotFound},
		{http.MethodDelete, "/notes/9223372036854775808", ``, http.StatusNotFound},
		{http.MethodPut, "/notes", ``, http.StatusMethodNotAllowed},
		{http.MethodGet, "/", ``, http.StatusNotFound},
	} {
		s.want(t, "acme", r.method, r.path, r.body, r.status)
	}
	if notes := s.list(t, "acme"); len(notes) != 0 {
		t.Errorf("there are notes: %v", notes)
	}
}

// If the record of a move cannot be written, the notes have not moved, and nobody is told which table was the matter. The
// other tenant is not concerned.
func TestMoveFails(t *testing.T) {
	t.Parallel()
	s := start(t)
	for tenant := range both {
		s.add(t, tenant, "ann", tenant)
	}
	_, err := s.admin.ExecContext(in(t, "acme"), "ALTER TABLE {{tables.moves}} ADD CONSTRAINT secret CHECK (moved_to <> 'bob')")
	wantNil(t, err)

	body := s.want(t, "acme", http.MethodPost, "/moves", `{"from": "ann", "to": "bob"}`, http.StatusInternalServerError)
	if strings.Contains(body, "moves") || strings.Contains(body, "secret") {
		t.Errorf("the client is told %s", body)
	}
	if notes := s.list(t, "acme"); len(notes) != 1 || notes[0].Author != "ann" {
		t.Errorf("after a move that failed there is %v", notes)
	}
	s.move(t, "groesse", "ann", "bob")
	if notes := s.list(t, "groesse"); len(notes) != 1 || notes[0].Author != "bob" {
		t.Errorf("after a move there is %v", notes)
	}
}

// When the client goes away, its query ends, though what it waits for goes on.
func TestClientGone(t *testing.T) {
	t.Parallel()
	s := start(t)
	web := httptest.NewServer(withTenant(both, subdomain, routes(&Notes{s.db}))) // without the limit, which ends queries too
	defer web.Close()
	lock, err := s.admin.BeginTx(in(t, odd), nil)
	wantNil(t, err)
	defer lock.Rollback()
	_, err = lock.ExecContext(t.Context(), "LOCK TABLE {{tables.notes}}")
	wantNil(t, err)

	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, web.URL+"/notes", nil)
	wantNil(t, err)
	r.Host = "groesse.example.com"
	gone := make(chan error, 1)
	go func() {
		answer, err := web.Client().Do(r)
		if err == nil {
			answer.Body.Close()
		}
		gone <- err
	}()
	s.waiting(t, 1)
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the client got %v", err)
	}
	s.waiting(t, 0)

	s.list(t, "acme") // nobody else has noticed
	wantNil(t, lock.Rollback())
	s.list(t, "groesse")
}

// waiting comes back when so many queries wait for a lock.
func (s *service) waiting(t *testing.T, want int) {
	t.Helper()
	const query = `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%FROM notes%'`
	for begun := time.Now(); value[int](t, s.admin, query) != want; {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("not %d queries wait for a lock", want)
		}
	}
}

// A request whose time is up gets an answer that says so.
func TestTimeIsUp(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, request(t, "acme", http.MethodGet, "/notes", "").WithContext(ctx))
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "context") {
		t.Errorf("the answer is %d %s", w.Code, w.Body)
	}
}
