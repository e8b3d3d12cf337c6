package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
)

// api speaks JSON over HTTP. Each of its handlers hands on the context of the request, which carries three things: the tenant's
// schema, the time that is left, and the news that the client has gone.
type api struct {
	notes *Notes
}

// routes are what every tenant has. They need a context with a schema, so mount them behind withTenant.
func routes(notes *Notes) http.Handler {
	a := &api{notes}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /notes", a.list)
	mux.HandleFunc("POST /notes", a.add)
	mux.HandleFunc("DELETE /notes/{id}", a.remove)
	mux.HandleFunc("POST /moves", a.move)
	return http.NewCrossOriginProtection().Handler(mux)
}

func (a *api) list(w http.ResponseWriter, r *http.Request) {
	notes, err := a.notes.List(r.Context())
	if err != nil {
		fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, notes)
}

func (a *api) add(w http.ResponseWriter, r *http.Request) {
	var note struct{ Author, Text string }
	if !readJSON(w, r, &note) || !areTexts(w, note.Author, note.Text) {
		return
	}
	added, err := a.notes.Add(r.Context(), note.Author, note.Text)
	if err != nil {
		fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, added)
}

func (a *api) remove(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		err = ErrNotFound // no note has that number
	} else {
		err = a.notes.Delete(r.Context(), id)
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *api) move(w http.ResponseWriter, r *http.Request) {
	var author struct{ From, To string }
	if !readJSON(w, r, &author) || !areTexts(w, author.From, author.To) {
		return
	}
	moved, err := a.notes.Move(r.Context(), author.From, author.To)
	if err != nil {
		fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]int64{"moved": moved})
}

// maxBody is how many bytes a request may have.
const maxBody = 16 << 10

// readJSON reads the body of a request into v, or answers that it cannot.
func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(v)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		writeError(w, http.StatusRequestEntityTooLarge, "the request is too large")
	case err != nil:
		writeError(w, http.StatusBadRequest, "the request is not the JSON that is expected here")
	}
	return err == nil
}

// areTexts reports whether all values are texts that PostgreSQL can store, and not empty, or answers that they are not.
func areTexts(w http.ResponseWriter, values ...string) bool {
	for _, v := range values {
		if strings.TrimSpace(v) == "" || strings.ContainsRune(v, 0) {
			writeError(w, http.StatusBadRequest, "a value is missing, or is no text")
			return false
		}
	}
	return true
}

// fail tells the client that it did not work, and only the log why: an error of PostgreSQL may name tables and show values.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ErrNotFound):
		writeError(w, http.StatusNotFound, ErrNotFound.Error())
	case r.Context().Err() != nil: // the time was up, or the client has gone and will not read this
		slog.WarnContext(r.Context(), "request given up", "host", r.Host, "error", err)
		writeError(w, http.StatusServiceUnavailable, "that took too long")
	default:
		slog.ErrorContext(r.Context(), "request failed", "host", r.Host, "error", err)
		writeError(w, http.StatusInternalServerError, "sorry, that did not work")
	}
}

func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"error": message})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // an error means that the client has gone
}
