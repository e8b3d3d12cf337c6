package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Each tenant sees what it wrote, while all of them write, read, move and delete on three connections.
func TestTenants(t *testing.T) {
	t.Parallel()
	s := start(t)
	var wg sync.WaitGroup
	const clients, rounds = 4, 10
	for tenant := range both {
		for client := range clients {
			wg.Go(func() {
				author := fmt.Sprint("client ", client)
				for range rounds {
					note := s.add(t, tenant, author, tenant)
					s.list(t, tenant)
					s.move(t, tenant, author, author+" moved")
					s.want(t, tenant, http.MethodDelete, fmt.Sprint("/notes/", note.ID), "", http.StatusNoContent)
					s.add(t, tenant, author, tenant)
				}
			})
		}
	}
	wg.Wait()
	for tenant, schema := range both {
		if n := len(s.list(t, tenant)); n != clients*rounds {
			t.Errorf("%s has %d notes", tenant, n)
		}
		var moves int
		wantNil(t, s.admin.QueryRowContext(in(t, schema), "SELECT count(*) FROM {{tables.moves}}").Scan(&moves))
		if moves != clients*rounds {
			t.Errorf("%s has %d moves", tenant, moves)
		}
	}
}

// The numbers of the notes are the same for all tenants, the notes are not.
func TestSameNumbers(t *testing.T) {
	t.Parallel()
	s := start(t)
	for tenant := range both {
		if note := s.add(t, tenant, "ann", tenant); note.ID != 1 {
			t.Fatalf("the first note of %s has the number %d", tenant, note.ID)
		}
	}
	s.want(t, "acme", http.MethodDelete, "/notes/1", "", http.StatusNoContent)
	s.want(t, "acme", http.MethodDelete, "/notes/1", "", http.StatusNotFound)
	s.want(t, "acme", http.MethodPost, "/moves", `{"from": "ann", "to": "bob"}`, http.StatusNotFound)
	if notes := s.list(t, "groesse"); len(notes) != 1 || notes[0].Author != "ann" {
		t.Errorf("the other tenant has %v", notes)
	}
}

func TestUnknownTenant(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, tenant := range []string{"public", "PUBLIC", "globex", odd, "information_schema", "pg_catalog", "", "www.acme"} {
		body := s.want(t, tenant, http.MethodGet, "/notes", "", http.StatusNotFound)
		if strings.Contains(body, "decoy") {
			t.Errorf("%q sees the rows of public", tenant)
		}
	}
}

// A handler that was mounted without the middleware has no schema, which is an error, and not public.
func TestMiddlewareForgotten(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.handler = routes(&Notes{s.db})
	for _, r := range []struct{ method, path, body string }{
		{http.MethodGet, "/notes", ""},
		{http.MethodPost, "/notes", `{"author": "ann", "text": "hello"}`},
		{http.MethodDelete, "/notes/1", ""},
		{http.MethodPost, "/moves", `{"from": "ann", "to": "bob"}`},
	} {
		body := s.want(t, "acme", r.method, r.path, r.body, http.StatusInternalServerError)
		if want := `{"error":"sorry, that did not work"}` + "\n"; body != want {
			t.Errorf("%s %s returned %s", r.method, r.path, body)
		}
	}
}

// If a tenant's schema is dropped, that tenant gets errors, and not what is in public.
func TestSchemaDropped(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.add(t, "groesse", "ann", "groesse")
	s.exec(t, "DROP SCHEMA acme CASCADE")
	s.want(t, "acme", http.MethodGet, "/notes", "", http.StatusInternalServerError)
	s.want(t, "acme", http.MethodPost, "/notes", `{"author": "ann", "text": "hello"}`, http.StatusInternalServerError)
	if notes := s.list(t, "groesse"); len(notes) != 1 {
		t.Errorf("the other tenant has %v", notes)
	}
}

func TestSubdomain(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"acme.example.com":      "acme",
		"ACME.Example.com:8080": "acme",
		"acme.localhost:8080":   "acme",
		"acme":                  "",
		"localhost:8080":        "",
		"[::1]:8080":            "",
		".example.com":          "",
		"":                      "",
	} {
		if got := subdomain(&http.Request{Host: host}); got != want {
			t.Errorf("the subdomain of %q is %q; want %q", host, got, want)
		}
	}
}

// request is one to a tenant's host.
func request(t *testing.T, tenant, method, path, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Host = tenant + ".example.com"
	return r
}

// want makes a request, looks at the status of the answer, and returns its body.
func (s *service) want(t *testing.T, tenant, method, path, body string, status int) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, request(t, tenant, method, path, body))
	got, err := io.ReadAll(w.Body)
	if err != nil || w.Code != status {
		t.Errorf("%s: %s %s returned %d %s, %v; want %d", tenant, method, path, w.Code, got, err, status)
	}
	return string(got)
}

// add adds a note. It and list are called by many goroutines, so they do not end the test.
func (s *service) add(t *testing.T, tenant, author, text string) (note Note) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"author": author, "text": text})
	if err == nil {
		err = json.Unmarshal([]byte(s.want(t, tenant, http.MethodPost, "/notes", string(body), http.StatusCreated)), &note)
	}
	if err != nil || note.Author != author || note.Text != text {
		t.Errorf("%s: the note of %s became %v, %v", tenant, author, note, err)
	}
	return note
}

// list returns the notes of a tenant, whose text has to be the tenant's name.
func (s *service) list(t *testing.T, tenant string) (notes []Note) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.want(t, tenant, http.MethodGet, "/notes", "", http.StatusOK)), &notes); err != nil {
		t.Errorf("%s: %v", tenant, err)
	}
	for _, note := range notes {
		if note.Text != tenant {
			t.Errorf("%s sees the note %v", tenant, note)
		}
	}
	return notes
}

func (s *service) move(t *testing.T, tenant, from, to string) {
	t.Helper()
	s.want(t, tenant, http.MethodPost, "/moves", fmt.Sprintf(`{"from": %q, "to": %q}`, from, to), http.StatusOK)
}
