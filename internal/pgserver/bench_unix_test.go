//go:build unix

package pgserver

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgdbm/pgdbm/internal/supervise/supervisetest"
)

// BenchmarkShared measures from nothing to the first answer of a query: of the first server ever, of one that copies what
// initdb has made before, and of one that runs already.
func BenchmarkShared(b *testing.B) {
	for name, prepare := range map[string]func(with *settings){
		"first": func(with *settings) { with.cache = supervisetest.PublicDir(b, "pgserver-cache-") },
		"cold":  func(*settings) {},
		"join": func(with *settings) {
			with.linger = time.Minute
			first := Server{Shared: true, settings: with}
			b.Cleanup(func() { _ = first.Stop() })
			if _, err := first.DSN(b.Context()); err != nil {
				b.Fatal(err)
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			with := environment()
			with.linger = 0
			with.tempDir = supervisetest.DirIn(b, tempDir(), "pgserver-bench-")
			var took time.Duration
			prepare(&with)
			for b.Loop() {
				if name == "first" {
					prepare(&with)
				}
				s := Server{Shared: true, settings: &with}
				begun := time.Now()
				use(b, &s)
				took += time.Since(begun)
				if err := s.Stop(); err != nil {
					b.Fatal(err)
				}
				if name != "join" {
					awaitEmpty(b, with.tempDir)
				}
			}
			b.ReportMetric(float64(took.Microseconds())/1000/float64(b.N), "ms")
		})
	}
}

// use connects to the server.
func use(b *testing.B, s *Server) {
	dsn, err := s.DSN(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	conn, err := pgx.Connect(b.Context(), dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context())
	var one int
	if err := conn.QueryRow(b.Context(), "SELECT 1").Scan(&one); err != nil {
		b.Fatal(err)
	}
}
