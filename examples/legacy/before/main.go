// Command notes shows short notes on a web page and keeps them in PostgreSQL.
//
//	DATABASE_URL='postgres://localhost/office?sslmode=disable' notes
package main

import (
	"context"
	"database/sql"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	_ "github.com/jackc/pgx/v5/stdlib"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "localhost:8080")
	if err == nil {
		err = run(ctx, os.Getenv("DATABASE_URL"), listener)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "notes:", err)
		os.Exit(1)
	}
}

// run serves the notes until ctx ends, and then lets running requests finish.
func run(ctx context.Context, dsn string, listener net.Listener) error {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	s := &store{db}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	server := &http.Server{Handler: s.handler(), ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	slog.Info("serving notes", "address", "http://"+listener.Addr().String())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}

type note struct {
	ID   int64
	Text string
}

type store struct{ db *sql.DB }

func (s *store) migrate(ctx context.Context) error {
	for _, query := range []string{
		`CREATE TABLE IF NOT EXISTS notes (id bigserial PRIMARY KEY, text text NOT NULL)`,
		`ALTER TABLE notes ADD COLUMN IF NOT EXISTS written timestamptz NOT NULL DEFAULT now()`,
	} {
		if _, err := s.db.ExecContext(ctx, query); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
	}
	return nil
}

func (s *store) list(ctx context.Context) ([]note, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, text FROM notes ORDER BY id DESC LIMIT 100`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var notes []note
	for rows.Next() {
		var n note
		if err := rows.Scan(&n.ID, &n.Text); err != nil {
			return nil, err
		}
		notes = append(notes, n)
	}
	return notes, rows.Err()
}

func (s *store) add(ctx context.Context, text string) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO notes (text) VALUES ($1)`, text)
	return err
}

func (s *store) remove(ctx context.Context, id int64) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM notes WHERE id = $1`, id)
	return err
}

func (s *store) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.handleList)
	mux.HandleFunc("POST /notes", s.handleAdd)
	mux.HandleFunc("POST /notes/{id}/delete", s.handleRemove)
	return http.NewCrossOriginProtection().Handler(http.MaxBytesHandler(mux, 16<<10))
}

// page escapes what people wrote.
var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<title>Notes</title>
<form method="post" action="/notes"><input name="text" required><button>Add</button></form>
{{range .}}<form method="post" action="/notes/{{.ID}}/delete">{{.Text}} <button>Delete</button></form>
{{end}}`))

func (s *store) handleList(w http.ResponseWriter, r *http.Request) {
	notes, err := s.list(r.Context())
	if err == nil {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		err = page.Execute(w, notes)
	}
	if err != nil {
		fail(w, err)
	}
}

func (s *store) handleAdd(w http.ResponseWriter, r *http.Request) {
	err := r.ParseForm()
	text := strings.TrimSpace(r.PostForm.Get("text"))
	if err != nil || text == "" || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		http.Error(w, "the note is empty, too long or not text", http.StatusBadRequest)
		return
	}
	if err := s.add(r.Context(), text); err != nil {
		fail(w, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *store) handleRemove(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if err := s.remove(r.Context(), id); err != nil {
		fail(w, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// fail tells the visitor that it did not work, and only the log why.
func fail(w http.ResponseWriter, err error) {
	slog.Error("request failed", "error", err)
	http.Error(w, "sorry, that did not work", http.StatusInternalServerError)
}
