// Package notestest holds one conversation with the notes program. Both versions of the program must answer the same.
package notestest

import (
	_ "embed"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// transcript is what both programs must answer.
//
//go:embed transcript.txt
var transcript string

// Check sends the requests to a program without notes and compares its answers with the transcript.
func Check(t *testing.T, program http.Handler) {
	t.Helper()
	var got strings.Builder
	for _, r := range requests() {
		got.WriteString(exchange(t, program, r))
	}
	if got.String() != transcript {
		t.Errorf("the conversation differs from transcript.txt:\n%s", got.String())
	}
}

// Add writes a note.
func Add(t *testing.T, program http.Handler, text string) {
	t.Helper()
	exchange(t, program, post("/notes", text))
}

// List returns the page with all notes.
func List(t *testing.T, program http.Handler) string {
	t.Helper()
	return exchange(t, program, request{method: http.MethodGet, path: "/"})
}

type request struct {
	method, path, text string
	crossSite          bool
}

func post(path, text string) request { return request{method: http.MethodPost, path: path, text: text} }

func requests() []request {
	get := request{method: http.MethodGet, path: "/"}
	// A form on somebody else's page.
	foreign := post("/notes", "buy from us")
	foreign.crossSite = true
	return []request{
		get,
		post("/notes", "call the baker"),
		post("/notes", "<b>milk & {{tables.notes}}</b>"), // a note is data, whatever it looks like
		get,
		post("/notes", "  "),
		post("/notes", "nul \x00"),
		post("/notes", strings.Repeat("long ", 10_000)),
		foreign,
		post("/notes/1/delete", ""),
		post("/notes/1/delete", ""), // twice, as impatient people do
		post("/notes/one/delete", ""),
		{method: http.MethodGet, path: "/notes"},
		get,
	}
}

// exchange sends a request and returns it with its answer as text.
func exchange(t *testing.T, program http.Handler, r request) string {
	t.Helper()
	body := url.Values{"text": {r.text}}.Encode()
	req := httptest.NewRequestWithContext(t.Context(), r.method, r.path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if r.crossSite {
		req.Header.Set("Sec-Fetch-Site", "cross-site")
	}
	answer := httptest.NewRecorder()
	program.ServeHTTP(answer, req)
	text := fmt.Sprintf("> %s %s %.40q\n%d", r.method, r.path, r.text, answer.Code)
	switch answer.Code {
	case http.StatusSeeOther:
		text += " to " + answer.Header().Get("Location")
	case http.StatusOK, http.StatusBadRequest: // the other texts are net/http's own
		text += "\n" + strings.TrimSpace(answer.Body.String())
	}
	return text + "\n\n"
}
